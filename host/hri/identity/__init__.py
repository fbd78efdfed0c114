"""The façade: the mission document's names over the modules that do the work.

Where its sample says too little, the environment and the YAML do: HRI_PORT names the serial port, HRI_HOME
the home folder, HRI_CONFIG the YAML, and HRI_LOCK allows the permanent locks that a blank chip needs (the
chip's serial number in hex, or `any`).
"""

from __future__ import annotations

from hri.identity.authority import CertificateAuthority
from hri.identity.element import SecureElementManager
from hri.identity.manager import DeviceIdentityManager
from hri.identity.values import CertificateRequest, DeviceIdentity, KeyType, SecureElementType

__all__ = [
    "CertificateAuthority",
    "CertificateRequest",
    "DeviceIdentity",
    "DeviceIdentityManager",
    "KeyType",
    "SecureElementManager",
    "SecureElementType",
]

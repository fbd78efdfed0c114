"""Hardware rooted identity: the host side.

The names of the façade (`hri.identity`) are importable from here; they are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hri.identity import (
        CertificateAuthority,
        CertificateRequest,
        DeviceIdentity,
        DeviceIdentityManager,
        KeyType,
        SecureElementManager,
        SecureElementType,
    )

__all__ = [
    "CertificateAuthority",
    "CertificateRequest",
    "DeviceIdentity",
    "DeviceIdentityManager",
    "KeyType",
    "SecureElementManager",
    "SecureElementType",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from hri import identity

        return getattr(identity, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

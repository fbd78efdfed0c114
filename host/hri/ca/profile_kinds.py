"""What named profiles are for, and what that fixes unless the configuration says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ProfileKind(StrEnum):
    """IDevID and LDevID are those of IEEE 802.1AR."""

    IDEVID = "idevid"
    LDEVID = "ldevid"
    TLS_CLIENT = "tls-client"
    TLS_SERVER = "tls-server"
    ATTESTATION_KEY = "attestation-key"


@dataclass(frozen=True, slots=True)
class KindDefaults:
    """`endless`: notAfter is 99991231235959Z; `rotates`: no certificate outlives the rotation of its key."""

    extended_key_usage: tuple[str, ...]
    endless: bool = False
    rotates: bool = True
    subject_serial: bool = False


# An IDevID carries client_auth, which 802.1AR leaves open: a certificate for no purpose is trusted for none.
DEFAULTS: dict[ProfileKind, KindDefaults] = {
    ProfileKind.IDEVID: KindDefaults(("client_auth",), endless=True, rotates=False, subject_serial=True),
    ProfileKind.LDEVID: KindDefaults(("client_auth",)),
    ProfileKind.TLS_CLIENT: KindDefaults(("client_auth",)),
    ProfileKind.TLS_SERVER: KindDefaults(("server_auth",)),
    ProfileKind.ATTESTATION_KEY: KindDefaults(("attestation_key",), rotates=False),
}

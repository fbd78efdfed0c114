"""Who may do what: one table, route by route. A route that does not stand in it cannot be reached."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a caller is. DEVICE is who shows a certificate of this authority that is in force."""

    OPERATOR = "operator"
    REGISTRATION_AUTHORITY = "registration-authority"
    AUDITOR = "auditor"
    ADMIN = "admin"
    DEVICE = "device"


EVERYBODY: frozenset[Role] | None = None
"""The rule of a public route: no credentials are asked for."""

_ADMIN = frozenset({Role.ADMIN})
_READ = frozenset({Role.OPERATOR, Role.REGISTRATION_AUTHORITY, Role.AUDITOR, Role.ADMIN})
_OPERATE = frozenset({Role.OPERATOR, Role.ADMIN})
_REGISTER = frozenset({Role.REGISTRATION_AUTHORITY, Role.ADMIN})
_VERIFY = frozenset({Role.OPERATOR, Role.REGISTRATION_AUTHORITY, Role.ADMIN})
_ENROL = frozenset({Role.REGISTRATION_AUTHORITY, Role.ADMIN, Role.DEVICE})
_EST = "/.well-known/est"

ACCESS: dict[tuple[str, str], frozenset[Role] | None] = {
    ("GET", "/healthz"): EVERYBODY,
    ("GET", "/healthz/live"): EVERYBODY,
    ("GET", "/openapi.json"): EVERYBODY,
    ("GET", "/crl/{issuer}.crl"): EVERYBODY,
    ("POST", "/ocsp"): EVERYBODY,
    ("GET", "/ocsp/{question}"): EVERYBODY,
    ("GET", "/log/checkpoint"): EVERYBODY,
    ("GET", "/log/tile/{level}/{place}"): EVERYBODY,
    # Every entry is a certificate, and so a device's name.
    ("GET", "/log/tile/entries/{place}"): _READ,
    ("GET", "/metrics"): frozenset({Role.OPERATOR, Role.AUDITOR, Role.ADMIN}),
    ("GET", "/v1/devices"): _READ,
    ("GET", "/v1/devices/{device_id}"): _READ,
    ("POST", "/v1/devices/{device_id}/revoke"): _OPERATE,
    ("GET", "/v1/certificates/{serial_number}"): _READ,
    ("GET", "/v1/certificates/{serial_number}/pem"): _READ,
    ("POST", "/v1/certificates"): _REGISTER,
    ("POST", "/v1/certificates/{serial_number}/renew"): _REGISTER,
    ("POST", "/v1/challenges"): _VERIFY | {Role.DEVICE},
    ("POST", "/v1/verify"): _VERIFY,
    ("POST", "/v1/verify-certificate"): _VERIFY | {Role.AUDITOR},
    ("GET", f"{_EST}/cacerts"): EVERYBODY,
    ("GET", f"{_EST}/csrattrs"): EVERYBODY,
    ("POST", f"{_EST}/simpleenroll"): _ENROL,
    ("POST", f"{_EST}/simplereenroll"): frozenset({Role.DEVICE}),
    ("POST", f"{_EST}/serverkeygen"): _ENROL,
    ("GET", _EST + "/{label}/cacerts"): EVERYBODY,
    ("GET", _EST + "/{label}/csrattrs"): EVERYBODY,
    ("POST", _EST + "/{label}/simpleenroll"): _ENROL,
    ("POST", _EST + "/{label}/simplereenroll"): frozenset({Role.DEVICE}),
    ("POST", _EST + "/{label}/serverkeygen"): _ENROL,
}

MAY_DO_WITHOUT_EVIDENCE = _ADMIN
"""Who may have a certificate issued for a key of unknown origin, with a reason that stays on record."""

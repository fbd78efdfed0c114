"""Publishing the revocation list."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from hri.ca.authority import Authority
from hri.ca.files import disk_errors, write_atomically
from hri.errors import StorageError
from hri.log import get_logger
from hri.registry import Registry
from hri.registry.folder_lock import exclusive

FILE_NAME = "issuing.crl"
LIFETIME = timedelta(days=7)
_log = get_logger(__name__)


def publish(
    authority: Authority,
    registry: Registry,
    folder: Path,
    *,
    now: datetime,
    lifetime: timedelta = LIFETIME,
) -> bytes:
    """Sign the present revocation list, write it to `folder`/issuing.crl (DER) and return it.

    Two publishers take turns, so that the file never goes back to an older list.

    Raises StorageError, ConfigurationError.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with disk_errors(folder), exclusive(folder, "publishing a revocation list"):
        # The number first: a crash after it leaves a gap, which RFC 5280 section 5.2.3 allows.
        number = registry.next_crl_number()
        revoked = registry.revoked(unexpired_at=now)
        der = authority.crl(revoked, number=number, now=now, next_update=now + lifetime)
        write_atomically(folder / FILE_NAME, der)
    _log.info("revocation list published", number=number, entries=len(revoked))
    return der


def published(
    authority: Authority, registry: Registry, path: Path, *, now: datetime
) -> x509.CertificateRevocationList | None:
    """Return the list in the file, if it is ours, the newest and says what the registry says; else None.

    A publisher that was cut off leaves an older one there, after the registry knows of the revocation.
    """
    try:
        with disk_errors(path):
            crl = x509.load_der_x509_crl(path.read_bytes())
        number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        ours = authority.signed(crl)
        entries = {entry.serial_number: _reason(entry) for entry in crl}
        until = crl.next_update_utc
    except (StorageError, ValueError, TypeError, x509.InvalidVersion, x509.ExtensionNotFound):
        return None
    if not ours or until is None or not crl.last_update_utc <= now < until:
        return None
    if number != registry.crl_number():
        return None
    listed = registry.revoked(unexpired_at=now)
    if any(entries.get(entry.serial_number) != (entry.reason or "unspecified") for entry in listed):
        return None
    return crl


def _reason(entry: x509.RevokedCertificate) -> str:
    try:
        return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
    except x509.ExtensionNotFound:
        return "unspecified"

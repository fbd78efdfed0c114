"""The key and the certificate with which the issuing CA lets OCSP answers be signed (RFC 6960, 4.2.2.2).

It is a key of its own, so that the CA's need not be open where answers are given. Its certificate cannot be
revoked to any effect (id-pkix-ocsp-nocheck) and is therefore short-lived.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hri.ca.authority import Authority
from hri.ca.files import disk_errors, write_atomically
from hri.ca.keys import encrypted_pem
from hri.ca.profiles import KEY_USAGES
from hri.errors import ConfigurationError
from hri.log import get_logger
from hri.registry.folder_lock import exclusive

LIFETIME = timedelta(days=14)
RENEWED_BEFORE = timedelta(days=7)
"""A new key and certificate are made as long as this before the end of the present ones."""
# A verifier's clock may be a little behind the authority's.
_BACKDATE = timedelta(minutes=5)
_LOOKED_AT_EVERY = timedelta(minutes=1)
OnMade = Callable[[x509.Certificate], None]
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Delegate:
    """A key (P-256) and the certificate that lets it sign OCSP answers of the CA that issued it."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def is_valid(self, now: datetime) -> bool:
        """Say whether the certificate is valid now."""
        return self.certificate.not_valid_before_utc <= now < self.certificate.not_valid_after_utc


class Delegates:
    """The delegate at a time, for a process that runs for long: opened once, and renewed in time."""

    def __init__(
        self, authority: Authority, folder: Path, passphrase: bytes, *, on_made: OnMade | None = None
    ) -> None:
        """Take what `open_delegate` takes."""
        self._authority = authority
        self._folder = folder
        self._passphrase = passphrase
        self._on_made = on_made
        self._last: tuple[datetime, Delegate] | None = None

    def __call__(self, now: datetime) -> Delegate:
        """Return the delegate for answers given now. Raises what `open_delegate` raises."""
        last = self._last
        if last is not None:
            looked, delegate = last
            end = delegate.certificate.not_valid_after_utc
            # Where only others can renew it the file is looked at now and then: opening a key is slow.
            if now < end - RENEWED_BEFORE or (now < end and abs(now - looked) < _LOOKED_AT_EVERY):
                return delegate
        delegate = open_delegate(
            self._authority, self._folder, self._passphrase, now=now, on_made=self._on_made
        )
        # One assignment: threads see the old one or the new one.
        self._last = now, delegate
        return delegate


def delegate_path(folder: Path, authority: Authority) -> Path:
    """Return the file of a CA's delegate: the encrypted key and the certificate, PEM, in one file."""
    return folder / f"{authority.key_identifier}.pem"


def open_delegate(
    authority: Authority,
    folder: Path,
    passphrase: bytes,
    *,
    now: datetime,
    serial_numbers: Callable[[], int] = x509.random_serial_number,
    on_made: OnMade | None = None,
) -> Delegate:
    """Return the delegate kept in a folder; with the issuing key open, one that lasts, made anew if need be.

    `on_made` is told of a new certificate before anybody can use it; what it raises keeps it from being kept.

    One that cannot be read, under this passphrase, counts as none. Raises ConfigurationError (none that is
    valid, and the issuing key not open) and StorageError.
    """
    path = delegate_path(folder, authority)
    found = _read(path, passphrase)
    if found is not None and _lasts(found, authority, now):
        return found
    if not authority.can_sign:
        if found is not None and _is_of(found, authority) and found.is_valid(now):
            return found
        raise ConfigurationError(
            "no-ocsp-responder",
            f"there is no valid certificate for signing OCSP answers in {folder}",
            "run `hri ocsp produce` or `hri serve` with the CA passphrase, which makes one",
        )
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with disk_errors(folder), exclusive(folder, "renewing an OCSP responder"):
        # Somebody may have done it while we waited.
        found = _read(path, passphrase)
        if found is not None and _lasts(found, authority, now):
            return found
        made = _make(authority, serial_numbers(), now)
        if on_made is not None:
            on_made(made.certificate)
        pem = made.certificate.public_bytes(Encoding.PEM)
        write_atomically(path, encrypted_pem(made.key, passphrase, "OCSP responder") + pem, 0o600)
    _log.info("OCSP responder certified", not_after=made.certificate.not_valid_after_utc.isoformat())
    return made


def _make(authority: Authority, serial_number: int, now: datetime) -> Delegate:
    key = ec.generate_private_key(ec.SECP256R1())
    issuing = authority.issuing
    start, end = issuing.not_valid_before_utc, issuing.not_valid_after_utc
    not_before, not_after = max(now - _BACKDATE, start), min(now + LIFETIME, end)
    if not not_before < not_after:
        raise ConfigurationError(
            "ca-not-valid", "the issuing CA is not valid now", "check this machine's clock"
        )
    signer = issuing.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    usage = x509.KeyUsage(**{name: name == "digital_signature" for name in KEY_USAGES})
    extensions: list[tuple[bool, x509.ExtensionType]] = [
        (True, x509.BasicConstraints(ca=False, path_length=None)),
        (True, usage),
        (True, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])),
        (False, x509.OCSPNoCheck()),
        (False, x509.SubjectKeyIdentifier.from_public_key(key.public_key())),
        (False, x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer)),
    ]
    builder = x509.CertificateBuilder(
        issuer_name=issuing.subject,
        subject_name=_subject(issuing),
        public_key=key.public_key(),
        serial_number=serial_number,
        not_valid_before=_naive(not_before),
        not_valid_after=_naive(not_after),
        extensions=[x509.Extension(value.oid, critical, value) for critical, value in extensions],
    )
    return Delegate(key, authority.sign(builder))


def _subject(issuing: x509.Certificate) -> x509.Name:
    """The CA's name, with `OCSP` after its common name: RFC 5280 appendix A.1 allows 64 characters."""
    names = issuing.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    common = f"{str(names[0].value)[:59]} OCSP" if names else "OCSP"
    others = [attribute for attribute in issuing.subject if attribute.oid != NameOID.COMMON_NAME]
    return x509.Name([*others, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _read(path: Path, passphrase: bytes) -> Delegate | None:
    """Return what the file holds, None where there is none or it is damaged: it can be made anew."""
    with disk_errors(path):
        try:
            pem = path.read_bytes()
        except FileNotFoundError:
            return None
    try:
        key = load_pem_private_key(pem, passphrase)
        certificate = x509.load_pem_x509_certificate(pem)
    except (ValueError, TypeError, x509.InvalidVersion):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    return Delegate(key, certificate)


def _lasts(delegate: Delegate, authority: Authority, now: datetime) -> bool:
    end = authority.issuing.not_valid_after_utc
    enough = min(now + RENEWED_BEFORE, end)
    return (
        _is_of(delegate, authority)
        and delegate.is_valid(now)
        and delegate.certificate.not_valid_after_utc >= enough
    )


def _is_of(delegate: Delegate, authority: Authority) -> bool:
    try:
        delegate.certificate.verify_directly_issued_by(authority.issuing)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None, microsecond=0)

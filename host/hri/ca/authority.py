"""The issuing CA: certificates and revocation lists from a key on disk. Computes, and keeps no records."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from hri.ca.ceremony import hold_ceremony
from hri.ca.csr import checked_public_key
from hri.ca.files import disk_errors
from hri.ca.keys import open_key
from hri.ca.profiles import Profile
from hri.ca.to_template import TemplateCertificate, issue_to_template
from hri.compressed import Sources, Validity
from hri.compressed.conversion import subject_text
from hri.errors import ConfigurationError, PolicyRefusal
from hri.log import get_logger
from hri.registry.records import RevokedEntry

_log = get_logger(__name__)
_SHA256 = hashes.SHA256()
_END_ENTITY = x509.BasicConstraints(ca=False, path_length=None)
# A device whose clock is a little behind the authority's must not find its new certificate in the future.
_BACKDATE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Dated:
    profile: Profile
    now: datetime
    not_before: datetime
    not_after: datetime


class Authority:
    """A root certificate, the issuing CA below it, and the issuing key where it was opened."""

    def __init__(
        self, root: x509.Certificate, issuing: x509.Certificate, key: ec.EllipticCurvePrivateKey | None
    ) -> None:
        """Check that the parts belong together; `root` and `issuing` may be one self-signed certificate.

        Raises ConfigurationError.
        """
        self.root = root
        self.issuing = issuing
        self._key = key
        _check_parts(root, issuing, key)
        identifier = _subject_key_identifier(issuing)
        self._authority_key = x509.AuthorityKeyIdentifier(identifier.digest, None, None)
        self._validity = issuing.not_valid_before_utc, issuing.not_valid_after_utc
        self._last_dated: _Dated | None = None
        self._issuer = issuing.subject
        self._fixed: dict[tuple[Profile, str | None], list[x509.Extension[x509.ExtensionType]]] = {}

    @classmethod
    def create(
        cls,
        home: Path,
        *,
        organisation: str = "Hardware Rooted Identity",
        common_name: str = "HRI",
        root_passphrase: bytes,
        ca_passphrase: bytes,
        root_out: Path | None = None,
        now: datetime,
    ) -> Authority:
        """Make a root (P-256, 20 years), an issuing CA (P-256, 10 years, pathlen 0) and an operator key.

        All or nothing, below `home`/ca. With `root_out` the encrypted root key goes to that folder instead.

        Raises ConfigurationError and StorageError.
        """
        result = hold_ceremony(
            home,
            organisation=organisation,
            common_name=common_name,
            root_passphrase=root_passphrase,
            ca_passphrase=ca_passphrase,
            root_out=root_out,
            now=now,
        )
        _log.info("authority made", folder=str(result.folder), root_key=str(result.root_key))
        return cls.open(home, ca_passphrase)

    @classmethod
    def open(cls, home: Path, ca_passphrase: bytes) -> Authority:
        """Open the authority of a home folder for issuing. Raises ConfigurationError and StorageError."""
        public = cls.open_public(home)
        key = open_key(home / "ca" / "issuing.key", ca_passphrase, "issuing CA")
        return cls(public.root, public.issuing, key)

    @classmethod
    def open_public(cls, home: Path) -> Authority:
        """Open only the certificates, for those who verify. Raises ConfigurationError and StorageError."""
        folder = home / "ca"
        if not folder.is_dir():
            raise ConfigurationError(
                "no-ca", f"there is no authority in {home}", "make one with `hri ca init`, or give its --home"
            )
        return cls(_read_certificate(folder / "root.pem"), _read_certificate(folder / "issuing.pem"), None)

    @classmethod
    def from_files(cls, key_path: Path, certificate_path: Path, passphrase: bytes | None = None) -> Authority:
        """Open an authority from its key and its certificate: self-signed, or followed by its root's.

        The latter is what `hri ca export --chain` prints. A key that is not encrypted is accepted where
        `passphrase` is None, with a warning in the log.

        Raises ConfigurationError and StorageError.
        """
        issuing, *above = _read_certificates(certificate_path)
        key = open_key(key_path, passphrase, "CA")
        if passphrase is None:
            _log.warning("the CA key is not encrypted: whoever reads the file can issue", path=str(key_path))
        return cls(above[-1] if above else issuing, issuing, key)

    def root_pem(self) -> bytes:
        """Return the root certificate, the trust anchor, as PEM."""
        return self.root.public_bytes(Encoding.PEM)

    def chain_pem(self) -> bytes:
        """Return the certificates between a device's and the root's, then the root, as PEM."""
        if self.issuing == self.root:
            return self.root_pem()
        return self.issuing.public_bytes(Encoding.PEM) + self.root_pem()

    def chain_der(self) -> tuple[bytes, ...]:
        """Return the certificates between a device's and the root's, which a device sends along, as DER."""
        return () if self.issuing == self.root else (self.issuing.public_bytes(Encoding.DER),)

    def build(
        self,
        public_key: ec.EllipticCurvePublicKey,
        device_id: str,
        profile: Profile,
        *,
        serial_number: int,
        now: datetime,
        point: bytes | None = None,
    ) -> bytes:
        """Sign a device certificate and return it as DER (RFC 5280).

        Its validity is `validity(profile, now)`. `point` is the public key as X ‖ Y (64 bytes), for callers
        who have it: encoding a key again costs as much as all the names. Nothing is recorded; that is for
        `hri.ca.issuance`.

        Raises PolicyRefusal (a name that the device id makes malformed) and ConfigurationError (no key, a
        profile to a template, or the authority is not valid at `now`).
        """
        key = self._signing_key()
        if point is None:
            point = checked_public_key(public_key)[0]
        if profile.template is not None:
            raise ConfigurationError(
                "template-profile",
                f"the profile {profile.name} issues to a template, for the key of a chip on a board",
                "use `hri provision`, or a configuration without certificate.template",
            )
        dated = self._dated(profile, now)
        names = profile.alternative_names(device_id)
        # The parts go to the constructor: adding them one by one copies the builder each time.
        builder = x509.CertificateBuilder(
            issuer_name=self._issuer,
            subject_name=profile.subject_name(device_id),
            public_key=public_key,
            serial_number=serial_number,
            not_valid_before=dated.not_before.replace(tzinfo=None),
            not_valid_after=dated.not_after.replace(tzinfo=None),
            extensions=[
                *self._fixed_extensions(profile, serial_number),
                x509.Extension(x509.SubjectKeyIdentifier.oid, False, _key_identifier(point)),
                x509.Extension(x509.SubjectAlternativeName.oid, False, names),
            ],
        )
        return builder.sign(key, _SHA256).public_bytes(Encoding.DER)

    def build_to_template(
        self,
        public_key: ec.EllipticCurvePublicKey,
        device_id: str,
        profile: Profile,
        *,
        now: datetime,
        element_serial: bytes | None,
    ) -> TemplateCertificate:
        """Sign a device certificate to the profile's template; nothing is recorded.

        It begins with the hour that lay five minutes back, because the format knows no minutes. The device id
        has to be the one that the template gives. `element_serial` is the chip's, 9 bytes.

        Raises PolicyRefusal (CompressedError among them) and ConfigurationError.
        """
        key, template = self._signing_key(), profile.template
        if template is None:
            raise ValueError("the profile has no template")
        sources = Sources(checked_public_key(public_key)[0], element_serial=element_serial)
        named = template.device_id_from
        given = subject_text(named, sources).decode() if named is not None else None
        if given != device_id:
            raise PolicyRefusal(
                "device-id-not-to-template",
                f"the template {template.name} names this device {given}, not {device_id!r}",
                "leave --device-id out for hri-device, or give the chip's serial number for hri-element",
            )
        second = self._valid_at(now)
        start = max(second - _BACKDATE, self._validity[0]).replace(minute=0, second=0)
        validity = Validity(start, template.validity_years)
        if template.validity_years and validity.not_after(template.not_after) > self._validity[1]:
            raise ConfigurationError(
                "outlives-authority",
                f"{template.validity_years} years are more than the issuing CA has left",
                "shorten certificate.validity_days, or make a new authority",
            )
        return issue_to_template(
            template,
            issuer=self.issuing,
            key=key,
            sources=sources,
            validity=validity,
            signer_id=self.signer_id,
        )

    @property
    def key_identifier(self) -> str:
        """The key identifier of the issuing CA in lower-case hex, by which records name it."""
        return _subject_key_identifier(self.issuing).digest.hex()

    @property
    def signer_id(self) -> bytes:
        """The two bytes by which compressed certificates name the issuing CA: the first of its key id."""
        return _subject_key_identifier(self.issuing).digest[:2]

    def validity(self, profile: Profile, now: datetime) -> tuple[datetime, datetime]:
        """Return notBefore and notAfter (whole seconds, UTC) of a certificate issued at `now`.

        notBefore lies five minutes back; neither lies outside the validity of the issuing certificate.

        Raises ConfigurationError where the authority is not valid at `now`.
        """
        dated = self._dated(profile, now)
        return dated.not_before, dated.not_after

    def crl(
        self,
        revoked: Sequence[RevokedEntry],
        *,
        number: int,
        now: datetime,
        next_update: datetime,
        points: Sequence[str] = (),
    ) -> bytes:
        """Sign a complete revocation list and return it as DER (RFC 5280 section 5).

        With `points` (URLs) it is a shard: complete for the certificates that have one of them as their
        distribution point, and says so critically (section 5.2.5).

        Raises ConfigurationError.
        """
        key = self._signing_key()
        extensions: list[x509.Extension[x509.ExtensionType]] = [
            x509.Extension(x509.AuthorityKeyIdentifier.oid, False, self._authority_key),
            x509.Extension(x509.CRLNumber.oid, False, x509.CRLNumber(number)),
        ]
        if points:
            scope = x509.IssuingDistributionPoint(
                [x509.UniformResourceIdentifier(url) for url in points],
                None,
                only_contains_user_certs=False,
                only_contains_ca_certs=False,
                only_some_reasons=None,
                indirect_crl=False,
                only_contains_attribute_certs=False,
            )
            extensions.append(x509.Extension(scope.oid, True, scope))
        builder = x509.CertificateRevocationListBuilder(
            issuer_name=self.issuing.subject,
            last_update=_naive(now),
            next_update=_naive(next_update),
            extensions=extensions,
            revoked_certificates=[_crl_entry(entry) for entry in revoked],
        )
        return builder.sign(key, _SHA256).public_bytes(Encoding.DER)

    def sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        """Sign a certificate that is no device's, such as that of an OCSP responder.

        Raises ConfigurationError where the issuing key is not open.
        """
        return builder.sign(self._signing_key(), _SHA256)

    @property
    def can_sign(self) -> bool:
        """Whether the issuing key is open."""
        return self._key is not None

    def signed(self, crl: x509.CertificateRevocationList) -> bool:
        """Say whether the issuing CA signed this list."""
        key = self.issuing.public_key()
        return (
            isinstance(key, ec.EllipticCurvePublicKey)
            and crl.issuer == self.issuing.subject
            and crl.is_signature_valid(key)
        )

    def _signing_key(self) -> ec.EllipticCurvePrivateKey:
        if self._key is None:
            raise ConfigurationError("ca-locked", "the issuing key is not open", "give the CA passphrase")
        return self._key

    def _dated(self, profile: Profile, now: datetime) -> _Dated:
        """Return what `validity` says, and remember it: a batch asks for the same one again and again."""
        last = self._last_dated
        if last is not None and last.profile is profile and last.now is now:
            return last
        start, end = self._validity
        second = self._valid_at(now)
        not_before, not_after = max(second - _BACKDATE, start), min(second + profile.validity, end)
        # One assignment of a value that does not change: threads see the old answer or the new one.
        self._last_dated = last = _Dated(profile, now, not_before, not_after)
        return last

    def _valid_at(self, now: datetime) -> datetime:
        """Return `now` in UTC and whole seconds; raises ConfigurationError where the CA is not valid then."""
        start, end = self._validity
        second = now.astimezone(UTC).replace(microsecond=0)
        if not start <= second < end:
            raise ConfigurationError(
                "ca-not-valid",
                f"the issuing CA is valid from {start:%Y-%m-%d} to {end:%Y-%m-%d} and not now",
                "check this machine's clock; an expired CA must be replaced",
            )
        return second

    def _fixed_extensions(
        self, profile: Profile, serial_number: int
    ) -> list[x509.Extension[x509.ExtensionType]]:
        """What is the same in every certificate of a profile and a shard, made once."""
        url = profile.distribution_point(serial_number)
        fixed = self._fixed.get((profile, url))
        if fixed is None:
            values: list[tuple[bool, x509.ExtensionType]] = [
                (True, _END_ENTITY),
                (True, profile.key_usage_extension()),
                (False, profile.extended_key_usage_extension()),
                (False, self._authority_key),
            ]
            if url is not None:
                point = x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
                values.append((False, x509.CRLDistributionPoints([point])))
            fixed = [x509.Extension(value.oid, critical, value) for critical, value in values]
            self._fixed[profile, url] = fixed
        return fixed


def _key_identifier(point: bytes) -> x509.SubjectKeyIdentifier:
    """SHA-1 of the public key's bits (RFC 5280 section 4.2.1.2, method 1): a name, not a security measure."""
    return x509.SubjectKeyIdentifier(hashlib.sha1(b"\x04" + point, usedforsecurity=False).digest())


def _check_parts(
    root: x509.Certificate, issuing: x509.Certificate, key: ec.EllipticCurvePrivateKey | None
) -> None:
    try:
        root.verify_directly_issued_by(root)
        issuing.verify_directly_issued_by(root)
        basic = issuing.extensions.get_extension_for_class(x509.BasicConstraints).value
        # RFC 5280 section 4.2.1.3 asks for it in a CA certificate, and verifiers refuse chains without.
        usage = issuing.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise _broken(f"the CA certificate has no {error.oid._name} extension") from error
    except (ValueError, TypeError, InvalidSignature) as error:
        raise _broken("the CA certificates do not form a chain") from error
    if not basic.ca or not usage.key_cert_sign or not usage.crl_sign:
        raise _broken("the issuing certificate is not one of a CA that signs certificates and CRLs")
    if key is not None and key.public_key() != issuing.public_key():
        raise _broken("the issuing key does not belong to the issuing certificate")


def _subject_key_identifier(certificate: x509.Certificate) -> x509.SubjectKeyIdentifier:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        public_key = certificate.public_key()
        if not isinstance(public_key, ec.EllipticCurvePublicKey):
            raise _broken("the issuing certificate has no elliptic-curve key") from None
        return x509.SubjectKeyIdentifier.from_public_key(public_key)


def _read_certificate(path: Path) -> x509.Certificate:
    return _read_certificates(path)[0]


def _read_certificates(path: Path) -> list[x509.Certificate]:
    with disk_errors(path):
        pem = path.read_bytes()
    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, x509.InvalidVersion) as error:
        raise _broken(f"{path} is not a PEM certificate") from error


def _crl_entry(entry: RevokedEntry) -> x509.RevokedCertificate:
    return x509.RevokedCertificateBuilder(
        entry.serial_number, _naive(entry.revoked_at), _reason_extensions(entry.reason)
    ).build()


@cache
def _reason_extensions(reason: str) -> list[x509.Extension[x509.ExtensionType]]:
    flag = x509.ReasonFlags(reason)
    # RFC 5280 section 5.3.1: "unspecified" is said by saying nothing.
    if flag is x509.ReasonFlags.unspecified:
        return []
    return [x509.Extension(x509.CRLReason.oid, False, x509.CRLReason(flag))]


def _naive(moment: datetime) -> datetime:
    """What the builders' constructors take: UTC, whole seconds, without a zone."""
    # A list has very many, and most are in UTC already.
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.replace(tzinfo=None, microsecond=0)


def _broken(message: str) -> ConfigurationError:
    return ConfigurationError("ca-broken", message, "restore the folder ca from a backup")

"""The test authority behind the virtual factory: root, signer and manifest log, with their certificates."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hri.rig.atecc.certificates import (
    LOG_NAME,
    ROOT_NAME,
    SIGNER_TEMPLATE,
    SIGNER_YEARS,
    Issuer,
    Subject,
    ca_key_usage,
    name,
    point,
    rebuild,
    sign,
    signer_subject,
    to_be_signed,
)
from hri.rig.atecc.compressed import CompressedCertificate
from hri.rig.atecc.entropy import RandomSource, draw_scalar

_ROOT_YEARS = 40
_LOG_USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True)
class Authority:
    """The keys (private scalars) and the day of one factory; all certificates follow from them.

    ``made`` is on the hour in UTC, ``signer_id`` two bytes. Raises ValueError for a scalar that is no key.
    """

    root: int
    signer: int
    log: int
    signer_id: int
    made: datetime

    @classmethod
    def draw(cls, random: RandomSource, made: datetime) -> Authority:
        """Return an authority with new keys, from ``made`` on."""
        root, signer, log = (draw_scalar(random) for _ in range(3))
        return cls(root, signer, log, int.from_bytes(random(2), "big"), on_the_hour(made))

    @cached_property
    def signer_key(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(self.signer, ec.SECP256R1())

    @cached_property
    def log_key(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(self.log, ec.SECP256R1())

    @cached_property
    def root_certificate(self) -> x509.Certificate:
        """The trust anchor, which says of itself that it is a test's."""
        return self._by_root(
            ROOT_NAME,
            self._root_key.public_key(),
            x509.BasicConstraints(ca=True, path_length=1),
            ca_key_usage(),
        )

    @cached_property
    def log_certificate(self) -> x509.Certificate:
        """The certificate of the key that signs manifests. A: that the root issues it."""
        end_entity = x509.BasicConstraints(ca=False, path_length=None)
        return self._by_root(LOG_NAME, self.log_key.public_key(), end_entity, _LOG_USAGE)

    @cached_property
    def signer_compressed(self) -> CompressedCertificate:
        """The signer certificate as slot 12 holds it."""
        body = to_be_signed(self._signer_subject, self._root_issuer, self.made, SIGNER_YEARS)
        signature = sign(body, self._root_key)
        return CompressedCertificate(signature, self.made, SIGNER_YEARS, self.signer_id, SIGNER_TEMPLATE)

    @cached_property
    def signer_certificate(self) -> bytes:
        """The signer certificate, DER."""
        return rebuild(self.signer_compressed, self._signer_subject, self._root_issuer)

    @property
    def issuer(self) -> Issuer:
        """The signer as device certificates name it."""
        return Issuer(self._signer_subject.name, self._signer_subject.public_key)

    @cached_property
    def _root_key(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(self.root, ec.SECP256R1())

    @cached_property
    def _root_issuer(self) -> Issuer:
        return Issuer(name(ROOT_NAME), point(self._root_key))

    @cached_property
    def _signer_subject(self) -> Subject:
        return signer_subject(self.signer_id, point(self.signer_key))

    def _by_root(
        self,
        common_name: str,
        key: ec.EllipticCurvePublicKey,
        constraints: x509.BasicConstraints,
        usage: x509.KeyUsage,
    ) -> x509.Certificate:
        subject_id = x509.SubjectKeyIdentifier.from_public_key(key)
        root_id = x509.SubjectKeyIdentifier.from_public_key(self._root_key.public_key())
        number = bytearray(hashlib.sha256(subject_id.digest + root_id.digest).digest()[:16])
        number[0] = number[0] & 0x3F | 0x40
        return (
            x509.CertificateBuilder()
            .subject_name(name(common_name))
            .issuer_name(name(ROOT_NAME))
            .public_key(key)
            .serial_number(int.from_bytes(number, "big"))
            .not_valid_before(self.made)
            .not_valid_after(self.made.replace(year=self.made.year + _ROOT_YEARS))
            .add_extension(constraints, critical=True)
            .add_extension(usage, critical=True)
            .add_extension(subject_id, critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(root_id), critical=False
            )
            .sign(self._root_key, hashes.SHA256(), ecdsa_deterministic=True)
        )


def on_the_hour(moment: datetime) -> datetime:
    """Return the hour of a moment, a day earlier on 29 February, which has no anniversary in most years."""
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return hour - timedelta(days=1) if (hour.month, hour.day) == (2, 29) else hour

"""Certificates, lists and responses as drafts: every part can be changed before they are signed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Extensions = dict[type[x509.ExtensionType], tuple[x509.ExtensionType, bool]]
_CURVES: dict[str, ec.EllipticCurve] = {
    "p256": ec.SECP256R1(),
    "p384": ec.SECP384R1(),
    "p224": ec.SECP224R1(),
    "k256": ec.SECP256K1(),
}


@cache
def key(owner: str, kind: str = "p256") -> Key:
    """The same key for the same owner and kind; RSA keys are made once a run."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    number = int.from_bytes(sha256(f"{owner} {kind}".encode()).digest()[:27], "big")
    return ec.derive_private_key(number, _CURVES[kind])


def name(common_name: str, organisation: str = "Example Corp") -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def usage(*allowed: str) -> x509.KeyUsage:
    every = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{one: one in allowed for one in every})


@dataclass
class Draft:
    """A certificate to be signed by `signer`; `patches` replace bytes of the TBSCertificate before that."""

    subject: x509.Name
    key: Key
    issuer: x509.Name
    signer: Key
    serial: int
    extensions: Extensions
    not_before: datetime = AT - 100 * DAY
    not_after: datetime = AT + 100 * DAY
    more: list[tuple[x509.ExtensionType, bool]] = field(default_factory=list)
    patches: list[tuple[bytes, bytes]] = field(default_factory=list)
    weak: bool = False

    def put(self, value: x509.ExtensionType, critical: bool = False) -> None:
        self.extensions[type(value)] = value, critical

    def drop(self, kind: type[x509.ExtensionType]) -> None:
        del self.extensions[kind]

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.der)

    @property
    def der(self) -> bytes:
        given = [*self.extensions.values(), *self.more]
        signed = x509.CertificateBuilder(
            issuer_name=self.issuer,
            subject_name=self.subject,
            public_key=self.key.public_key(),
            serial_number=self.serial,
            not_valid_before=self.not_before.replace(tzinfo=None),
            not_valid_after=self.not_after.replace(tzinfo=None),
            extensions=[x509.Extension(value.oid, critical, value) for value, critical in given],
        ).sign(self.signer, hashes.SHA256())
        if not self.patches and not self.weak:
            return signed.public_bytes(Encoding.DER)
        return resigned(signed.tbs_certificate_bytes, self.signer, self.patches, weak=self.weak)


# Identifiers that differ in the last octet: with SHA-256, and with what is too weak, SHA-224 or SHA-1.
_ECDSA_SHA256, _ECDSA_SHA224 = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d040301")
_RSA_SHA256 = bytes.fromhex("06092a864886f70d01010b0500")
_RSA_SHA1 = bytes.fromhex("06092a864886f70d0101050500")


def resigned(tbs: bytes, signer: Key, patches: list[tuple[bytes, bytes]], *, weak: bool = False) -> bytes:
    """Replace bytes of what is signed by as many others, and sign it again, with a weak digest if asked."""
    for old, new in patches:
        if len(old) != len(new) or tbs.count(old) < 1:
            raise ValueError("a patch has to fit")
        tbs = tbs.replace(old, new)
    digest: hashes.HashAlgorithm = hashes.SHA256()
    if isinstance(signer, rsa.RSAPrivateKey):
        algorithm = _RSA_SHA256
        if weak:
            tbs, algorithm, digest = tbs.replace(_RSA_SHA256, _RSA_SHA1), _RSA_SHA1, hashes.SHA1()  # noqa: S303
        signature = signer.sign(tbs, padding.PKCS1v15(), digest)
    else:
        algorithm = _ECDSA_SHA256
        if weak:
            tbs, algorithm = tbs.replace(_ECDSA_SHA256, _ECDSA_SHA224), _ECDSA_SHA224
            digest = hashes.SHA224()
        signature = signer.sign(tbs, ec.ECDSA(digest))
    return tlv(0x30, tbs + tlv(0x30, algorithm) + tlv(0x03, b"\x00" + signature))


def tlv(tag: int, content: bytes) -> bytes:
    """DER: tag, length, content."""
    size = len(content)
    octets = size.to_bytes((size.bit_length() + 7) // 8 or 1, "big")
    length = octets if size < 0x80 else bytes([0x80 | len(octets)]) + octets
    return bytes([tag]) + length + content


@dataclass
class ListDraft:
    """A CRL to be signed by `signer`."""

    issuer: x509.Name
    signer: Key
    revoked: list[tuple[int, x509.ExtensionType | None]] = field(default_factory=list)
    this_update: datetime = AT - DAY
    next_update: datetime = AT + DAY
    extensions: list[tuple[x509.ExtensionType, bool]] = field(default_factory=list)
    weak: bool = False
    without_end: bool = False

    @property
    def der(self) -> bytes:
        when = self.this_update.replace(tzinfo=None)
        signed = x509.CertificateRevocationListBuilder(
            issuer_name=self.issuer,
            last_update=when,
            next_update=self.next_update.replace(tzinfo=None),
            extensions=[
                x509.Extension(value.oid, critical, value)
                for value, critical in [(x509.CRLNumber(7), False), *self.extensions]
            ],
            revoked_certificates=[
                x509.RevokedCertificateBuilder(
                    number, when, [x509.Extension(more.oid, True, more)] if more is not None else []
                ).build()
                for number, more in self.revoked
            ],
        ).sign(self.signer, hashes.SHA256())
        tbs = signed.tbs_certlist_bytes
        if self.without_end:
            end = tlv(0x17, f"{self.next_update:%y%m%d%H%M%SZ}".encode())
            body = tbs[4 if tbs[1] == 0x82 else 3 if tbs[1] == 0x81 else 2 :]
            return resigned(tlv(0x30, body.replace(end, b"", 1)), self.signer, [])
        if self.weak:
            return resigned(tbs, self.signer, [], weak=True)
        return signed.public_bytes(Encoding.DER)


@dataclass
class ResponseDraft:
    """An OCSP response about `subject`, whose issuer is said to be `issuer`, signed by `signer`."""

    subject: Draft
    issuer: Draft
    signer: Key
    responder: Draft
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD
    this_update: datetime = AT - DAY
    next_update: datetime | None = AT + DAY
    nonce: bytes | None = None
    asked: bytes | None = None
    send_responder: bool = False
    by_name: bool = False
    refused: bool = False

    @property
    def der(self) -> bytes:
        if self.refused:
            status = ocsp.OCSPResponseStatus.TRY_LATER
            return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
        revoked = self.status is ocsp.OCSPCertStatus.REVOKED
        by = ocsp.OCSPResponderEncoding.NAME if self.by_name else ocsp.OCSPResponderEncoding.HASH
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response(
                self.subject.certificate,
                self.issuer.certificate,
                hashes.SHA1(),  # noqa: S303 - how certificates are named (RFC 5019 section 2.1.1)
                self.status,
                self.this_update,
                self.next_update,
                self.this_update if revoked else None,
                None,
            )
            .responder_id(by, self.responder.certificate)
        )
        if self.send_responder:
            builder = builder.certificates([self.responder.certificate])
        if self.nonce is not None:
            builder = builder.add_extension(x509.OCSPNonce(self.nonce), critical=False)
        return builder.sign(self.signer, hashes.SHA256()).public_bytes(Encoding.DER)

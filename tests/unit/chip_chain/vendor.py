"""A pre-provisioned chip in software, under a root and signer of the test's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hri.compressed import CompressedCertificate, Sources, Template, Validity, load_template
from hri.compressed.conversion import assemble, rebuild_tbs
from unit.provision.soft_board import SoftBoard

SIGNER_ID = bytes.fromhex("2c60")
EUI48 = b"E8EB1B2045D2"
DAWN = datetime(2020, 11, 11, 7, tzinfo=UTC)


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


def slot_of(key: bytes) -> bytes:
    return bytes(4) + key[:32] + bytes(4) + key[32:]


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def self_signed(key: ec.EllipticCurvePrivateKey, ca: bool = True) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test root 002")])
    start, end = datetime(2018, 11, 8), datetime(2058, 11, 8)  # noqa: DTZ001 - builders take naive UTC
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, end)
    builder = builder.add_extension(
        x509.BasicConstraints(ca=ca, path_length=1 if ca else None), critical=True
    )
    builder = builder.add_extension(x509.SubjectKeyIdentifier(b"\x07" * 20), critical=False)
    return builder.sign(key, hashes.SHA256())


def issue(
    template: Template,
    key: ec.EllipticCurvePrivateKey,
    sources: Sources,
    validity: Validity,
    signer_id: bytes = SIGNER_ID,
) -> tuple[bytes, bytes]:
    """The 72 bytes and the certificate to a template, signed by `key`."""

    def compressed(signature: bytes) -> CompressedCertificate:
        return CompressedCertificate(
            signature,
            validity,
            signer_id,
            template.template_id,
            template.chain_id,
            template.serial_source,
        )

    tbs = rebuild_tbs(template, compressed(b"\x01" * 64), sources)
    r, s = decode_dss_signature(key.sign(tbs, ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return compressed(signature).to_bytes(), assemble(tbs, signature)


@dataclass
class Vendor:
    """A root, a signer below it, and chips with certificates by that signer."""

    root_key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    signer_key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    years: int = 28
    start: datetime = DAWN
    signer_template: Template = field(default_factory=lambda: load_template("tngtls-signer"))

    def __post_init__(self) -> None:
        self.root = self_signed(self.root_key)
        sources = Sources(
            point(self.signer_key), authority_key_id=b"\x07" * 20, issuer=self.root.subject.public_bytes()
        )
        self.signer_compressed, self.signer_der = issue(
            self.signer_template, self.root_key, sources, Validity(DAWN, 31)
        )

    def chip(self, template: str | Template = "tngtls-device", address: int = 0x6A) -> SoftBoard:
        board = SoftBoard(bytes.fromhex("0123FE0CF960432D01"))
        board.config[16] = address
        board.config[86:88] = b"\0\0"
        board.keys[0] = new_key()
        self.certify(board, load_template(template) if isinstance(template, str) else template)
        return board

    def certify(self, board: SoftBoard, template: Template) -> None:
        """Put a certificate for the board's key into its slots."""
        sources = Sources(
            point(board.keys[0]),
            point(self.signer_key),
            issuer=x509.load_der_x509_certificate(self.signer_der).subject.public_bytes(),
            element_serial=board.serial,
            eui48=EUI48,
        )
        compressed, self.device_der = issue(
            template, self.signer_key, sources, Validity(self.start, self.years)
        )
        board.slots[5][:12] = EUI48
        board.slots[10][:] = compressed
        board.slots[11][:] = slot_of(point(self.signer_key))
        board.slots[12][:] = self.signer_compressed

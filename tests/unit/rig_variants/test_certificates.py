"""The certificates of a provisioned chip: rebuilt from what the bus gives, and verified to the test root."""

import base64
import hashlib
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID
from hri.rig.atecc import Factory
from hri.rig.atecc.compressed import CompressedCertificate, decode_dates, encode_dates

from .conftest import NOW

OPENSSL = shutil.which("openssl")

# Where the public certificate definitions 1, 2 and 3 of the TNG sources put things: offset and size.
LAYOUTS = {
    1: {
        "tbs": (4, 430),
        "serial": (15, 16),
        "issued": (128, 13),
        "expires": (143, 15),
        "signer": (235, 4),
        "key": (266, 64),
        "subject_id": (381, 20),
        "authority_id": (414, 20),
    },
    2: {
        "tbs": (4, 415),
        "serial": (15, 16),
        "signer": (120, 4),
        "issued": (128, 13),
        "expires": (143, 15),
        "chip": (206, 18),
        "key": (257, 64),
        "subject_id": (366, 20),
        "authority_id": (399, 20),
    },
    3: {
        "tbs": (4, 457),
        "serial": (15, 16),
        "signer": (120, 4),
        "issued": (128, 13),
        "expires": (143, 15),
        "chip": (208, 18),
        "key": (253, 64),
        "eui48": (355, 12),
        "subject_id": (408, 20),
        "authority_id": (441, 20),
    },
}


def certificates(factory: Factory, number: int = -1) -> list[bytes]:
    """Return the x5c of the chip's key 0: device and signer, DER."""
    payload = factory.manifest[number]["payload"]
    element = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return [base64.b64decode(text) for text in element["publicKeySet"]["keys"][0]["x5c"]]


def key_id(public_key: bytes) -> bytes:
    return hashlib.sha1(b"\x04" + public_key).digest()  # noqa: S324


def integer(value: bytes) -> bytes:
    value = value.lstrip(b"\0")
    value = (b"\0" if value[0] & 0x80 else b"") + value
    return bytes((2, len(value))) + value


def rebuilt(
    template: bytes, compressed: bytes, public_key: bytes, authority_key: bytes, **own: bytes
) -> bytes:
    """Patch another chip's certificate at the public offsets, as the vendor's library does."""
    layout = LAYOUTS[compressed[69] >> 4]
    packed = int.from_bytes(compressed[64:67], "big")
    year, years = 2000 + (packed >> 19), packed & 31
    day = f"{packed >> 15 & 15:02}{packed >> 10 & 31:02}{packed >> 5 & 31:02}0000Z"
    serial = bytearray(hashlib.sha256(public_key + compressed[64:67]).digest()[:16])
    serial[0] = serial[0] & 0x7F | 0x40
    parts = {
        "serial": bytes(serial),
        "issued": f"{year % 100:02}{day}".encode(),
        "expires": f"{year + years}{day}".encode(),
        "signer": compressed[67:69].hex().upper().encode(),
        "key": public_key,
        "subject_id": key_id(public_key),
        "authority_id": key_id(authority_key),
    } | own
    at, size = layout["tbs"]
    tbs = bytearray(template[at : at + size])
    for name, value in parts.items():
        offset, length = layout[name]
        assert len(value) == length
        tbs[offset - at : offset - at + length] = value
    signature = integer(compressed[:32]) + integer(compressed[32:64])
    signature = b"\0\x30" + bytes((len(signature),)) + signature
    content = (
        bytes(tbs)
        + bytes.fromhex("300A06082A8648CE3D040302")
        + b"\x03"
        + bytes((len(signature),))
        + signature
    )
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content


def public_key_in(slot: bytes) -> bytes:
    """A stored public key: four bytes of padding before each coordinate (508A data sheet)."""
    assert slot[0:4] == slot[36:40] == bytes(4)
    return slot[4:36] + slot[40:72]


def point(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


@pytest.mark.parametrize(
    "variant", ["atecc608b-tngtls", "atecc608a-tngtls", "atecc608b-tflxtls", "atecc608a-tflxtls"]
)
def test_the_device_certificate_comes_back_from_the_chip_alone(connect, factory, variant):
    connect(variant, factory=Factory(now=lambda: datetime(2024, 3, 9, 23, tzinfo=UTC)))
    other = connect(variant, factory=(elsewhere := Factory(now=lambda: datetime(2019, 7, 1, tzinfo=UTC))))
    chip = connect(variant)
    own = {"chip": chip.serial_number().hex().upper().encode()}
    if "tng" in variant:
        own["eui48"] = chip.slot(5)[:12]
    template, _ = certificates(elsewhere)
    expected, _ = certificates(factory)
    signer_key = public_key_in(chip.slot(11))
    assert rebuilt(template, chip.slot(10), chip.public_key(0), signer_key, **own) == expected
    assert other.slot(10) != chip.slot(10)


def test_the_signer_certificate_comes_back_from_the_chip_and_the_root(any_chip, factory):
    elsewhere = Factory(now=lambda: datetime(2019, 7, 1, tzinfo=UTC))
    template = elsewhere.signer_certificate.public_bytes(Encoding.DER)
    signer_key, root_key = public_key_in(any_chip.slot(11)), point(factory.root_certificate)
    assert rebuilt(template, any_chip.slot(12), signer_key, root_key) == certificates(factory)[1]


def test_each_certificate_is_signed_by_the_next(any_chip, factory):
    device, signer = (x509.load_der_x509_certificate(der) for der in certificates(factory))
    device.verify_directly_issued_by(signer)
    signer.verify_directly_issued_by(factory.root_certificate)
    assert point(device) == any_chip.public_key(0)


def test_the_trustflex_chain_verifies_up_to_the_test_root(tflxtls, factory):  # noqa: ARG001
    device, signer = (x509.load_der_x509_certificate(der) for der in certificates(factory))
    verified = verifier(factory).verify(device, [signer])
    assert verified.chain == [device, signer, factory.root_certificate]


def test_a_strict_parser_refuses_the_string_of_every_tngtls_certificate(tngtls, factory):  # noqa: ARG001
    # The public definition 3 has the underscore of eui48_ in a PrintableString, which X.680 does not allow.
    device, signer = (x509.load_der_x509_certificate(der) for der in certificates(factory))
    with pytest.raises(verification.VerificationError, match=r"ASN\.1"):
        verifier(factory).verify(device, [signer])
    # With a hyphen there the path is in order but for the signature, which no longer fits.
    with pytest.raises(verification.VerificationError, match="signature"):
        verifier(factory).verify(lawful(device), [signer])


@pytest.mark.skipif(OPENSSL is None, reason="there is no openssl command here")
def test_openssl_verifies_every_chain_strictly(any_chip, factory, tmp_path):  # noqa: ARG001
    device, signer = (x509.load_der_x509_certificate(der) for der in certificates(factory))
    files = {"device": device, "signer": signer, "root": factory.root_certificate}
    for file, certificate in files.items():
        (tmp_path / file).write_bytes(certificate.public_bytes(Encoding.PEM))
    at = str(int((NOW + timedelta(days=1)).timestamp()))
    trust = ["-CAfile", "root", "-untrusted", "signer", "device"]
    command = [OPENSSL, "verify", "-x509_strict", "-attime", at, *trust]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "device: OK\n", done.stderr


def lawful(certificate: x509.Certificate) -> x509.Certificate:
    """The certificate with a hyphen in place of the underscore, and so no longer rightly signed."""
    der = certificate.public_bytes(Encoding.DER)
    return x509.load_der_x509_certificate(der.replace(b"eui48_", b"eui48-"))


def test_another_factory_does_not_vouch_for_it(tflxtls, factory):  # noqa: ARG001
    device, signer = (x509.load_der_x509_certificate(der) for der in certificates(factory))
    with pytest.raises(verification.VerificationError):
        verifier(Factory(now=lambda: NOW)).verify(device, [signer])


def verifier(factory: Factory) -> verification.ClientVerifier:
    # TNG device certificates have no extended key usage, and definition 2 no alternative name.
    permissive = verification.ExtensionPolicy.permit_all()
    ca = permissive.require_present(
        x509.BasicConstraints, verification.Criticality.CRITICAL, None
    ).require_present(x509.KeyUsage, verification.Criticality.CRITICAL, None)
    return (
        verification.PolicyBuilder()
        .store(verification.Store([factory.root_certificate]))
        .time(NOW + timedelta(days=1))
        .extension_policies(ca_policy=ca, ee_policy=permissive)
        .build_client_verifier()
    )


def test_a_tngtls_device_certificate_in_full(tngtls, factory):
    device = x509.load_der_x509_certificate(certificates(factory)[0])
    serial, eui48 = tngtls.serial_number().hex().upper(), tngtls.slot(5)[:12].decode()
    assert device.subject.rfc4514_string() == f"CN=sn{serial},O=HRI Test Manufacturer Co"
    signer_id = int.from_bytes(tngtls.slot(10)[67:69], "big")
    issuer = f"CN=HRI Virtual Chip Test Signer {signer_id:04X},O=HRI Test Manufacturer Co"
    assert device.issuer.rfc4514_string() == issuer
    assert device.not_valid_before_utc == datetime(2026, 11, 25, 9, tzinfo=UTC)
    assert device.not_valid_after_utc == datetime(2054, 11, 25, 9, tzinfo=UTC)
    alternative, constraints, usage, subject_id, authority = lawful(device).extensions
    directory = alternative.value.get_values_for_type(x509.DirectoryName)[0]
    assert [(name.oid, name.value) for name in directory] == [(NameOID.SERIAL_NUMBER, f"eui48-{eui48}")]
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=False, path_length=None)
    assert usage.critical
    assert (usage.value.digital_signature, usage.value.key_agreement) == (True, True)
    assert usage.value.key_cert_sign is usage.value.key_encipherment is False
    assert subject_id.value.digest == key_id(tngtls.public_key(0))
    assert authority.value.key_identifier == key_id(public_key_in(tngtls.slot(11)))


def test_a_trustflex_device_certificate_differs_in_names_alone(tflxtls, factory):
    device = x509.load_der_x509_certificate(certificates(factory)[0])
    serial = tflxtls.serial_number().hex().upper()
    assert device.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == f"{serial} ATECC"
    with pytest.raises(x509.ExtensionNotFound):
        device.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_the_signer_may_certify_end_entities_alone(factory):
    constraints = factory.signer_certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)


def test_nobody_can_take_the_root_for_the_vendors(factory):
    for certificate in (factory.root_certificate, factory.signer_certificate, factory.log_certificate):
        for name in (certificate.subject, certificate.issuer):
            assert "Test" in name.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
            assert "microchip" not in name.rfc4514_string().lower()


def test_the_root_signs_itself_and_the_log_certificate(factory):
    factory.root_certificate.verify_directly_issued_by(factory.root_certificate)
    factory.log_certificate.verify_directly_issued_by(factory.root_certificate)


@pytest.mark.parametrize(("year", "generalized"), [(2019, b"\x18\x0f2047"), (2026, b"\x18\x0f2054")])
def test_expiry_is_generalized_time_even_before_2050(connect, year, generalized):
    factory = Factory(now=lambda: datetime(year, 2, 3, tzinfo=UTC))
    connect("atecc608b-tngtls", factory=factory)
    assert certificates(factory)[0][141:147] == generalized


def test_the_eui48_is_locally_administered_and_twelve_hexadecimal_characters(tngtls):
    slot = tngtls.slot(5)
    assert slot[12:] == bytes(24)
    first = bytes.fromhex(slot[:12].decode())[0]
    assert first & 3 == 2


def test_a_leap_day_has_an_anniversary_all_the_same(connect):
    factory = Factory(now=lambda: datetime(2028, 2, 29, 15, 30, tzinfo=UTC))
    connect("atecc608b-tngtls", factory=factory)
    assert factory.signer_certificate.not_valid_after_utc == datetime(2059, 2, 28, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("issued", "years", "encoded"),
    [
        # From the vendor's definitions: 2018-11-08 05:00 for 28 years.
        (datetime(2018, 11, 8, 5, tzinfo=UTC), 28, "95A0BC"),
        (datetime(2000, 1, 1, tzinfo=UTC), 0, "008400"),
        (datetime(2031, 12, 31, 23, tzinfo=UTC), 31, "FE7EFF"),
    ],
)
def test_dates_are_packed_in_three_bytes(issued, years, encoded):
    assert encode_dates(issued, years).hex().upper() == encoded
    assert decode_dates(bytes.fromhex(encoded)) == (issued, years)


@pytest.mark.parametrize(
    ("issued", "years"),
    [
        (datetime(1999, 12, 31, tzinfo=UTC), 1),
        (datetime(2032, 1, 1, tzinfo=UTC), 1),
        (datetime(2026, 1, 1, tzinfo=UTC), 32),
        (datetime(2026, 1, 1, 0, 1, tzinfo=UTC), 1),
        (datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC), 1),
    ],
)
def test_what_format_0_cannot_hold_is_refused(issued, years):
    with pytest.raises(ValueError, match=r"format 0|on the hour"):
        encode_dates(issued, years)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[:-1], "72 bytes"),
        (lambda data: data[:70] + b"\xa1" + data[71:], "a1"),
        (lambda data: data[:70] + b"\x80" + data[71:], "80"),
        (lambda data: data[:64] + b"\xd0\x00\x00" + data[67:], "month"),
    ],
)
def test_other_compressed_certificates_are_not_guessed_at(tngtls, damage, reason):
    with pytest.raises(ValueError, match=reason):
        CompressedCertificate.from_bytes(damage(tngtls.slot(10)))


def test_what_is_compressed_reads_back(tngtls):
    data = tngtls.slot(10)
    compressed = CompressedCertificate.from_bytes(data)
    assert (compressed.template_id, compressed.chain_id, compressed.years) == (3, 0, 28)
    assert compressed.to_bytes() == data


def test_the_signature_is_over_the_bytes_before_it(any_chip, factory):  # noqa: ARG001
    device, signer = (x509.load_der_x509_certificate(der) for der in certificates(factory))
    signer.public_key().verify(
        device.signature, device.tbs_certificate_bytes, ec.ECDSA(device.signature_hash_algorithm)
    )

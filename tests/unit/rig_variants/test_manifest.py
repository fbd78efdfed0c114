"""The manifest, read and verified by the public description of its format, with nothing from the rig."""

import base64
import hashlib
import json

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding


def decoded(text: str) -> bytes:
    assert "=" not in text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verified(entry: dict, certificate: x509.Certificate) -> dict:
    """Return the payload of a flattened JWS (RFC 7515, 7.2.2) signed with ES256; raises InvalidSignature."""
    header = json.loads(decoded(entry["protected"]))
    assert header["alg"] == "ES256"
    fingerprint = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    assert decoded(header["x5t#S256"]) == fingerprint
    signature = decoded(entry["signature"])
    assert len(signature) == 64
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    message = f"{entry['protected']}.{entry['payload']}".encode()
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    return json.loads(decoded(entry["payload"]))


def test_an_entry_is_signed_by_the_log_key(any_chip, factory):  # noqa: ARG001
    (entry,) = factory.manifest
    assert set(entry) == {"payload", "protected", "header", "signature"}
    verified(entry, factory.log_certificate)


def test_the_header_names_the_log_key_by_its_identifier(any_chip, factory):  # noqa: ARG001
    header = json.loads(decoded(factory.manifest[0]["protected"]))
    identifier = factory.log_certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert header.keys() == {"typ", "alg", "kid", "x5t#S256"}
    assert decoded(header["kid"]) == identifier.value.digest


def encoded(document: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [("payload", "uniqueId", "0123ffffffffffff01"), ("payload", "version", 2), ("protected", "kid", "AAAA")],
)
def test_a_changed_entry_does_not_verify(any_chip, factory, part, key, value):  # noqa: ARG001
    entry = dict(factory.manifest[0])
    entry[part] = encoded(json.loads(decoded(entry[part])) | {key: value})
    with pytest.raises(InvalidSignature):
        verified(entry, factory.log_certificate)


def test_the_unprotected_header_is_not_signed(any_chip, factory):  # noqa: ARG001
    entry = factory.manifest[0] | {"header": {"uniqueId": "0123ffffffffffff01"}}
    assert verified(entry, factory.log_certificate)["uniqueId"] != entry["header"]["uniqueId"]


def test_it_tells_which_chip_by_whom_and_when(connect, factory):
    chip = connect("atecc608b-tngtls")
    (entry,) = factory.manifest
    element = verified(entry, factory.log_certificate)
    serial = chip.serial_number().hex()
    assert (element["uniqueId"], entry["header"]) == (serial, {"uniqueId": serial})
    assert (element["version"], element["model"], element["partNumber"]) == (
        1,
        "ATECC608B",
        "ATECC608B-TNGTLS",
    )
    for role in ("manufacturer", "provisioner", "distributor"):
        assert element[role]["organizationName"] == "HRI Test Manufacturer Co"
    assert element["provisioningTimestamp"] == "2026-11-25T09:41:07.250Z"
    assert element["modelInfo"]["deviceRevision"] == "00006003"


def test_it_has_every_public_key_by_slot(any_chip, factory):
    keys = verified(factory.manifest[0], factory.log_certificate)["publicKeySet"]["keys"]
    assert [key["kid"] for key in keys] == ["0", "1", "2", "3", "4"]
    for key in keys:
        assert (key["kty"], key["crv"]) == ("EC", "P-256")
        assert decoded(key["x"]) + decoded(key["y"]) == any_chip.public_key(int(key["kid"]))


def test_key_0_comes_with_device_and_signer_certificate(any_chip, factory):
    keys = verified(factory.manifest[0], factory.log_certificate)["publicKeySet"]["keys"]
    device, signer = (x509.load_der_x509_certificate(base64.b64decode(der)) for der in keys[0]["x5c"])
    assert signer == factory.signer_certificate
    assert device.public_key().public_numbers().x.to_bytes(32, "big") == any_chip.public_key(0)[:32]
    assert [key for key in keys[1:] if "x5c" in key] == []


def test_it_tells_the_mac_address_where_slot_5_has_it(tngtls, factory):
    data = verified(factory.manifest[0], factory.log_certificate)["modelInfo"]["publicData"]
    (mac,) = data
    assert (mac["zone"], mac["slot"], mac["offset"]) == ("data", 5, 0)
    assert decoded(mac["data"]) == tngtls.slot(5)[:12]


def test_it_stays_as_the_chip_left_the_factory(any_chip, factory):
    born = any_chip.public_key(2)
    assert len(any_chip.call(0x40, 0x04, 2)) == 64
    keys = verified(factory.manifest[0], factory.log_certificate)["publicKeySet"]["keys"]
    assert decoded(keys[2]["x"]) + decoded(keys[2]["y"]) == born != any_chip.public_key(2)


def test_one_factory_has_one_manifest_for_all_its_chips(connect, factory):
    serials = [connect(name).serial_number().hex() for name in ("atecc608b-tngtls", "atecc608a-tflxtls")]
    elements = [verified(entry, factory.log_certificate) for entry in factory.manifest]
    assert [element["uniqueId"] for element in elements] == serials
    assert elements[0]["groupId"] == elements[1]["groupId"]

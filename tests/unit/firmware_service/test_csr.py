"""hri_device.csr makes PKCS#10 requests that others read and verify (RFC 2986)."""

import hashlib
import json
import random
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hri_device import csr
from hypothesis import given
from hypothesis import strategies as st

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "csr_openssl.json").read_text())

_OIDS = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
    "serialNumber": NameOID.SERIAL_NUMBER,
}
_PRINTABLE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?"


class SoftwareKey:
    """The two calls that csr makes of an element, answered by a key in software."""

    def __init__(self, private_value):
        self._key = ec.derive_private_key(private_value, ec.SECP256R1())

    def public_key(self, _slot):
        return self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]

    def sign(self, _slot, digest):
        r, s = decode_dss_signature(self._key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class RecordedKey:
    """An element that gives the public key and signature of a vector."""

    def __init__(self, case):
        self._case = case
        self.digests = []

    def public_key(self, _slot):
        return bytes.fromhex(self._case["public_key"])

    def sign(self, _slot, digest):
        self.digests.append(digest.hex())
        return bytes.fromhex(self._case["raw_signature"])


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_is_byte_for_byte_what_openssl_makes(case):
    element = RecordedKey(case)
    assert csr.make(element, 0, case["subject"]).hex() == case["csr"]
    assert element.digests == [case["tbs_sha256"]]


def test_ten_thousand_serial_numbers_parse_and_verify():
    element = SoftwareKey(0xC0FFEE)
    source = random.Random(608)  # noqa: S311 - repeatable input, no secret
    lengths = set()
    for _ in range(10_000):
        serial = bytes([1, 0x23]) + source.randbytes(6) + b"\xee"
        device_id = hashlib.sha256(serial).hexdigest()[: source.randint(1, 64)]
        subject = [["O", "x" * source.randint(1, 64)], ["CN", device_id], ["serialNumber", serial.hex()]]
        request = csr.make(element, 0, subject)
        parsed = x509.load_der_x509_csr(request)
        assert parsed.is_signature_valid
        assert parsed.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)[0].value == serial.hex()
        assert parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == device_id
        lengths.add(len(parsed.signature))
    # Short and long r and s were among them.
    assert {70, 71, 72} <= lengths


def _value(name):
    if name == "C":
        return st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=2)
    if name == "serialNumber":
        return st.text(_PRINTABLE, min_size=1, max_size=64)
    limit = 128 if name in ("L", "ST") else 64
    return st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=limit)


_SUBJECTS = st.lists(
    st.sampled_from(sorted(_OIDS)).flatmap(lambda name: st.tuples(st.just(name), _value(name)))
)


@given(_SUBJECTS, st.integers(1, 2**255))
def test_any_subject_and_key_parses_and_verifies(subject, private_value):
    parsed = x509.load_der_x509_csr(csr.make(SoftwareKey(private_value), 3, subject))
    assert parsed.is_signature_valid
    assert [(a.oid, a.value) for a in parsed.subject] == [(_OIDS[name], value) for name, value in subject]
    assert len(parsed.extensions) == 0


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_any_r_and_s_are_carried_unchanged(r, s):
    element = SoftwareKey(7)
    element.sign = lambda _slot, _digest: r + s
    parsed = x509.load_der_x509_csr(csr.make(element, 0, [["CN", "d"]]))
    assert decode_dss_signature(parsed.signature) == (int.from_bytes(r, "big"), int.from_bytes(s, "big"))


def test_a_refused_subject_never_reaches_the_chip():
    element = RecordedKey(VECTORS["cases"][0])
    element.public_key = None
    with pytest.raises(ValueError, match="length of CN"):
        csr.make(element, 0, [["CN", ""]])
    assert element.digests == []

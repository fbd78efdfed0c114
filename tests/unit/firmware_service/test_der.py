"""hri_device.csr writes canonical DER (X.690)."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hri_device import csr
from hypothesis import example, given
from hypothesis import strategies as st

_SCALAR = st.integers(0, 256).flatmap(lambda bits: st.integers(0, (1 << bits) - 1))


@given(_SCALAR, _SCALAR)
@example(1 << 255, 1 << 255)
@example(0x80, 0x7F)
@example(1, 1 << 248)
@example((1 << 256) - 1, 0xFF << 240)
def test_signature_for_every_size_of_r_and_s(r, s):
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert csr.signature(raw) == encode_dss_signature(r, s)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 4000])
def test_lengths_take_the_shortest_form(size):
    encoded = csr.tlv(0x04, bytes(size))
    if size < 128:
        assert encoded[1] == size
    else:
        octets = (size.bit_length() + 7) // 8
        assert encoded[1:][: 1 + octets] == bytes([0x80 | octets]) + size.to_bytes(octets, "big")
    assert encoded.endswith(bytes(size))


def test_spki_is_that_of_a_p256_key():
    key = ec.derive_private_key(0x1234, ec.SECP256R1()).public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert csr.spki(point[1:]) == key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_name_keeps_the_order_and_repetition_of_attributes():
    encoded = csr.name([["OU", "b"], ["OU", "a"], ["CN", "x"]])
    expected = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, "b"),
            x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, "a"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, "x"),
        ]
    )
    assert encoded == expected.public_bytes()


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        (["CN", ""], "length of CN"),
        (["CN", "x" * 65], "length of CN"),
        (["O", "x" * 65], "length of O"),
        (["OU", "x" * 65], "length of OU"),
        (["L", "x" * 129], "length of L"),
        (["ST", "x" * 129], "length of ST"),
        (["C", "S"], "length of C"),
        (["C", "SWE"], "length of C"),
        (["C", "S\xe9"], "characters of C"),
        (["serialNumber", "x" * 65], "length of serialNumber"),
        *((["serialNumber", f"a{char}b"], "characters of serialNumber") for char in "_*@!#&;<>[]`{~\xe9\0"),
        (["emailAddress", "a@b"], "unknown attribute emailAddress"),
        (["cn", "x"], "unknown attribute cn"),
    ],
)
def test_name_refuses(attribute, message):
    with pytest.raises(ValueError, match=message):
        csr.name([attribute])

"""What the registry says of a certificate that a stranger made: a decision, whatever is in it."""

import pytest
from cryptography import x509
from hri.registry import Registry
from hri.serial_numbers import serial_text
from hri.standing import standing_reasons
from hri.verify.decision import ReasonCode
from unit.verify.chains import Leaf


@pytest.fixture
def registry():
    with Registry.open(":memory:") as opened:
        yield opened


def codes(registry, der):
    return [reason.code for reason in standing_reasons(registry, der)]


def test_a_certificate_from_elsewhere_has_no_standing(registry):
    assert codes(registry, Leaf().der) == [ReasonCode.REVOCATION_UNKNOWN]


def test_a_negative_serial_number_has_none_either(registry):
    der = Leaf().der
    serial = x509.load_der_x509_certificate(der).serial_number
    octets = serial.to_bytes((serial.bit_length() + 8) // 8, "big")
    forged = der.replace(octets, bytes([octets[0] | 0x80]) + octets[1:], 1)
    assert x509.load_der_x509_certificate(forged).serial_number < 0

    assert codes(registry, forged) == [ReasonCode.REVOCATION_UNKNOWN]


def test_what_is_no_certificate_is_left_to_path_validation(registry):
    der = Leaf().der
    version = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", 1)
    assert version != der
    for broken in (b"", b"\x30\x00", version):
        assert codes(registry, broken) == []


def test_a_serial_number_is_written_whatever_it_is():
    assert [serial_text(number) for number in (0, 1, 255, 256, -1, -256)] == [
        *("00", "01", "ff", "0100", "-01", "-0100")
    ]

"""Every reading is signed by the key in the chip, and a wire that fails makes no reading."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

ECDSA = ec.ECDSA(hashes.SHA256())


def test_a_reading_is_signed_by_the_chip(dut):
    point = dut.expect(r"ready, key ([0-9a-f]{128})", timeout=30)[1].decode()
    dut.write("read")
    reading, signature = dut.expect(r"(count=1 \S+) signature=([0-9a-f]{128})", timeout=30).groups()
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes.fromhex("04" + point))
    r, s = (int(half, 16) for half in (signature[:64], signature[64:]))
    key.verify(utils.encode_dss_signature(r, s), reading, ECDSA)


def test_a_wire_that_fails_makes_no_reading(dut, hri_bus):
    dut.expect("ready", timeout=30)
    with hri_bus.armed("nack@1x1000000"):
        dut.write("read")
        dut.expect("no reading", timeout=30)
    dut.write("read")
    dut.expect("signature=", timeout=30)

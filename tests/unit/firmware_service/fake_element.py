"""An ATECC608 in software: the element interface over cryptography keys, with the chip's message layouts.

Layouts from Microchip's public host-side calculations and the public 508A datasheet (GenDig, GenKey, Sign).
"""

import hashlib
import secrets

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hri_device.errors import LockedError

_PREHASHED = ec.ECDSA(Prehashed(hashes.SHA256()))
_SLOT_CONFIG = bytes.fromhex(
    "8120822081208120812005009600878708009900" + "0a000b000c000d800e800f00"
)  # docs/profile.md, slots 0 to 15, low byte first


def raw_signature(key, digest):
    """Return r || s by `key` over a 32-byte digest."""
    r, s = decode_dss_signature(key.sign(digest, _PREHASHED))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def verifies(public_key, digest, signature):
    """Return whether r || s over `digest` is by the key X || Y."""
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public_key)
    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    try:
        point.verify(der, digest, _PREHASHED)
    except InvalidSignature:
        return False
    return True


def point(key):
    """Return X || Y of a private key."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


class FakeElement:
    """Raises `fault` on the next call when that is set; keeps the names of all calls in `calls`."""

    type = "atecc608b"

    def __init__(self):
        serial = bytes.fromhex("0123aabbccddee01ee")
        config = bytearray(128)
        config[0:4] = serial[:4]
        config[4:8] = bytes.fromhex("00006003")
        config[8:13] = serial[4:]
        config[16] = 0xC0
        config[20:52] = _SLOT_CONFIG
        config[86] = config[87] = 0x55
        config[88] = config[89] = 0xFF
        self.config = config
        self.keys = {}
        self.slots = {slot: bytearray(36 if slot < 8 else 416 if slot == 8 else 72) for slot in range(16)}
        self.fault = None
        self.calls = []

    def _call(self, name):
        self.calls.append(name)
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault

    @property
    def serial_number(self):
        return bytes(self.config[:4] + self.config[8:13])

    def read_config(self):
        self._call("read_config")
        return bytes(self.config)

    def write_config(self, config):
        self._call("write_config")
        if self.config[87] != 0x55:
            raise LockedError("config zone locked", "config locked")
        self.config[16:84] = config[16:84]
        self.config[90:] = config[90:]

    def config_crc(self, config=None):
        crc = 0
        for byte in self.config if config is None else config:
            for bit in range(8):
                high = crc >> 15
                crc = crc << 1 & 0xFFFF
                if (byte >> bit & 1) != high:
                    crc ^= 0x8005
        return crc

    def lock_config(self, crc):
        self._call("lock_config")
        assert crc == self.config_crc()
        self.config[87] = 0

    def lock_data(self, crc):
        self._call("lock_data")
        self.data_crc = crc
        self.config[86] = 0

    def lock_slot(self, slot):
        self._call("lock_slot")
        self.config[88 + slot // 8] &= ~(1 << slot % 8) & 0xFF

    def write_slot(self, slot, data, offset=0):
        self._call("write_slot")
        if offset + len(data) > len(self.slots[slot]):
            raise ValueError("slot: too long")
        self.slots[slot][offset : offset + len(data)] = data

    def read_slot(self, slot, length, offset=0):
        self._call("read_slot")
        if offset + length > len(self.slots[slot]):
            raise ValueError("slot: too long")
        return bytes(self.slots[slot][offset : offset + length])

    def random(self, n=32):
        self._call("random")
        return secrets.token_bytes(n)

    def generate_key(self, slot):
        self._call("generate_key")
        self.keys[slot] = ec.generate_private_key(ec.SECP256R1())
        return point(self.keys[slot])

    def public_key(self, slot):
        self._call("public_key")
        return point(self.keys[slot])

    def sign(self, slot, digest):
        self._call("sign")
        return raw_signature(self.keys[slot], digest)

    def verify(self, slot, digest, signature):
        self._call("verify")
        stored = self.slots[slot]  # a public key in a slot of 72: 4 zeros, X, 4 zeros, Y
        return verifies(bytes(stored[4:36] + stored[40:72]), digest, signature)

    def birth(self, slot, nonce, attestation_slot):
        self._call("birth")
        self.keys[slot] = ec.generate_private_key(ec.SECP256R1())
        random = secrets.token_bytes(32)
        temp_key = nonce_digest(random, nonce)
        return random, *self._attest(temp_key, slot, attestation_slot, 0x0C)

    def state(self, slot, nonce, attestation_slot):
        self._call("state")
        random = secrets.token_bytes(32)
        config = bytes(self.config)
        temp_key = gendig_config(nonce_digest(random, nonce), config)
        return random, *self._attest(temp_key, slot, attestation_slot, 0x08), config

    def _attest(self, temp_key, slot, attestation_slot, mode):
        public = point(self.keys[slot])
        temp_key = genkey_digest(temp_key, mode, slot, self.serial_number, public)
        signature = raw_signature(self.keys[attestation_slot], temp_key)
        return public, signature, point(self.keys[attestation_slot])


def nonce_digest(random, nonce):
    """Return TempKey after Nonce in random mode."""
    return hashlib.sha256(random + nonce + b"\x16\0\0").digest()


def gendig_config(temp_key, config):
    """Return TempKey after GenDig over the four blocks of the configuration zone."""
    serial = config[:4] + config[8:13]
    for block in range(4):
        header = b"\x15\0" + bytes([block, 0]) + serial[8:] + serial[:2]
        temp_key = hashlib.sha256(config[32 * block :][:32] + header + bytes(25) + temp_key).digest()
    return temp_key


def genkey_digest(temp_key, mode, slot, serial, public):
    """Return TempKey after GenKey with a digest."""
    header = b"\x40" + bytes([mode, slot, 0]) + serial[8:] + serial[:2]
    return hashlib.sha256(temp_key + header + bytes(25) + public).digest()

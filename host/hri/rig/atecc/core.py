"""What the commands work on: EEPROM, volatile buffers, random source, and P-256."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)

from hri.rig.atecc.eeprom import Eeprom
from hri.rig.atecc.packet import Status
from hri.rig.atecc.tempkey import TempKey

OK = b"\x00"
"""The payload of a command that succeeds without a result."""

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""FIPS 186-4, D.1.2.3."""

_ECDSA_SHA256_DIGEST = ec.ECDSA(Prehashed(hashes.SHA256()))


class Refused(Exception):
    """A command ended with a status other than success."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


def parse_error() -> Refused:
    """Length, opcode or parameters are illegal whatever the chip's state."""
    return Refused(Status.PARSE_ERROR)


def execution_error() -> Refused:
    """The command is legal but not in the chip's present state."""
    return Refused(Status.EXECUTION_ERROR)


def require(condition: object) -> None:
    """Refuse with an execution error unless ``condition`` holds."""
    if not condition:
        raise execution_error()


def sha256(*parts: bytes) -> bytes:
    """Return the SHA-256 of the parts in a row."""
    return hashlib.sha256(b"".join(parts)).digest()


class Core:
    """The state behind the commands.

    ``commit`` is called after every change of the EEPROM and writes it down; when it fails the change is
    undone, as a chip never acknowledges what it did not store.
    """

    def __init__(
        self, eeprom: Eeprom, random: Callable[[int], bytes], store: Callable[[Eeprom], None]
    ) -> None:
        self.eeprom = eeprom
        self.random_source = random
        self.temp_key = TempKey()
        self.message_digest: bytes | None = None
        self.alternate_key: bytes | None = None
        self._store = store
        self._stored = eeprom.snapshot()
        self._keys: dict[bytes, ec.EllipticCurvePrivateKey] = {}

    def commit(self) -> None:
        """Write the EEPROM down, or undo what changed and raise what went wrong."""
        try:
            self._store(self.eeprom)
        except BaseException:
            self.eeprom = Eeprom(self._stored)
            raise
        self._stored = self.eeprom.snapshot()

    def reset(self) -> None:
        """Lose everything volatile."""
        self.temp_key.invalidate()
        self.message_digest = self.alternate_key = None

    def random(self, size: int) -> bytes:
        """Return random bytes; FFFF0000 over and over before the configuration zone is locked (5)."""
        if not self.eeprom.config_locked:
            return (b"\xff\xff\x00\x00" * (size // 4 + 1))[:size]
        return self.random_source(size)

    def identified(self, opcode: int, param1: int, param2: int) -> bytes:
        """Return opcode, parameters and SN[8], SN[0:2], as they stand in the messages the chip hashes."""
        serial_number = self.eeprom.serial_number
        return bytes((opcode, param1, param2 & 0xFF, param2 >> 8)) + serial_number[8:9] + serial_number[0:2]

    def require_config_locked(self) -> None:
        require(self.eeprom.config_locked)

    def set_private_key(self, slot: int, scalar: bytes) -> None:
        """Put a 32-byte scalar into a slot: four zeros, then the number (508A, "ECC key format")."""
        self.eeprom.slots[slot][0:36] = bytes(4) + scalar

    def new_scalar(self) -> bytes:
        """Draw a private key from the random source."""
        while True:
            scalar = self.random(32)
            if 0 < int.from_bytes(scalar, "big") < P256_ORDER:
                return scalar

    def private_key(self, slot: int) -> ec.EllipticCurvePrivateKey:
        """Return the private key in ``slot``; refuses when there is none (assumed: execution error)."""
        data = self.eeprom.slots[slot]
        number = int.from_bytes(data[4:36], "big")
        require(0 < number < P256_ORDER)
        scalar = bytes(data[4:36])
        key = self._keys.get(scalar)
        if key is None:
            if len(self._keys) >= 16:
                self._keys.clear()
            key = self._keys[scalar] = ec.derive_private_key(number, ec.SECP256R1())
        return key

    def stored_public_key(self, slot: int) -> bytes:
        """Return X and Y of the public key in ``slot``, stored with four bytes before each (508A)."""
        data = self.eeprom.slots[slot]
        require(len(data) >= 72)
        return bytes(data[4:36] + data[40:72])


def public_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return X and Y, 64 bytes."""
    numbers = key.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def ecdsa_sign(key: ec.EllipticCurvePrivateKey, digest: bytes) -> bytes:
    """Return R and S over a 32-byte digest, 64 bytes."""
    r, s = decode_dss_signature(key.sign(digest, _ECDSA_SHA256_DIGEST))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def load_public_key(public_key: bytes) -> ec.EllipticCurvePublicKey:
    """Return the key with these X and Y; a point that is not on the curve is refused with 0F, not 05."""
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public_key)
    except ValueError:
        raise execution_error() from None


def ecdsa_verify(public_key: bytes, signature: bytes, digest: bytes) -> bool:
    """Return whether R and S are a signature of ``digest`` by X and Y."""
    key = load_public_key(public_key)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        key.verify(encode_dss_signature(r, s), digest, _ECDSA_SHA256_DIGEST)
    except InvalidSignature:
        return False
    return True

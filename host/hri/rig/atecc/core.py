"""What the commands work on: EEPROM, volatile buffers and flags, random source."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec

from hri.rig.atecc.eeprom import Eeprom
from hri.rig.atecc.p256 import is_scalar
from hri.rig.atecc.packet import Status
from hri.rig.atecc.power_loss import PowerLost, Tear
from hri.rig.atecc.refusal import Refused, require
from hri.rig.atecc.sha256 import Hash
from hri.rig.atecc.tempkey import TempKey
from hri.rig.atecc.volatile import Volatile

OK = b"\x00"
"""The payload of a command that succeeds without a result."""

RNG_BLOCK, ECDSA_BLOCK, ECDH_BLOCK, AES_BLOCK, SHA_BLOCK = 0x01, 0x04, 0x08, 0x10, 0x20
"""Bits of the blocks that SelfTest knows (O)."""


def sha256(*parts: bytes) -> bytes:
    """Return the SHA-256 of the parts in a row."""
    return hashlib.sha256(b"".join(parts)).digest()


def xor(first: bytes, second: bytes) -> bytes:
    """Return the bytes of ``first`` masked with those of ``second``, as far as both go."""
    return bytes(a ^ b for a, b in zip(first, second, strict=False))


class Core:
    """The state behind the commands.

    ``commit`` is called after every change of the EEPROM and writes it down; when it fails the change is
    undone, as a chip never acknowledges what it did not store. ``faulty_blocks`` are those that fail their
    self-test or health test.
    """

    def __init__(
        self, eeprom: Eeprom, random: Callable[[int], bytes], store: Callable[[Eeprom], None]
    ) -> None:
        self.eeprom = eeprom
        self.random_source = random
        self.faulty_blocks = 0
        self.temp_key = TempKey()
        self.tear: Tear | None = None
        self._store = store
        self._stored = eeprom.snapshot()
        self._keys: dict[bytes, ec.EllipticCurvePrivateKey] = {}
        self.lose_power()

    def commit(self) -> None:
        """Write the EEPROM down, or undo what changed and raise what went wrong.

        Raises PowerLost where :attr:`tear` was armed and something changed; the torn EEPROM is stored then.
        """
        torn = None if self.tear is None else self.tear.torn(self._stored, self.eeprom.snapshot())
        if torn is None:
            self.store()
            return
        self.tear = None
        self.eeprom = Eeprom(torn)
        self.store()
        raise PowerLost

    def store(self) -> None:
        """Write the EEPROM down as it is, or undo what changed and raise what went wrong."""
        try:
            self._store(self.eeprom)
        except BaseException:
            self.eeprom = Eeprom(self._stored)
            raise
        self._stored = self.eeprom.snapshot()

    def reset(self) -> None:
        """Lose what sleep loses: everything but the persistent latch and a prohibited SecureBoot."""
        self.temp_key.invalidate()
        self.message_digest: bytes | None = None
        self.alternate_key: bytes | None = None
        self.authorized_key: int | None = None
        self.volatile_key_permitted = False
        self.hash: Hash | None = None
        self.failed_self_tests = 0

    def lose_power(self) -> None:
        """Lose everything volatile."""
        self.reset()
        self.persistent_latch = False
        self.secure_boot_prohibited = False

    def volatile(self) -> Volatile:
        """Return what :meth:`lose_power` would lose, without the secrets."""
        key = self.temp_key
        return Volatile(
            temp_key_valid=key.valid,
            temp_key_length=len(key.value) if key.valid else 0,
            source_flag=key.source,
            key_id=key.key_id,
            gen_dig_data=key.gen_dig_data,
            gen_key_data=key.gen_key_data,
            no_mac_flag=key.no_mac,
            message_digest_length=len(self.message_digest or b""),
            alternate_key=self.alternate_key is not None,
            authorized_key=self.authorized_key,
            persistent_latch=self.persistent_latch,
            volatile_key_permitted=self.volatile_key_permitted,
            failed_self_tests=self.failed_self_tests,
            sha_context=0 if self.hash is None else 1 if self.hash.outer_key is None else 2,
        )

    def random(self, size: int) -> bytes:
        """Return random bytes; FFFF0000 over and over before the configuration zone is locked (5).

        Refuses with the health-test status while the random number generator is faulty (O).
        """
        if not self.eeprom.config_locked:
            return (b"\xff\xff\x00\x00" * (size // 4 + 1))[:size]
        if self.faulty_blocks & RNG_BLOCK:
            raise Refused(Status.HEALTH_TEST)
        return self.random_source(size)

    def identified(self, opcode: int, param1: int, param2: int) -> bytes:
        """Return opcode, parameters and SN[8], SN[0:2], as they stand in the messages the chip hashes."""
        serial_number = self.eeprom.serial_number
        return bytes((opcode, param1, param2 & 0xFF, param2 >> 8)) + serial_number[8:9] + serial_number[0:2]

    def require_config_locked(self) -> None:
        require(self.eeprom.config_locked)

    def require_data_locked(self) -> None:
        """Refuse before both zones are locked."""
        require(self.eeprom.config_locked and self.eeprom.data_locked)

    def require_temp_key(self) -> TempKey:
        """Return TempKey; refuses where it is not valid, or is a private key, which serves ECDH only."""
        require(self.temp_key.valid and not self.temp_key.private)
        return self.temp_key

    def set_private_key(self, slot: int, scalar: bytes) -> None:
        """Put a 32-byte scalar into a slot: four zeros, then the number (508A, "ECC key format")."""
        self.eeprom.slots[slot][0:36] = bytes(4) + scalar

    def new_scalar(self) -> bytes:
        """Draw a private key from the random source."""
        while True:
            scalar = self.random(32)
            if is_scalar(scalar):
                return scalar

    def private_key(self, slot: int) -> ec.EllipticCurvePrivateKey:
        """Return the private key in ``slot``; refuses when there is none (assumed: execution error)."""
        return self.key_of(bytes(self.eeprom.slots[slot][4:36]))

    def key_of(self, scalar: bytes) -> ec.EllipticCurvePrivateKey:
        """Return the private key with this 32-byte scalar; refuses a number that is none."""
        require(is_scalar(scalar))
        key = self._keys.get(scalar)
        if key is None:
            if len(self._keys) >= 16:
                self._keys.clear()
            key = self._keys[scalar] = ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1())
        return key

    def stored_public_key(self, slot: int) -> bytes:
        """Return X and Y of the public key in ``slot``, stored with four bytes before each (508A)."""
        data = self.eeprom.slots[slot]
        require(len(data) >= 72)
        return bytes(data[4:36] + data[40:72])

"""What a host that knows the slots can tell: TempKey's value and whether a MAC or a signature is right.

Message layouts: the vendor's public host calculations (H) and ATECC508A data sheet DS20005927A (5). T
stands for opcode, mode, two bytes of number, SN[8], SN[0:2].
"""

from __future__ import annotations

from hashlib import sha256

from conformance.access_rules.decide import Command, Known, Snapshot, Volatile
from conformance.access_rules.policy import policy_of
from conformance.access_rules.wire import crc16
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

CURVE = ec.SECP256R1()
FIELD = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
COEFFICIENT = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
KDF_DETAILS = {0: (b"\0\0\0", b"\1\0\0"), 1: (b"\0\0\0",), 2: (b"\2\0\0",)}
"""Details whose meaning H gives: PRF with 16 or 32 bytes of key and 32 out, AES, HKDF over the message."""


def on_curve(point: bytes) -> bool:
    """Whether 64 bytes are a point of P-256."""
    x, y = int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big")
    return x < FIELD and y < FIELD and (y * y - x * x * x + 3 * x - COEFFICIENT) % FIELD == 0


def good_signature(point: bytes, digest: bytes, signature: bytes) -> bool:
    """Whether r and s sign ``digest`` under the public key ``point``."""
    if not on_curve(point):
        return False
    key = ec.EllipticCurvePublicNumbers(
        int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big"), CURVE
    ).public_key()
    der = utils.encode_dss_signature(
        int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    )
    try:
        key.verify(der, digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    except InvalidSignature:
        return False
    return True


def stored_point(slot: bytes) -> bytes:
    """Return the public key of a 72-byte slot: four bytes of padding before each half."""
    return slot[4:36] + slot[40:72]


class Host:
    """Follows one chip and knows what its TempKey and Message Digest Buffer hold, or that it cannot."""

    def __init__(self, config: bytes) -> None:
        self.serial = config[8:13][4:5] + config[0:2]
        self.temp_key: bytes | None = None
        self.digest: bytes | None = None
        self.broken = 0
        self.temp_private = False
        # Whether somebody who sees the bus, and no slot, could compute TempKey.
        self.temp_public = False

    def message(self, command: Command) -> bytes:
        """Return T of ``command``."""
        return bytes((command.opcode, command.param1)) + command.param2.to_bytes(2, "little") + self.serial

    def write_mac(self, command: Command, plain: bytes) -> bytes:
        """Return the MAC of an encrypted Write or PrivWrite of ``plain`` (H)."""
        assert self.temp_key is not None
        padding = bytes(57 - len(plain))
        return sha256(self.temp_key[:32] + self.message(command) + padding + plain).digest()

    def pad(self) -> bytes:
        """Return the 36 bytes that hide an encrypted write (H)."""
        assert self.temp_key is not None
        return self.temp_key[:32] + sha256(self.temp_key[:32]).digest()[:4]

    def derive_mac(self, command: Command, eeprom: Snapshot) -> bytes:
        """Return the MAC that authorizes DeriveKey (H)."""
        slot = policy_of(eeprom.config).slots_at(command.param2)
        parent = slot.write_key if slot.write_config & 1 else slot.number
        return sha256(eeprom.slots[parent][:32] + self.message(command)).digest()

    def check_mac(self, command: Command, eeprom: Snapshot) -> bytes | None:
        """Return the response that CheckMac looks for (O), None where TempKey is not known."""
        mode, data = command.param1, command.data
        if mode & 3 and self.temp_key is None:
            return None
        temp_key = (self.temp_key or b"")[:32]
        first = temp_key if mode & 2 else eeprom.slots[command.param2 & 15][:32]
        second = temp_key if mode & 1 else data[0:32]
        other = data[64:77]
        otp = eeprom.otp[0:8] if mode & 0x20 else bytes(8)
        return sha256(
            first
            + second
            + other[0:4]
            + otp
            + other[4:7]
            + self.serial[0:1]
            + other[7:11]
            + self.serial[1:3]
            + other[11:13]
        ).digest()

    def boot_digest(self, command: Command, eeprom: Snapshot) -> bytes | None:
        """Return the digest that SecureBoot sees (H): hidden on the bus where a MAC is asked for."""
        digest = command.data[:32]
        if not command.param1 & 0x80:
            return digest
        if self.temp_key is None:
            return None
        io_key = eeprom.slots[policy_of(eeprom.config).io_key_slot][:32]
        pad = sha256(io_key + self.temp_key[:32]).digest()
        return bytes(a ^ b for a, b in zip(digest, pad, strict=False))

    def knows(self, command: Command, eeprom: Snapshot) -> Known:
        """Return what can be told of ``command``'s content."""
        known = Known(broken=self.broken, temp_private=self.temp_private)
        look = _LOOKS.get(command.opcode)
        if look is not None:
            look(self, command, eeprom, known)
        return known

    def follow(self, command: Command, answer: bytes, eeprom: Snapshot, after: Volatile) -> None:
        """Take note of a command that was carried out; ``eeprom`` is as it was before."""
        opcode, mode = command.opcode, command.param1
        if opcode == 0x16:
            self._follow_nonce(command, answer)
        elif opcode == 0x15:
            self._follow_gendig(command, eeprom)
        elif opcode == 0x47 and mode & 7 in (2, 5):
            self.temp_key = self.digest = None
            # What was hashed came over the bus; what HMAC made did not.
            self.temp_public = self.temp_public or mode & 0xC7 == 2
        elif opcode == 0x43:
            # Whoever chose the point may know its scalar, and with it the shared secret.
            self.temp_public = self.temp_public or mode & 0x0C == 8
            self.temp_key = None
        elif opcode in (0x28, 0x56) or (opcode == 0x40 and mode & 0x38):
            self.temp_key = None
        elif opcode == 0x40 and command.param2 == 0xFFFF:
            self.temp_key = None
            self.temp_private = True
            self.temp_public = False
            return
        if not after.temp_key_valid:
            self.temp_key = None
            self.temp_public = False
        if (opcode == 0x16 and mode >> 6 == 0) or not after.temp_key_valid:
            self.temp_private = False

    def _follow_nonce(self, command: Command, answer: bytes) -> None:
        mode = command.param1
        if mode & 3 == 3:
            if mode >> 6 == 0:
                self.temp_key = command.data
                self.temp_public = True
            elif mode >> 6 == 1:
                self.digest = command.data
            return
        self.temp_public = not mode & 0xE0
        if mode & 0xE0:
            self.temp_key = self.digest = None
        elif command.param2 & 0x8000:
            self.temp_key = answer
        else:
            self.temp_key = sha256(
                answer + command.data + bytes((0x16, mode, command.param2 & 0xFF))
            ).digest()

    def _follow_gendig(self, command: Command, eeprom: Snapshot) -> None:
        if command.param1 == 2:
            self.temp_public = False
        if self.temp_key is None:
            return
        zone, number, temp_key = command.param1, command.param2, self.temp_key[:32]
        if zone == 2:
            slot = policy_of(eeprom.config).slots_at(number)
            header = command.data + self.serial if slot.no_mac else self.message(command)
            value = eeprom.slots[number & 15][:32]
        elif zone < 2:
            header = self.message(command)
            value = (eeprom.config, eeprom.otp)[zone][number * 32 : number * 32 + 32]
        else:
            self.temp_key = None
            return
        self.temp_key = sha256(value + header + bytes(25) + temp_key).digest()


def _look_write(host: Host, command: Command, eeprom: Snapshot, known: Known) -> None:
    del eeprom
    if len(command.data) == 64 and host.temp_key is not None:
        plain = bytes(a ^ b for a, b in zip(command.data[:32], host.temp_key, strict=False))
        known.mac = command.data[32:] == host.write_mac(command, plain)


def _look_priv_write(host: Host, command: Command, eeprom: Snapshot, known: Known) -> None:
    del eeprom
    plain = command.data[:36]
    if command.param1 & 0x40:
        if len(command.data) != 68 or host.temp_key is None:
            return
        plain = bytes(a ^ b for a, b in zip(plain, host.pad(), strict=False))
        known.mac = command.data[36:] == host.write_mac(command, plain)
    known.scalar = plain[:4] == bytes(4) and 0 < int.from_bytes(plain[4:], "big") < ORDER


def _look_derive_key(host: Host, command: Command, eeprom: Snapshot, known: Known) -> None:
    if len(command.data) == 32:
        known.mac = command.data == host.derive_mac(command, eeprom)


def _look_check_mac(host: Host, command: Command, eeprom: Snapshot, known: Known) -> None:
    if len(command.data) == 77:
        response = host.check_mac(command, eeprom)
        known.mac = None if response is None else command.data[32:64] == response


def _look_ecdh(host: Host, command: Command, eeprom: Snapshot, known: Known) -> None:
    del host, eeprom
    if len(command.data) == 64:
        known.point = on_curve(command.data)


def _look_kdf(host: Host, command: Command, eeprom: Snapshot, known: Known) -> None:
    del host, eeprom
    kind = command.param1 >> 5 & 3
    known.details = command.data[:3] in KDF_DETAILS.get(kind, ()) and (
        kind != 1 or command.data[3:4] == b"\0"
    )


def _look_lock(host: Host, command: Command, eeprom: Snapshot, known: Known) -> None:
    del host
    if command.param1 & 0x83 == 0:
        known.crc = command.param2 == crc16(eeprom.config)
    elif command.param1 & 0x83 == 1:
        known.crc = command.param2 == crc16(data_summary(eeprom))


def _look_verify(host: Host, command: Command, eeprom: Snapshot, known: Known) -> None:
    mode, data = command.param1, command.data
    digest = host.digest if mode & 0x20 else host.temp_key
    if mode & 7 == 2 and len(data) == 128:
        point = data[64:]
    elif mode & 7 == 0 and len(data) == 64 and 8 <= command.param2 < 16:
        point = stored_point(eeprom.slots[command.param2])
    else:
        return
    if digest is not None:
        known.signature = good_signature(point, digest[:32], data[:64])


def _look_secure_boot(host: Host, command: Command, eeprom: Snapshot, known: Known) -> None:
    key = policy_of(eeprom.config).secure_boot_key
    if command.param1 & 7 == 6 or len(command.data) != 96 or key < 8:
        return
    digest = host.boot_digest(command, eeprom)
    if digest is not None:
        known.signature = good_signature(stored_point(eeprom.slots[key]), digest, command.data[32:])


def data_summary(eeprom: Snapshot) -> bytes:
    """Return what the data lock sums up: the slots that hold no private key, then OTP (5)."""
    policy = policy_of(eeprom.config)
    return b"".join(eeprom.slots[slot.number] for slot in policy.slots if not slot.private) + eeprom.otp


_LOOKS = {
    0x12: _look_write,
    0x17: _look_lock,
    0x1C: _look_derive_key,
    0x28: _look_check_mac,
    0x43: _look_ecdh,
    0x45: _look_verify,
    0x46: _look_priv_write,
    0x56: _look_kdf,
    0x80: _look_secure_boot,
}

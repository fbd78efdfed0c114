"""A chip that lies: a software ATECC608 that makes honest evidence and every forgery of it.

Written from Microchip's public layouts (DS20005927A; the public host-side calculations) and from
docs/protocol.md, and from nothing else: no code of `hri` is used here, or a shared mistake would stay hidden.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from hashlib import sha256

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

CHALLENGE = bytes(range(100, 132))
VERIFIER = "verifier.example"
DEVICE_ID = "device-1"
CSR = sha256(b"the CSR").digest()
SERIAL = bytes.fromhex("0123a1b2c3d4e5f6ee")

SLOT_CONFIG = (
    *(0x2081, 0x2082, 0x2081, 0x2081, 0x2081, 0x0005, 0x0096, 0x8787),
    *(0x0008, 0x0099, 0x000A, 0x000B, 0x000C, 0x800D, 0x800E, 0x000F),
)
KEY_CONFIG = (
    *(0x0033, 0x0073, 0x0013, 0x0013, 0x0013, 0x003C, 0x003C, 0x001C),
    *(0x001C, 0x0038, 0x001C, 0x0010, 0x001C, 0x0010, 0x0010, 0x0030),
)


def configuration(
    serial: bytes = SERIAL, *, value_lock: int = 0x00, config_lock: int = 0x00, locked: tuple[int, ...] = (1,)
) -> bytearray:
    """An hri-device configuration zone; by default as at the birth of slot 0."""
    slots = 0xFFFF
    for number in locked:
        slots &= ~(1 << number)
    return bytearray(
        serial[:4]
        + bytes.fromhex("00006003")
        + serial[4:]
        + bytes.fromhex("010100")
        + bytes.fromhex("C0000000")
        + struct.pack("<16H", *SLOT_CONFIG)
        + bytes.fromhex("FFFFFFFF00000000FFFFFFFF00000000")
        + bytes.fromhex("000003F7000000000000000000000000")
        + bytes((0, 0, value_lock, config_lock))
        + struct.pack("<H", slots)
        + bytes.fromhex("066000000000")
        + struct.pack("<16H", *KEY_CONFIG)
    )


def key(number: int) -> ec.EllipticCurvePrivateKey:
    """The same key for the same number, so that a failure can be repeated."""
    return ec.derive_private_key(number + 1, ec.SECP256R1())


def raw_public(private: ec.EllipticCurvePrivateKey) -> bytes:
    numbers = private.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def raw_sign(private: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = decode_dss_signature(private.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def canonical(value: object) -> bytes:
    return cbor2.dumps(value, canonical=True)


def sign1(
    private: ec.EllipticCurvePrivateKey, payload: bytes, *, protected: bytes = b"\xa1\x01\x26"
) -> bytes:
    signature = raw_sign(private, canonical(["Signature1", protected, b"", payload]))
    return canonical(cbor2.CBORTag(18, [protected, {}, payload, signature]))


@dataclass
class Act:
    """What the chip is really made to do; the defaults are what an honest device makes it do."""

    purpose: str = "hri/1 birth"
    verifier: str = VERIFIER
    device_id: str = DEVICE_ID
    challenge: bytes = CHALLENGE
    csr: bytes | None = None
    slot: int = 0
    mode: int = 0x0C
    other_data: bytes | None = None  # GenKey mode 10: replaces mode and key id in the digest
    sign_mode: int = 0x40
    flags: int | None = None
    fixed_nonce: bytes | None = None
    gendig_blocks: tuple[int, ...] = ()


@dataclass
class EvilChip:
    """A chip whose registers, keys and words are in the attacker's hands."""

    config: bytearray = field(default_factory=configuration)
    identity: ec.EllipticCurvePrivateKey = field(default_factory=lambda: key(1))
    attestation: ec.EllipticCurvePrivateKey = field(default_factory=lambda: key(2))
    random: bytes = bytes(range(32))

    @property
    def serial(self) -> bytes:
        return bytes(self.config[0:4] + self.config[8:13])

    def attest(self, act: Act) -> bytes:
        """The signature that the chip makes of this act: Nonce, GenDig…, GenKey, Sign (internal)."""
        serial, tail = self.serial, self.serial[8:] + self.serial[:2]
        csr = sha256(b"").digest() if act.csr is None else act.csr
        number_in = sha256(canonical([act.purpose, act.challenge, act.verifier, act.device_id, csr])).digest()
        temp_key = act.fixed_nonce or sha256(self.random + number_in[:20] + b"\x16\x00\x00").digest()
        for block in act.gendig_blocks:
            value = bytes(self.config[32 * block : 32 * block + 32])
            command = bytes((0x15, 0x00, block, 0x00)) + tail
            temp_key = sha256(value + command + bytes(25) + temp_key).digest()
        command = bytes((0x40,)) + (act.other_data or bytes((act.mode, act.slot, 0))) + tail
        temp_key = sha256(temp_key + command + bytes(25) + raw_public(self.identity)).digest()
        slot_locked = self.config[88 + act.slot // 8] >> act.slot % 8 & 1
        full = bool(act.sign_mode & 0x40)
        message = (
            temp_key
            + bytes((0x41, act.sign_mode, 0x01, 0x00))
            + bytes(self.config[20 + 2 * act.slot : 22 + 2 * act.slot])
            + bytes(self.config[96 + 2 * act.slot : 98 + 2 * act.slot])
            + bytes((0x40 | act.slot if act.flags is None else act.flags, 0, 0))
            + serial[8:9]
            + (serial[4:8] if full else bytes(4))
            + serial[0:2]
            + (serial[2:4] if full else bytes(2))
            + bytes((slot_locked, 0, 0))
        )
        assert len(message) == 55
        return raw_sign(self.attestation, message)

    def proof(self, act: Act, **claims: object) -> dict[str, object]:
        """What the device says about that act; `claims` replace what would be true."""
        proof: dict[str, object] = {
            "type": "atecc608",
            "serial_number": self.serial,
            "revision": bytes(self.config[4:8]),
            "slot": act.slot,
            "attestation_slot": 1,
            "public_key": raw_public(self.identity),
            "attestation_key": raw_public(self.attestation),
            "random": self.random,
            "signature": self.attest(act),
            "mode": act.mode,
            "config": bytes(self.config),
        }
        if act.csr is not None:
            proof["csr"] = act.csr
        return proof | claims

    def envelope(self, act: Act, proof: dict[str, object], **said: object) -> bytes:
        """The evidence as sent; `said` replaces what the envelope truly says."""
        parts = {
            "purpose": act.purpose,
            "verifier": act.verifier,
            "device_id": act.device_id,
            "challenge": act.challenge,
        } | said
        return sign1(self.identity, canonical([*parts.values(), proof]))

    def birth(self, act: Act | None = None, **claims: object) -> bytes:
        act = act or Act()
        return self.envelope(act, self.proof(act, **claims))

    def state(self, act: Act | None = None, **claims: object) -> bytes:
        act = act or state_act()
        return self.envelope(act, self.proof(act, **claims))


def state_act(**changes: object) -> Act:
    """The honest act of a state."""
    values: dict[str, object] = {
        "purpose": "hri/1 state",
        "mode": 0x08,
        "csr": CSR,
        "gendig_blocks": (0, 1, 2, 3),
    }
    return Act(**(values | changes))  # type: ignore[arg-type]


def locked_chip() -> EvilChip:
    """The honest chip after its whole ceremony."""
    return EvilChip(config=configuration(locked=(0, 1)))

"""What an ATECC608 signs when it attests a key: the proof of docs/protocol.md and the message behind it.

Layouts: the public ATECC508A datasheet DS20005927A (commands GenDig, GenKey, Nonce, Sign)
and Microchip's public host-side calculations (`atca_host.c`: nonce, gen_dig, gen_key_msg, sign_internal_msg).
The recomputation takes the values that the proof *claims*; whether those are acceptable is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any

from hri.elements.atecc.layout import ChipConfig, Slot

from .cose import MalformedError, encode, public_key

TYPE = "atecc608"
GENKEY_CREATE_DIGEST = 0x0C
GENKEY_DIGEST = 0x08

_OP_GENDIG = 0x15
_OP_NONCE = 0x16
_OP_GENKEY = 0x40
_OP_SIGN = 0x41
_NONCE_RANDOM = 0x00
_ZONE_CONFIG = 0x00
_SIGN_INTERNAL_FULL_SERIAL = 0x40
_FLAG_GENKEY_DATA = 0x40
_BLOCK = 32
_SIZES = {
    "serial_number": 9,
    "revision": 4,
    "public_key": 64,
    "attestation_key": 64,
    "random": 32,
    "signature": 64,
    "config": 128,
    "csr": 32,
}
_UINTS = ("slot", "attestation_slot", "mode")


@dataclass(frozen=True, slots=True)
class Proof:
    """The chip's part of a birth or a state, taken apart but not yet believed; sizes in docs/protocol.md."""

    serial_number: bytes
    revision: bytes
    slot: int
    attestation_slot: int
    public_key: bytes
    attestation_key: bytes
    random: bytes
    signature: bytes
    mode: int
    config: bytes
    csr: bytes | None

    @classmethod
    def from_value(cls, value: Any, *, with_csr: bool) -> Proof:
        """Build it from a decoded CBOR map; raises MalformedError unless every key is as specified."""
        if not hasattr(value, "items") or not hasattr(value, "keys"):
            raise MalformedError("the proof is not a map")
        names = {field.name for field in fields(cls)} - (set() if with_csr else {"csr"})
        if set(value.keys()) != names | {"type"}:
            raise MalformedError("the proof has not exactly the specified keys")
        if value["type"] != TYPE:
            raise MalformedError("the proof is not of a known type")
        for name in names & _SIZES.keys():
            if type(value[name]) is not bytes or len(value[name]) != _SIZES[name]:
                raise MalformedError(f"{name} must be {_SIZES[name]} bytes")
        for name in _UINTS:
            if type(value[name]) is not int or not 0 <= value[name] <= 0xFF:
                raise MalformedError(f"{name} must be a number of one byte")
        for name in ("public_key", "attestation_key"):
            public_key(value[name])
        if value["slot"] > 15 or value["attestation_slot"] > 15:
            raise MalformedError("a slot is a number from 0 to 15")
        return cls(**{"csr": None} | {name: value[name] for name in names})

    def as_value(self) -> dict[str, Any]:
        """The map as it stands in the payload, for comparing encodings."""
        value = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.csr is None:
            del value["csr"]
        return {"type": TYPE} | value

    @property
    def chip(self) -> ChipConfig:
        return ChipConfig(self.config)

    @property
    def key_slot(self) -> Slot:
        """The slot whose key is attested, as the configuration describes it."""
        return self.chip.slot(self.slot)


def num_in(purpose: str, challenge: bytes, verifier: str, device_id: str, csr_digest: bytes) -> bytes:
    """The 20 bytes that the verifier puts into the chip's nonce (docs/protocol.md, "The nonce")."""
    return sha256(encode([purpose, challenge, verifier, device_id, csr_digest])).digest()[:20]


def birth_message(proof: Proof, number_in: bytes) -> bytes:
    """The 55 bytes signed by Nonce → GenKey (create, digest) → Sign (internal)."""
    return _sign_internal(_genkey(_nonce(proof.random, number_in), proof), proof)


def state_message(proof: Proof, number_in: bytes) -> bytes:
    """The 55 bytes signed by Nonce → GenDig over the configuration → GenKey (digest) → Sign (internal)."""
    temp_key = _nonce(proof.random, number_in)
    for block in range(len(proof.config) // _BLOCK):
        temp_key = _gendig_config(temp_key, proof, block)
    return _sign_internal(_genkey(temp_key, proof), proof)


def _nonce(random: bytes, number_in: bytes) -> bytes:
    return sha256(random + number_in + bytes((_OP_NONCE, _NONCE_RANDOM, 0x00))).digest()


def _gendig_config(temp_key: bytes, proof: Proof, block: int) -> bytes:
    value = proof.config[_BLOCK * block : _BLOCK * (block + 1)]
    command = _command(_OP_GENDIG, _ZONE_CONFIG, block, proof.serial_number)
    return sha256(value + command + bytes(25) + temp_key).digest()


def _genkey(temp_key: bytes, proof: Proof) -> bytes:
    command = _command(_OP_GENKEY, proof.mode, proof.slot, proof.serial_number)
    return sha256(temp_key + command + bytes(25) + proof.public_key).digest()


def _command(opcode: int, p1: int, p2: int, serial_number: bytes) -> bytes:
    return bytes((opcode, p1)) + p2.to_bytes(2, "little") + serial_number[8:9] + serial_number[0:2]


def _sign_internal(temp_key: bytes, proof: Proof) -> bytes:
    slot, serial = proof.key_slot, proof.serial_number
    # TempKey as GenKey leaves it after a random Nonce: KeyID is the slot, only GenKeyData is set. A fixed
    # nonce (bit 4) or a NoMac key (bit 7) sets another bit, and then the signature does not verify.
    flags = _FLAG_GENKEY_DATA | proof.slot
    return b"".join(
        (
            temp_key,
            bytes((_OP_SIGN, _SIGN_INTERNAL_FULL_SERIAL)),
            proof.attestation_slot.to_bytes(2, "little"),
            slot.slot_config.raw.to_bytes(2, "little"),
            slot.key_config.raw.to_bytes(2, "little"),
            bytes((flags, 0x00, 0x00)),
            serial[8:9] + serial[4:8] + serial[0:2] + serial[2:4],
            bytes((0x00 if slot.locked else 0x01, 0x00, 0x00)),
        )
    )

"""A provisioning board in software: docs/protocol.md over a chip of cryptography keys, with cable cuts.

The chip's signatures come from the forging kit of the verifier's tests, so nothing of `hri` checks itself.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hri.link import DeviceRefused, DeviceSilent
from unit.verify.forging import Act, EvilChip, canonical, raw_public, sign1

CHANGES = frozenset(
    {
        "chip.write_config",
        "chip.lock_config",
        "chip.write_slot",
        "chip.lock_data",
        "chip.lock_slot",
        "key.generate",
        "key.birth",
        "certificate.store",
    }
)
_OIDS = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
    "serialNumber": NameOID.SERIAL_NUMBER,
}


class CableCut(DeviceSilent):
    """The cable was pulled before or after a request was carried out."""

    def __init__(self, op: str) -> None:
        super().__init__("device-silent", f"cut at {op}")


def crc16(data: bytes) -> int:
    crc = 0
    for byte in data:
        for bit in range(8):
            high = crc >> 15
            crc = crc << 1 & 0xFFFF
            if (byte >> bit & 1) != high:
                crc ^= 0x8005
    return crc


class SoftBoard:
    """The `Link` of a board; `cut` gets (number of the request, op, "before" or "after") and may raise."""

    def __init__(self, serial: bytes = bytes.fromhex("0123aabbccddee01ee")) -> None:
        self.config = bytearray(128)
        self.config[0:13] = serial[:4] + bytes.fromhex("00006003") + serial[4:]
        self.config[14:17] = b"\x01\x00\xc0"
        self.config[86:90] = b"\x55\x55\xff\xff"
        self.serial = serial
        self.keys: dict[int, ec.EllipticCurvePrivateKey] = {}
        self.slots = {slot: bytearray(36 if slot < 8 else 416 if slot == 8 else 72) for slot in range(16)}
        self.record: dict[str, Any] | None = None
        self.nonce: bytes | None = None
        self.ops: list[str] = []
        self.births: list[bytes] = []
        self.cut: Callable[[int, str, str], None] = lambda *_: None
        self.evidence: Callable[[bytes], bytes] = lambda evidence: evidence

    @property
    def changes(self) -> list[str]:
        return [op for op in self.ops if op in CHANGES]

    @property
    def locked_slots(self) -> list[int]:
        return [slot for slot in range(16) if self._slot_locked(slot)]

    @property
    def config_locked(self) -> bool:
        return self.config[87] != 0x55

    @property
    def data_locked(self) -> bool:
        return self.config[86] != 0x55

    def call(
        self,
        op: str,
        args: Mapping[str, Any],
        *,
        authorisation: bytes | None = None,
        timeout: float | None = None,  # noqa: ARG002 - nothing here is late
    ) -> dict[str, Any]:
        number = len(self.ops)
        self.ops.append(op)
        self.cut(number, op, "before")
        handler: Callable[..., dict[str, Any]] = getattr(self, "_" + op.replace(".", "_"))
        try:
            return handler(dict(args), authorisation)
        finally:
            self.cut(number, op, "after")

    def _slot_locked(self, slot: int) -> bool:
        return not self.config[88 + slot // 8] >> slot % 8 & 1

    def _stage(self) -> str:
        if not self.config_locked:
            return "blank"
        if not self.data_locked:
            return "configured"
        if not self._slot_locked(0):
            return "personalised"
        return "certified" if self.record else "identified"

    def _refuse(self, op: str, code: str, message: str = "no") -> DeviceRefused:
        return DeviceRefused(code, message, op=op, state=self._stage())

    def _named(self, op: str, args: dict[str, Any]) -> None:
        if args["serial"] != self.serial:
            raise self._refuse(op, "wrong-chip")

    def _authorised(self, op: str, args: dict[str, Any], authorisation: bytes | None) -> None:
        if self._stage() not in ("identified", "certified"):
            return
        nonce, self.nonce = self.nonce, None
        if authorisation is None or nonce is None:
            raise self._refuse(op, "unauthorised")
        protected, _, payload, signature = cbor2.loads(authorisation).value
        said = cbor2.loads(payload)
        name = self.record["device_id"] if self.record else self.serial.hex()
        digest = hashlib.sha256(canonical(args)).digest()
        if said[0] != "hri/1 authorise" or said[2:] != [name, nonce, op, digest]:
            raise self._refuse(op, "unauthorised")
        raw = bytes(self.slots[14][4:36] + self.slots[14][40:72])
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + raw)
        der = encode_dss_signature(
            int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        )
        try:
            key.verify(der, canonical(["Signature1", protected, b"", payload]), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise self._refuse(op, "unauthorised") from None

    def _info(self) -> dict[str, Any]:
        return {
            "type": "atecc608b",
            "serial_number": self.serial,
            "revision": bytes(self.config[4:8]),
            "config_locked": self.config_locked,
            "data_locked": self.data_locked,
            "slots_locked": sum(1 << slot for slot in self.locked_slots),
        }

    def _hello(self, _args: dict[str, Any], _authorisation: bytes | None) -> dict[str, Any]:
        return {
            "protocol": 1,
            "package": "0",
            "runtime": "python",
            "board": "soft",
            "reset": "power",
            "uptime_ms": 1,
            "stage": self._stage(),
            "device_id": self.record["device_id"] if self.record else None,
            "element": self._info(),
        }

    def _chip_info(self, _args: dict[str, Any], _authorisation: bytes | None) -> dict[str, Any]:
        return self._info() | {"config": bytes(self.config)}

    def _chip_write_config(self, args: dict[str, Any], _authorisation: bytes | None) -> dict[str, Any]:
        self._named("chip.write_config", args)
        if self.config_locked:
            raise self._refuse("chip.write_config", "locked")
        self.config[16:84] = args["config"][16:84]
        self.config[90:] = args["config"][90:]
        return {"config": bytes(self.config)}

    def _chip_lock_config(self, args: dict[str, Any], _authorisation: bytes | None) -> dict[str, Any]:
        self._named("chip.lock_config", args)
        if not self.config_locked:
            if crc16(bytes(self.config)) != args["crc"]:
                raise self._refuse("chip.lock_config", "bad-request")
            self.config[87] = 0
        return {"config": bytes(self.config)}

    def _chip_write_slot(self, args: dict[str, Any], authorisation: bytes | None) -> dict[str, Any]:
        self._changeable("chip.write_slot", args, authorisation)
        data, offset = args["data"], args["offset"]
        self.slots[args["slot"]][offset : offset + len(data)] = data
        return {}

    def _chip_read_slot(self, args: dict[str, Any], _authorisation: bytes | None) -> dict[str, Any]:
        if not self.data_locked:
            raise self._refuse("chip.read_slot", "locked")
        return {"data": bytes(self.slots[args["slot"]][args["offset"] :][: args["length"]])}

    def _chip_lock_data(self, args: dict[str, Any], _authorisation: bytes | None) -> dict[str, Any]:
        self._named("chip.lock_data", args)
        if self.data_locked:
            raise self._refuse("chip.lock_data", "locked")
        contents = b"".join(bytes(self.slots[slot]) for slot in range(5, 16)) + b"\xff" * 64
        if crc16(contents) != args["crc"]:
            raise DeviceRefused("chip-refused", "no", op="chip.lock_data", status=0x0F, opcode=0x17)
        self.config[86] = 0
        return {}

    def _chip_lock_slot(self, args: dict[str, Any], authorisation: bytes | None) -> dict[str, Any]:
        self._named("chip.lock_slot", args)
        slot = args["slot"]
        if not self._slot_locked(slot):
            self._authorised("chip.lock_slot", args, authorisation)
            if slot in (0, 1):
                assert slot in self.keys, "an empty key slot was locked"
            self.config[88 + slot // 8] &= ~(1 << slot % 8) & 0xFF
        return {}

    def _changeable(self, op: str, args: dict[str, Any], authorisation: bytes | None) -> None:
        self._named(op, args)
        if not self.config_locked or self._slot_locked(args["slot"]):
            raise self._refuse(op, "locked")
        self._authorised(op, args, authorisation)

    def _key_generate(self, args: dict[str, Any], authorisation: bytes | None) -> dict[str, Any]:
        self._changeable("key.generate", args, authorisation)
        self.keys[args["slot"]] = ec.generate_private_key(ec.SECP256R1())
        return {"public_key": raw_public(self.keys[args["slot"]])}

    def _key_public(self, args: dict[str, Any], _authorisation: bytes | None) -> dict[str, Any]:
        if args["slot"] not in self.keys:
            raise DeviceRefused("chip-refused", "no key", op="key.public", status=0x0F, opcode=0x40)
        return {"public_key": raw_public(self.keys[args["slot"]])}

    def _chip(self, slot: int) -> EvilChip:
        return EvilChip(bytearray(self.config), self.keys[slot], self.keys[1], secrets.token_bytes(32))

    def _key_birth(self, args: dict[str, Any], authorisation: bytes | None) -> dict[str, Any]:
        self._changeable("key.birth", args, authorisation)
        slot = args["slot"]
        self.keys[slot] = ec.generate_private_key(ec.SECP256R1())
        self.births.append(raw_public(self.keys[slot]))
        act = Act(
            verifier=args["verifier"], device_id=args["device_id"], challenge=args["challenge"], slot=slot
        )
        return {"evidence": self.evidence(self._chip(slot).birth(act))}

    def _key_state(self, args: dict[str, Any], _authorisation: bytes | None) -> dict[str, Any]:
        act = Act(
            purpose="hri/1 state",
            verifier=args["verifier"],
            device_id=args["device_id"],
            challenge=args["challenge"],
            csr=args["csr"],
            slot=args["slot"],
            mode=0x08,
            gendig_blocks=(0, 1, 2, 3),
        )
        return {"evidence": self.evidence(self._chip(args["slot"]).state(act))}

    def _csr_make(self, args: dict[str, Any], _authorisation: bytes | None) -> dict[str, Any]:
        name = x509.Name([x509.NameAttribute(_OIDS[short], value) for short, value in args["subject"]])
        builder = x509.CertificateSigningRequestBuilder().subject_name(name)
        csr = builder.sign(self.keys[args["slot"]], hashes.SHA256())
        return {"csr": csr.public_bytes(Encoding.DER)}

    def _certificate_store(self, args: dict[str, Any], authorisation: bytes | None) -> dict[str, Any]:
        if self.record is not None and self.record != args:
            self._authorised("certificate.store", args, authorisation)
        self.record = args
        return {"digest": hashlib.sha256(args["certificate"]).digest()}

    def _certificate_load(self, _args: dict[str, Any], _authorisation: bytes | None) -> dict[str, Any]:
        if self.record is None:
            raise self._refuse("certificate.load", "not-found")
        return dict(self.record)

    def _identity_answer(self, args: dict[str, Any], _authorisation: bytes | None) -> dict[str, Any]:
        if self.record is None:
            raise self._refuse("identity.answer", "not-found")
        device_id = self.record["device_id"]
        payload = canonical(["hri/1 authenticate", args["verifier"], device_id, args["challenge"]])
        return {
            "answer": sign1(self.keys[self.record["slot"]], payload),
            "device_id": device_id,
            "certificate": self.record["certificate"],
        }

    def _data_sign(self, args: dict[str, Any], _authorisation: bytes | None) -> dict[str, Any]:
        key = self.keys[args["slot"]]
        full = cbor2.loads(sign1(key, canonical(["hri/1 data", args["data"]]))).value
        return {"signature": canonical(cbor2.CBORTag(18, [full[0], {}, None, full[3]]))}

    def _authorisation_nonce(self, _args: dict[str, Any], _authorisation: bytes | None) -> dict[str, Any]:
        self.nonce = secrets.token_bytes(32)
        return {"nonce": self.nonce}

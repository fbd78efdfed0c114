"""A secure element on a board over serial: one method per request of docs/protocol.md, typed results."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hri.link.errors import AnswerLost, DeviceRefused, ProtocolMismatch
from hri.link.serial_link import Link

# Authorised requests whose answer was lost are signed anew, with a new nonce, this many times in all.
_AUTHORISED_ATTEMPTS = 3

_T = TypeVar("_T", int, str, bytes, bool)

Authorise = Callable[[str, bytes, str, Mapping[str, Any]], bytes]
"""The operator: (device id, nonce, op, args) -> COSE_Sign1 (docs/protocol.md "Authorisation")."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a request that failed for a passing reason is made in all, and the seconds between."""

    attempts: int = 3
    delay: float = 1.0


@dataclass(frozen=True, slots=True)
class ElementInfo:
    """The chip: `serial_number` 9 bytes, `revision` 4, bit n of `slots_locked` set = slot n locked.

    `config` is the configuration zone, 128 bytes, or empty where it was not asked for (`hello`).
    """

    type: str
    serial_number: bytes
    revision: bytes
    config_locked: bool
    data_locked: bool
    slots_locked: int
    config: bytes

    def slot_locked(self, slot: int) -> bool:
        """Return whether the slot is locked for good."""
        return bool(self.slots_locked >> slot & 1)


@dataclass(frozen=True, slots=True)
class Hello:
    """What a board says of itself; `element` is None where no chip works, `element_error` then says why."""

    package: str
    runtime: str
    board: str
    stage: str
    device_id: str | None
    element: ElementInfo | None
    element_error: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class StoredCertificate:
    """The certificate (DER) on the board, its chain (DER, issuer first) and the slot of its key."""

    device_id: str
    slot: int
    certificate: bytes
    chain: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class IdentityAnswer:
    """A COSE_Sign1 over a challenge, with the device id and certificate (DER) that the board claims."""

    answer: bytes
    device_id: str
    certificate: bytes


class BoardElement:
    """The secure element behind one link; every method raises DeviceError (`hri.link.errors`)."""

    def __init__(
        self,
        link: Link,
        *,
        authorise: Authorise | None = None,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._link = link
        self._authorise = authorise
        self._retry = retry or RetryPolicy()
        self._sleep = sleep

    def hello(self) -> Hello:
        """Return what the board and its chip are; does not fail where the chip is missing."""
        result = self._call("hello", {})
        element, error = result.get("element"), result.get("element_error")
        said = None
        if isinstance(error, dict):
            said = (str(error.get("code", "chip-fault")), str(error.get("message", "")))
        return Hello(
            package=str(result.get("package", "")),
            runtime=str(result.get("runtime", "")),
            board=str(result.get("board", "")),
            stage=str(result.get("stage", "")),
            device_id=_optional_text(result, "device_id"),
            element=_element_info("hello", element) if isinstance(element, dict) else None,
            element_error=said,
        )

    def chip_info(self) -> ElementInfo:
        """Return the chip's type, serial number, locks and configuration zone."""
        result = self._call("chip.info", {})
        _field("chip.info", result, "config", bytes, 128)
        return _element_info("chip.info", result)

    def write_config(self, serial: bytes, config: bytes) -> bytes:
        """Write what differs in the 128 bytes of the configuration zone; return all of it as read back."""
        result = self._call("chip.write_config", {"serial": serial, "config": config})
        return _field("chip.write_config", result, "config", bytes, 128)

    def lock_config(self, serial: bytes, crc: int) -> bytes:
        """Lock the configuration zone for good, if its CRC-16 is `crc`; return the zone."""
        result = self._call("chip.lock_config", {"serial": serial, "crc": crc})
        return _field("chip.lock_config", result, "config", bytes, 128)

    def write_slot(self, serial: bytes, slot: int, offset: int, data: bytes) -> None:
        """Write bytes into a data slot."""
        self._change("chip.write_slot", {"serial": serial, "slot": slot, "offset": offset, "data": data})

    def read_slot(self, slot: int, offset: int, length: int) -> bytes:
        """Return bytes of a clear slot of a locked data zone."""
        result = self._call("chip.read_slot", {"slot": slot, "offset": offset, "length": length})
        return _field("chip.read_slot", result, "data", bytes, length)

    def lock_data(self, serial: bytes, crc: int) -> None:
        """Lock the data zone for good, if the CRC-16 of its contents is `crc`."""
        self._call("chip.lock_data", {"serial": serial, "crc": crc})

    def lock_slot(self, serial: bytes, slot: int) -> None:
        """Lock one slot for good; a slot locked already is no error."""
        self._change("chip.lock_slot", {"serial": serial, "slot": slot})

    def generate_key(self, serial: bytes, slot: int) -> bytes:
        """Make a new P-256 key in a slot; return its public key, 64 bytes X ‖ Y."""
        result = self._change("key.generate", {"serial": serial, "slot": slot})
        return _field("key.generate", result, "public_key", bytes, 64)

    def public_key(self, slot: int) -> bytes:
        """Return the public key of the key in a slot, 64 bytes X ‖ Y."""
        return _field("key.public", self._call("key.public", {"slot": slot}), "public_key", bytes, 64)

    def birth(
        self,
        serial: bytes,
        slot: int,
        *,
        attestation_slot: int,
        challenge: bytes,
        verifier: str,
        device_id: str,
    ) -> bytes:
        """Make a new key in a slot and return the chip's evidence of its birth, a COSE_Sign1."""
        args = {
            "serial": serial,
            "slot": slot,
            "attestation_slot": attestation_slot,
            "challenge": challenge,
            "verifier": verifier,
            "device_id": device_id,
        }
        return _field("key.birth", self._change("key.birth", args), "evidence", bytes)

    def state(
        self,
        slot: int,
        *,
        attestation_slot: int,
        challenge: bytes,
        verifier: str,
        device_id: str,
        csr_sha256: bytes,
    ) -> bytes:
        """Return the chip's evidence of key, policy and locks as they are now, a COSE_Sign1."""
        args = {
            "slot": slot,
            "attestation_slot": attestation_slot,
            "challenge": challenge,
            "verifier": verifier,
            "device_id": device_id,
            "csr": csr_sha256,
        }
        return _field("key.state", self._call("key.state", args), "evidence", bytes)

    def make_csr(self, slot: int, subject: Sequence[tuple[str, str]]) -> bytes:
        """Return a PKCS#10 request (DER) by the key in a slot; `subject` is (short name, value) pairs."""
        args = {"slot": slot, "subject": [list(pair) for pair in subject]}
        return _field("csr.make", self._call("csr.make", args), "csr", bytes)

    def store_certificate(self, stored: StoredCertificate) -> bytes:
        """Keep a certificate and its chain on the board; return the SHA-256 of the certificate."""
        args = {
            "device_id": stored.device_id,
            "slot": stored.slot,
            "certificate": stored.certificate,
            "chain": list(stored.chain),
        }
        return _field("certificate.store", self._change("certificate.store", args), "digest", bytes, 32)

    def load_certificate(self) -> StoredCertificate | None:
        """Return what `store_certificate` kept, None if nothing."""
        try:
            result = self._call("certificate.load", {})
        except DeviceRefused as refused:
            if refused.code == "not-found":
                return None
            raise
        chain = result.get("chain")
        if not isinstance(chain, list) or not all(isinstance(der, bytes) for der in chain):
            raise _wrong_field("certificate.load", "chain")
        return StoredCertificate(
            _field("certificate.load", result, "device_id", str),
            _field("certificate.load", result, "slot", int),
            _field("certificate.load", result, "certificate", bytes),
            tuple(chain),
        )

    def readable_certificate(self) -> StoredCertificate | None:
        """Return what `load_certificate` does, None where the record is damaged: storing anew mends it."""
        try:
            return self.load_certificate()
        except DeviceRefused as refused:
            if refused.code == "storage":
                return None
            raise

    def answer(self, challenge: bytes, verifier: str) -> IdentityAnswer:
        """Return the identity key's signature over a 32-byte challenge for one verifier."""
        result = self._call("identity.answer", {"challenge": challenge, "verifier": verifier})
        return IdentityAnswer(
            _field("identity.answer", result, "answer", bytes),
            _field("identity.answer", result, "device_id", str),
            _field("identity.answer", result, "certificate", bytes),
        )

    def sign_data(self, slot: int, data: bytes) -> bytes:
        """Return a COSE_Sign1 with detached payload over at most 2048 bytes, labelled as data."""
        result = self._call("data.sign", {"slot": slot, "data": data})
        return _field("data.sign", result, "signature", bytes)

    def _call(self, op: str, args: Mapping[str, Any], authorisation: bytes | None = None) -> dict[str, Any]:
        left = self._retry.attempts
        while True:
            left -= 1
            try:
                return self._link.call(op, args, authorisation=authorisation)
            except DeviceRefused as refused:
                # A spent authorisation would only be refused; the nonce has to be asked for anew.
                if not refused.transient or left <= 0 or authorisation is not None:
                    raise
            self._sleep(self._retry.delay)

    def _change(self, op: str, args: Mapping[str, Any]) -> dict[str, Any]:
        """Make a request that a provisioned chip takes from its operator only: signed if it asks for that."""
        try:
            return self._call(op, args)
        except DeviceRefused as refused:
            if refused.code != "unauthorised" or self._authorise is None:
                raise
        left = _AUTHORISED_ATTEMPTS
        while True:
            left -= 1
            try:
                return self._call(op, args, self._authorisation(op, args))
            except AnswerLost:
                if left <= 0:
                    raise
            except DeviceRefused as refused:
                if not refused.transient or left <= 0:
                    raise
                self._sleep(self._retry.delay)

    def _authorisation(self, op: str, args: Mapping[str, Any]) -> bytes:
        if self._authorise is None:
            raise ValueError("no operator to authorise the request")
        result = self._call("authorisation.nonce", {})
        nonce = _field("authorisation.nonce", result, "nonce", bytes, 32)
        stored = self.readable_certificate()
        device_id = stored.device_id if stored else self.chip_info().serial_number.hex()
        # Name and nonce are the board's word, and `certificate.store` names no chip: a board that passes on
        # another's would have the operator sign for that one.
        if op == "certificate.store" and device_id != args["device_id"]:
            raise ProtocolMismatch(
                "another-device",
                f"the board of {args['device_id']!r} says that it is {device_id!r}",
                "do not use this board before you know why",
            )
        return self._authorise(device_id, nonce, op, args)


def _element_info(op: str, result: Mapping[str, Any]) -> ElementInfo:
    return ElementInfo(
        _field(op, result, "type", str),
        _field(op, result, "serial_number", bytes, 9),
        _field(op, result, "revision", bytes, 4),
        _field(op, result, "config_locked", bool),
        _field(op, result, "data_locked", bool),
        _field(op, result, "slots_locked", int),
        _field(op, result, "config", bytes) if "config" in result else b"",
    )


def _field(op: str, result: Mapping[str, Any], name: str, kind: type[_T], length: int | None = None) -> _T:
    value = result.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _wrong_field(op, name)
    if length is not None and isinstance(value, bytes) and len(value) != length:
        raise _wrong_field(op, name)
    return value


def _optional_text(result: Mapping[str, Any], name: str) -> str | None:
    value = result.get(name)
    return value if isinstance(value, str) else None


def _wrong_field(op: str, name: str) -> ProtocolMismatch:
    return ProtocolMismatch(
        "malformed-answer",
        f"the answer to `{op}` has no proper `{name}`",
        "put the hri_device that belongs to this version of hri on the board",
    )

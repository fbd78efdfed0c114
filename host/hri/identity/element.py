"""`SecureElementManager`: the secure element on the board at a serial port."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError

from hri import provision
from hri.authentication import attest
from hri.config import SecureElementConfig
from hri.context import Context
from hri.elements.board import BoardElement
from hri.errors import ConfigurationError, PolicyRefusal
from hri.home import default_home
from hri.identity.values import KeyType, SecureElementType, check_key
from hri.link import Deadlines, SerialLink
from hri.steps import StepEvent, Steps


class Records(Protocol):
    """An authority with records of its own, in the place of the home folder's."""

    def context(self) -> Context:
        """Return what the use cases work with."""


class SecureElementManager:
    """The secure element on the board at a serial port; the port is open only while an operation runs."""

    def __init__(
        self,
        element_type: SecureElementType,
        interface: str = "i2c",
        address: str = "0x60",
        *,
        port: str | None = None,
    ) -> None:
        """Check that such an element can be reached; nothing is opened yet.

        Raises ConfigurationError for an element, interface or address that is not supported.
        """
        try:
            SecureElementConfig.model_validate(
                {"type": element_type.value, "interface": interface, "address": address}
            )
        except ValidationError as error:
            words = "; ".join(str(fault["msg"]).removeprefix("Value error, ") for fault in error.errors())
            raise ConfigurationError(
                "unsupported-element", words, "use SecureElementType.ATECC608A on i2c at 0x60"
            ) from error
        self.element_type = element_type
        self.interface = interface
        self.address = address
        self._port = port
        self._authority: Records | None = None
        self._slots: dict[str, int] = {}

    def generate_key_pair(
        self,
        key_type: KeyType = KeyType.ECC,
        key_size: int = 256,
        curve: str = "secp256r1",
        key_id: str | None = None,
    ) -> tuple[bytes, bytes]:
        """Have the permanent identity key born in the chip, and return (public key as PEM, handle).

        `key_id` becomes the device id; without one it is derived from the key. The key is made once in the
        chip's life: called again, the same key is returned (`rotate_certificate` makes others). The evidence
        of its birth is kept in the registry.

        Raises ConfigurationError (a key that the chip cannot hold), LockRequired, PolicyRefusal, DeviceError.
        """
        check_key(key_type, key_size, curve)
        with self._working() as (board, context):
            steps = Steps(_silent, context.monotonic)
            info = provision.inspect_element(board, board.hello())
            lock = may_lock(info.serial_number)
            with provision.element_lease(context, info.serial_number, "generate_key_pair", steps):
                device, identity = provision.make_permanent(
                    board, context, info, steps, device_id=key_id, lock=lock
                )
        self._slots[device.device_id] = identity.slot
        return _pem(identity.public_key), f"slot:{identity.slot}".encode()

    def sign_data(
        self, data: bytes, private_key_handle: bytes | str, hash_algorithm: str = "sha256"
    ) -> bytes:
        """Return the chip's signature over at most 2048 bytes: a COSE_Sign1 that is labelled as data.

        So it can never pass for an authentication (docs/protocol.md "What is signed"). The handle is what
        `generate_key_pair` returned, or the device id. Raises ConfigurationError and DeviceError.
        """
        if hash_algorithm.lower().replace("-", "") != "sha256":
            raise ConfigurationError(
                "unsupported-hash", f"the chip signs SHA-256 digests only, not {hash_algorithm}", "use sha256"
            )
        with self._connected() as board:
            return board.sign_data(self._slot(board, private_key_handle), data)

    def get_attestation(self, private_key_handle: bytes | str) -> dict[str, Any]:
        """Have the chip prove key, configuration and locks under a fresh challenge, and appraise the proof.

        Returns `trusted`, `reasons`, `device_id` and the `evidence` on record. Raises ConfigurationError,
        PolicyRefusal where the chip is not known here, DeviceError.
        """
        with self._working() as (board, context):
            slot = self._slot(board, private_key_handle)
            decision = attest(board, context)
            if decision.evidence.get("slot", slot) != slot:
                raise PolicyRefusal(
                    "slot-mismatch",
                    f"slot {slot} does not hold the key that the device is known by",
                    "give the device id as the handle",
                )
            return decision.as_dict()

    def bind(self, authority: Records) -> None:
        """Take registry and operator key from this authority, not from the home folder."""
        self._authority = authority

    @contextmanager
    def connection(self, context: Context) -> Iterator[BoardElement]:
        """Open the board for one use case of `context`."""
        with SerialLink.open(self._port_name(), deadlines=Deadlines.from_environment(os.environ)) as link:
            authorise = context.authorise() if context.operator else None
            yield BoardElement(link, authorise=authorise, retry=context.retry_policy())

    @contextmanager
    def _working(self) -> Iterator[tuple[BoardElement, Context]]:
        if self._authority is not None:
            context = self._authority.context()
            with self.connection(context) as board:
                yield board, context
            return
        with default_home().context(unlocked=True) as context, self.connection(context) as board:
            yield board, context

    @contextmanager
    def _connected(self) -> Iterator[BoardElement]:
        with SerialLink.open(self._port_name(), deadlines=Deadlines.from_environment(os.environ)) as link:
            yield BoardElement(link)

    def _port_name(self) -> str:
        port = self._port or os.environ.get("HRI_PORT") or default_home().config().secure_element.port
        if not port:
            raise ConfigurationError(
                "no-port", "no serial port was named", "set HRI_PORT, or secure_element.port in the YAML"
            )
        return port

    def _slot(self, board: BoardElement, handle: bytes | str) -> int:
        name = handle.decode() if isinstance(handle, bytes) else handle
        prefix, _, number = name.partition(":")
        if prefix == "slot" and number.isdigit() and int(number) < 16:
            return int(number)
        stored = board.readable_certificate()
        if stored is not None and stored.device_id == name:
            return stored.slot
        if name in self._slots:
            return self._slots[name]
        raise ConfigurationError(
            "unknown-key", f"there is no key {name!r} on this board", "use the handle of generate_key_pair"
        )


def may_lock(serial: bytes) -> bool:
    """Say whether HRI_LOCK allows the permanent locks of the chip of this serial number."""
    allowed = os.environ.get("HRI_LOCK", "").strip().lower()
    if allowed and allowed != "any" and len(allowed) != len(serial.hex()):
        raise ConfigurationError(
            "bad-lock", f"HRI_LOCK is {allowed!r}", "set it to the chip's serial number in hex, or to `any`"
        )
    return allowed in ("any", serial.hex())


def _silent(_event: StepEvent) -> None:
    return


def _pem(public_key: bytes) -> bytes:
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public_key)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

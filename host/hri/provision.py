"""A board becomes a device: permanent key, proof of it, certificate, first authentication.

The whole is a state machine whose state is what chip and registry hold; see `hri.personalisation` for the
chip's half and `hri.enrolment` for the certificate's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from hri.acts import Telling, outcome
from hri.ca.device_id import check_device_id
from hri.compressed import FieldKind, Sources
from hri.compressed.conversion import subject_text
from hri.context import Context
from hri.elements.board import BoardElement, ElementInfo, Hello
from hri.enrolment import enrol
from hri.errors import DeviceError, PolicyRefusal
from hri.evidence import recorded_birth
from hri.personalisation import Identity, Personalisation, register
from hri.registry import Device, require_not_barred
from hri.serial_numbers import serial_text
from hri.steps import OnStep, StepEvent, Steps, StepTime

STEPS = (
    "connect",
    "inspect",
    "plan",
    "configure",
    "lock-config",
    "personalise",
    "lock-data",
    "attestation-key",
    "birth",
    "lock-identity",
    "csr",
    "state",
    "issue",
    "store",
    "authenticate",
    "activate",
)
"""Every step in order; a run skips those whose work is done."""


@dataclass(frozen=True, slots=True)
class ProvisionedElement:
    """The chip of a provisioned device; `serial_number` in lower-case hex."""

    type: str
    serial_number: str
    slot: int


@dataclass(frozen=True, slots=True)
class ProvisionResult:
    """A device that has proved its identity; `certificate` is PEM, `steps` what this run did."""

    device_id: str
    element: ProvisionedElement
    certificate: str
    steps: tuple[StepTime, ...]


def _silent(_event: StepEvent) -> None:
    return


def provision(
    connect: Callable[[], BoardElement],
    context: Context,
    *,
    device_id: str | None = None,
    lock: bool = False,
    on_step: OnStep = _silent,
) -> ProvisionResult:
    """Make a device of the board that `connect` opens, or complete what an earlier run began.

    Nothing permanent happens without `lock`. A device that is provisioned already authenticates again and
    is otherwise left as it is. `device_id` names it; without one the id is derived from its first key.

    Raises LockRequired, PolicyRefusal (a foreign chip, a revoked device, refused evidence), DeviceError,
    StorageError.
    """
    if device_id is not None:
        check_device_id(device_id)
    timeout = context.config.provisioning.enrollment_timeout
    steps = Steps(on_step, context.monotonic, timeout=timeout)
    with steps.step("connect"):
        board = connect()
        hello = board.hello()
    with steps.step("inspect"):
        info = inspect_element(board, hello)
    device_id = _named_by_template(context, info, device_id)
    serial = info.serial_number.hex()
    with (
        outcome(context, "provision", device_id or serial, {"chip": serial}) as told,
        element_lease(context, info.serial_number, "provision", steps),
    ):
        return _provision(board, context, info, steps, told, device_id=device_id, lock=lock)


def _named_by_template(context: Context, info: ElementInfo, device_id: str | None) -> str | None:
    """Return the name that the certificate's template gives this chip, before it is locked under another.

    None where it is derived from a key that does not exist yet. Raises PolicyRefusal for another name.
    """
    template = context.certificate_profile.template
    if template is None:
        return device_id
    known = context.registry.device_by_element(info.serial_number.hex())
    name = known.device_id if known else None
    if template.device_id_from is not FieldKind.KEY_SHA256 and template.device_id_from is not None:
        sources = Sources(bytes(64), element_serial=info.serial_number)
        name = subject_text(template.device_id_from, sources).decode()
    if device_id not in (None, name):
        raise PolicyRefusal(
            "device-id-not-to-template",
            f"certificates to {template.name} are named by the {template.device_id_from_words}, "
            f"not {device_id!r}",
            "leave --device-id out",
        )
    return name


@contextmanager
def element_lease(context: Context, serial: bytes, what: str, steps: Steps) -> Iterator[None]:
    """Hold the right to work on one chip, renewed before each of `steps`.

    Raises PolicyRefusal: `lease-held` on entering where another has it, `lease-lost` before a step where this
    process was held up for so long that another took over.
    """
    # A step that began in time may end late; nobody else should begin before it does.
    ttl = timedelta(seconds=2 * context.config.provisioning.enrollment_timeout)
    owner = f"{what} on {context.station}, process {os.getpid()}"
    with (
        context.registry.lease(f"element:{serial.hex()}", owner, ttl, now=context.now()) as held,
        steps.renewing(lambda: context.registry.renew_lease(held, ttl, context.now())),
    ):
        yield


def _provision(
    board: BoardElement,
    context: Context,
    info: ElementInfo,
    steps: Steps,
    told: Telling,
    *,
    device_id: str | None,
    lock: bool,
) -> ProvisionResult:
    device, permanent = make_permanent(board, context, info, steps, device_id=device_id, lock=lock)
    identity = _in_use(board, context, device, permanent)
    issued = enrol(board, context, identity, device.device_id, steps)
    told.subject = device.device_id
    told.details["certificate"] = serial_text(issued.serial_number)
    told.details["steps"] = [step.name for step in steps.done]
    return ProvisionResult(
        device.device_id,
        ProvisionedElement(identity.element_type, identity.serial.hex(), identity.slot),
        issued.pem.decode("ascii"),
        tuple(steps.done),
    )


def make_permanent(
    board: BoardElement,
    context: Context,
    info: ElementInfo,
    steps: Steps,
    *,
    device_id: str | None,
    lock: bool,
) -> tuple[Device, Identity]:
    """Bring the chip to its permanent key and register the device; the first half of `provision`."""
    known = _known_device(context, info.serial_number.hex(), device_id)
    given = known.device_id if known else device_id or ""
    permanent = Personalisation(board, context, steps, lock=lock, device_id=given).run(info)
    return register(context, permanent, given), permanent


def inspect_element(board: BoardElement, hello: Hello) -> ElementInfo:
    """Return the chip of a board with its configuration; raises DeviceError where none works."""
    if hello.element is None:
        code, message = hello.element_error or ("chip-absent", "the board found no chip")
        raise DeviceError(
            code,
            f"the board answers, its secure element does not: {message}",
            "look at the chip's supply, SDA, SCL and ground, and at its address in hri_board.json",
        )
    if not hello.element.type.startswith("atecc608"):
        raise PolicyRefusal(
            "unsupported-element",
            f"{hello.element.type} is not a secure element that can be provisioned",
            "use an ATECC608A or ATECC608B",
        )
    return board.chip_info()


def _known_device(context: Context, serial: str, device_id: str | None) -> Device | None:
    """Return the device that this chip is, or is going to be, if the registry knows it already."""
    by_chip = context.registry.device_by_element(serial)
    by_id = context.registry.device(device_id) if device_id else None
    known = by_chip or by_id
    if by_chip and device_id and by_chip.device_id != device_id:
        raise PolicyRefusal(
            "already-registered",
            f"chip {serial} is already device {by_chip.device_id}",
            "leave --device-id out, or use another board: a chip keeps its name for life",
        )
    if by_id and by_id.element_serial not in (None, serial):
        raise PolicyRefusal(
            "device-id-taken",
            f"device {by_id.device_id} has another chip, {by_id.element_serial}",
            "choose another --device-id: an identity cannot move to another chip",
        )
    if known:
        require_not_barred(known.device_id, known.status)
    if known is None and not context.config.provisioning.auto_enrollment:
        raise PolicyRefusal(
            "not-registered",
            f"chip {serial} is no registered device, and provisioning.auto_enrollment is off",
            "`hri register ID` first, then give that --device-id; or switch auto_enrollment on",
        )
    return known


def _in_use(board: BoardElement, context: Context, device: Device, permanent: Identity) -> Identity:
    """Return the key by which the device is known now: the permanent one, or one rotated to."""
    live = context.registry.live_certificate(device.device_id)
    if live is None or live.slot in (None, permanent.slot):
        return permanent
    key = board.public_key(live.slot)
    birth = recorded_birth(context, permanent.serial.hex(), live.slot, key)
    return Identity(permanent.element_type, permanent.serial, live.slot, key, birth)

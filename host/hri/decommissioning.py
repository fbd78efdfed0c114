"""The end of a device: its certificates, its name, and what can be ended in its chip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hri.acts import outcome
from hri.context import Context
from hri.elements.board import BoardElement
from hri.errors import PolicyRefusal
from hri.lifecycle import known_device
from hri.provision import element_lease, inspect_element
from hri.publication import publish_crls
from hri.steps import StepEvent, Steps

MARK_SLOT = 5
MARK = b"hri decommissioned".ljust(36, b"\0")
"""What slot 5 of the hri-device profile holds in the chip of a device that is no more."""


def decommission(context: Context, device_id: str, crl_folder: Path) -> None:
    """End a device for good and publish that its certificates are revoked; repeating it changes nothing.

    Raises ConfigurationError (unknown device, key not open), PolicyRefusal (only registered), StorageError.
    """
    context.registry.decommission(device_id, context.now(), recorder=context.recorder)
    publish_crls(context, crl_folder, only_due=True)


def mark_chip(connect: Callable[[], BoardElement], context: Context, device_id: str) -> None:
    """Destroy the rotatable keys in a decommissioned device's chip, then write `MARK` into its slot 5.

    The permanent keys in slots 0 and 1 cannot be destroyed by anybody; the registry is what bars them. A chip
    that carries the mark is left as it is. Nothing is locked.

    Raises PolicyRefusal (another chip, or the device is not decommissioned), DeviceError and StorageError.
    """
    device = known_device(context, device_id)
    if device.status != "decommissioned":
        raise PolicyRefusal(
            "not-decommissioned", f"device {device_id} is {device.status}", "`hri decommission` it first"
        )
    steps = Steps(_silent, context.monotonic, timeout=context.config.provisioning.enrollment_timeout)
    board = connect()
    info = inspect_element(board, board.hello())
    serial = info.serial_number
    if serial.hex() != device.element_serial:
        raise PolicyRefusal(
            "wrong-device",
            f"the board holds chip {serial.hex()}, device {device_id} has another",
            "plug in the right board",
        )
    with element_lease(context, serial, "decommission", steps):
        if board.read_slot(MARK_SLOT, 0, len(MARK)) == MARK:
            return
        slots = context.chip_profile.rotatable_slots
        with outcome(context, "mark-chip", device_id, {"element": serial.hex(), "slots": list(slots)}):
            for slot in slots:
                with steps.step(f"destroy-{slot}"):
                    # The new key is nobody's: no certificate is ever issued for it.
                    board.generate_key(serial, slot)
            with steps.step("mark"):
                board.write_slot(serial, MARK_SLOT, 0, MARK)


def _silent(_event: StepEvent) -> None:
    return

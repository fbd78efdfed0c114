"""Single acts on one chip, for people who want to see each: apply the configuration, lock a zone."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from hri.context import Context
from hri.elements.atecc.profile import Profile
from hri.elements.board import BoardElement, ElementInfo
from hri.errors import PolicyRefusal
from hri.personalisation import Personalisation
from hri.provision import element_lease, inspect_element
from hri.steps import StepEvent, Steps


class Zone(StrEnum):
    """The two zones that are locked as a whole."""

    config = "config"
    data = "data"


def read_chip(board: BoardElement) -> ElementInfo:
    """Return the chip of a board with its configuration. Raises DeviceError."""
    return inspect_element(board, board.hello())


def apply_configuration(
    board: BoardElement, context: Context, confirm: str, profile: Profile | None = None
) -> ElementInfo:
    """Write the profile's configuration into an open chip, read it back, and lock nothing.

    `confirm` has to be the chip's serial number in hex. Raises PolicyRefusal and DeviceError.
    """
    return _act(board, context, confirm, _apply, profile)


def lock_zone(
    board: BoardElement, context: Context, zone: Zone, confirm: str, profile: Profile | None = None
) -> ElementInfo:
    """Lock a zone for good, after reading back what it holds; the data zone is written in full before.

    `confirm` has to be the chip's serial number in hex. Slots are locked by provisioning alone, because
    what they hold has to be on record first. Raises PolicyRefusal and DeviceError.
    """
    act = _lock_config if zone is Zone.config else _lock_data
    return _act(board, context, confirm, act, profile)


def _act(
    board: BoardElement,
    context: Context,
    confirm: str,
    act: Callable[[Personalisation, ElementInfo], None],
    profile: Profile | None,
) -> ElementInfo:
    info = read_chip(board)
    serial = info.serial_number.hex()
    if confirm.strip().lower() != serial:
        raise PolicyRefusal(
            "not-confirmed",
            f"{confirm!r} is not the serial number of this chip, {serial}: nothing was done",
            "give the serial number of the chip that you mean",
        )
    steps = Steps(_silent, context.monotonic)
    with element_lease(context, info.serial_number, "hri chip", steps):
        work = Personalisation(board, context, steps, lock=True, profile=profile)
        work.refuse_foreign(info)
        act(work, info)
    return board.chip_info()


def _apply(work: Personalisation, info: ElementInfo) -> None:
    if not info.config_locked:
        work.write_configuration(info)


def _lock_config(work: Personalisation, info: ElementInfo) -> None:
    if not info.config_locked:
        work.lock_configuration()


def _lock_data(work: Personalisation, info: ElementInfo) -> None:
    work.require_device_profile()
    if not info.config_locked:
        raise PolicyRefusal(
            "config-open",
            "the configuration zone is not locked yet",
            "lock it first: `hri chip lock --zone config`",
        )
    if not info.data_locked:
        work.write_data(info)
        work.lock_data(info)


def _silent(_event: StepEvent) -> None:
    return

"""Whatever is cut off, wherever: running the same command again completes the work, and nothing is lost."""

import contextlib
import dataclasses
from collections.abc import Callable

import pytest
from hri.elements.board import BoardElement
from hri.errors import StorageError
from hri.provision import provision
from hri.registry import Registry
from unit.provision.soft_board import CableCut, SoftBoard

# One provisioning makes this many requests; the first test holds the number.
REQUESTS = 35
WRITES = (
    "lease",
    "renew_lease",
    "record_endorsement",
    "new_challenge",
    "consume_challenge",
    "record_evidence",
    "upsert_device",
    "record_certificates",
    "record_authentication",
    "activate",
    "record_acts",
)


class ProcessKilled(BaseException):
    """What no handler may catch: the process is gone."""


class CutRegistry:
    """The registry, killed before or after the n-th call of one of its writing methods."""

    def __init__(self, registry: Registry, name: str, turn: int, when: str) -> None:
        self._registry, self._name, self._turn, self._when = registry, name, turn, when

    def __getattr__(self, name: str):
        method = getattr(self._registry, name)
        if name != self._name:
            return method

        def cut(*args, **kwargs):
            self._turn -= 1
            if self._turn == 0 and self._when == "before":
                raise ProcessKilled
            result = method(*args, **kwargs)
            if self._turn == 0:
                raise ProcessKilled
            return result

        return cut


def cut_at(position: int, when: str) -> Callable[[int, str, str], None]:
    def cut(number: int, op: str, moment: str) -> None:
        if (number, moment) == (position, when):
            raise CableCut(op)

    return cut


def element(board, context) -> BoardElement:
    return BoardElement(
        board, authorise=context.authorise(), retry=context.retry_policy(), sleep=context.sleep
    )


def assert_whole(board: SoftBoard, context, result) -> None:
    registry = context.registry
    assert board.locked_slots == [0, 1]
    assert registry.device_by_element(board.serial.hex()).device_id == result.device_id
    certificates = registry.certificates(result.device_id)
    assert [record.state for record in certificates] == ["active"]
    assert board.record["certificate"] == certificates[0].der
    born = [
        record for record in registry.evidence(result.device_id, kind="birth") if record.verdict["trusted"]
    ]
    assert born[-1].public_key == board.births[-1]
    assert registry.device(result.device_id).status == "active"


def test_the_number_of_requests_is_what_the_cuts_below_cover(board, context):
    provision(lambda: element(board, context), context, lock=True)

    assert len(board.ops) == REQUESTS


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("position", range(REQUESTS))
def test_a_cable_pulled_at_any_request_costs_nothing(board, context, position, when):
    board.cut = cut_at(position, when)
    with pytest.raises(CableCut):
        provision(lambda: element(board, context), context, device_id="d1", lock=True)
    keys_when_locked = dict(board.keys) if 0 in board.locked_slots else None
    board.cut = lambda *_: None

    result = provision(lambda: element(board, context), context, device_id="d1", lock=True)

    assert result.device_id == "d1"
    assert_whole(board, context, result)
    if keys_when_locked is not None:
        assert board.keys[0] is keys_when_locked[0]


@pytest.mark.parametrize("position", range(REQUESTS))
def test_a_cable_pulled_twice_at_any_request_costs_nothing(board, context, position):
    for when in ("after", "before"):
        board.ops.clear()
        board.cut = cut_at(position, when)
        try:
            provision(lambda: element(board, context), context, lock=True)
        except CableCut:
            continue
    board.cut = lambda *_: None

    assert_whole(board, context, provision(lambda: element(board, context), context, lock=True))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("turn", [1, 2, 3])
@pytest.mark.parametrize("name", WRITES)
def test_a_process_killed_at_any_write_costs_nothing(board, context, name, turn, when):
    cut = dataclasses.replace(context, registry=CutRegistry(context.registry, name, turn, when))
    with contextlib.suppress(ProcessKilled):
        provision(lambda: element(board, context), cut, lock=True)

    result = provision(lambda: element(board, context), context, lock=True)

    assert_whole(board, context, result)


def test_a_birth_is_on_record_before_its_slot_is_locked(board, context):
    on_record = []

    def look(_number, op, when):
        if (op, when) == ("chip.lock_slot", "before"):
            kinds = [record.kind for record in context.registry.evidence(element_serial=board.serial.hex())]
            on_record.append((len(context.registry.endorsements(board.serial.hex())), kinds))

    board.cut = look

    provision(lambda: element(board, context), context, lock=True)

    assert on_record == [(1, []), (1, ["birth"])]


def test_a_certificate_is_on_record_before_the_board_gets_it(board, context):
    states = []

    def look(_number, op, when):
        if (op, when) == ("certificate.store", "before"):
            states.extend(record.state for record in context.registry.certificates("d1"))

    board.cut = look

    provision(lambda: element(board, context), context, device_id="d1", lock=True)

    assert states == ["issued"]


def test_a_full_disk_leaves_a_chip_that_the_next_run_completes(board, context):
    class Full:
        def __getattr__(self, name):
            if name == "record_evidence":
                raise StorageError("disk-full", "the registry: the disk is full", "make room")
            return getattr(context.registry, name)

    with pytest.raises(StorageError):
        provision(lambda: element(board, context), dataclasses.replace(context, registry=Full()), lock=True)
    assert board.locked_slots == [1]

    assert_whole(board, context, provision(lambda: element(board, context), context, lock=True))

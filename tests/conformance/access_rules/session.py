"""One chip through one sequence of commands, every answer and every byte of EEPROM held against the table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from random import Random
from typing import Any

from conformance.access_rules.decide import VOLATILE_FIELDS, Command, Expected, State, decide
from conformance.access_rules.knowledge import Host
from conformance.access_rules.policy import Policy, policy_of
from conformance.access_rules.scenarios import Scenario
from conformance.access_rules.steps import Step
from conformance.access_rules.table import HEALTH, MISCOMPARE, OK, SELFTEST, STATUS_BITS, the_table
from conformance.access_rules.wire import Line, ReplyError, packet
from hri.rig.atecc import Snapshot, open_chip
from hri.rig.bus import Bus, ManualClock

ADDRESS = 0x60
READ, WRITE, SELF_TEST, CHECK_MAC, VERIFY = 0x02, 0x12, 0x77, 0x28, 0x45
GEN_KEY, PRIV_WRITE, ECDH, KDF = 0x40, 0x46, 0x43, 0x56
_READ_ALL = attrgetter(*VOLATILE_FIELDS)

MAKES_TEMP_KEY = frozenset((0x16, 0x15, 0x40, 0x43, 0x56, 0x47, 0x28))
"""Commands after which TempKey may be valid where it was not."""
MAKES_RANDOM = frozenset((0x16, 0x40, 0x43, 0x56, 0x47))
"""Commands after which a valid TempKey may count as random where it did not."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One disagreement: what is wrong, with which command, in which words of the table."""

    kind: str
    command: str
    detail: str
    step: int
    sent: tuple[str, ...] = ()

    @property
    def sort(self) -> tuple[str, str, str]:
        """What makes two failures the same one."""
        return self.kind, self.command, self.detail


@dataclass(slots=True)
class Tally:
    """Counts over many sequences."""

    commands: dict[str, dict[str, int]] = field(default_factory=dict)
    fired: list[int] = field(default_factory=list)
    decided: list[int] = field(default_factory=list)
    opened: dict[int, list[int]] = field(default_factory=dict)

    def add(self, name: str, expected: Expected, carried_out: bool, open_rows: frozenset[int]) -> None:
        """Count one command."""
        counts = self.commands.setdefault(name, {"allowed": 0, "refused": 0})
        counts["allowed" if carried_out else "refused"] += 1
        for row in expected.rows:
            self.fired[row] += 1
        spoke = [row for row in expected.rows if row in open_rows]
        if expected.refused and len(expected.rows) == len(spoke) + 1:
            self.decided[next(row for row in expected.rows if row not in open_rows)] += 1
        if expected.opened and len(spoke) == 1:
            self.opened.setdefault(spoke[0], [0, 0])[0 if carried_out else 1] += 1


@lru_cache(maxsize=65536)
def windows(content: bytes) -> frozenset[bytes]:
    """Return the eight-byte windows of ``content`` that are worth recognising."""
    found = (content[start : start + 8] for start in range(len(content) - 7))
    return frozenset(window for window in found if len(set(window)) > 3)


class Rig:
    """One virtual chip, loaded anew for every sequence, with its randomness seeded."""

    def __init__(self) -> None:
        self._rng = Random(0)  # noqa: S311 - a repeatable test
        self.chip = open_chip(clock=ManualClock(), timing="none", random=self._draw)
        self.line = Line(Bus([self.chip], clock=ManualClock()), ADDRESS)

    def _draw(self, count: int) -> bytes:
        return self._rng.randbytes(count)

    def load(self, scenario: Scenario, seed: int) -> None:
        """Put ``scenario`` into the chip, without power to start with, and wake it."""
        self._rng.seed(seed)
        self.chip.fail_self_test(0)
        self.chip.unsafe_load(Snapshot(scenario.config, scenario.otp, scenario.slots))
        self.line.wake()


class Session:
    """Runs one sequence on a rig; :meth:`run` returns the first disagreement."""

    def __init__(self, rig: Rig, scenario: Scenario, seed: int) -> None:
        self.rig = rig
        rig.load(scenario, seed)
        self.host = Host(scenario.config)
        self.derived: set[int] = set()
        self.sent: list[str] = []

    def run(
        self, steps: Iterable[Step], tally: Tally | None, names: dict[int, str], opens: frozenset[int]
    ) -> Failure | None:
        """Send ``steps``, check each, stop at the first disagreement."""
        chip = self.rig.chip
        for index, step in enumerate(steps):
            if step.breaks is not None:
                chip.fail_self_test(step.breaks)
                self.host.broken = step.breaks
                self.sent.append(f"fail_self_test({step.breaks:#04x})")
                continue
            before = chip.eeprom
            command = step.command if step.finish is None else step.finish(step.command, self.host, before)
            wire = packet(command.opcode, command.param1, command.param2, command.data)
            self.sent.append(wire.hex())
            volatile = chip.volatile
            expected = decide(State(before, volatile, self.host.knows(command, before)), command)
            earlier = dict(zip(VOLATILE_FIELDS, _READ_ALL(volatile), strict=True))
            name = names.get(command.opcode, "unknown")
            try:
                answer = self.rig.line.exchange(wire)
            except ReplyError as error:
                return Failure("malformed reply", name, str(error), index, tuple(self.sent))
            except Exception as error:  # noqa: BLE001 - a chip that raises is what is looked for
                return Failure("raised", name, repr(error), index, tuple(self.sent))
            problem = self._check(command, expected, answer, before, earlier)
            if problem is not None:
                return Failure(problem[0], name, problem[1], index, tuple(self.sent))
            carried_out = bool(_outcome(command, answer) & OK)
            if tally is not None:
                tally.add(name, expected, carried_out, opens)
            if carried_out:
                self.host.follow(command, answer, before, chip.volatile)
        return None

    def _check(
        self, command: Command, expected: Expected, answer: bytes, before: Snapshot, earlier: dict[str, Any]
    ) -> tuple[str, str] | None:
        chip = self.rig.chip
        outcome = _outcome(command, answer)
        if not outcome & expected.statuses:
            return (
                "decision",
                f"answered {answer[:1].hex() if len(answer) == 1 else f'{len(answer)} bytes'}; "
                + _said(expected),
            )
        if command.opcode == SELF_TEST and outcome & OK:
            wanted = expected.after.get("failed_self_tests", answer[0])
            if answer[0] != wanted:
                return "answer", f"self test answered {answer[0]:02x}, not {wanted:02x}"
        elif outcome & OK and (len(answer) if len(answer) > 1 else 0) not in expected.lengths:
            return "answer", f"{len(answer)} bytes, not {expected.lengths}"
        after = chip.eeprom
        policy = policy_of(before.config)
        problem = (
            _footprint(command, expected, outcome, before, after, policy)
            or self._secrets(command, answer, before, policy)
            or _clear_read(command, answer, before, outcome)
            or _volatile(command, expected, outcome, earlier, chip.volatile, self.host.broken)
        )
        if problem is None and outcome & OK and self.host.temp_public and _hidden(command, policy):
            problem = "secret", "data hidden under a TempKey that anybody on the bus can compute"
        if problem is None and command.opcode in (ECDH, KDF) and outcome & OK:
            self.derived.update(n for n in range(16) if before.slots[n] != after.slots[n])
        return problem

    def _secrets(
        self, command: Command, answer: bytes, before: Snapshot, policy: Policy
    ) -> tuple[str, str] | None:
        if len(answer) < 8:
            return None
        seen = {answer[start : start + 8] for start in range(len(answer) - 7)}
        for number in policy.secret_slots:
            if number in self.derived and command.opcode in (ECDH, KDF):
                continue
            if not seen.isdisjoint(windows(before.slots[number])):
                return "secret", f"eight bytes of slot {number} in the answer"
        return None


def _outcome(command: Command, answer: bytes) -> int:
    if len(answer) > 1:
        return OK
    if command.opcode == SELF_TEST:
        # The status byte is the map of failures, so it can read like a refusal; both count.
        return OK | STATUS_BITS.get(answer[0], 0) if answer[0] not in (0x03, 0x0F) else STATUS_BITS[answer[0]]
    return STATUS_BITS.get(answer[0], 0)


def _hidden(command: Command, policy: Policy) -> bool:
    """Whether a command that was carried out moved data that TempKey was to hide."""
    if command.opcode == READ and command.param1 & 3 == 2:
        return policy.data_locked and policy.slots_at(command.param2 >> 3).encrypt_read
    if command.opcode == WRITE and command.param1 & 3 == 2:
        return policy.data_locked and len(command.data) == 64
    return command.opcode == PRIV_WRITE and policy.data_locked


def _said(expected: Expected) -> str:
    rows = the_table().rows
    spoke = [rows[number] for number in expected.rows if rows[number].kind in ("refuse", "open")]
    if expected.refused:
        return "refused by " + ", ".join(sorted(row.rule for row in spoke if row.kind == "refuse"))
    return "allowed" + (", left open by " + ", ".join(row.rule for row in spoke) if spoke else "")


def _footprint(
    command: Command, expected: Expected, outcome: int, before: Snapshot, after: Snapshot, policy: Policy
) -> tuple[str, str] | None:
    if before == after:
        return None
    changes = expected.changes if outcome & OK else []
    if not outcome & OK and (outcome & MISCOMPARE or _compared(expected)):
        # A use counts before what it is used for is compared.
        changes = [("config", 0, 52, 60)]
    for zone, number, old, new in _zones(before, after):
        if old == new:
            continue
        if len(old) != len(new):
            return "footprint", f"{zone} changed its length"
        allowed = [
            (start, stop) for where, which, start, stop in changes if where == zone and which == number
        ]
        for place, (was, now) in enumerate(zip(old, new, strict=True)):
            if was != now and not any(start <= place < stop for start, stop in allowed):
                return (
                    "footprint",
                    f"{zone} {'refused ' if not outcome & OK else ''}changed at {_where(zone, place)}",
                )
        problem = _locked(command, policy, zone, number, old, new)
        if problem is not None:
            return "lock", problem
    return None


def _compared(expected: Expected) -> bool:
    """Whether nothing but the content of the command, once compared, could have refused it."""
    rows = the_table().rows
    spoke = [rows[number] for number in expected.rows if rows[number].kind in ("refuse", "open")]
    return any(row.rule.startswith(("wrong-", "unknown-", "unasked-", "bad-")) for row in spoke) and all(
        row.rule.startswith(("wrong-", "bad-")) for row in spoke if row.kind == "refuse"
    )


def _where(zone: str, place: int) -> str:
    return f"byte {place}" if zone == "config" else "a byte outside its place"


def _zones(before: Snapshot, after: Snapshot) -> Iterable[tuple[str, int, bytes, bytes]]:
    yield "config", 0, before.config, after.config
    yield "otp", 0, before.otp, after.otp
    for number in range(16):
        yield "slot", number, before.slots[number], after.slots[number]


_STILL_WRITABLE = frozenset((*range(52, 68), 84, 85, 86, 88, 89))


def _locked(
    command: Command, policy: Policy, zone: str, number: int, old: bytes, new: bytes
) -> tuple[str, str] | str | None:
    """Return what changed that no rule of the table could allow."""
    if zone == "otp":
        return "OTP after the data lock" if policy.data_locked else None
    if zone == "slot":
        slot = policy.slots[number]
        if slot.private and policy.config_locked and command.opcode not in (GEN_KEY, PRIV_WRITE):
            return f"a private key changed by {command.opcode:02x}"
        if slot.locked and policy.config_locked and not (command.opcode == VERIFY and old[1:] == new[1:]):
            return "a locked slot"
        return None if policy.config_locked else "a slot before the config lock"
    if not policy.config_locked:
        return None
    later = policy_of(new)
    for place in range(128):
        if old[place] == new[place]:
            continue
        if place not in _STILL_WRITABLE:
            return f"config byte {place} after the config lock"
        if (place == 86 and new[place] != 0) or (place in (84, 85) and old[place] != 0):
            return f"config byte {place} a second time"
        if place in (88, 89) and new[place] & ~old[place]:
            return "a slot unlocked"
    if any(now < was for was, now in zip(policy.counters, later.counters, strict=True)):
        return "a counter went back"
    return None


def _clear_read(command: Command, answer: bytes, before: Snapshot, outcome: int) -> tuple[str, str] | None:
    if command.opcode != READ or not outcome & OK:
        return None
    zone, number, size = command.param1 & 3, command.param2 >> 3 & 15, len(answer)
    start = (command.param2 >> 8 & 15) * 32 + (0 if size == 32 else (command.param2 & 7) * 4)
    if zone == 2:
        slot = policy_of(before.config).slots[number]
        if slot.encrypt_read:
            clear = before.slots[number][start : start + size]
            return (
                ("secret", "an encrypted read answered the plain block")
                if answer == clear and windows(clear)
                else None
            )
        stored = before.slots[number][start : start + size]
    else:
        whole = before.config if zone == 0 else before.otp
        start = (command.param2 >> 3 & 3) * 32 if size == 32 else (command.param2 & 31) * 4
        stored = whole[start : start + size]
    return None if answer[: len(stored)] == stored else ("answer", "a read of something else")


def _volatile(
    command: Command, expected: Expected, outcome: int, earlier: dict[str, Any], later: Any, broken: int
) -> tuple[str, str] | None:
    opcode = command.opcode
    if outcome & OK:
        for name, value in expected.after.items():
            if getattr(later, name) != value:
                return "state", f"{name} is {getattr(later, name)}, not {value}"
    if later.temp_key_valid and not _temp_key_earned(opcode, outcome, earlier, later):
        return "state", "TempKey gained what the command cannot give"
    authorized = later.authorized_key
    if authorized not in (None, earlier["authorized_key"]) and not (
        outcome & OK and opcode in (CHECK_MAC, VERIFY) and authorized == command.param2 & 15
    ):
        return "state", f"key {authorized} authorized"
    for name, givers in (("persistent_latch", (0x80, 0x30)), ("volatile_key_permitted", (0x30, CHECK_MAC))):
        if getattr(later, name) and not earlier[name] and not (outcome & OK and opcode in givers):
            return "state", f"{name} set"
    if (
        later.failed_self_tests != earlier["failed_self_tests"]
        and opcode != SELF_TEST
        and not (broken and outcome & (HEALTH | SELFTEST))
    ):
        return "state", "failed_self_tests changed"
    return None


def _temp_key_earned(opcode: int, outcome: int, earlier: dict[str, Any], later: Any) -> bool:
    if not outcome & OK:
        fields = ("temp_key_valid", "source_flag", "key_id", "gen_dig_data", "gen_key_data", "no_mac_flag")
        return all(getattr(later, name) == earlier[name] for name in fields)
    if not earlier["temp_key_valid"] and opcode not in MAKES_TEMP_KEY:
        return False
    if earlier["source_flag"] == 1 and later.source_flag == 0 and opcode not in MAKES_RANDOM:
        return False
    if later.gen_dig_data and not earlier["gen_dig_data"] and opcode != 0x15:
        return False
    return not (later.gen_key_data and not earlier["gen_key_data"] and opcode != GEN_KEY)

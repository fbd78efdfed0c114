"""What the documents say of one command in one state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from conformance.access_rules.policy import COUNTER_MOST, Policy, policy_of
from conformance.access_rules.table import OK, PARSE, SELFTEST, the_table


class Snapshot(Protocol):
    """The EEPROM: 128 bytes of configuration, 64 of OTP and sixteen slots."""

    @property
    def config(self) -> bytes: ...

    @property
    def otp(self) -> bytes: ...

    @property
    def slots(self) -> Sequence[bytes]: ...


class Volatile(Protocol):
    """The state that sleep and power loss clear."""

    temp_key_valid: bool
    temp_key_length: int
    source_flag: int
    key_id: int
    gen_dig_data: bool
    gen_key_data: bool
    no_mac_flag: bool
    message_digest_length: int
    alternate_key: bool
    authorized_key: int | None
    persistent_latch: bool
    volatile_key_permitted: bool
    failed_self_tests: int
    sha_context: int


VOLATILE_FIELDS = tuple(Volatile.__annotations__)


@dataclass(frozen=True, slots=True)
class Command:
    """One command: opcode, the two parameters and the data."""

    opcode: int
    param1: int
    param2: int
    data: bytes = b""


@dataclass(slots=True)
class Known:
    """What the tester can tell of a command's content: True right, False wrong, None cannot tell."""

    mac: bool | None = None
    signature: bool | None = None
    point: bool | None = None
    crc: bool | None = None
    scalar: bool | None = None
    details: bool = False
    broken: int = 0
    temp_private: bool = False


@dataclass(slots=True)
class State:
    """A chip before a command."""

    eeprom: Snapshot
    volatile: Volatile
    known: Known = field(default_factory=Known)


class _View:
    """The questions of the table that need slot contents."""

    __slots__ = ("policy", "slots")

    def __init__(self, policy: Policy, slots: Sequence[bytes]) -> None:
        self.policy = policy
        self.slots = slots

    def validated(self, number: int) -> bool:
        """Whether a public key is marked valid (DS20005927A: the top nibble of its slot is 5)."""
        return self.slots[number & 15][0] >> 4 == 5

    def used_up(self) -> bool:
        """Whether counter 0 has reached the limit of the limited-use keys."""
        count = self.policy.counters[0]
        if count >= COUNTER_MOST:
            return True
        if not self.policy.count_match:
            return False
        match = self.slots[self.policy.count_match_slot]
        return match[0:4] == match[4:8] and count >= int.from_bytes(match[0:4], "little")


@dataclass(slots=True)
class Expected:
    """The documents' answer.

    ``statuses`` is a set of bits, of which exactly one comes back; ``refused`` says that none of them is
    success. ``opened`` says that the documents leave room for both. ``changes`` are the places that success
    may change (zone, slot, start, stop), ``after`` the volatile state that success leaves, ``lengths`` the
    bytes that it answers (0: the status byte alone). ``rows`` are the rules that spoke, by number.
    """

    statuses: int
    refused: bool
    opened: bool
    changes: list[tuple[str, int, int, int]]
    after: dict[str, Any]
    lengths: tuple[int, ...]
    rows: list[int]


def decide(state: State, command: Command) -> Expected:
    """Return what the table of rules says of ``command`` in ``state``."""
    table = the_table().commands.get(command.opcode)
    if table is None:
        # An opcode that is not there is illegal in every state; after a failed self test 07 is as right.
        return Expected(
            PARSE | (SELFTEST if state.volatile.failed_self_tests else 0), True, False, [], {}, (), []
        )
    policy = policy_of(state.eeprom.config)
    rows: list[int] = []
    refused, opened, changes, after, lengths = table.evaluate(
        command.param1,
        command.param2,
        command.data,
        state.volatile,
        state.known,
        policy,
        _View(policy, state.eeprom.slots),
        rows,
    )
    if refused:
        return Expected(refused | opened, True, False, [], {}, (), rows)
    return Expected(OK | opened, False, bool(opened), changes, after, lengths, rows)

"""The steps of random sequences, and what a planner knows of the chip that they are for.

A step is a command that the chip's state may complete: its MAC, its signature or its digest is made only
when it is sent, from what the host then knows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from conformance.access_rules.decide import Command, Snapshot
from conformance.access_rules.knowledge import Host, data_summary, stored_point
from conformance.access_rules.policy import Policy, policy_of
from conformance.access_rules.scenarios import contents
from conformance.access_rules.wire import crc16
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

Finish = Callable[[Command, Host, Snapshot], Command]


@dataclass(frozen=True, slots=True)
class Step:
    """A command and how it is completed, or the blocks to break (``breaks``) in place of a command."""

    command: Command
    finish: Finish | None = None
    breaks: int | None = None


def _with(command: Command, data: bytes) -> Command:
    return Command(command.opcode, command.param1, command.param2, data)


def encrypt(command: Command, host: Host, eeprom: Snapshot) -> Command:
    del eeprom
    if host.temp_key is None or len(command.data) not in (32, 36):
        return _with(command, command.data + bytes(32))
    hidden = bytes(a ^ b for a, b in zip(command.data, host.pad(), strict=False))
    return _with(command, hidden + host.write_mac(command, command.data))


def derive_mac(command: Command, host: Host, eeprom: Snapshot) -> Command:
    return _with(command, host.derive_mac(command, eeprom))


def check_mac(command: Command, host: Host, eeprom: Snapshot) -> Command:
    response = host.check_mac(command, eeprom)
    if response is None or len(command.data) != 77:
        return command
    return _with(command, command.data[:32] + response + command.data[64:])


def summary(command: Command, host: Host, eeprom: Snapshot) -> Command:
    del host
    summed = eeprom.config if command.param1 & 1 == 0 else data_summary(eeprom)
    return Command(command.opcode, command.param1, crc16(summed), command.data)


def signature(command: Command, host: Host, eeprom: Snapshot) -> Command:
    digest = host.digest if command.param1 & 0x20 else host.temp_key
    external = len(command.data) == 128
    point = command.data[64:] if external else stored_point(eeprom.slots[8 + command.param2 % 8])
    if digest is None or point not in contents().points:
        return command
    return _with(command, _sign_as(point, digest[:32]) + command.data[64:])


def boot_signature(command: Command, host: Host, eeprom: Snapshot) -> Command:
    digest = host.boot_digest(command, eeprom)
    point = stored_point(eeprom.slots[policy_of(eeprom.config).secure_boot_key])
    if digest is None or point not in contents().points or len(command.data) != 96:
        return command
    return _with(command, command.data[:32] + _sign_as(point, digest))


def _sign_as(point: bytes, digest: bytes) -> bytes:
    pool = contents()
    der = pool.keys[pool.points.index(point)].sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    r, s = utils.decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Planner:
    """Draws steps for a chip whose configuration it knows."""

    def __init__(self, rng: Random, policy: Policy) -> None:
        self.rng = rng
        self.policy = policy
        self.private = [slot.number for slot in policy.slots if slot.private] or [0]
        self.public = [slot.number for slot in policy.slots if slot.p256 and not slot.private] or [11]
        self.secret = [slot.number for slot in policy.slots if slot.is_secret and not slot.private] or [6]
        self.aes = [slot.number for slot in policy.slots if slot.type == 6] or [9]
        self.encrypted_read = [slot.number for slot in policy.slots if slot.encrypt_read] or [5]
        self.encrypted_write = [s.number for s in policy.slots if s.write_config & 4 and not s.private] or [5]
        self.derived = [s.number for s in policy.slots if s.write_config & 2 and not s.private] or [7]
        self.guarded = [slot.number for slot in policy.slots if slot.req_auth]

    def disturb(self, step: Step) -> Step:
        """Return ``step`` with one thing about it changed."""
        rng, command = self.rng, step.command
        roll = rng.randrange(6)
        if step.breaks is not None:
            return step
        if roll == 0:
            command = Command(
                command.opcode, command.param1 ^ 1 << rng.randrange(8), command.param2, command.data
            )
        elif roll == 1:
            number = rng.choice((0xFFFF, 16, 255, 0x8000, rng.randrange(65536), rng.randrange(16)))
            command = Command(command.opcode, command.param1, number, command.data)
        elif roll == 2:
            length = rng.choice((0, 1, 4, 16, 20, 31, 32, 33, 64, 96, 128))
            return Step(_with(command, rng.randbytes(length)))
        elif roll == 3:
            return Step(
                Command(rng.randrange(256), command.param1, command.param2, command.data), step.finish
            )
        elif roll == 4:
            return Step(command)
        else:
            # What was just asked, asked of another slot.
            command = Command(command.opcode, command.param1, rng.randrange(16), command.data)
        return Step(command, step.finish)

    def slot(self, wanted: list[int]) -> int:
        """Return one of the slots that suit, mostly."""
        return self.rng.choice(wanted) if self.rng.random() < 0.9 else self.rng.randrange(16)

    def random_nonce(self) -> Step:
        return Step(Command(0x16, self.rng.randrange(2), 0, self.rng.randbytes(20)))

    def fixed_nonce(self, place: int = 0) -> Step:
        long = place < 2 and self.rng.random() < 0.25
        mode = 3 | place << 6 | (0x20 if long else 0)
        return Step(Command(0x16, mode, 0, self.rng.randbytes(64 if long else 32)))

    def any_nonce(self) -> Step:
        return self.random_nonce() if self.rng.random() < 0.8 else self.fixed_nonce()

    def gendig(self, number: int) -> Step:
        data = b"\x15\x02" + bytes((number, 0)) if self.policy.slots[number].no_mac else b""
        return Step(Command(0x15, 2, number, data))

    def authorize(self, number: int) -> list[Step]:
        """Return the steps that authorize the use of a slot, where it asks for that."""
        slot = self.policy.slots[number]
        if not slot.req_auth or self.rng.random() < 0.3:
            return []
        check = Command(0x28, 1, slot.auth_key, bytes(64) + self.rng.randbytes(13))
        return [self.random_nonce(), Step(check, check_mac)]

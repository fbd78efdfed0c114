"""Random sequences of commands, a good part of which a chip carries out.

A step is a command that the chip's state may complete: its MAC, its signature or its digest is made only when it is
sent, from what the host then knows. A plan is a handful of steps that belong together; noise turns bits in them.
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


def _encrypt(command: Command, host: Host, eeprom: Snapshot) -> Command:
    del eeprom
    if host.temp_key is None or len(command.data) not in (32, 36):
        return _with(command, command.data + bytes(32))
    hidden = bytes(a ^ b for a, b in zip(command.data, host.pad(), strict=False))
    return _with(command, hidden + host.write_mac(command, command.data))


def _derive_mac(command: Command, host: Host, eeprom: Snapshot) -> Command:
    return _with(command, host.derive_mac(command, eeprom))


def _check_mac(command: Command, host: Host, eeprom: Snapshot) -> Command:
    response = host.check_mac(command, eeprom)
    if response is None or len(command.data) != 77:
        return command
    return _with(command, command.data[:32] + response + command.data[64:])


def _summary(command: Command, host: Host, eeprom: Snapshot) -> Command:
    del host
    summed = eeprom.config if command.param1 & 1 == 0 else data_summary(eeprom)
    return Command(command.opcode, command.param1, crc16(summed), command.data)


def _signature(command: Command, host: Host, eeprom: Snapshot) -> Command:
    digest = host.digest if command.param1 & 0x20 else host.temp_key
    external = len(command.data) == 128
    point = command.data[64:] if external else stored_point(eeprom.slots[8 + command.param2 % 8])
    if digest is None or point not in contents().points:
        return command
    return _with(command, _sign_as(point, digest[:32]) + command.data[64:])


def _boot_signature(command: Command, host: Host, eeprom: Snapshot) -> Command:
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

    def sequence(self) -> list[Step]:
        """Return the steps of one sequence, two to a dozen."""
        rng = self.rng
        steps: list[Step] = []
        for _ in range(rng.choice((1, 1, 2, 2))):
            plan = rng.choices(PLANS, WEIGHTS)[0]
            for step in plan(self):
                steps.append(self._noise(step) if rng.random() < 0.08 else step)
        return steps

    def _noise(self, step: Step) -> Step:
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
        return [self.random_nonce(), Step(check, _check_mac)]


def _read(plan: Planner) -> list[Step]:
    rng = plan.rng
    steps = []
    for _ in range(rng.choice((1, 2))):
        zone = rng.choice((0, 0, 1, 2, 2, 2, 2, 3 if rng.random() < 0.1 else 2))
        long = rng.random() < 0.6
        block = rng.choice((0, 0, 0, 1, 1, 2, 13))
        number = rng.randrange(16) if zone == 2 else rng.randrange(4)
        offset = 0 if long else rng.randrange(8)
        address = number << 3 | offset | (block << 8 if zone == 2 else 0)
        steps.append(Step(Command(0x02, zone | (0x80 if long else 0), address)))
    return steps


def _encrypted_read(plan: Planner) -> list[Step]:
    number = plan.slot(plan.encrypted_read)
    read_key = plan.policy.slots[number].read_key if plan.rng.random() < 0.9 else plan.rng.randrange(16)
    block = plan.rng.choice((0, 0, 0, 1))
    mode = 0x82 if plan.rng.random() < 0.93 else 0x02
    return [plan.any_nonce(), plan.gendig(read_key), Step(Command(0x02, mode, number << 3 | block << 8))]


def _false_key(plan: Planner) -> list[Step]:
    """Make TempKey something known, with what may be left of GenDig's flags, and ask for what it should hide."""
    rng = plan.rng
    number = plan.slot(plan.encrypted_read)
    key = plan.policy.slots[number].read_key
    shared = Step(Command(0x15, 3, rng.choice((0, 0x8000)) | key, rng.randbytes(32)))
    shown = Step(Command(0x16, 0, 0x8000, rng.randbytes(20)))
    known = rng.choice(
        (
            [shared],
            [Step(Command(0x15, 5, key))],
            [Step(Command(0x15, 4, key & 1))],
            [plan.gendig(key), shown],
            [plan.gendig(key), plan.fixed_nonce()],
            [plan.gendig(key), plan.fixed_nonce(1)],
            [plan.gendig(key), Step(Command(0x15, 0, 0))],
            [plan.gendig(key), Step(Command(0x47, 0, 0)), Step(Command(0x47, 2, 0))],
            [plan.gendig(key), Step(Command(0x40, 4, 0xFFFF))],
            [plan.gendig(key), Step(Command(0x43, 0x08, plan.slot(plan.private), rng.choice(contents().points)))],
        )
    )
    return [plan.random_nonce(), *known, Step(Command(0x02, 0x82, number << 3))]


def _write(plan: Planner) -> list[Step]:
    rng = plan.rng
    zone = (
        rng.choice((0, 1, 2, 2, 2)) if not plan.policy.data_locked else rng.choice((0, 1, 2, 2, 2, 2, 2, 2))
    )
    long = rng.random() < 0.6
    number = rng.randrange(16) if zone == 2 else rng.randrange(4) if zone == 0 else rng.randrange(2)
    block = rng.choice((0, 0, 0, 1, 2)) if zone == 2 else 0
    address = number << 3 | (0 if long else rng.randrange(8)) | block << 8
    write = Step(Command(0x12, zone | (0x80 if long else 0), address, rng.randbytes(32 if long else 4)))
    if zone < 2 or rng.random() < 0.5:
        return [write]
    return [write, Step(Command(0x02, 0x82, number << 3 | block << 8))]


def _encrypted_write(plan: Planner) -> list[Step]:
    rng = plan.rng
    number = plan.slot(plan.encrypted_write)
    write_key = plan.policy.slots[number].write_key if rng.random() < 0.9 else rng.randrange(16)
    mode = 0xC2 if rng.random() < 0.9 else 0x82
    command = Command(0x12, mode, number << 3 | rng.choice((0, 0, 1)) << 8, rng.randbytes(32))
    finish = _encrypt if rng.random() < 0.9 else None
    return [plan.any_nonce(), plan.gendig(write_key), Step(command, finish)]


def _priv_write(plan: Planner) -> list[Step]:
    rng = plan.rng
    number = plan.slot(plan.private)
    scalar = bytes(4) + rng.choice((rng.choice(contents().scalars), rng.randbytes(32), bytes(32)))
    if not plan.policy.data_locked and rng.random() < 0.7:
        return [Step(Command(0x46, 0, number, scalar + bytes(rng.choice((0, 32)))))]
    write = Step(Command(0x46, 0x40, number, scalar), _encrypt)
    if rng.random() < 0.15:
        write = Step(Command(0x46, 0x40, number, rng.randbytes(68)))
    return [plan.any_nonce(), plan.gendig(plan.policy.slots[number].write_key), write]


def _gendig(plan: Planner) -> list[Step]:
    rng = plan.rng
    zone = rng.choice((0, 1, 2, 2, 2, 3, 4, 5))
    number = rng.choice((0, 0, 1, 2, 3)) if zone != 3 else rng.choice((0, 0x8000)) | rng.randrange(16)
    step = Step(Command(0x15, zone, number, rng.randbytes(32) if zone == 3 else b""))
    if zone == 2:
        step = plan.gendig(rng.randrange(16))
    steps = [plan.any_nonce(), step] if rng.random() < 0.9 else [step]
    return [*steps, plan.gendig(rng.randrange(16))] if rng.random() < 0.2 else steps


def _sign(plan: Planner) -> list[Step]:
    rng = plan.rng
    number = plan.slot(plan.private)
    before = plan.authorize(number)
    if rng.random() < 0.5:
        place = rng.choice((0, 0, 1))
        sign = Step(Command(0x41, 0x80 | (0x20 if place else 0) | rng.choice((0, 0x40)), number))
        return [*before, plan.fixed_nonce(place), sign]
    middle = plan.gendig(rng.randrange(16))
    if rng.random() < 0.5:
        middle = Step(Command(0x40, 0x08, plan.slot(plan.private)))
    return [*before, plan.any_nonce(), middle, Step(Command(0x41, rng.choice((0, 0x40, 0x41)), number))]


def _genkey(plan: Planner) -> list[Step]:
    rng = plan.rng
    mode = rng.choice((0x00, 0x04, 0x04, 0x08, 0x0C, 0x10))
    number = plan.slot(plan.public if mode & 0x10 else plan.private)
    if mode == 0x04 and rng.random() < 0.15:
        number = 0xFFFF
    step = Step(Command(0x40, mode, number, rng.randbytes(3) if mode & 0x10 else b""))
    if mode & 0x18 and rng.random() < 0.95:
        return [*(plan.authorize(number) if number < 16 else []), plan.any_nonce(), step]
    return [step]


def _verify(plan: Planner) -> list[Step]:
    rng = plan.rng
    kind = rng.choices((0, 2, 3, 7), (4, 4, 1, 1))[0]
    if kind in (3, 7):
        number = plan.slot(plan.public)
        digest = Step(Command(0x40, 0x10, number, rng.randbytes(3)))
        return [plan.any_nonce(), digest, Step(Command(0x45, kind, number, rng.randbytes(83)))]
    place = rng.choice((0, 0, 1))
    mode = kind | (0x20 if place else 0) | rng.choice((0, 0, 0x80))
    number = 4 if kind == 2 else plan.slot(plan.public)
    point = rng.choice(contents().points) if rng.random() < 0.97 else rng.randbytes(64)
    data = rng.randbytes(64) + (point if kind == 2 else b"")
    verify = Step(Command(0x45, mode, number, data), _signature if rng.random() < 0.75 else None)
    nonces = [plan.fixed_nonce(place)]
    if mode & 0x80 and place == 0:
        nonces = [plan.fixed_nonce(1), *nonces]
    return [*nonces, verify]


def _mac(plan: Planner) -> list[Step]:
    rng = plan.rng
    number = plan.slot(plan.secret)
    mode = rng.choice((0, 1, 1, 2, 5, 6, 7, 3)) | rng.choice((0, 0x40))
    nonce = plan.fixed_nonce() if mode & 4 else plan.random_nonce()
    before = plan.authorize(number)
    return [*before, nonce, Step(Command(0x08, mode, number, b"" if mode & 1 else rng.randbytes(32)))]


def _checkmac(plan: Planner) -> list[Step]:
    rng = plan.rng
    number = plan.slot(plan.secret)
    mode = rng.choice((0, 1, 1, 2, 5, 6)) | rng.choice((0, 0, 0, 0x20))
    nonce = plan.fixed_nonce() if mode & 4 else plan.random_nonce()
    finish = _check_mac if rng.random() < 0.75 else None
    check = Step(Command(0x28, mode, number, rng.randbytes(77)), finish)
    return [nonce, check] if mode & 3 or rng.random() < 0.2 else [check]


def _authorized_use(plan: Planner) -> list[Step]:
    rng = plan.rng
    if not plan.guarded:
        return _checkmac(plan)
    number = rng.choice(plan.guarded)
    slot = plan.policy.slots[number]
    before = plan.authorize(number)
    if slot.private:
        return [*before, plan.fixed_nonce(), Step(Command(0x41, 0x80, number))]
    if slot.type == 6:
        return [*before, Step(Command(0x51, rng.randrange(2), number, rng.randbytes(16)))]
    return [*before, plan.random_nonce(), Step(Command(0x08, 1, number))]


def _derive(plan: Planner) -> list[Step]:
    rng = plan.rng
    number = plan.slot(plan.derived)
    fixed = rng.random() < 0.3
    nonce = plan.fixed_nonce() if fixed else plan.random_nonce()
    with_mac = bool(plan.policy.slots[number].write_config & 8)
    command = Command(0x1C, 4 if fixed else 0, number, rng.randbytes(32) if with_mac else b"")
    return [nonce, Step(command, _derive_mac if with_mac and rng.random() < 0.85 else None)]


def _ecdh(plan: Planner) -> list[Step]:
    rng = plan.rng
    number = plan.slot(plan.private)
    mode = rng.choice((0x00, 0x00, 0x04, 0x08, 0x0C, 0x0E, 0x02))
    point = rng.choice(contents().points) if rng.random() < 0.9 else rng.randbytes(64)
    if rng.random() < 0.1:
        return [Step(Command(0x40, 4, 0xFFFF)), Step(Command(0x43, rng.choice((0x01, 0x0D, 0x09)), 0, point))]
    return [*plan.authorize(number), Step(Command(0x43, mode, number, point))]


def _kdf(plan: Planner) -> list[Step]:
    rng = plan.rng
    kind = rng.choice((0, 1, 2))
    source = rng.choice((0, 1, 2, 2, 2, 3))
    target = rng.choice((0, 1, 2, 3, 4, 4, 5))
    from_slot = (plan.slot(plan.aes) if kind == 1 else plan.slot(plan.secret)) if source == 2 else 0
    into_slot = rng.randrange(16) if target == 2 else 0
    details = rng.choice(((b"\0\0\0", b"\1\0\0"), (b"\0\0\0",), (b"\2\0\0",))[kind])
    message = rng.randbytes(16 if kind == 1 else rng.choice((8, 16, 32, 64)))
    data = details + bytes((0 if kind == 1 else len(message),)) + message
    step = Step(Command(0x56, source | target << 2 | kind << 5, from_slot | into_slot << 8, data))
    place = 2 if source == 3 else 0
    if source < 2 and rng.random() < 0.3:
        return [plan.any_nonce(), plan.gendig(plan.slot(plan.secret)), step]
    return [step] if source == 2 and rng.random() < 0.7 else [plan.fixed_nonce(place), step]


def _aes(plan: Planner) -> list[Step]:
    rng = plan.rng
    op = rng.choice((0, 1, 3))
    block = rng.choice((0, 0, 1, 2, 3))
    number = 0xFFFF if rng.random() < 0.25 else plan.slot(plan.aes)
    mode = op | (block << 6 if op != 3 else 0)
    step = Step(Command(0x51, mode, 0 if op == 3 else number, rng.randbytes(32 if op == 3 else 16)))
    return [plan.fixed_nonce(), step] if number == 0xFFFF and rng.random() < 0.8 else [step]


def _sha(plan: Planner) -> list[Step]:
    rng = plan.rng
    hmac = rng.random() < 0.4
    number = 0xFFFF if rng.random() < 0.2 else plan.slot(plan.secret)
    steps = [plan.fixed_nonce()] if hmac and number == 0xFFFF else []
    if steps and rng.random() < 0.3:
        steps.append(plan.gendig(plan.slot(plan.secret)))
    if rng.random() < 0.93:
        steps.append(Step(Command(0x47, 4 if hmac else 0, number if hmac else 0)))
    for _ in range(rng.choice((0, 1, 1))):
        steps.append(Step(Command(0x47, 1, 64, rng.randbytes(64))))
    if rng.random() < 0.25:
        steps.append(Step(Command(0x47, 6, 0)))
    if rng.random() < 0.03:
        length = rng.choice((40, 64, 99, 20))
        steps.append(Step(Command(0x47, 7, length, rng.randbytes(length))))
    rest = rng.choice((0, 5, 63, 64 if rng.random() < 0.1 else 1))
    steps.append(Step(Command(0x47, 2 | rng.choice((0, 0x40, 0xC0, 0xC0)), rest, rng.randbytes(rest))))
    return steps


def _counter(plan: Planner) -> list[Step]:
    return [Step(Command(0x24, plan.rng.randrange(2), plan.rng.randrange(2))) for _ in range(2)]


def _update(plan: Planner) -> list[Step]:
    rng = plan.rng
    return [Step(Command(0x20, rng.choice((0, 1, 0, 1, 2)), rng.randrange(256)))]


def _lock(plan: Planner) -> list[Step]:
    rng = plan.rng
    zone = rng.choice((0, 1, 2, 2))
    if zone == 2:
        step = Step(Command(0x17, 2 | rng.randrange(16) << 2, 0))
    else:
        step = Step(Command(0x17, zone, 0), _summary)
        if rng.random() < 0.6:
            step = Step(Command(0x17, zone | rng.choice((0, 0x80, 0x80)), 0))
    return [step, *_write(plan)] if rng.random() < 0.4 else [step]


def _self_test(plan: Planner) -> list[Step]:
    rng = plan.rng
    test = Step(Command(0x77, rng.choice((0, 0x3D, 0x20, 0x01, 0x3D)), 0))
    if rng.random() < 0.5:
        return [test]
    broken = Step(Command(0, 0, 0), breaks=rng.choice((0x04, 0x08, 0x10, 0x20, 0x30)))
    after = rng.choice(PLANS[:-2])(plan)
    mended = [Step(Command(0, 0, 0), breaks=0), Step(Command(0x77, 0x3D, 0))]
    return [broken, Step(Command(0x77, 0x3D, 0)), *after, *(mended if rng.random() < 0.5 else [])]


def _info(plan: Planner) -> list[Step]:
    rng = plan.rng
    mode = rng.choice((0, 1, 1, 2, 3, 4))
    number = rng.randrange(16) if mode == 1 else rng.choice((0, 2, 3)) if mode == 4 else 0
    return [Step(Command(0x30, mode, number))]


def _secure_boot(plan: Planner) -> list[Step]:
    rng = plan.rng
    mode = rng.choice((5, 6, 6, 7)) | rng.choice((0, 0, 0x80))
    nonce = plan.any_nonce()
    boot = Command(0x80, mode, 0, rng.randbytes(32 if mode & 7 == 6 else 96))
    steps = [nonce, Step(boot, _boot_signature if mode & 7 != 6 and rng.random() < 0.8 else None)]
    if mode & 7 == 7 and rng.random() < 0.5:
        # What was stored, shown again; then a key that the latch guards.
        steps.append(Step(Command(0x80, 6, 0, boot.data[:32])))
    guarded = [slot.number for slot in plan.policy.slots if slot.persistent_disable]
    if guarded:
        steps.append(Step(Command(0x08, 0, rng.choice(guarded), rng.randbytes(32))))
    return steps


def _ephemeral(plan: Planner) -> list[Step]:
    rng = plan.rng
    point = rng.choice(contents().points)
    uses = (
        Command(0x43, rng.choice((0x09, 0x0D, 0x0F)), 0, point),
        Command(0x51, 0, 0xFFFF, rng.randbytes(16)),
        Command(
            0x08,
            rng.choice((1, 2, 3)),
            plan.slot(plan.secret),
            b"" if rng.random() < 0.7 else rng.randbytes(32),
        ),
        Command(0x28, rng.choice((1, 2)), plan.slot(plan.secret), rng.randbytes(77)),
        Command(0x15, rng.choice((0, 2)), 0),
        Command(0x1C, 0, plan.slot(plan.derived)),
        Command(0x47, 4, 0xFFFF),
        Command(0x56, 0x10, 0, b"\0\0\0\x08" + rng.randbytes(8)),
        Command(0x16, 0, 0x8000, rng.randbytes(20)),
        Command(0x41, 0x80, plan.slot(plan.private)),
    )
    return [Step(Command(0x40, 4, 0xFFFF)), Step(rng.choice(uses))]


def _random(plan: Planner) -> list[Step]:
    return [Step(Command(0x1B, plan.rng.randrange(2), 0))]


def _nonce(plan: Planner) -> list[Step]:
    again = Command(0x16, plan.rng.randrange(2), 0x8000, plan.rng.randbytes(20))
    return [plan.fixed_nonce(plan.rng.randrange(3)), Step(again)]


PLANS: tuple[Callable[[Planner], list[Step]], ...] = (
    _read,
    _encrypted_read,
    _false_key,
    _write,
    _encrypted_write,
    _priv_write,
    _gendig,
    _sign,
    _genkey,
    _verify,
    _mac,
    _checkmac,
    _authorized_use,
    _derive,
    _ecdh,
    _kdf,
    _aes,
    _sha,
    _counter,
    _update,
    _lock,
    _info,
    _secure_boot,
    _ephemeral,
    _random,
    _nonce,
    _self_test,
)
WEIGHTS = (12, 8, 2, 12, 8, 3, 4, 2, 2, 2, 4, 4, 4, 5, 1, 4, 4, 4, 2, 1.5, 4, 2, 1, 0.6, 0.5, 2, 1.5)

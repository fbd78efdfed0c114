"""Random sequences of commands, a good part of which a chip carries out.

A plan is a handful of steps that belong together, drawn for a chip whose configuration is known; noise turns
bits in them.
"""

from __future__ import annotations

from collections.abc import Callable

from conformance.access_rules.decide import Command
from conformance.access_rules.scenarios import contents
from conformance.access_rules.steps import (
    Planner,
    Step,
    boot_signature,
    check_mac,
    derive_mac,
    encrypt,
    signature,
    summary,
)


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
    """Make TempKey something known, leave of GenDig's flags what stays, and ask for what it should hide."""
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
            [
                plan.gendig(key),
                Step(Command(0x43, 0x08, plan.slot(plan.private), rng.choice(contents().points))),
            ],
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
    finish = encrypt if rng.random() < 0.9 else None
    return [plan.any_nonce(), plan.gendig(write_key), Step(command, finish)]


def _priv_write(plan: Planner) -> list[Step]:
    rng = plan.rng
    number = plan.slot(plan.private)
    scalar = bytes(4) + rng.choice((rng.choice(contents().scalars), rng.randbytes(32), bytes(32)))
    if not plan.policy.data_locked and rng.random() < 0.7:
        return [Step(Command(0x46, 0, number, scalar + bytes(rng.choice((0, 32)))))]
    write = Step(Command(0x46, 0x40, number, scalar), encrypt)
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
        before = [*(plan.authorize(number) if number < 16 else []), plan.any_nonce()]
        return (
            [*before, plan.gendig(plan.slot(plan.secret)), step] if rng.random() < 0.15 else [*before, step]
        )
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
    verify = Step(Command(0x45, mode, number, data), signature if rng.random() < 0.75 else None)
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
    finish = check_mac if rng.random() < 0.75 else None
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
    return [nonce, Step(command, derive_mac if with_mac and rng.random() < 0.85 else None)]


def _ecdh(plan: Planner) -> list[Step]:
    rng = plan.rng
    number = plan.slot(plan.private)
    mode = rng.choice((0x00, 0x00, 0x04, 0x08, 0x0C, 0x0E, 0x02))
    point = rng.choice(contents().points) if rng.random() < 0.9 else rng.randbytes(64)
    if rng.random() < 0.1:
        use = Command(
            0x43, rng.choice((0x01, 0x05, 0x05, 0x0D, 0x09)), rng.choice((0, 0, rng.randrange(16))), point
        )
        return [Step(Command(0x40, 4, 0xFFFF)), Step(use)]
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
        step = Step(Command(0x17, zone, 0), summary)
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
    boot = Command(0x80, mode, 0, rng.randbytes(32 if mode & 7 == 6 and rng.random() < 0.85 else 96))
    steps = [nonce, Step(boot, boot_signature if mode & 7 != 6 and rng.random() < 0.8 else None)]
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
        Command(0x43, rng.choice((0x05, 0x09, 0x0D, 0x0F)), 0, point),
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
WEIGHTS = (12, 8, 2, 12, 8, 4, 4, 3, 3, 3, 4, 4, 4, 5, 1.5, 4, 4, 4, 2, 1.5, 4, 2, 2, 0.6, 0.5, 2, 1.5)


def draw_sequence(planner: Planner) -> list[Step]:
    """Return the steps of one sequence, one to a dozen."""
    rng = planner.rng
    steps: list[Step] = []
    for _ in range(rng.choice((1, 1, 2, 2))):
        plan = rng.choices(PLANS, WEIGHTS)[0]
        for step in plan(planner):
            steps.append(planner.disturb(step) if rng.random() < 0.12 else step)
    return steps

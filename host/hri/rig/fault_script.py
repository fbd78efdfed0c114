"""Faults as text, one a word: ``flip@17``, ``drop@5x3``, ``power@3.4:20ms``, ``random:0.001``.

``docs/rig-faults.md`` explains each form. :func:`parse` and :func:`render` are each other's inverse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from hri.rig.faults import (
    CAMPAIGN_KINDS,
    EVERY,
    WIRE_KINDS,
    AnyFault,
    Campaign,
    Device,
    Fault,
    Health,
    Line,
    Plan,
    SelfTest,
    Slow,
    Stuck,
    TornWrite,
    Traffic,
)

FORMS = {
    "drop": "drop@POSITION[xCOUNT]",
    "flip": "flip@POSITION[xCOUNT][:bitN]",
    "truncate": "truncate@POSITION",
    "nack": "nack@POSITION[xCOUNT]",
    "delay": "delay@POSITION:TIME",
    "power": "power@POSITION[:TIME]",
    "torn-write": "torn-write@BYTES[:fromPOSITION][:seedN]",
    "stuck": "stuck@POSITION[:TIME][:Nclk][:nack|zeros|ones]",
    "traffic": "traffic@POSITION[xCOUNT][:ADDRESS][:wHEX][:rLENGTH]",
    "arbitration": "arbitration@POSITION[xCOUNT][:ADDRESS][:wHEX][:rLENGTH]",
    "device": "device:ADDRESS",
    "slow": "slow:FACTOR",
    "health": "health[@POSITION]:rng[+ecdsa][+ecdh][+aes][+sha]",
    "random": "random:PROBABILITY[:KIND+KIND...]",
}
"""Every form, by the word it begins with."""

_SHAPE = re.compile(r"([a-z-]+)(?:@([0-9*.]+)(?:x([0-9]+))?)?((?::[^:]+)*)", re.ASCII)
_POSITION = re.compile(r"(?:([0-9]+|\*)\.)?([0-9]+)", re.ASCII)
_TIME = re.compile(r"([0-9]+(?:\.[0-9]+)?)(us|ms|s)", re.ASCII)
_CLOCKS = re.compile(r"([0-9]+)clk", re.ASCII)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{1,2}", re.ASCII)
_HEX = re.compile(r"w((?:[0-9a-fA-F]{2})+)", re.ASCII)
_FACTOR = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?", re.ASCII)
_UNITS_US = {"us": 1, "ms": 1000, "s": 1_000_000}
_COUNTED = ("drop", "flip", "nack", "traffic", "arbitration")
_UNPLACED = ("device", "slow", "random")
# Longer numbers are slips of the pen, and would only be slow to handle.
_MAX_TEXT = 4096
_MAX_DIGITS = 15


class _Bad(Exception):
    """What is wrong with one text."""


def parse(text: str) -> AnyFault:
    """Return the fault that ``text`` describes; raises ValueError that names the form it should have."""
    name = re.split("[@:]", text, maxsplit=1)[0]
    try:
        return _parse(name, text)
    except (_Bad, ValueError) as error:
        if name not in FORMS:
            forms = "; ".join(FORMS.values())
            raise ValueError(f"{text[:80]!r} is no fault; write one of: {forms}") from None
        raise ValueError(f"{text[:80]!r}: {error}; write {FORMS[name]}") from None


def parse_all(texts: Iterable[str]) -> tuple[AnyFault, ...]:
    """Return the faults of ``texts``; raises ValueError for the first bad one."""
    return tuple(parse(text) for text in texts)


def _parse(name: str, text: str) -> AnyFault:
    shape = _SHAPE.fullmatch(text) if len(text) <= _MAX_TEXT else None
    if shape is None or name not in FORMS or shape[1] != name:
        raise _Bad("the text has another shape")
    place, times, tail = shape[2], shape[3], shape[4]
    if times and name not in _COUNTED:
        raise _Bad(f"{name} has no count")
    if place and name in _UNPLACED:
        raise _Bad(f"{name} has no position")
    if not place and name not in (*_UNPLACED, "health"):
        raise _Bad(f"{name} needs a position")
    options = _Options(tail.split(":")[1:])
    fault = _READERS[name](name, place or "", _number(times) if times else 1, options)
    options.finish()
    return fault


class _Options:
    """What stands behind the position; each is taken by what it looks like, and once."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        for index, text in enumerate(self._texts):
            if match := pattern.fullmatch(text):
                del self._texts[index]
                return match
        return None

    def number(self, word: str) -> int | None:
        match = self.take(re.compile(f"{word}([0-9]+)", re.ASCII))
        return None if match is None else _number(match[1])

    def time_us(self) -> int | None:
        match = self.take(_TIME)
        return None if match is None else round(_decimal(match[1]) * _UNITS_US[match[2]])

    def address(self) -> int | None:
        match = self.take(_ADDRESS)
        return None if match is None else int(match[0], 16)

    def words(self, known: Iterable[str]) -> list[str]:
        choice = "|".join(re.escape(word) for word in known)
        match = self.take(re.compile(f"(?:{choice})(?:\\+(?:{choice}))*"))
        return [] if match is None else match[0].split("+")

    def factor(self) -> float:
        match = self.take(_FACTOR)
        if match is None:
            raise _Bad("a number is missing")
        return _decimal(match[0])

    def finish(self) -> None:
        if self._texts:
            raise _Bad(f"{self._texts[0]!r} says nothing here")


def _number(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise _Bad(f"{digits[:20]}... is too large")
    return int(digits)


def _decimal(digits: str) -> float:
    if len(digits) > 2 * _MAX_DIGITS:
        raise _Bad(f"{digits[:20]}... is too long")
    return float(digits)


def _position(text: str) -> tuple[int, int | None]:
    match = _POSITION.fullmatch(text)
    if match is None:
        raise _Bad("a position is BYTE, TRANSFER.BYTE or *.BYTE")
    transfer = None if match[1] is None else EVERY if match[1] == "*" else _number(match[1])
    if match[1] is not None and match[1] != "*" and transfer == EVERY:
        raise _Bad("transfers count from 1")
    return _number(match[2]), transfer


def _wire(name: str, place: str, count: int, options: _Options) -> Plan:
    at, transfer = _position(place)
    fault = Fault(name)
    timed = options.time_us() if fault in (Fault.DELAY, Fault.POWER_CUT) else None
    if fault is Fault.DELAY and timed is None:
        raise _Bad("delay needs a time")
    bit = options.number("bit") if fault is Fault.FLIP else None
    return Plan(fault, at, count, timed or 0, transfer, bit)


def _stuck(_name: str, place: str, _count: int, options: _Options) -> Stuck:
    at, transfer = _position(place)
    clocks = options.take(_CLOCKS)
    line = options.take(re.compile("|".join(line.value for line in Line)))
    return Stuck(
        at,
        transfer,
        options.time_us(),
        None if clocks is None else _number(clocks[1]),
        Line.NACK if line is None else Line(line[0]),
    )


def _traffic(name: str, place: str, count: int, options: _Options) -> Traffic:
    at, transfer = _position(place)
    address, written, read = options.address(), options.take(_HEX), options.number("r")
    payload = bytes.fromhex(written[1]) if written else b"" if read else b"\x00"
    return Traffic(
        at, transfer, count, 0x50 if address is None else address, payload, read or 0, name == "arbitration"
    )


def _torn_write(_name: str, place: str, _count: int, options: _Options) -> TornWrite:
    origin = options.take(re.compile("from(.+)"))
    at, transfer = _position(origin[1]) if origin else (None, None)
    if not place.isdigit():
        raise _Bad("the bytes written before the tear are a number")
    return TornWrite(_number(place), at, transfer, options.number("seed"))


def _health(_name: str, place: str, _count: int, options: _Options) -> Health:
    at, transfer = _position(place) if place else (None, None)
    tests = SelfTest(0)
    for word in options.words(test.name.lower() for test in SelfTest if test.name):
        tests |= SelfTest[word.upper()]
    return Health(tests, at, transfer)


def _device(_name: str, _place: str, _count: int, options: _Options) -> Device:
    address = options.address()
    if address is None:
        raise _Bad("a device needs an address such as 0x50")
    return Device(address)


def _slow(_name: str, _place: str, _count: int, options: _Options) -> Slow:
    return Slow(options.factor())


def _random(_name: str, _place: str, _count: int, options: _Options) -> Campaign:
    probability = options.factor()
    kinds = options.words(CAMPAIGN_KINDS)
    return Campaign(probability, tuple(kinds) or WIRE_KINDS)


_READERS: dict[str, Callable[[str, str, int, _Options], AnyFault]] = {
    **dict.fromkeys(WIRE_KINDS, _wire),
    "stuck": _stuck,
    "traffic": _traffic,
    "arbitration": _traffic,
    "torn-write": _torn_write,
    "health": _health,
    "device": _device,
    "slow": _slow,
    "random": _random,
}


def render(fault: AnyFault) -> str:
    """Return the text of ``fault``, the shortest that :func:`parse` reads as the same."""
    match fault:
        case Plan():
            timed = _render_time(fault.delay_us) if fault.fault in (Fault.DELAY, Fault.POWER_CUT) else None
            bit = None if fault.bit is None else f"bit{fault.bit}"
            return _joined(_placed(fault.fault.value, fault.at, fault.transfer, fault.count), timed, bit)
        case Stuck():
            return _joined(
                _placed("stuck", fault.at, fault.transfer),
                None if fault.for_us is None else _render_time(fault.for_us),
                None if fault.clocks is None else f"{fault.clocks}clk",
                None if fault.line is Line.NACK else fault.line.value,
            )
        case Traffic():
            return _joined(
                _placed("arbitration" if fault.wins else "traffic", fault.at, fault.transfer, fault.count),
                f"0x{fault.address:02x}",
                f"w{fault.payload.hex()}" if fault.payload else None,
                f"r{fault.read}" if fault.read else None,
            )
        case TornWrite():
            origin = None if fault.at is None else _placed("from", fault.at, fault.transfer).replace("@", "")
            seed = None if fault.seed is None else f"seed{fault.seed}"
            return _joined(f"torn-write@{fault.after}", origin, seed)
        case Health():
            tests = "+".join(test.name.lower() for test in fault.tests if test.name)
            head = "health" if fault.at is None else _placed("health", fault.at, fault.transfer)
            return f"{head}:{tests}"
        case Device():
            return f"device:0x{fault.address:02x}"
        case Slow():
            return f"slow:{_shortest(fault.factor)}"
        case Campaign():
            kinds = None if fault.kinds == WIRE_KINDS else "+".join(fault.kinds)
            return _joined(f"random:{_shortest(fault.probability)}", kinds)


def _placed(word: str, at: int, transfer: int | None, count: int = 1) -> str:
    where = "" if transfer is None else "*." if transfer == EVERY else f"{transfer}."
    return f"{word}@{where}{at}" + (f"x{count}" if count != 1 else "")


def _joined(*parts: str | None) -> str:
    return ":".join(part for part in parts if part)


def _shortest(value: float) -> str:
    short = f"{value:.15g}"
    return short if float(short) == value else repr(value)


def _render_time(microseconds: int) -> str | None:
    for unit, size in (("s", 1_000_000), ("ms", 1000), ("us", 1)):
        if microseconds and microseconds % size == 0:
            return f"{microseconds // size}{unit}"
    return None

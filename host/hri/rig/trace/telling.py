"""A step in words, for a table, and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hri.rig.bus import WAKE_LOW_US
from hri.rig.trace.packets import WAKE_REPLY, reply_words
from hri.rig.trace.steps import (
    WATCHDOG_US,
    Elsewhere,
    Exchange,
    PowerLoss,
    Step,
    Stray,
    Unanswered,
    Waking,
    Word,
)

_SHORT = 8
_NEAR_WATCHDOG = 0.8


@dataclass(frozen=True, slots=True)
class Row:
    """One line for a person; empty where there is nothing to say. ``bad`` is what should catch the eye."""

    what: str
    busy: str = ""
    reply: str = ""
    data: str = ""
    notes: str = ""
    bad: bool = False


def hexadecimal(data: bytes, *, full: bool) -> str:
    """Return ``data`` in hexadecimal, its middle left out unless ``full``."""
    if full or len(data) <= _SHORT + 2:
        return data.hex()
    return f"{data[: _SHORT // 2].hex()}…{data[-_SHORT // 2 :].hex()}"


def milliseconds(microseconds: float) -> str:
    """Return ``42.1 ms``; ``0.013 ms`` where there is less."""
    value = microseconds / 1000
    return f"{value:.1f} ms" if value >= 0.05 or value == 0 else f"{value:.3f} ms"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def row(step: Step, *, full: bool = False) -> Row:
    """Return what to say of a step; bytes in full only where ``full``."""
    made = _ROWS[type(step)](step, full)
    notes = [made.notes] if made.notes else []
    notes += [f"fault {fault}" for fault in step.faults]
    if step.held:
        notes.append(f"bus held: {step.held}")
    bad = made.bad or bool(step.faults) or step.held is not None
    return Row(made.what, made.busy, made.reply, made.data, ", ".join(notes), bad)


def _waking(step: Waking, full: bool) -> Row:
    if step.pulses == 0:
        what = "awake"
    elif step.low_us < WAKE_LOW_US:
        what = f"pulse of {step.low_us:g} µs, too short to wake"
    else:
        what = f"wake, {step.low_us:g} µs"
    if step.pulses > 1:
        what += f" ×{step.pulses}"
    busy = _counted(step.polls, "poll") if step.polls else ""
    if step.reply is None:
        return Row(what, busy, notes="no answer read" if step.low_us >= WAKE_LOW_US else "")
    usual = step.reply.raw == WAKE_REPLY
    data = "" if usual else hexadecimal(step.reply.raw, full=full)
    return Row(what, busy, reply_words(step.reply), data, bad=not usual)


def _exchange(step: Exchange, full: bool) -> Row:
    notes = []
    if step.command.fault:
        notes.append(f"command {step.command.fault}")
    if step.attempt > 1:
        notes.append(f"attempt {step.attempt}")
    if step.rewinds:
        notes.append(f"reply read again {_counted(step.rewinds, 'time')}")
    if step.pulses:
        notes.append(_counted(step.pulses, "wake pulse") + " meanwhile")
    if step.reply is None:
        notes.append("no reply read")
    if step.awake_us is not None and step.awake_us >= _NEAR_WATCHDOG * WATCHDOG_US:
        notes.append(f"awake {step.awake_us / 1e6:.2f} of {WATCHDOG_US / 1e6:.1f} s")
    busy = f"busy: {_counted(step.polls, 'poll')}, " if step.polls else ""
    busy = "" if step.busy_us is None and not busy else busy + milliseconds(step.busy_us or 0.0)
    reply, data = "", ""
    if step.reply is not None:
        reply = reply_words(step.reply, step.command)
        shown = step.reply.status is None or not step.reply.crc_good
        data = hexadecimal(step.reply.payload, full=full) if shown else ""
    if full and step.command.data:
        data = f"{step.command.data.hex()} → {data}".removesuffix(" → ")
    elif step.command.data and not data:
        data = f"{hexadecimal(step.command.data, full=False)} sent"
    return Row(step.command.words, busy, reply, data, ", ".join(notes), not step.succeeded)


def _word(step: Word, _full: bool) -> Row:
    return Row(step.word)


def _unanswered(step: Unanswered, _full: bool) -> Row:
    what = "read" if step.read else "write"
    times = f" ×{step.count}" if step.count > 1 else ""
    return Row(f"{what} not acknowledged{times}", bad=True)


def _stray(step: Stray, full: bool) -> Row:
    if not step.data:
        return Row("address acknowledged, no byte")
    what = "read that nothing asked for" if step.read else "bytes of no command"
    return Row(f"{what}, {len(step.data)}", data=hexadecimal(step.data, full=full), bad=not step.read)


def _elsewhere(step: Elsewhere, full: bool) -> Row:
    where = "several addresses" if step.address is None else f"0x{step.address:02x}"
    counts = [_counted(step.transfers, "transfer")]
    counts += [f"{step.written} written"] if step.written else []
    counts += [f"{step.read} read"] if step.read else []
    counts += ["not acknowledged"] if step.nacks >= step.transfers else []
    who = "another controller with " if step.other else ""
    return Row(f"{who}{where}: {', '.join(counts)}", data=hexadecimal(step.data, full=full))


def _power_loss(_step: PowerLoss, _full: bool) -> Row:
    return Row("the supply is cut", bad=True)


_ROWS: dict[type, Any] = {
    Waking: _waking,
    Exchange: _exchange,
    Word: _word,
    Unanswered: _unanswered,
    Stray: _stray,
    Elsewhere: _elsewhere,
    PowerLoss: _power_loss,
}
_KINDS = {
    Waking: "wake",
    Exchange: "command",
    Word: "word",
    Unanswered: "unanswered",
    Stray: "stray",
    Elsewhere: "elsewhere",
    PowerLoss: "power",
}


def as_dict(step: Step) -> dict[str, Any]:
    """Return a step as JSON: every member, bytes in full, ``words`` as in the table."""
    said = row(step, full=True)
    document: dict[str, Any] = {
        "kind": _KINDS[type(step)],
        "t_us": step.start_us,
        "end_us": step.end_us,
        "address": None if step.address is None else f"{step.address:02x}",
        "bytes": step.bus_bytes,
        "nacks": step.nacks,
        "words": said.what,
    }
    document |= _members(step)
    if said.notes:
        document["notes"] = said.notes
    if step.faults:
        document["faults"] = list(step.faults)
    if step.held:
        document["held"] = step.held
    return document


def _members(step: Step) -> dict[str, Any]:
    if isinstance(step, Waking):
        reply = None if step.reply is None else step.reply.raw.hex()
        return {"pulses": step.pulses, "low_us": step.low_us, "polls": step.polls, "reply": reply}
    if isinstance(step, Exchange):
        return _exchange_members(step)
    if isinstance(step, Word):
        return {"word": step.word}
    if isinstance(step, Unanswered):
        return {"read": step.read, "count": step.count}
    if isinstance(step, Stray):
        return {"read": step.read, "data": step.data.hex()}
    if isinstance(step, Elsewhere):
        return {
            "transfers": step.transfers,
            "written": step.written,
            "read": step.read,
            "data": step.data.hex(),
            "other_controller": step.other,
        }
    return {}


def _exchange_members(step: Exchange) -> dict[str, Any]:
    command, reply = step.command, step.reply
    return {
        "command": command.name,
        "mode": command.mode,
        "packet": command.raw.hex(),
        "packet_good": command.crc_good,
        "polls": step.polls,
        "busy_us": step.busy_us,
        "rewinds": step.rewinds,
        "pulses": step.pulses,
        "attempt": step.attempt,
        "awake_us": step.awake_us,
        "ok": step.succeeded,
        "reply": None
        if reply is None
        else {
            "words": reply_words(reply, command),
            "status": reply.status,
            "data": reply.payload.hex(),
            "good": reply.crc_good,
        },
    }

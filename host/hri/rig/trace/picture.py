"""A trace as a picture (SVG): when the chip was awake, what it was asked, how long it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import islice

from hri.rig.trace.layout import (
    PX_A_MS,
    WIDTH,
    Bar,
    Line,
    Mark,
    gap_text,
    place,
    text_width,
    title_of,
)
from hri.rig.trace.model import Header
from hri.rig.trace.steps import Exchange, PowerLoss, Step, Waking, Word
from hri.rig.trace.summary import Summary, summarise
from hri.rig.trace.telling import row

MOST_STEPS = 2_000
"""A picture of more would open in no viewer; the rest is counted below it."""
_LEFT, _TOP, _RIGHT, _BOTTOM = 64.0, 74.0, 16.0, 48.0
_ROW, _LABELS, _BARS, _STATE = 76.0, 27.0, 32.0, 56.0
_BAR_HEIGHT, _STATE_HEIGHT = 20.0, 5.0
_HEADING, _LABEL = 11.5, 9.5
_INSIDE, _BEYOND, _LEAST_IN_PARTS = 4.0, 6.0, 6.0
_GROUPS = {
    "wake": "wake",
    "GenKey": "key",
    "ECDH": "key",
    "KDF": "key",
    "DeriveKey": "key",
    "PrivWrite": "key",
    "Sign": "sign",
    "Verify": "sign",
    "MAC": "sign",
    "CheckMac": "sign",
    "SecureBoot": "sign",
    "Write": "write",
    "Lock": "write",
    "UpdateExtra": "write",
    "Counter": "write",
    "Read": "read",
    "Info": "read",
    "Nonce": "temp",
    "GenDig": "temp",
    "Random": "temp",
    "SHA": "temp",
    "AES": "temp",
    "SelfTest": "temp",
}
_LEGEND = (
    ("wake", "waking"),
    ("read", "read"),
    ("write", "write, lock"),
    ("temp", "nonce, digest, random"),
    ("key", "keys"),
    ("sign", "sign, verify"),
)
_STYLE = """
text{font-family:Helvetica,Arial,sans-serif;fill:#1f2328}
.bg{fill:#fff}.m{fill:#59636e}.t{font-size:16px;font-weight:bold}.s{font-size:12px}
.h{font-size:11.5px;font-weight:bold}.l{font-size:9.5px}.g{font-size:9px}
.line{stroke:#d1d9e0}.gap{stroke:#818b98;stroke-dasharray:1.5 2.5}.mark{stroke:#818b98}
.awake{fill:#2da44e}.idle{fill:#d4a72c}.bad{stroke:#d1242f;stroke-width:1.6;fill:none}.fault{fill:#d1242f}
.wake{fill:#6e7781}.key{fill:#8250df}.sign{fill:#0969da}.write{fill:#bc4c00}.read{fill:#1a7f37}
.temp{fill:#9a6700}.other{fill:#afb8c1}.busy{fill-opacity:.32}
@media (prefers-color-scheme:dark){
text{fill:#f0f6fc}.bg{fill:#0d1117}.m{fill:#9198a1}.line{stroke:#3d444d}
.key{fill:#a371f7}.sign{fill:#4493f8}.write{fill:#db6d28}.read{fill:#3fb950}.temp{fill:#d29922}
.wake{fill:#9198a1}.busy{fill-opacity:.42}}
"""


def draw(header: Header, steps: Iterable[Step], *, marks: Sequence[Mark] = (), title: str = "") -> str:
    """Return the picture of the first :data:`MOST_STEPS` of ``steps``, headings at ``marks``."""
    coming = iter(steps)
    drawn = list(islice(coming, MOST_STEPS))
    left_out = sum(1 for _ in coming)
    lines = place(drawn, marks, heading_size=_HEADING)
    height = _TOP + _ROW * len(lines) + _BOTTOM + (16 if left_out else 0)
    width = _LEFT + WIDTH + _RIGHT
    said = title or f"What went over the bus of {header.chip}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{_attribute(said)}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{width:g}" height="{height:g}" rx="6" class="bg"/>',
        _text(16, 27, "t", said),
        _text(16, 47, "s m", _subtitle(header, summarise(drawn))),
        *_scale(),
    ]
    start_us = drawn[0].start_us if drawn else 0.0
    for number, line in enumerate(lines):
        parts += _line(line, _TOP + _ROW * number, start_us)
    parts += _legend(_TOP + _ROW * len(lines) + 20)
    if left_out:
        parts.append(_text(16, height - 10, "s m", f"and {left_out:,} more steps that are not drawn"))
    return "\n".join([*parts, "</svg>\n"])


def _subtitle(header: Header, totals: Summary) -> str:
    commands = sum(row.count for name, row in totals.rows.items() if name in _GROUPS and name != "wake")
    busy_us = totals.span_us - totals.between_us
    where = f"{header.chip} on {header.board}" if header.board else header.chip
    return (
        f"{where} · {commands:,} commands · {totals.bus_bytes:,} bytes · {totals.wakes:,} wake pulses · "
        f"{busy_us / 1e6:.2f} s at work of {totals.span_us / 1e6:.2f} s"
    )


def _scale() -> list[str]:
    right = _LEFT + WIDTH
    left = right - 20 * PX_A_MS
    return [
        f'<path class="mark" fill="none" d="M{left:g} 38v6h{20 * PX_A_MS:g}v-6"/>',
        _text((left + right) / 2, 34, "l m", "20 ms", "middle"),
    ]


def _line(line: Line, top: float, start_us: float) -> Iterator[str]:
    state = top + _STATE
    yield _text(_LEFT - 10, top + _BARS + 14, "l m", f"{(line.start_us - start_us) / 1e6:.3f} s", "end")
    yield f'<path class="line" d="M{_LEFT:g} {state + _STATE_HEIGHT / 2:g}h{WIDTH:g}"/>'
    for stretch in line.states:
        kind = "idle" if stretch.idle else "awake"
        yield _rect(_LEFT + stretch.x, state, stretch.width, _STATE_HEIGHT, kind)
    for heading in line.headings:
        x = _LEFT + heading.x
        yield f'<path class="mark" d="M{x:g} {top + 3:g}V{state + _STATE_HEIGHT:g}"/>'
        time = f'<tspan class="m" font-weight="normal" dx="5">{heading.details}</tspan>'
        yield (
            f'<text x="{x + 4:g}" y="{top + 12:g}" class="h">{escape(_printable(heading.name))}{time}</text>'
        )
    for gap in line.gaps:
        middle = top + _BARS + _BAR_HEIGHT / 2
        yield f'<path class="gap" d="M{_LEFT + gap.x + 2:g} {middle:g}h{max(gap.width - 4, 1):g}"/>'
        if text_width(gap_text(gap.spent_us), 9) + 4 <= gap.width:
            centre = _LEFT + gap.x + gap.width / 2
            yield _text(centre, middle - 4, "g m", gap_text(gap.spent_us), "middle")
    for bar in line.bars:
        yield from _bar(bar, top + _BARS)
    yield from _labels(line, top)


def _bar(bar: Bar, y: float) -> Iterator[str]:
    step, x = bar.step, _LEFT + bar.x
    said = row(step)
    if isinstance(step, Word) and not said.notes:
        return
    name = title_of(step)
    kind = "wake" if isinstance(step, Waking | Word) else _GROUPS.get(name, "other")
    yield f"<g><title>{escape(_printable(_tooltip(step)))}</title>"
    busy_us = step.busy_us if isinstance(step, Exchange) and step.reply is not None else None
    if busy_us and step.duration_us and bar.width > _LEAST_IN_PARTS:
        # Written, at work, read.
        scale = bar.width / step.duration_us
        read = max(1.0, min((step.end_us - step.start_us - busy_us) * scale / 2, bar.width / 2))
        yield _rect(x, y, bar.width, _BAR_HEIGHT, f"{kind} busy")
        yield _rect(x, y, read, _BAR_HEIGHT, kind)
        yield _rect(x + bar.width - read, y, read, _BAR_HEIGHT, kind)
    else:
        yield _rect(x, y, bar.width, _BAR_HEIGHT, kind)
    if said.bad:
        yield _rect(x, y, bar.width, _BAR_HEIGHT, "bad")
    if step.faults or isinstance(step, PowerLoss):
        yield f'<path class="fault" d="M{x + bar.width / 2:g} {y:g}l-4 -7h8z"/>'
    yield "</g>"


def _tooltip(step: Step) -> str:
    said = row(step)
    return " · ".join(text for text in (said.what, said.busy, said.reply, said.notes) if text)


def _labels(line: Line, top: float) -> Iterator[str]:
    """Yield names: within a bar where they fit, else above a run of bars that are too narrow."""
    run: list[Bar] = []
    ends = [heading.x for heading in line.headings]
    for bar in line.bars:
        name = title_of(bar.step)
        if not name:
            continue
        if text_width(name, _LABEL) + _INSIDE <= bar.width:
            yield from _run_label(run, top)
            run = []
            yield _text(
                _LEFT + bar.x + bar.width / 2, top + _BARS + _BAR_HEIGHT / 2 + 3.5, "l", name, "middle"
            )
            continue
        if run and any(run[-1].x < end <= bar.x for end in ends):
            yield from _run_label(run, top)
            run = []
        run.append(bar)
    yield from _run_label(run, top)


def _run_label(run: list[Bar], top: float) -> Iterator[str]:
    if not run:
        return
    left, right = run[0].x, run[-1].x + run[-1].width
    counts = Counter(title_of(bar.step) for bar in run)
    each = [f"{name} ×{count}" if count > 1 else name for name, count in counts.items()]
    for text in (", ".join(each), " ".join(counts), next(iter(counts))):
        # A little beyond its bars is still beside them, and no other label comes so near.
        beyond = text_width(text, _LABEL) - (right - left)
        if beyond <= _BEYOND:
            yield _text(_LEFT + (left + right) / 2 + max(beyond / 2, 0), top + _LABELS, "l m", text, "middle")
            return


def _legend(y: float) -> Iterator[str]:
    x = _LEFT
    for kind, words in _LEGEND:
        yield _rect(x, y - 9, 10, 10, kind)
        yield _text(x + 15, y, "l m", words)
        x += 15 + text_width(words, _LABEL) + 18
    yield _rect(x, y - 9, 22, 10, "sign busy")
    yield _text(x + 27, y, "l m", "busy")
    yield _rect(x + 62, y - 9, 10, 10, "bad")
    yield _text(x + 77, y, "l m", "refused or damaged")
    x = _LEFT
    yield _rect(x, y + 11, 22, _STATE_HEIGHT, "awake")
    yield _text(x + 27, y + 17, "l m", "the chip is awake")
    yield _rect(x + 125, y + 11, 22, _STATE_HEIGHT, "idle")
    yield _text(x + 152, y + 17, "l m", "idle: TempKey is kept")
    yield f'<path class="gap" d="M{x + 270:g} {y + 13:g}h22"/>'
    yield _text(
        x + 297, y + 17, "l m", "nothing on the bus: the host and the board are at work; not to scale"
    )


def _rect(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:g}" class="{kind}"/>'


def _text(x: float, y: float, kind: str, words: str, anchor: str = "start") -> str:
    place_at = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}"{place_at}>{escape(_printable(words))}</text>'


def _printable(text: str) -> str:
    """Return text that XML may hold."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _attribute(text: str) -> str:
    return escape(_printable(text), quote=True)

"""How long commands take, by the clock divider of ChipMode; the times themselves are in ``opcodes``."""

from __future__ import annotations

from dataclasses import dataclass

from hri.rig.atecc.opcodes import COMMANDS

_WAKE_US = 1000
"""Ready for the first command after a wake pulse. The data sheet promises 1500; clients talk after 1000."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Execution times in microseconds by opcode, for each of three clock dividers; the delay of a wake."""

    by_divider: tuple[dict[int, int], dict[int, int], dict[int, int]]
    wake_us: int

    @property
    def execution_us(self) -> dict[int, int]:
        """The times at the fastest clock, which chips are delivered with."""
        return self.by_divider[0]

    @classmethod
    def parse(cls, value: str | float) -> Timing:
        """Return the timing called ``typical``, ``max`` or ``none``, or ``typical`` times a number >= 0.

        Slower clocks lengthen the typical time of a command as they do its longest one (assumed). Raises
        ValueError for anything else.
        """
        if isinstance(value, str):
            if value not in ("typical", "max", "none"):
                raise ValueError(f'timing is "typical", "max", "none" or a factor, not {value!r}')
            longest, scale = value == "max", (0.0 if value == "none" else 1.0)
        else:
            if not 0 <= value < float("inf"):
                raise ValueError(f"a timing factor is a number from 0 up, not {value}")
            longest, scale = False, float(value)
        fast, slow, slowest = (_times(divider, longest, scale) for divider in range(3))
        return cls((fast, slow, slowest), round(_WAKE_US * scale))


def _times(divider: int, longest: bool, scale: float) -> dict[int, int]:
    times = {}
    for opcode, command in COMMANDS.items():
        milliseconds: float = command.longest[divider]
        if not longest:
            milliseconds *= command.typical / command.longest[0]
        times[opcode] = round(1000 * milliseconds * scale)
    return times

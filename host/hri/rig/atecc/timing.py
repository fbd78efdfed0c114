"""How long commands take.

``typical``: ATECC508A data sheet DS20005927A, table "Command Opcodes, Short Descriptions and Execution
Times", column "Typ."; presumed for the 608. ``max``: the longest times of a 608A at its fastest clock
divider, from the table of execution times in the vendor's public library. The slower clock dividers of
ChipMode are not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass

_TIMES_MS = {
    # opcode: (typical, max)
    0x02: (0.1, 5),  # Read
    0x12: (7, 45),  # Write
    0x15: (5, 25),  # GenDig
    0x16: (0.1, 20),  # Nonce
    0x17: (8, 35),  # Lock
    0x1B: (1, 23),  # Random
    0x30: (0.1, 5),  # Info
    0x40: (11, 115),  # GenKey
    0x41: (42, 115),  # Sign
    0x45: (38, 105),  # Verify
    0x46: (1, 50),  # PrivWrite
}

_WAKE_US = 1000
"""Ready for the first command after a wake pulse. The data sheet promises 1500; clients talk after 1000."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Execution times in microseconds by opcode, and the delay after a wake pulse."""

    execution_us: dict[int, int]
    wake_us: int

    @classmethod
    def parse(cls, value: str | float) -> Timing:
        """Return the timing called ``typical``, ``max`` or ``none``, or ``typical`` times a number >= 0.

        Raises ValueError for anything else.
        """
        if isinstance(value, str):
            if value not in ("typical", "max", "none"):
                raise ValueError(f'timing is "typical", "max", "none" or a factor, not {value!r}')
            column, scale = (1 if value == "max" else 0), (0.0 if value == "none" else 1.0)
        else:
            if not 0 <= value < float("inf"):
                raise ValueError(f"a timing factor is a number from 0 up, not {value}")
            column, scale = 0, float(value)
        times = {opcode: round(pair[column] * 1000 * scale) for opcode, pair in _TIMES_MS.items()}
        return cls(times, round(_WAKE_US * scale))

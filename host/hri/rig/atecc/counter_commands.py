"""Counter: two monotonic counters (5, "Counter"; H)."""

from __future__ import annotations

from hri.rig.atecc.core import Core
from hri.rig.atecc.eeprom import COUNTER_MAX
from hri.rig.atecc.refusal import parse_error, require

_READ, _INCREMENT = 0, 1


def counter(core: Core, mode: int, index: int, data: bytes) -> bytes:
    """Counter: read or increment counter 0 or 1; answers its value, four bytes, little-endian (H)."""
    if mode not in (_READ, _INCREMENT) or index > 1 or data:
        raise parse_error()
    value = core.eeprom.counter(index)
    if mode == _INCREMENT:
        # Before the lock the configuration is still being written (assumed).
        core.require_config_locked()
        require(value < COUNTER_MAX)
        value += 1
        core.eeprom.set_counter(index, value)
        core.commit()
    return value.to_bytes(4, "little")

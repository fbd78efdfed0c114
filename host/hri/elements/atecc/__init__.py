"""What the host knows about ATECC608 configuration: pure values, no device.

`layout` reads a configuration zone, `words` says what it means, `profile` what it should be, `known` which
configuration a chip has, `plan` how to get there, and `lint` what must never be locked.
"""

from .crc import crc16
from .layout import ChipConfig, KeyConfig, Slot, SlotConfig, decode
from .profile import Profile, ProfileSlot, load_profile

__all__ = [
    "ChipConfig",
    "KeyConfig",
    "Profile",
    "ProfileSlot",
    "Slot",
    "SlotConfig",
    "crc16",
    "decode",
    "load_profile",
]

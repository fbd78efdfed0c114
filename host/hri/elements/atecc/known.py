"""Which of the configurations that hri knows a chip has, or comes nearest to."""

from __future__ import annotations

from dataclasses import dataclass

from . import layout
from .description import KEPT, Profile
from .plan import LIVING
from .profile import load_profile, shipped_profiles

# So many bytes may differ before a chip is nobody's that hri knows.
_NEAR = 12
_AFTERWORDS = {
    ("provisioned", True): ", provisioned by its maker",
    ("factory", False): ", as it left the factory",
    ("factory", True): ", locked as it left the factory: nothing can be made of it",
    ("faulty", True): ", locked: nothing can be made of it",
}


@dataclass(frozen=True, slots=True)
class Known:
    """A configuration that hri knows, the bytes in which a chip differs from it, and whether it is locked."""

    profile: Profile
    differing: tuple[int, ...]
    locked: bool

    @property
    def exact(self) -> bool:
        return not self.differing

    @property
    def words(self) -> str:
        """Which configuration it is, in a sentence."""
        if self.exact:
            return f"{self.profile.title}{_AFTERWORDS.get((self.profile.kind, self.locked), '')}"
        places = ", ".join(map(str, self.differing[:8])) + (", …" if len(self.differing) > 8 else "")
        return f"like {self.profile.title}, but for bytes {places}"


def identify(config: bytes) -> Known | None:
    """The known configuration that 128 bytes are or come near to, None where none is near.

    Raises ValueError for any other length.
    """
    locked = layout.decode(config).config_locked
    candidates = [Known(profile, _differing(config, profile), locked) for profile in shipped_profiles()]
    nearest = min(candidates, key=lambda known: len(known.differing))
    return nearest if len(nearest.differing) <= _NEAR else None


def factory_zone() -> bytes:
    """The 128 bytes of an untouched ATECC608B whose serial number is zeros: what a profile is tried on.

    Source: published read-outs (R in docs/virtual-atecc.md).
    """
    zone = bytearray(layout.CONFIG_BYTES)
    zone[0:2], zone[4:8], zone[12] = b"\x01\x23", bytes.fromhex("00006003"), 0xEE
    zone[layout.AES_ENABLE] = zone[layout.I2C_ENABLE] = 0x01
    zone[layout.LOCK_VALUE] = zone[layout.LOCK_CONFIG] = 0x55
    return load_profile("blank-608").config_bytes(bytes(zone))


def _differing(config: bytes, profile: Profile) -> tuple[int, ...]:
    wanted, open_bits = profile.config_bytes(config), profile.open_bits
    return tuple(
        at
        for at in range(layout.CONFIG_BYTES)
        if at not in KEPT | LIVING and (config[at] ^ wanted[at]) & ~open_bits[at]
    )

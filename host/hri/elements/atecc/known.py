"""Which of the configurations that hri knows a chip has, or comes nearest to."""

from __future__ import annotations

from dataclasses import dataclass

from . import layout
from .description import KEPT, Profile
from .plan import LIVING
from .profile import shipped_profiles

# So many bytes may differ before a chip is nobody's that hri knows.
_NEAR = 12


@dataclass(frozen=True, slots=True)
class Known:
    """A configuration that hri knows, and the bytes in which a chip differs from it."""

    profile: Profile
    differing: tuple[int, ...]

    @property
    def exact(self) -> bool:
        return not self.differing

    @property
    def words(self) -> str:
        """Which configuration it is, in a sentence."""
        if self.exact:
            return self.profile.title
        places = ", ".join(map(str, self.differing[:8])) + (", …" if len(self.differing) > 8 else "")
        return f"like {self.profile.title}, but for bytes {places}"


def identify(config: bytes) -> Known | None:
    """The known configuration that 128 bytes are or come near to, None where none is near.

    Raises ValueError for any other length.
    """
    layout.decode(config)
    candidates = [Known(profile, _differing(config, profile)) for profile in shipped_profiles()]
    nearest = min(candidates, key=lambda known: len(known.differing))
    return nearest if len(nearest.differing) <= _NEAR else None


def _differing(config: bytes, profile: Profile) -> tuple[int, ...]:
    wanted, open_bits = profile.config_bytes(config), profile.open_bits
    return tuple(
        at
        for at in range(layout.CONFIG_BYTES)
        if at not in KEPT | LIVING and (config[at] ^ wanted[at]) & ~open_bits[at]
    )

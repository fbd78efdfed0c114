"""One measure of `bench.json`."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    """A measure: `value` in `unit`; `limit` is the least possible as the same run found it, or None.

    `ratio` is value / limit: of a rate the share of the limit that was reached, of a time the
    multiple of it. `goal` is in words; `holds` says whether it was met.
    """

    value: float
    unit: str
    goal: str
    holds: bool
    limit: float | None = None
    ratio: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as `bench.json` holds it."""
        return {
            "value": self.value,
            "unit": self.unit,
            "limit": self.limit,
            "ratio": self.ratio,
            "goal": self.goal,
            "holds": self.holds,
        }


def at_most(value: float, unit: str, most: float) -> Entry:
    """Return a measure that should not be larger than `most`."""
    return Entry(value, unit, f"at most {most:g} {unit}", value <= most)


def at_least(value: float, limit: float, unit: str, least: float) -> Entry:
    """Return a rate that should reach `least`, beside `limit`, the most that the same run could have had."""
    return Entry(
        round(value),
        unit,
        f"at least {least:g} {unit}",
        value >= least,
        round(limit),
        round(value / limit, 3),
    )


def exactly(value: float, unit: str, wanted: float) -> Entry:
    """Return a count that should be just `wanted`."""
    return Entry(value, unit, f"{wanted:g} {unit}", value == wanted)


def reported(value: float, unit: str, why: str) -> Entry:
    """Return a measure that stands beside the others for comparison; it has no goal to miss."""
    return Entry(value, unit, f"none: {why}", True)


def share_of_rate(value: float, limit: float, unit: str, least: float) -> Entry:
    """Return a rate that should reach the share `least` of the rate `limit`."""
    ratio = round(value / limit, 3)
    return Entry(round(value), unit, f"at least {least:g} of the limit", ratio >= least, round(limit), ratio)


def multiple_of_time(value: float, limit: float, unit: str, most: float) -> Entry:
    """Return a time that should take at most `most` times the time `limit`."""
    ratio = round(value / limit, 3)
    return Entry(
        round(value, 2), unit, f"at most {most:g} times the limit", ratio <= most, round(limit, 2), ratio
    )

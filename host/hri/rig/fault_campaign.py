"""Faults drawn at random, the same ones for the same seed."""

from __future__ import annotations

import math
import random

from hri.rig.faults import Campaign, Fault, Plan, Positioned, Stuck, TornWrite

_DELAY_US = (100, 20_000)
_STUCK_US = (100, 20_000)
_TORN_AFTER = (0, 40)


class CampaignRun:
    """The faults of one campaign, in the order of their positions; :attr:`fault` is the next to come."""

    def __init__(self, campaign: Campaign, seed: int) -> None:
        self.campaign = campaign
        self._random = random.Random(seed)  # noqa: S311 - faults are to be repeatable, not secret
        self.at = 0
        self.advance()

    def advance(self) -> None:
        """Draw the next position and what happens there."""
        self.at += self._gap()
        self.fault = self._draw(self.campaign.kinds[self._random.randrange(len(self.campaign.kinds))])

    def _gap(self) -> int:
        """Return how many bytes on the next one is hit, when each is with the same probability."""
        misses = math.log1p(-self.campaign.probability) if self.campaign.probability < 1 else -math.inf
        # A uniform number above 0, so that its logarithm exists.
        return 1 + int(math.log(1.0 - self._random.random()) / misses)

    def _draw(self, kind: str) -> Positioned:
        if kind == "stuck":
            return Stuck(self.at, for_us=self._random.randint(*_STUCK_US))
        if kind == "torn-write":
            after = self._random.randint(*_TORN_AFTER)
            return TornWrite(after, self.at, seed=self._random.getrandbits(32))
        fault = Fault(kind)
        delay_us = self._random.randint(*_DELAY_US) if fault is Fault.DELAY else 0
        bit = self._random.randrange(8) if fault is Fault.FLIP else None
        return Plan(fault, self.at, 1, delay_us, None, bit)

"""OCSP answers that are good for everybody who asks the same, remembered as long as revocation lists are."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hri.server.current_crls import FRESH

_MOST = 4096


@dataclass(frozen=True, slots=True)
class OcspAnswer:
    """An answer (DER) with the headers that it is sent under, and when it was given."""

    der: bytes
    headers: Mapping[str, str]
    at: datetime


class OcspAnswers:
    """The last few answers by their requests (DER); safe to share between threads."""

    def __init__(self) -> None:
        self._known: dict[bytes, OcspAnswer] = {}
        self._lock = threading.Lock()
        self._generation = 0

    @property
    def generation(self) -> int:
        """How often everything was forgotten; to be noted before an answer is made that is to be kept."""
        return self._generation

    def get(self, request: bytes, now: datetime) -> OcspAnswer | None:
        """Return an answer that was given a moment ago."""
        known = self._known.get(request)
        return known if known is not None and timedelta() <= now - known.at < FRESH else None

    def keep(self, request: bytes, answer: OcspAnswer, generation: int) -> None:
        """Remember an answer, unless everything was forgotten since it was begun."""
        with self._lock:
            if generation != self._generation:
                return
            if len(self._known) >= _MOST:
                # Whoever asks for much only has the next ones made anew.
                self._known.clear()
            self._known[request] = answer

    def forget(self) -> None:
        """Give every answer anew."""
        with self._lock:
            self._generation += 1
            self._known.clear()

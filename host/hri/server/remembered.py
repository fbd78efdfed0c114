"""What was looked up a moment ago, remembered as long as revocation lists are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from hri.ca.ocsp import StandingOf
from hri.ca.ocsp_messages import Request, Standing
from hri.server.current_crls import FRESH

Key = TypeVar("Key")
Value = TypeVar("Value")
_MOST = 4096


@dataclass(frozen=True, slots=True)
class OcspAnswer:
    """An answer (DER) that is good for everybody who asks the same, with the headers it is sent under."""

    der: bytes
    headers: Mapping[str, str]


class Remembered(Generic[Key, Value]):
    """The last few values by their keys; safe to share between threads."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[datetime, Value]] = {}
        self._lock = threading.Lock()
        self._generation = 0

    @property
    def generation(self) -> int:
        """How often everything was forgotten; to be noted before a value is looked up that is to be kept."""
        return self._generation

    def get(self, key: Key, now: datetime) -> Value | None:
        """Return a value that was looked up a moment ago."""
        known = self._known.get(key)
        return known[1] if known is not None and timedelta() <= now - known[0] < FRESH else None

    def keep(self, key: Key, value: Value, now: datetime, generation: int) -> None:
        """Remember a value, unless everything was forgotten since its looking up was begun."""
        with self._lock:
            if generation != self._generation:
                return
            if len(self._known) >= _MOST:
                # Whoever asks for much only has the next ones looked up anew.
                self._known.clear()
            self._known[key] = now, value

    def forget(self) -> None:
        """Look everything up anew."""
        with self._lock:
            self._generation += 1
            self._known.clear()


class Standings:
    """The standings of certificates; a nonce makes an OCSP answer one of a kind, but not what it says."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        # In a tuple, because nothing on record is worth remembering too.
        self._sources: list[Remembered[int, tuple[Standing | None]]] = []

    def through(self, source: StandingOf) -> StandingOf:
        """Return a source that asks `source`, one CA's, only for what is not remembered."""
        memory: Remembered[int, tuple[Standing | None]] = Remembered()
        self._sources.append(memory)

        def standing_of(serial_numbers: Collection[int]) -> Mapping[int, Standing]:
            now, generation = self._now(), memory.generation
            known = {number: memory.get(number, now) for number in serial_numbers}
            missing = [number for number, standing in known.items() if standing is None]
            found = source(missing) if missing else {}
            for number in missing:
                known[number] = (found.get(number),)
                memory.keep(number, (found.get(number),), now, generation)
            return {
                number: item[0] for number, item in known.items() if item is not None and item[0] is not None
            }

        return standing_of

    def holds(self, request: Request) -> bool:
        """Say whether a request can be answered without looking anything up."""
        numbers, now = [cert_id.serial_number for cert_id in request.cert_ids], self._now()
        return any(all(memory.get(number, now) for number in numbers) for memory in self._sources)

    def forget(self) -> None:
        """Look every standing up anew."""
        for memory in self._sources:
            memory.forget()

"""The serial line between a board and its host, with the faults a real cable has."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

Filter = Callable[[bytes], bytes]


class Link:
    """Both directions of a board's line: passed through, cut, or corrupted.

    Safe to use from any thread while the board runs.
    """

    answering_us: int
    """How long the board has taken to answer so far, in microseconds of its own: each time from the last byte
    that it heard to the first that it said."""

    def __init__(
        self, hang_up: Callable[[], None], reconnect: Callable[[], None], now_us: Callable[[], int]
    ) -> None:
        self.answering_us = 0
        self._now_us = now_us
        self._heard_us: int | None = None
        self._hang_up = hang_up
        self._reconnect = reconnect
        self._lock = threading.Lock()
        self._open = True
        self._to_host: Filter | None = None
        self._to_board: Filter | None = None

    @property
    def open(self) -> bool:
        """Return whether bytes pass at all."""
        return self._open

    def cut(self, *, hang_up: bool = False) -> None:
        """Lose every byte in both directions from now on.

        With ``hang_up`` the port goes away too, as when a USB cable is pulled: whoever has it open gets an
        input/output error, and its path is gone until `restore`.
        """
        self._open = False
        if hang_up:
            self._hang_up()

    def restore(self) -> None:
        """Pass bytes again, unchanged, on the same path as before."""
        with self._lock:
            self._to_host = self._to_board = None
        self._reconnect()
        self._open = True

    def corrupt(self, *, to_host: Filter | None = None, to_board: Filter | None = None) -> None:
        """Send every piece of each direction through its filter; None passes that direction unchanged.

        A filter may drop, change, add or repeat bytes, and is called in the order of the line.
        """
        with self._lock:
            self._to_host, self._to_board = to_host, to_board

    def outgoing(self, data: bytes) -> bytes:
        """Return what of the board's ``data`` reaches the host."""
        if data and self._heard_us is not None:
            self.answering_us += self._now_us() - self._heard_us
            self._heard_us = None
        return self._pass(data, self._to_host)

    def incoming(self, data: bytes) -> bytes:
        """Return what of the host's ``data`` reaches the board."""
        if data:
            self._heard_us = self._now_us()
        return self._pass(data, self._to_board)

    def _pass(self, data: bytes, through: Filter | None) -> bytes:
        if not self._open:
            return b""
        with self._lock:
            return through(data) if through and data else data


def bit_flips(seed: int, one_in: int) -> Filter:
    """Return a filter that flips one bit in about one of ``one_in`` bytes, the same for the same ``seed``.

    Which bytes are hit depends on their place in the stream alone, not on how it is cut into pieces.
    """
    if one_in < 1:
        raise ValueError("one_in counts bytes and starts at 1")
    # Faults must repeat, not surprise.
    choice = random.Random(seed)  # noqa: S311

    def flip(data: bytes) -> bytes:
        return bytes(
            byte ^ (1 << choice.randrange(8)) if choice.randrange(one_in) == 0 else byte for byte in data
        )

    return flip

"""The host end of the emulated Pico's USB serial console."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rp2040py.usb.cdc import USBCDC

# The host's own buffer; beyond it the pty holds the sender back.
_ROOM = 512


class PatientConsole:
    """Feeds a `USBCDC` only when there is something to feed.

    The emulator's own host answers every poll of an empty line with an empty packet at once. A real host
    sends nothing. The difference matters: the guest spends its time on those packets, idles never and
    computes at a third of its speed.
    """

    def __init__(self, cdc: USBCDC) -> None:
        self._cdc = cdc
        self._usb = cdc.usb
        self._waiting: deque[int] = deque()
        self._armed: tuple[int, int] | None = None
        self._serve: Callable[[int, int], None] | None = self._usb.on_endpoint_read
        self._dropped: Callable[[], None] | None = self._usb.on_reset
        self._usb.on_endpoint_read = self._endpoint_read
        self._usb.on_reset = self._reset
        self.connected = False
        cdc.on_device_connected = self._connected

    @property
    def room(self) -> int:
        """Return how many bytes `feed` takes now."""
        return max(0, _ROOM - len(self._waiting)) if self.connected else 0

    def feed(self, data: bytes) -> None:
        """Send ``data`` to the guest as fast as it asks for it."""
        self._waiting.extend(data)
        if self._armed and self._waiting:
            armed, self._armed = self._armed, None
            self._endpoint_read(*armed)

    def _endpoint_read(self, endpoint: int, size: int) -> None:
        if endpoint != self._cdc._out_endpoint:
            if self._serve:
                self._serve(endpoint, size)
        elif self._waiting:
            count = min(size, len(self._waiting))
            self._usb.endpoint_read_done(endpoint, bytes(self._waiting.popleft() for _ in range(count)))
        else:
            self._armed = (endpoint, size)

    def _connected(self) -> None:
        self.connected = True

    def _reset(self) -> None:
        self._waiting.clear()
        self._armed = None
        self.connected = False
        if self._dropped:
            self._dropped()

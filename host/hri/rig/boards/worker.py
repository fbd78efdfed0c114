"""The thread a board runs in, and how others ask it to do something."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue

from hri.boards import BoardError

_CALL_DEADLINE_S = 60.0


class Worker:
    """Calls ``turn`` again and again in a thread of its own, and between turns what others ask for.

    A turn that waits must also wait for ``wake_fd``, which becomes readable when there is something to do.
    """

    def __init__(self, name: str, turn: Callable[[], None]) -> None:
        self._turn = turn
        self._calls: SimpleQueue[tuple[Callable[[], object], Future[object]]] = SimpleQueue()
        self._stopping = False
        self._serving = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.wake_fd, self._bell = os.pipe()
        os.set_blocking(self.wake_fd, False)
        os.set_blocking(self._bell, False)
        self.error: BaseException | None = None

    def start(self) -> None:
        """Start turning."""
        self._serving = True
        self._thread.start()

    def wake(self) -> None:
        """End the wait of the present turn."""
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._bell, b"!")

    def call(self, act: Callable[[], object], deadline_s: float = _CALL_DEADLINE_S) -> None:
        """Have ``act`` done between two turns and wait for it.

        Raises what ``act`` raises, and BoardError when the board has failed or does not get to it in time.
        """
        if threading.current_thread() is self._thread:
            act()
            return
        done: Future[object] = Future()
        self._calls.put((act, done))
        self.wake()
        # The thread's own last look at the queue may have been before the put.
        if not self._serving:
            self._refuse_calls()
        try:
            done.result(deadline_s)
        except TimeoutError as error:
            raise BoardError(f"the board did not answer its host within {deadline_s:.0f} s") from error

    def stop(self) -> None:
        """End the thread and give its descriptors back."""
        self._stopping = True
        self.wake()
        if self._thread.ident is not None:
            self._thread.join(_CALL_DEADLINE_S)
        self._refuse_calls()
        for descriptor in (self.wake_fd, self._bell):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._answer_calls()
                self._turn()
        except BaseException as error:  # noqa: BLE001 - a dead board must tell every later caller why
            self.error = error
        self._serving = False
        self._refuse_calls()

    def _answer_calls(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self.wake_fd, 4096)
        while True:
            try:
                act, done = self._calls.get_nowait()
            except Empty:
                return
            try:
                done.set_result(act())
            except BaseException as error:  # noqa: BLE001 - it belongs to the caller
                done.set_exception(error)

    def _refuse_calls(self) -> None:
        while True:
            try:
                _, done = self._calls.get_nowait()
            except Empty:
                return
            refusal = BoardError(f"the board is not running: {self.error or 'it was stopped'}")
            refusal.__cause__ = self.error
            done.set_exception(refusal)

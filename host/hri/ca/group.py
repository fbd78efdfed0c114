"""Group commit: requests of many threads share one durable commit."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from types import TracebackType
from typing import Self

from hri.ca.issuance import GROUP, IssuedCertificate, Issuer, IssueRequest
from hri.errors import HriError, StorageError

_Item = tuple[IssueRequest, "Future[IssuedCertificate]"]


class GroupCommit:
    """One thread that issues what the others submit, up to 64 at a time.

    It never waits for a group to fill: what arrives during one commit makes up the next, so a lone request is
    not delayed and a crowd shares.
    """

    def __init__(self, issuer: Issuer, clock: Callable[[], datetime]) -> None:
        self._issuer = issuer
        self._clock = clock
        self._waiting: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="hri-group-commit", daemon=True)
        self._thread.start()

    def submit(self, request: IssueRequest) -> Future[IssuedCertificate]:
        """Ask for a certificate; the future ends after its commit, or with an HriError.

        Raises StorageError after `close`.
        """
        future: Future[IssuedCertificate] = Future()
        with self._lock:
            if self._closed:
                raise StorageError("issuer-closed", "the issuer is shutting down", "send the request again")
            self._waiting.put((request, future))
        return future

    def close(self) -> None:
        """Issue what was submitted, then end the thread."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._waiting.put(None)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        last = False
        while not last:
            batch, last = self._next_batch()
            self._issue([item for item in batch if item[1].set_running_or_notify_cancel()])

    def _next_batch(self) -> tuple[list[_Item], bool]:
        batch: list[_Item] = []
        item = self._waiting.get()
        while item is not None:
            batch.append(item)
            if len(batch) == GROUP:
                return batch, False
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _issue(self, batch: list[_Item]) -> None:
        if not batch:
            return
        try:
            outcomes = self._issuer.issue_many([request for request, _ in batch], self._clock())
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, HriError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

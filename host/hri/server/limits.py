"""How much one caller may ask, and for how long anybody is waited for.

The rate is counted in this process's memory: with N processes a caller gets up to N times as much.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hri.server.problems import HttpProblem, problem
from hri.server_config import LimitsConfig

_CALLERS = 10_000


class RateLimit:
    """A token bucket for each caller; those not seen for the longest time are forgotten first."""

    def __init__(self, limits: LimitsConfig, clock: Callable[[], float]) -> None:
        self._rate = limits.requests_per_second
        self._burst = float(limits.burst)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, caller: str) -> bool:
        """Take one request out of the caller's bucket; False if it is empty."""
        now = self._clock()
        left, since = self._buckets.pop(caller, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._rate)
        allowed = left >= 1
        self._buckets[caller] = (left - 1 if allowed else left, now)
        if len(self._buckets) > _CALLERS:
            self._buckets.popitem(last=False)
        return allowed


class Bounded:
    """Takes a request's body in whole, up to a size and a time, and answers for what takes too long.

    An answer that is late is 503 to the client; the work behind it ends by its own deadlines, and its result
    is dropped. Every change that it may have made is durable, and asking again finds it.
    """

    def __init__(self, app: ASGIApp, limits: LimitsConfig) -> None:
        self._app = app
        self._limits = limits
        # The event loop itself keeps only weak references to tasks.
        self._late: set[asyncio.Future[Any]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check_head(scope)
            async with asyncio.timeout(self._limits.receive_timeout):
                body = await self._body(scope, receive)
        except TimeoutError:
            late = HttpProblem("too-slow", "the request took too long to arrive", "send it in one go")
            await _refuse(late, scope, receive, send)
            return
        except HttpProblem as refused:
            await _refuse(refused, scope, receive, send)
            return
        if body is not None:
            await self._answer(scope, body, receive, send)

    def _check_head(self, scope: Scope) -> None:
        """Raise HttpProblem `head-too-large`: h11 counts a head only while it is incomplete."""
        fields = sum(len(name) + len(value) for name, value in scope["headers"])
        if fields + len(scope["raw_path"]) + len(scope["query_string"]) > self._limits.header_bytes:
            raise HttpProblem("head-too-large", "the head of the request is too long", "send less")

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """Return the body, None where the client has gone; raises HttpProblem `too-large`."""
        most = self._limits.body_bytes
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > most:
            raise _too_large(most)
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > most:
                raise _too_large(most)
            if not message.get("more_body", False):
                return bytes(body)

    async def _answer(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        if len(self._late) >= self._limits.connections:
            # Something is stuck for good; more of the same would only fill the memory.
            stuck = HttpProblem("overloaded", "too many requests are stuck", "ask again later")
            await _refuse(stuck, scope, receive, send)
            return
        answer = _Answer(body, receive, send, self._limits.answer_timeout)
        work = asyncio.ensure_future(self._app(scope, answer.receive, answer.send))
        await asyncio.wait({work}, timeout=self._limits.answer_timeout)
        if work.done():
            await work
            return
        self._late.add(work)
        work.add_done_callback(self._forget)
        if answer.give_up():
            late = HttpProblem("overloaded", "the answer took too long", "ask again: nothing is done twice")
            await problem(late)(scope, receive, send)

    def _forget(self, work: asyncio.Future[Any]) -> None:
        self._late.discard(work)
        if not work.cancelled():
            # Errors were turned into answers already; what is left is nobody's.
            work.exception()


class _Answer:
    """The channel of one answer, which can be closed to the work behind it."""

    def __init__(self, body: bytes, receive: Receive, send: Send, timeout: float) -> None:
        self._body: bytes | None = body
        self._receive = receive
        self._send = send
        self._timeout = timeout
        self._begun = False
        self._closed = False

    async def receive(self) -> Message:
        body, self._body = self._body, None
        if body is not None:
            return {"type": "http.request", "body": body, "more_body": False}
        return await self._receive()

    async def send(self, message: Message) -> None:
        if self._closed:
            return
        self._begun = True
        # A client that does not read must not hold its request open.
        async with asyncio.timeout(self._timeout):
            await self._send(message)

    def give_up(self) -> bool:
        """Drop what is still to come; True if another answer can be given in its place."""
        if self._begun:
            return False
        self._closed = True
        return True


def _too_large(most: int) -> HttpProblem:
    return HttpProblem("too-large", f"the request has more than {most} bytes", "send less")


async def _refuse(refused: HttpProblem, scope: Scope, receive: Receive, send: Send) -> None:
    response = problem(refused)
    # What is left of the request is not read, so the connection is of no further use.
    response.headers["Connection"] = "close"
    await response(scope, receive, send)

"""The door: which route is meant, who calls, whether he may and not too often; then the request is counted.

Nothing of a request is parsed before this: a stranger reaches no handler but those of public routes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hri.errors import HriError, PolicyRefusal, StorageError
from hri.server.callers import Caller
from hri.server.limits import RateLimit
from hri.server.peer import peer_of
from hri.server.problems import HttpProblem, problem
from hri.server.roles import ACCESS, EVERYBODY
from hri.server.service import CALLER_KEY, Service

_log = structlog.get_logger(__name__)
# A load balancer asks all the time, and has to get an answer.
_NOT_LIMITED = frozenset({"/healthz", "/healthz/live"})


class Access:
    """Lets a request through to its route, or answers it; a route that it does not know is not there."""

    def __init__(
        self,
        app: ASGIApp,
        routes: Sequence[Route],
        service: Service,
        rate: RateLimit,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._routes = routes
        self._service = service
        self._rate = rate
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = self._clock(), 500
        route = self._route(scope)

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)

        try:
            refused = await self._refusal(scope, route)
            await (refused or self._app)(scope, receive, counted)
        finally:
            self._count(scope, route, status, self._clock() - started)

    async def _refusal(self, scope: Scope, route: str | None) -> Response | None:
        """Return the answer for who may not pass, None for who may."""
        try:
            caller = None
            if route is None:
                raise self._nowhere(scope)
            if ACCESS.get((scope["method"], route), frozenset()) is not EVERYBODY:
                try:
                    caller = await self._admitted(scope, route)
                except HttpProblem:
                    # Whoever tries credentials pays for it like everybody else.
                    if not self._rate.allows(_account(scope, None)):
                        raise _too_many() from None
                    raise
                scope[CALLER_KEY] = caller
            if route not in _NOT_LIMITED and not self._rate.allows(_account(scope, caller)):
                raise _too_many()
        except HriError as error:
            if isinstance(error, StorageError):
                self._service.metrics.storage_errors.labels(error.code).inc()
            return problem(error)
        return None

    async def _admitted(self, scope: Scope, route: str) -> Caller:
        roles = ACCESS.get((scope["method"], route)) or frozenset()
        header = dict(scope["headers"]).get(b"authorization")
        authorization = None if header is None else header.decode("latin-1")
        caller = await run_in_threadpool(
            self._service.callers.identify, self._service.context, authorization, peer_of(scope)
        )
        if caller is None:
            raise HttpProblem(
                "unauthenticated", "this route is not public", "send a token, or a client certificate"
            )
        if caller.role not in roles:
            allowed = ", ".join(sorted(roles)) or "nobody"
            raise PolicyRefusal(
                "wrong-role", f"the role {caller.role} may not do this", f"it is for: {allowed}"
            )
        return caller

    def _route(self, scope: Scope) -> str | None:
        """Return the template of the route that is meant, None if there is none or not with this method."""
        full = (route.path_format for route in self._routes if route.matches(scope)[0] is Match.FULL)
        return next(full, None)

    def _nowhere(self, scope: Scope) -> HttpProblem:
        if any(route.matches(scope)[0] is Match.PARTIAL for route in self._routes):
            return HttpProblem("no-such-method", "this route does not take this method", "see /openapi.json")
        return HttpProblem("no-such-route", "there is nothing here", "see /openapi.json")

    def _count(self, scope: Scope, route: str | None, status: int, seconds: float) -> None:
        metrics, name = self._service.metrics, route or "none"
        # What a client sends as a method is anything; only ours become names of time series.
        method = scope["method"] if (scope["method"], name) in ACCESS else "other"
        metrics.requests.labels(method, name, str(status)).inc()
        metrics.seconds.labels(method, name).observe(seconds)
        caller = scope.get(CALLER_KEY)
        _log.info(
            "request",
            method=method,
            route=name,
            status=status,
            milliseconds=round(seconds * 1000, 1),
            caller=caller.name if isinstance(caller, Caller) else None,
            address=(scope.get("client") or ("",))[0],
        )


def _too_many() -> HttpProblem:
    return HttpProblem("too-many-requests", "too many requests in a short time", "wait a little")


def _account(scope: Scope, caller: Caller | None) -> str:
    """Return under which name the rate is counted: strangers behind one address share one."""
    if caller is not None:
        return f"{caller.role}:{caller.name}"
    return f"address:{(scope.get('client') or ('',))[0]}"

"""The application: routes behind the door, in the order in which a request passes."""

from __future__ import annotations

import time
from importlib import metadata

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp

from hri.server import (
    certificates,
    challenges,
    devices,
    est,
    health,
    log,
    ocsp,
    problems,
    standing,
    verification,
)
from hri.server.access import Access
from hri.server.limits import Bounded, RateLimit
from hri.server.service import Service
from hri.server_config import LimitsConfig

PARTS = (health, standing, ocsp, log, est, devices, certificates, challenges, verification)
_DESCRIPTION = (
    "Hardware rooted identity: devices, certificates, challenges, decisions. Errors are problem details "
    "(RFC 9457). Credentials are a client certificate, or a token as Bearer or as the password of Basic."
)


def create_routes(service: Service) -> FastAPI:
    """Return the routes alone; `create_app` puts the door before them."""
    app = FastAPI(
        title="hri",
        version=metadata.version("hri"),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    for part in PARTS:
        app.include_router(part.router)
    problems.add_handlers(app, service.metrics)
    return app


def all_routes(app: FastAPI) -> tuple[Route, ...]:
    """Return every route of an application that `create_routes` made."""
    parts = (route for part in PARTS for route in part.router.routes)
    return tuple(route for route in (*app.routes, *parts) if isinstance(route, Route))


def create_app(service: Service, limits: LimitsConfig) -> ASGIApp:
    """Return the whole application: limits of size and time, then the door, then the routes."""
    app = create_routes(service)
    door = Access(app, all_routes(app), service, RateLimit(limits, time.monotonic))
    return Bounded(door, limits)

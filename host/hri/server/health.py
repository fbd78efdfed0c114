"""For load balancers and monitoring: is this process alive, can it work, and what has it done?"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from hri.server.metrics import CONTENT_TYPE
from hri.server.problems import RETRY_AFTER_S
from hri.server.service import ServiceOf

router = APIRouter(tags=["health"])


@router.get("/healthz")
def ready(service: ServiceOf) -> JSONResponse:
    """Can it work: 200 if database and CA key answer, else 503, with what does not."""
    checks = service.readiness.checks()
    body: dict[str, Any] = {check.name: check.error.code if check.error else "ok" for check in checks}
    if any(check.error for check in checks):
        return JSONResponse({"status": "unready", **body}, 503, {"Retry-After": str(RETRY_AFTER_S)})
    return JSONResponse({"status": "ready", **body})


@router.get("/healthz/live")
async def alive() -> dict[str, str]:
    """Does it run at all? Asks nothing of anybody."""
    return {"status": "alive"}


@router.get("/metrics", response_class=Response)
async def metrics(service: ServiceOf) -> Response:
    """The counters of this process, for Prometheus."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE)

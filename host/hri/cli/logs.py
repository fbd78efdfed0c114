"""Structured logs on standard error, from which everything that may be secret is taken out."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_LEVELS = (logging.ERROR, logging.INFO, logging.DEBUG)
_SECRET = re.compile(r"pass(phrase|word)|secret|token|api_?key|private|nonce|authorisation", re.IGNORECASE)
_REDACTED = "[redacted]"


def configure_logs(verbosity: int, *, as_json: bool) -> None:
    """Send logs of the level to standard error: errors, with -v information, with -vv everything."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[min(verbosity, len(_LEVELS) - 1)]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take out values under names that sound like secrets, and raw bytes, which nobody can read anyway."""
    for name, value in event.items():
        if name == "event":
            continue
        if _SECRET.search(name):
            event[name] = _REDACTED
        elif isinstance(value, bytes | bytearray):
            event[name] = f"[{len(value)} bytes]"
    return event

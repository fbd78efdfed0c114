"""Where the library's own log lines go; a command line configures its own (`hri.cli.logs`)."""

from __future__ import annotations

from typing import Any

import structlog

if not structlog.is_configured():
    # As a library: what is logged goes to the application's own `logging`, never to standard output.
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def get_logger(name: str) -> Any:
    """Return the logger of the module `name`."""
    return structlog.get_logger(name)

"""Hardware rooted identity: the host side.

The names of the façade (`hri.identity`) are importable from here; they are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from hri.identity import (
        CertificateAuthority,
        CertificateRequest,
        DeviceIdentity,
        DeviceIdentityManager,
        KeyType,
        SecureElementManager,
        SecureElementType,
    )

__all__ = [
    "CertificateAuthority",
    "CertificateRequest",
    "DeviceIdentity",
    "DeviceIdentityManager",
    "KeyType",
    "SecureElementManager",
    "SecureElementType",
]

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


def __getattr__(name: str) -> Any:
    if name in __all__:
        from hri import identity

        return getattr(identity, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

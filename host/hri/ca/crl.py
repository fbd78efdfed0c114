"""Publishing the revocation list."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from hri.ca.authority import Authority
from hri.ca.files import disk_errors, write_atomically
from hri.errors import StorageError
from hri.registry import Registry

FILE_NAME = "issuing.crl"
LIFETIME = timedelta(days=7)
_PATIENCE_SECONDS = 30.0
_log = structlog.get_logger(__name__)


def publish(
    authority: Authority,
    registry: Registry,
    folder: Path,
    *,
    now: datetime,
    lifetime: timedelta = LIFETIME,
) -> bytes:
    """Sign the present revocation list, write it to `folder`/issuing.crl (DER) and return it.

    Two publishers take turns, so that the file never goes back to an older list.

    Raises StorageError, ConfigurationError.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _turn(folder):
        # The number first: a crash after it leaves a gap, which RFC 5280 section 5.2.3 allows.
        number = registry.next_crl_number()
        revoked = registry.revoked(unexpired_at=now)
        der = authority.crl(revoked, number=number, now=now, next_update=now + lifetime)
        write_atomically(folder / FILE_NAME, der)
    _log.info("revocation list published", number=number, entries=len(revoked))
    return der


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    with disk_errors(folder):
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise StorageError(
                        "crl-busy",
                        f"another process has been publishing to {folder} for {_PATIENCE_SECONDS:.0f} s",
                        "wait for it or end it, and run the command again",
                    ) from error
                time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)

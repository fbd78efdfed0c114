"""Options of the whole test suite."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from atecc_coverage import Coverage
from postgres_server import PostgresServer, find


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hri", "hardware in the loop")
    group.addoption("--port", help="run tests/hil on the real board at this serial port, not on virtual ones")
    group.addoption(
        "--lock-chip",
        metavar="SERIAL",
        help="allow tests/hil to configure and lock the chip with this serial number, for good",
    )
    group.addoption(
        "--log-issues",
        metavar="N",
        type=int,
        default=300,
        help="how many certificates are issued while tests/system/test_log_faults.py kills who issues",
    )
    group.addoption(
        "--atecc-coverage",
        metavar="FILE",
        type=Path,
        # With = between: apart, pytest takes a file that exists for the tests to run, and never comes here.
        help="write which commands and modes of the ATECC608 the passed tests covered",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Coverage(config.getoption("--atecc-coverage")))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for this process's tests."""
    if find("initdb") is None:
        pytest.skip("no PostgreSQL server on this machine; apt-get install postgresql")
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """A command line that a test ran leaves no logger behind that writes to its closed stream."""
    yield
    structlog.reset_defaults()

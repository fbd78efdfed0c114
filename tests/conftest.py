"""Options of the whole test suite.

pytest-embedded is turned off in it (pyproject.toml): its fixtures run in every test, which a suite of
thousands that needs none of them would pay for. What it is to do for others is tested in runs of their own.
"""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from atecc_coverage import Coverage
from postgres_server import PostgresServer, find

pytest_plugins = ("pytester",)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    group = parser.getgroup("hri")
    if not pluginmanager.hasplugin("pytest_embedded"):
        group.addoption("--port", metavar="PORT", dest="hri_port", help="the same as --hri-port")
    group.addoption("--lock-chip", metavar="SERIAL", dest="hri_lock_chip", help="the same as --hri-lock-chip")
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


def pytest_collection_finish() -> None:
    """Have a closed connection be an error again, as Python has it, and not the end of the process.

    vcdvcd turns that off where it is imported, for programs whose output goes through `head`.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


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

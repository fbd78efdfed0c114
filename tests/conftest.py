"""Options of the whole test suite."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hri", "hardware in the loop")
    group.addoption("--port", help="run tests/hil on the real board at this serial port, not on virtual ones")
    group.addoption(
        "--lock-chip",
        metavar="SERIAL",
        help="allow tests/hil to configure and lock the chip with this serial number, for good",
    )

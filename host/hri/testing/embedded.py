"""pytest-embedded's `dut` on the board under test: its serial service gets our port, all else is its own.

Registered after pytest-embedded, so that these fixtures stand over its own of the same names; each asks for
that one and replaces its value only for tests that use `dut` or `serial`.
"""

from __future__ import annotations

import multiprocessing
import os
import select
import time
from collections.abc import Iterator
from typing import Any

import pytest
import serial as pyserial
from pytest_embedded import plugin  # type: ignore[import-untyped]
from pytest_embedded.log import MessageQueueManager  # type: ignore[import-untyped]

from hri.errors import HriError
from hri.flash.repl import TO_MAIN_PY, SerialRepl
from hri.testing.board import HriBoard

_QUIET_S = 0.05
_DROP_DEADLINE_S = 1.0


def _wanted(request: pytest.FixtureRequest) -> bool:
    return "serial" in request.fixturenames


@pytest.fixture(scope="session", autouse=True)
def _mp_manager(request: pytest.FixtureRequest) -> Iterator[Any]:
    """pytest-embedded's process for its queues; in a pytest-xdist worker one that outlives no crash.

    Its own is forked, and so holds the pipe to the controller, which waits for ever for the end of a worker
    that died. A spawned one inherits no pipe.
    """
    if not hasattr(request.config, "workerinput"):
        yield request.getfixturevalue("_mp_manager")
        return
    manager = MessageQueueManager(ctx=multiprocessing.get_context("spawn"))
    manager.start()
    plugin._MP_MANAGER = manager
    try:
        yield manager
    finally:
        manager.shutdown()


@pytest.fixture
def embedded_services(request: pytest.FixtureRequest, embedded_services: str | None) -> str | None:
    """pytest-embedded's services: `serial` where none is asked for."""
    return "serial" if not embedded_services and _wanted(request) else embedded_services


@pytest.fixture
def port(request: pytest.FixtureRequest, port: Any) -> Any:
    """pytest-embedded's serial port: that of the board under test."""
    if not _wanted(request):
        return port
    board: HriBoard = request.getfixturevalue("hri_board")
    try:
        if not board.virtual:
            with SerialRepl(board.port, restart=False):
                pass
        _drop_output(board.port)
    except HriError as error:
        pytest.fail(f"no dut: {error.message}", pytrace=False)
    return board.port


@pytest.fixture
def serial(hri_board: HriBoard, serial: Any) -> Iterator[Any]:
    """pytest-embedded's serial service on the board under test, which boots anew when it is listening."""
    hri_board.listener = serial
    try:
        if hri_board.virtual:
            hri_board.reset()
        else:
            serial.proc.write(TO_MAIN_PY)
        yield serial
    finally:
        hri_board.listener = None


def _drop_output(port: str) -> None:
    """Drop what the board said while nobody listened, so that no test finds an earlier one's words."""
    line = pyserial.serial_for_url(port, timeout=0)
    try:
        end = time.monotonic() + _DROP_DEADLINE_S
        while time.monotonic() < end and select.select([line.fileno()], [], [], _QUIET_S)[0]:
            os.read(line.fileno(), 4096)
    finally:
        line.close()

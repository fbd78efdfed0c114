"""The pytest plugin: fixtures for a board with a secure element, virtual or real (docs/testing.md).

It is loaded in every project that has hri installed, so it imports nothing of the rig before a test asks for
a board, and adds nothing to a run that does not use its options.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hri.testing.options import REAL, BadOption, Options, names, timing
from hri.testing.stash import OPTIONS, RUN

if TYPE_CHECKING:
    from hri.testing.board import HriBoard
    from hri.testing.bus import HriBus
    from hri.testing.chip import HriChip
    from hri.testing.clock import HriClock
    from hri.testing.device import HriDevice
    from hri.testing.run import Run

_EMBEDDED = "pytest_embedded"
_INSTALL = "install what it needs with: pip install 'hri[pytest]'"
# Not ours to mend: pytest-embedded takes this fixture in every test, and each says so.
_NOISE = "ignore:record_xml_attribute is an experimental feature:pytest.PytestExperimentalApiWarning"
_NO_BOARD = "needs a board: add --hri-board NAME for a virtual one, or --hri-port PORT for a real one"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hri", "boards with a secure element (hri)")
    group.addoption(
        "--hri-board",
        action="append",
        default=[],
        metavar="NAME",
        help="run on this virtual board, such as unix or rpi_pico; several with commas, or repeat the option",
    )
    group.addoption("--hri-port", metavar="PORT", help="run on the real board at this serial port")
    group.addoption(
        "--hri-chip", metavar="VARIANT", help="the virtual chip: atecc608b (default), atecc608b-tngtls, ..."
    )
    group.addoption(
        "--hri-timing",
        metavar="TIMING",
        help="how long the virtual chip takes: none (default), typical, max, or a factor of typical",
    )
    group.addoption(
        "--hri-firmware",
        metavar="DIR",
        help="the project's own files for the board's flash; they go over those of hri_device",
    )
    group.addoption(
        "--hri-flash", action="store_true", help="write --hri-firmware to the real board where it differs"
    )
    group.addoption(
        "--hri-lock-chip",
        metavar="SERIAL",
        help="allow the real chip with this serial number to be locked, for good",
    )
    group.addoption("--hri-home", metavar="DIR", help="the authority that real boards are provisioned into")
    group.addoption(
        "--hri-report", metavar="DIR", help="write report.json and report.html, what was tested on what"
    )
    group.addoption(
        "--hri-report-key",
        metavar="FILE",
        help="sign the report with this key, which `hri hil key` makes (or HRI_REPORT_KEY)",
    )
    parser.addini("hri_board", "the virtual boards to run on where no option names one", type="args")
    parser.addini("hri_chip", "as --hri-chip")
    parser.addini("hri_timing", "as --hri-timing")
    parser.addini("hri_firmware", "as --hri-firmware, relative to the ini file")
    parser.addini("hri_compile", "compile the project's .py files for the board", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "hri_virtual_only(reason): skipped on a real board, for the reason given"
    )
    options = _options(config)
    config.stash[OPTIONS] = options
    try:
        _use(config, options)
    except BadOption as error:
        raise pytest.UsageError(str(error)) from error
    except ImportError as error:
        raise pytest.UsageError(f"--hri options: {error}; {_INSTALL}") from error


def _options(config: pytest.Config) -> Options:
    def asked(name: str) -> str:
        return str(config.getoption(f"hri_{name}") or config.getini(f"hri_{name}") or "")

    port = config.getoption("hri_port")
    if port is None and config.pluginmanager.hasplugin(_EMBEDDED):
        # Another plugin's --port may be anything, a TCP port of a server under test for one.
        port = config.getoption("port", None)
    boards = names(config.getoption("hri_board"))
    if boards and config.getoption("hri_port"):
        raise pytest.UsageError(
            "--hri-board is for virtual boards and --hri-port for a real one: give one of them"
        )
    if not boards and port is None:
        boards = names(config.getini("hri_board"))
    firmware, home = asked("firmware"), config.getoption("hri_home")
    base = config.invocation_params.dir if config.getoption("hri_firmware") else config.rootpath
    return Options(
        boards=boards,
        port=None if boards else port,
        chip=asked("chip") or "atecc608b",
        timing=timing(asked("timing") or "none"),
        firmware=base / firmware if firmware else None,
        compiled=config.getini("hri_compile"),
        flash=config.getoption("hri_flash"),
        lock_chip=config.getoption("hri_lock_chip"),
        home=Path(home) if home else None,
    )


def _use(config: pytest.Config, options: Options) -> None:
    """Set up what the options given on this command line need; nothing without any."""
    if config.getoption("hri_board") or config.getoption("hri_port"):
        options.check()
        if config.pluginmanager.hasplugin(_EMBEDDED):
            config.addinivalue_line("filterwarnings", _NOISE)
            config.pluginmanager.register(import_module("hri.testing.embedded"), "hri_embedded")
        else:
            config.pluginmanager.register(import_module("hri.testing.no_embedded"), "hri_no_embedded")
    workers = getattr(config.option, "tx", None) or []
    if options.port is not None and config.getoption("hri_port") and len(workers) > 1:
        raise BadOption("--hri-port: one board serves one process at a time; leave -n out, or give -n 1")
    if config.getoption("hri_report") or getattr(config.option, "xmlpath", None) or _told_by(config):
        from hri.testing import reporting

        reporting.install(config)


def _told_by(config: pytest.Config) -> bool:
    """Return whether this is a worker of a run that reports."""
    return bool(getattr(config, "workerinput", {}).get("hri_reported"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "hri_kind" not in metafunc.fixturenames:
        return
    given = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize") if mark.args]
    kinds = metafunc.config.stash[OPTIONS].kinds
    if kinds and not any("hri_kind" in names([arg] if isinstance(arg, str) else list(arg)) for arg in given):
        metafunc.parametrize("hri_kind", kinds, indirect=True, scope="session")


def pytest_runtest_setup(item: pytest.Item) -> None:
    mark = item.get_closest_marker("hri_virtual_only")
    if mark is not None and item.config.stash[OPTIONS].port is not None:
        reason = mark.kwargs.get("reason") or (mark.args[0] if mark.args else "for virtual boards only")
        pytest.skip(str(reason))


def _opened(run: Run, kind: str) -> HriBoard:
    """Open a board; what goes wrong is told in words and without a traceback, which would be ours."""
    from hri.boards import BoardError
    from hri.errors import HriError
    from hri.rig.runtimes import RuntimeUnavailableError

    try:
        return run.open(kind)
    except HriError as error:
        why = f"{error.message}: {error.hint}" if error.hint else error.message
    except (BoardError, RuntimeUnavailableError, BadOption, SyntaxError, ValueError, OSError) as error:
        why = str(error)
    pytest.fail(f"no board {kind}: {why}", pytrace=False)


@pytest.fixture(scope="session")
def hri_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What opens boards in this process; for projects that make fixtures of their own."""
    options = request.config.stash[OPTIONS]
    try:
        options.check()
        from hri.testing.run import Run
    except ImportError as error:
        pytest.fail(f"hri's fixtures: {error}; {_INSTALL}", pytrace=False)
    except BadOption as error:
        pytest.fail(str(error), pytrace=False)
    reported = request.config.pluginmanager.hasplugin("hri_recorder")
    run = Run(options, tmp_path_factory.mktemp, reported=reported)
    request.config.stash[RUN] = run
    return run


@pytest.fixture(scope="session")
def hri_kind(request: pytest.FixtureRequest) -> str:
    """The name of the board that the test runs on; `port` is a real one."""
    if not hasattr(request, "param"):
        pytest.skip(_NO_BOARD)
    return str(request.param)


@pytest.fixture(scope="module")
def hri_board(hri_kind: str, hri_run: Run) -> Iterator[HriBoard]:
    """The board, shared by a module's tests, which run in their order: a new chip on a freshly booted board.

    port, name, virtual; reset(), power_cycle(), detach(), attach(); run(source) -> what it printed, over the
    raw REPL and with a deadline; chip, bus, clock and device, as the fixtures of these names.
    """
    board = _opened(hri_run, hri_kind)
    try:
        yield board
    finally:
        hri_run.close(board)


@pytest.fixture
def hri_fresh_board(hri_kind: str, hri_run: Run) -> Iterator[HriBoard]:
    """A virtual board of the test's own, with a chip that nobody used before; skipped on a real board."""
    if hri_kind == REAL:
        pytest.skip("a real board brings the chip that it has, not a fresh one")
    board = _opened(hri_run, hri_kind)
    try:
        yield board
    finally:
        hri_run.close(board)


@pytest.fixture
def hri_chip(hri_board: HriBoard) -> HriChip:
    """The board's secure element: serial_number, facts (type, revision, locks), state, power_cycle().

    `virtual` is the virtual chip itself (hri.rig.atecc.Chip). What a real chip cannot do skips the test.
    """
    return hri_board.chip


@pytest.fixture
def hri_device(hri_board: HriBoard) -> Iterator[HriDevice]:
    """The service of hri_device on the board: link, hello(), element, provision(), authenticate().

    A virtual board is provisioned into an authority made for it, a real one into that of --hri-home, and a
    real chip is locked only where --hri-lock-chip names it.
    """
    device = hri_board.device
    try:
        yield device
    finally:
        device.hang_up()


@pytest.fixture
def hri_bus(hri_board: HriBoard) -> Iterator[HriBus]:
    """The I2C bus of a virtual board: arm("flip@17"), armed(...), clear(), hits, counters, counted().

    Faults are cleared after the test. Skipped on a real board.
    """
    bus = hri_board.bus
    try:
        yield bus
    finally:
        bus.clear()


@pytest.fixture
def hri_clock(hri_board: HriBoard) -> HriClock:
    """The virtual board's own time: now_us(), and measured() for a block. Skipped on a real board."""
    return hri_board.clock

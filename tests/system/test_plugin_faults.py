"""The plugin where things go wrong: wrong options, boards that do not boot, runs that are cut off."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hri.testing.port_lock import PortLock
from hri.testing.report.signature import make_key

pytestmark = pytest.mark.timeout(180)
_DEADLINE_S = 120
ONE = "def test_it(hri_board): assert hri_board.run('print(1)').strip() == '1'\n"


def ran(pytester: pytest.Pytester, *arguments: object) -> pytest.RunResult:
    return pytester.runpytest_subprocess(*arguments, timeout=_DEADLINE_S)


def test_without_a_board_tests_that_need_one_are_skipped_and_say_why(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ONE + "def test_other(): pass\n")
    run = ran(pytester, "-rs")
    run.assert_outcomes(passed=1, skipped=1)
    run.stdout.fnmatch_lines(["*needs a board: add --hri-board NAME*"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--hri-board", "toaster"), "*no virtual board is called 'toaster'; there are *rpi_pico*unix*"),
        (("--hri-board=unix", "--hri-port=/dev/null"), "*give one of them*"),
        (("--hri-board=unix", "--hri-chip=se050"), "*se050*"),
        (("--hri-board=unix", "--hri-timing=soon"), "*soon*"),
        (("--hri-board=unix", "--hri-firmware=nowhere"), "*nowhere is no folder*"),
        (("--hri-port=/dev/null", "-n", "2"), "*one board serves one process at a time*"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_before_any_test(
    pytester: pytest.Pytester, arguments: tuple[str, ...], words: str
) -> None:
    pytester.makepyfile(ONE)
    run = ran(pytester, *arguments)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines([f"ERROR: {words}"])


def test_a_port_that_is_not_there_is_told_without_a_traceback(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ONE)
    run = ran(pytester, "--hri-port", pytester.path / "ttyACM9")
    run.assert_outcomes(errors=1)
    run.stdout.fnmatch_lines(["*no board port: cannot open *ttyACM9: there is no such port*"])
    run.stdout.no_fnmatch_line("*Traceback*")
    run.stdout.no_fnmatch_line("*host/hri/*")


def test_a_board_whose_runtime_is_missing_is_told(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HRI_RUNTIME_UNIX", "/nowhere/micropython")
    pytester.makepyfile(ONE)
    run = ran(pytester, "--hri-board=unix")
    run.assert_outcomes(errors=1)
    run.stdout.fnmatch_lines(["*no board unix: the unix runtime /nowhere/micropython does not exist*"])


def test_firmware_that_crashes_in_a_loop_is_heard_and_does_not_hang_the_run(
    pytester: pytest.Pytester,
) -> None:
    (pytester.mkdir("board") / "main.py").write_text("import machine\nprint('crash')\nmachine.reset()\n")
    pytester.makepyfile("""
        import pytest

        def test_it_is_heard(dut):
            for _ in range(3):
                dut.expect_exact("crash", timeout=30)

        def test_the_service_is_missed(hri_device):
            with pytest.raises(Exception, match="hello"):
                hri_device.hello()
    """)
    ran(pytester, "--hri-board=unix", "--hri-firmware=board").assert_outcomes(passed=2)


def test_one_port_serves_one_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ONE)
    # Any device does: the claim comes before the port is opened.
    claim = PortLock("/dev/null")
    claim.take()
    try:
        run = ran(pytester, "--hri-port", "/dev/null")
    finally:
        claim.release()
    run.assert_outcomes(errors=1)
    run.stdout.fnmatch_lines([f"*another test run (process {os.getpid()}) has /dev/null*"])


def processes_with(text: str) -> list[int]:
    """The processes in whose environment or command line `text` stands."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            known = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if text.encode() in known and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder for temporary files with a short name: a socket's path may have some hundred bytes only."""
    with tempfile.TemporaryDirectory(prefix="hri-") as name:
        yield Path(name)


# Who runs these tests in a shell's background has Ctrl-C ignored, and so have all that they start.
_AT_A_TERMINAL = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("pytest", run_name="__main__", alter_sys=True)
"""


def test_ctrl_c_leaves_no_process_and_a_report_that_says_so(pytester: pytest.Pytester, scratch: Path) -> None:
    pytester.makepyfile("""
        import pathlib, time

        def test_before(hri_board): pass

        def test_it(hri_board, dut):
            dut.expect_exact("hri_device", timeout=30)
            pathlib.Path("begun").touch()
            time.sleep(100)
    """)
    running = subprocess.Popen(
        [sys.executable, "-c", _AT_A_TERMINAL, "--hri-board=unix", "--hri-report=report"],
        cwd=pytester.path,
        env=os.environ | {"TMPDIR": str(scratch)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A group of its own, which gets the signal as from a terminal.
        start_new_session=True,
    )
    try:
        end = time.monotonic() + _DEADLINE_S
        while not (pytester.path / "begun").exists() and time.monotonic() < end and running.poll() is None:
            time.sleep(0.05)
        begun = processes_with(f"{scratch}/hri-flash-")
        os.killpg(running.pid, signal.SIGINT)
        out, _ = running.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            # The whole group: what pytest started would outlive it.
            os.killpg(running.pid, signal.SIGKILL)
        running.wait(10)
    assert running.returncode == pytest.ExitCode.INTERRUPTED, out
    assert begun
    end = time.monotonic() + 20
    while processes_with(str(scratch)) and time.monotonic() < end:
        time.sleep(0.1)
    assert processes_with(str(scratch)) == []
    assert '"ending": "interrupted"' in (pytester.path / "report/report.json").read_text()


def test_workers_have_boards_of_their_own_and_one_that_dies_is_in_the_report(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(test_a=ONE, test_b=ONE, test_c="import os\ndef test_dies(hri_board): os._exit(3)\n")
    run = ran(pytester, "-n", "2", "--hri-board=unix", "--hri-report=report", "--junitxml=junit.xml")
    run.assert_outcomes(passed=2, failed=1)
    report = (pytester.path / "report/report.json").read_text()
    assert "crashed while running" in report
    assert report.count('"outcome": "passed"') == 2
    assert (pytester.path / "report/junit.xml").read_text().count('name="hri.chip.serial_number"') == 2


def test_a_project_that_does_not_use_it_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("""
        def pytest_addoption(parser):
            parser.addoption("--port", type=int, help="of the server under test")
    """)
    pytester.makepyfile("""
        import sys

        def test_it(pytestconfig):
            assert pytestconfig.getoption("port") == 8080
            loaded = {name for name in sys.modules if name.startswith("hri.")}
            assert loaded <= {"hri.testing", "hri.testing.plugin", "hri.testing.options", "hri.testing.stash"}
            assert not {"serial", "cryptography", "pydantic", "structlog"} & set(sys.modules)

        def test_another_plugins_port_is_no_board(hri_kind): raise AssertionError("not skipped")
    """)
    ran(pytester, "-p", "no:pytest_embedded", "--port", "8080").assert_outcomes(passed=1, skipped=1)


def test_without_pytest_embedded_all_but_dut_works(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ONE + "def test_dut(dut): pass\n")
    run = ran(pytester, "-p", "no:pytest_embedded", "--hri-board=unix")
    run.assert_outcomes(passed=1, errors=1)
    run.stdout.fnmatch_lines(["*pip install 'hri?pytest?'*"])


@pytest.mark.parametrize(
    ("module", "arguments"),
    [("rp2040py", ("--hri-board=rpi_pico",)), ("jinja2", ("--hri-board=unix", "--hri-report=report"))],
)
def test_what_is_not_installed_is_named(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, module: str, arguments: tuple[str, ...]
) -> None:
    # A name that is None in sys.modules is one that cannot be imported.
    pytester.path.joinpath("missing.py").write_text(f"import sys\nsys.modules[{module!r}] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(pytester.path), prepend=os.pathsep)
    pytester.makepyfile(ONE)
    run = ran(pytester, "-p", "missing", *arguments)
    assert run.ret != 0
    said = run.stdout.str() + run.stderr.str()
    assert module in said
    assert "pip install 'hri[" in said
    assert "INTERNALERROR" not in said


def test_a_report_folder_that_cannot_be_written_is_refused_before_any_test(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("file").write_text("")
    pytester.makepyfile(ONE)
    run = ran(pytester, "--hri-board=unix", "--hri-report=file/report")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(["ERROR: --hri-report: cannot use *"])


def test_a_key_that_others_can_read_is_refused_before_any_test(pytester: pytest.Pytester) -> None:
    key = pytester.path / "key.pem"
    make_key(key, {})
    key.chmod(0o644)
    pytester.makepyfile(ONE)
    run = ran(pytester, "--hri-board=unix", "--hri-report=report", "--hri-report-key=key.pem")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(
        ["ERROR: --hri-report: others can read the report key key.pem*chmod 600 key.pem"]
    )


def test_a_report_that_cannot_be_written_in_the_end_fails_the_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pathlib

        def test_it():
            pathlib.Path("report").rmdir()
            pathlib.Path("report").write_text("in the way")
    """)
    run = ran(pytester, "--hri-report=report")
    assert run.ret == pytest.ExitCode.INTERNAL_ERROR
    run.stdout.fnmatch_lines(["no report: cannot use *report*"])

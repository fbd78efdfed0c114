"""The pytest plugin in a project of somebody else's: its fixtures on virtual boards and on a real port."""

import sys
from collections.abc import Iterator

import pytest
from hri.rig.atecc import open_chip
from hri.rig.boards import Board, BoardClock, open_board
from hri.rig.bus import Bus
from hri.rig.firmware import device_package

pytestmark = pytest.mark.timeout(300)
_DEADLINE_S = 240

EVERY_FIXTURE = """
import pytest

def test_the_board_runs_a_script(hri_board):
    assert hri_board.virtual and hri_board.name == KIND
    assert hri_board.run("print(6 * 7)").strip() == "42"

def test_a_script_that_fails_is_told(hri_board):
    with pytest.raises(Exception, match="ZeroDivisionError"):
        hri_board.run("1 / 0")

def test_a_script_that_prints_for_ever_is_interrupted(hri_board, hri_device):
    with pytest.raises(Exception, match="past its deadline"):
        hri_board.run("while True: print('again')", deadline_s=1.0)
    assert hri_device.hello().stage == "blank"

def test_the_chip_is_the_one_that_the_board_finds(hri_chip, hri_device):
    assert hri_device.hello().element.serial_number.hex() == hri_chip.serial_number
    assert (hri_chip.facts.type, hri_chip.facts.config_locked) == ("atecc608b", False)
    assert hri_chip.state in ("asleep", "idle", "awake")

def test_a_device_gets_its_identity(hri_device, hri_bus, hri_clock, hri_chip):
    with hri_bus.counted() as counted, hri_clock.measured() as elapsed:
        assert hri_device.provision("sensor-1").device_id == "sensor-1"
    assert counted.wakes > 10 and counted.commands > 100 and counted.bytes > 5000
    assert 0 < elapsed.answering_us <= elapsed.us
    assert hri_device.authenticate()
    assert hri_chip.facts.data_locked

def test_a_fault_strikes_and_the_device_recovers(hri_device, hri_bus):
    with hri_bus.armed("flip@17"):
        assert hri_device.authenticate()
        assert [text.split(":")[0] for text in hri_bus.hits] == ["flip@17"]

def test_power_and_cable(hri_board, hri_device):
    hri_board.power_cycle()
    assert hri_device.authenticate()
    hri_device.hang_up()
    hri_board.detach()
    with pytest.raises(Exception, match="no such port"):
        hri_device.hello()
    hri_board.attach()
    assert hri_device.authenticate()

def test_dut_hears_the_board_boot_and_lets_others_use_the_port(dut, hri_board):
    dut.expect(r"hri_device [0-9.]+ on", timeout=30)
    assert hri_board.run("print(6 * 7)").strip() == "42"
    dut.expect(r"hri_device [0-9.]+ on", timeout=30)
    dut.serial.proc.write(b"\\x03\\x03")
    dut.expect_exact(">>> ", timeout=30)
    dut.write("print('a' + 'b')\\r")
    dut.expect_exact("ab", timeout=30)

def test_dut_hears_nothing_of_the_test_before(dut):
    import pexpect
    with pytest.raises(pexpect.TIMEOUT):
        dut.expect_exact("ab", timeout=1)

def test_a_fresh_board_has_another_chip(hri_fresh_board, hri_chip):
    assert hri_fresh_board.chip.serial_number != hri_chip.serial_number
    assert hri_fresh_board.device.hello().stage == "blank"

@pytest.mark.hri_virtual_only("a real board has no EEPROM to look into")
def test_the_virtual_chip_can_be_looked_into(hri_chip):
    assert hri_chip.virtual.eeprom.config[87] == 0
"""


@pytest.mark.parametrize("kind", ["unix", "rpi_pico"])
def test_every_fixture(pytester: pytest.Pytester, kind: str) -> None:
    pytester.makepyfile(f"KIND = {kind!r}\n{EVERY_FIXTURE}")
    run = pytester.runpytest_subprocess("--hri-board", kind, timeout=_DEADLINE_S)
    run.assert_outcomes(passed=EVERY_FIXTURE.count("\ndef test_"))


def test_the_projects_own_firmware_is_on_the_board(pytester: pytest.Pytester) -> None:
    pytester.makefile(".ini", pytest="[pytest]\nhri_firmware = board\nhri_compile = true\n")
    folder = pytester.mkdir("board")
    (folder / "main.py").write_text("import blink\nprint('blinked', blink.TIMES)\n")
    (folder / "blink.py").write_text("TIMES = 3\n")
    pytester.makepyfile("""
        def test_boots(dut):
            dut.expect_exact("blinked 3", timeout=30)

        def test_modules_are_compiled_and_hri_device_is_there(hri_board):
            said = hri_board.run("import os, hri_device; print(sorted(os.listdir()))")
            assert "'blink.mpy'" in said and "'main.py'" in said and "blink.py" not in said
    """)
    pytester.runpytest_subprocess("--hri-board=unix", timeout=_DEADLINE_S).assert_outcomes(passed=2)


def test_tests_run_on_each_board_and_with_another_chip(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_it(hri_board, hri_chip):
            assert hri_chip.facts.data_locked
            print("ran on", hri_board.name)
    """)
    run = pytester.runpytest_subprocess(
        "-s", "--hri-board", "unix,rpi_pico", "--hri-chip", "atecc608b-tngtls", timeout=_DEADLINE_S
    )
    run.assert_outcomes(passed=2)
    run.stdout.fnmatch_lines(["*ran on unix*", "*ran on rpi_pico*"])


def test_the_chips_time_is_as_asked(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_it(hri_bus, hri_clock, hri_device):
            hri_device.hello()
            with hri_clock.measured() as usual:
                hri_device.element.chip_info()
            hri_bus.arm("slow:50")
            with hri_clock.measured() as slow:
                hri_device.element.chip_info()
            assert slow.answering_us > 2 * usual.answering_us
    """)
    run = pytester.runpytest_subprocess("--hri-board=rpi_pico", "--hri-timing=typical", timeout=_DEADLINE_S)
    run.assert_outcomes(passed=1)


@pytest.fixture
def port() -> Iterator[str]:
    """A serial port on which a board answers, as a real one would; this process serves it."""
    with _served() as board:
        yield board.port


def _served() -> Board:
    clock = BoardClock()
    bus = Bus([open_chip(clock=clock)])
    return open_board("unix", bus=bus, package=device_package(), clock=clock)


ON_A_PORT = """
import pytest
from hri.errors import PolicyRefusal

def test_the_board(hri_board):
    assert not hri_board.virtual
    assert hri_board.run("print(6 * 7)").strip() == "42"

def test_the_chip_as_the_board_reports_it(hri_chip, hri_device):
    assert hri_chip.facts.type == "atecc608b"
    assert hri_device.hello().element.serial_number.hex() == hri_chip.serial_number

def test_nothing_is_locked_without_its_name(hri_device):
    with pytest.raises(Exception, match="authority that stays"):
        hri_device.provision()
    assert hri_device.hello().stage == "blank"

def test_dut(dut):
    dut.expect(r"hri_device [0-9.]+ on", timeout=30)

def test_reset(hri_board, hri_device):
    hri_board.reset()
    assert hri_device.hello().stage == "blank"

def test_wires(hri_bus): raise AssertionError("not skipped")
def test_time(hri_clock): raise AssertionError("not skipped")
def test_supply(hri_board): hri_board.power_cycle()
def test_cable(hri_board): hri_board.detach()
def test_fresh(hri_fresh_board): raise AssertionError("not skipped")
def test_virtual_chip(hri_chip): hri_chip.virtual

@pytest.mark.hri_virtual_only("looks into the chip")
def test_marked(hri_board): raise AssertionError("not skipped")
"""


def test_a_real_port(pytester: pytest.Pytester, port: str) -> None:
    pytester.makepyfile(ON_A_PORT)
    run = pytester.runpytest_subprocess("-rs", "--hri-port", port, timeout=_DEADLINE_S)
    run.assert_outcomes(passed=5, skipped=7)
    run.stdout.fnmatch_lines(["*its wires cannot be made to fail*on a real board*", "*looks into the chip*"])


def test_a_real_chip_is_locked_only_by_its_name(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    home = pytester.path / "home"
    pytester.makepyfile("""
        import pytest
        from hri.errors import PolicyRefusal

        def test_it(hri_device, pytestconfig):
            serial = hri_device.hello().element.serial_number.hex()
            named = pytestconfig.getoption("hri_lock_chip")
            if named == "any":
                with pytest.raises(PolicyRefusal, match=serial):
                    hri_device.provision()
                print("refused", serial)
            else:
                hri_device.provision()
                assert hri_device.authenticate()
    """)
    monkeypatch.setenv("HRI_CA_PASSPHRASE", "issuing words")
    monkeypatch.setenv("HRI_ROOT_PASSPHRASE", "root words")
    made = pytester.run(sys.executable, "-m", "hri.cli", "--home", home, "ca", "init", timeout=60)
    assert made.ret == 0
    common = ("-s", "--hri-port", port, "--hri-home", home)
    refused = pytester.runpytest_subprocess(*common, "--hri-lock-chip", "any", timeout=_DEADLINE_S)
    refused.assert_outcomes(passed=1)
    (serial,) = (line.split("refused ")[1] for line in refused.outlines if "refused " in line)
    done = pytester.runpytest_subprocess(*common, "--hri-lock-chip", serial.strip(), timeout=_DEADLINE_S)
    done.assert_outcomes(passed=1)


def test_a_real_board_is_written_to_only_when_asked(pytester: pytest.Pytester, port: str) -> None:
    folder = pytester.mkdir("board")
    (folder / "colour.py").write_text("COLOUR = 'green'\n")
    pytester.makepyfile("""
        def test_it(hri_board):
            assert hri_board.run("import colour; print(colour.COLOUR)").strip() == "green"
    """)
    common = ("--hri-port", port, "--hri-firmware", "board")
    refused = pytester.runpytest_subprocess(*common, timeout=_DEADLINE_S)
    refused.assert_outcomes(errors=1)
    refused.stdout.fnmatch_lines(
        ["*files on the board * are not those of --hri-firmware: colour.py*--hri-flash*"]
    )
    pytester.runpytest_subprocess(*common, "--hri-flash", timeout=_DEADLINE_S).assert_outcomes(passed=1)

"""What every virtual board does, the same for each: boot, talk, keep its files, lose its line."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import serial
from hri.boards import board_names as described_boards
from hri.rig.boards import Board, BoardClock, BoardError, bit_flips, board_names, open_board
from hri.rig.bus import Bus

_DEADLINE_S = 30.0
_CHIP = 0x60


class RecordingTarget:
    """Answers at one address with what was written to it, and keeps the times."""

    def __init__(self, clock: BoardClock) -> None:
        self._clock = clock
        self.pulses: list[float] = []
        self.starts: list[tuple[int, bool]] = []
        self.times: list[int] = []
        self.memory = bytearray()
        self.power_cycles = 0
        self._next = 0

    def wake_pulse(self, low_us: float) -> None:
        self.pulses.append(low_us)

    def start(self, address: int, read: bool) -> bool:
        if address != _CHIP:
            return False
        self.starts.append((address, read))
        self._next = 0
        if not read:
            self.memory.clear()
        return True

    def write_byte(self, value: int) -> bool:
        self.times.append(self._clock.now_us())
        self.memory.append(value)
        return True

    def read_byte(self) -> int:
        self._next += 1
        return self.memory[self._next - 1]

    def stop(self) -> None:
        pass

    def power_cycle(self) -> None:
        self.power_cycles += 1


class Rig:
    """One board with one target on its bus."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.flash = folder / "flash"
        self.clock = BoardClock()
        self.target = RecordingTarget(self.clock)

    def open(self, package: dict[str, bytes] | None = None) -> Board:
        bus = Bus([self.target], clock=self.clock)
        return open_board(self.name, bus=bus, flash=self.flash, package=package, clock=self.clock)


@pytest.fixture(params=["rpi_pico", "unix"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    return Rig(request.param, tmp_path)


@pytest.fixture
def board(rig: Rig) -> Iterator[Board]:
    with rig.open() as running:
        yield running


def mpremote(board: Board, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", board.port, *words],
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def read_until(port: serial.Serial, enough: Callable[[bytes], bool]) -> bytes:
    got = b""
    end = time.monotonic() + _DEADLINE_S
    while not enough(got):
        if time.monotonic() > end:
            pytest.fail(f"the board said only {got[-200:]!r}")
        got += port.read(max(1, port.in_waiting))
    return got


def console(board: Board) -> serial.Serial:
    return serial.Serial(board.port, timeout=0.1, write_timeout=_DEADLINE_S)


def prompt(port: serial.Serial) -> None:
    port.write(b"\r\x03")
    read_until(port, lambda got: got.endswith(b">>> "))
    # That may have been the first of two prompts; nothing comes after the answer to this.
    port.write(b"'pro''mpt'\r")
    read_until(port, lambda got: got.replace(b"\r", b"").endswith(b"\n'prompt'\n>>> "))


def test_every_described_board_can_be_opened() -> None:
    assert board_names() == described_boards()


def test_mpremote_runs_code(board: Board) -> None:
    assert mpremote(board, "exec", "print(1 + 1)").strip() == "2"


def test_mpremote_works_again_after_the_port_was_closed(board: Board) -> None:
    mpremote(board, "exec", "kept = 41")
    assert mpremote(board, "resume", "exec", "print(kept + 1)").strip() == "42"


def test_a_device_error_reaches_the_host(board: Board) -> None:
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        mpremote(board, "exec", "1 / 0")


def test_files_travel_both_ways(board: Board, tmp_path: Path) -> None:
    source, back = tmp_path / "a.bin", tmp_path / "b.bin"
    source.write_bytes(bytes(range(256)) * 5)
    mpremote(board, "fs", "cp", str(source), ":data.bin")
    mpremote(board, "fs", "cp", ":data.bin", str(back))
    assert back.read_bytes() == source.read_bytes()
    assert "data.bin" in mpremote(board, "fs", "ls")


def test_files_outlive_power(board: Board) -> None:
    mpremote(board, "exec", "f = open('kept.txt', 'w'); f.write('here'); f.close()")
    board.power_cycle()
    assert mpremote(board, "exec", "print(open('kept.txt').read())").strip() == "here"


def test_files_outlive_the_process_that_serves_the_board(rig: Rig) -> None:
    with rig.open() as board:
        mpremote(board, "exec", "f = open('kept.txt', 'w'); f.write('here'); f.close()")
    with rig.open() as board:
        assert mpremote(board, "exec", "print(open('kept.txt').read())").strip() == "here"


def test_the_package_is_placed_and_main_runs(rig: Rig) -> None:
    package = {
        "greeting/__init__.py": b"WORD = 'ready'\n",
        "main.py": b"import greeting\nran = greeting.WORD\n",
    }
    with rig.open(package) as board, console(board) as port:
        prompt(port)
        port.write(b"print(ran * 2)\r")
        read_until(port, lambda got: b"readyready" in got)


def test_a_changed_package_replaces_the_old_one(rig: Rig) -> None:
    with rig.open({"version.py": b"V = 1\n"}) as board:
        assert mpremote(board, "exec", "import version; print(version.V)").strip() == "1"
    with rig.open({"version.py": b"V = 22\n"}) as board:
        assert mpremote(board, "exec", "import version; print(version.V)").strip() == "22"


def test_ctrl_c_stops_a_running_main(rig: Rig) -> None:
    with rig.open({"main.py": b"n = 0\nwhile True:\n    n += 1\n"}) as board:
        assert mpremote(board, "exec", "print('free')").strip() == "free"


def test_every_byte_passes_both_ways(board: Board) -> None:
    every = bytes(range(256))
    with console(board) as port:
        prompt(port)
        port.write(
            b"import sys, micropython\r"
            b"def echo():\r micropython.kbd_intr(-1)\r sys.stdout.write('go')\r n = 0\r while n < 256:\r"
            b"  b = sys.stdin.buffer.read(1)\r  n += sys.stdout.buffer.write(b)\r micropython.kbd_intr(3)\r"
            b"\x7f\x7f\r\recho()\r"
        )
        read_until(port, lambda got: got.endswith(b"echo()\r\ngo"))
        port.write(every)
        got = read_until(port, lambda got: b">>> " in got[256:])
    assert got[:256] == every


def test_a_reset_starts_main_again_and_leaves_the_chips_powered(rig: Rig) -> None:
    counting = b"f = open('boots', 'a'); f.write('x'); f.close()\n"
    with rig.open({"main.py": counting}) as board:
        mpremote(board, "exec", "pass")
        before = len(mpremote(board, "resume", "exec", "print(open('boots').read())").strip())
        board.reset()
        with console(board) as port:
            prompt(port)
        after = len(mpremote(board, "resume", "exec", "print(open('boots').read())").strip())
        assert after == before + 1
        assert rig.target.power_cycles == 0


def test_a_reset_by_the_guest_comes_back(board: Board) -> None:
    mpremote(board, "reset")
    assert mpremote(board, "exec", "print('back')").strip() == "back"


def test_a_power_cycle_reaches_the_chips(rig: Rig) -> None:
    with rig.open() as board:
        board.power_cycle()
        assert rig.target.power_cycles == 1
        assert mpremote(board, "exec", "print('back')").strip() == "back"


def test_a_board_without_power_is_silent(board: Board) -> None:
    board.cut_power()
    with console(board) as port:
        port.write(b"\r\x03print(1)\r")
        assert port.read(1) == b""
    board.restore_power()
    assert mpremote(board, "exec", "print('back')").strip() == "back"


def test_a_cut_line_loses_bytes_and_a_restored_one_works(board: Board) -> None:
    with console(board) as port:
        prompt(port)
        board.link.cut()
        port.write(b"print('lost')\r")
        assert port.read(1) == b""
        board.link.restore()
        prompt(port)


def test_a_pulled_cable_hangs_up_and_the_same_path_works_again(board: Board) -> None:
    path = board.port
    with console(board) as port:
        prompt(port)
        board.link.cut(hang_up=True)
        with pytest.raises((OSError, serial.SerialException)):
            read_until(port, lambda _: False)
    assert not Path(path).exists()
    board.link.restore()
    assert board.port == path
    assert mpremote(board, "exec", "print('back')").strip() == "back"


def test_corruption_is_applied_to_one_direction_and_ends_with_restore(board: Board) -> None:
    with console(board) as port:
        prompt(port)
        board.link.corrupt(to_host=bit_flips(seed=1, one_in=1))
        port.write(b"1\r")
        assert b"1\r\n" not in read_until(port, lambda got: len(got) >= 5)
        board.link.restore()
        prompt(port)


def test_a_stopped_board_refuses_to_be_reset(rig: Rig) -> None:
    board = rig.open()
    board.start()
    board.stop()
    with pytest.raises(BoardError, match="not running"):
        board.reset()
    assert not Path(board.port).exists()

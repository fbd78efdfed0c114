# What a board's firmware does around the user's program, which the unix port of MicroPython lacks: run
# boot.py and main.py from the flash, then offer the friendly prompt and the raw REPL on standard input.
#
# The host restarts this process for a reset; the exit status says which kind (_SOFT_RESET and the others).
# Keyboard interrupts come from the terminal (ISIG), switched as on a board: off at a prompt, on in a program.

import os
import sys
import termios

import machine as _machine
import micropython as _micropython
import vfs
from micropython import const

_SOFT_RESET = const(64)
_SOFT_RESET_RAW = const(65)
_HARD_RESET = const(66)

_ISIG = const(1)
_LFLAG = const(3)
_CC = const(6)
_VINTR = const(0)

_CTRL_A = const(1)
_CTRL_B = const(2)
_CTRL_C = const(3)
_CTRL_D = const(4)
_CTRL_E = const(5)

_RAW_BANNER = "raw REPL; CTRL-B to exit\r\n"

_read = sys.stdin.buffer.read
_write = sys.stdout.write


def kbd_intr(char):
    # The built-in one would make SIGINT deadly; here the terminal decides whether there is a signal at all.
    mode = termios.tcgetattr(0)
    if char < 0:
        mode[_LFLAG] &= ~_ISIG
    else:
        mode[_LFLAG] |= _ISIG
        mode[_CC][_VINTR] = bytes([char])
    termios.tcsetattr(0, 0, mode)


class _Overlay:
    # Stands in sys.modules for a built-in module, with some names replaced.
    def __init__(self, module, **names):
        for name in dir(module):
            if name != "__class__":
                setattr(self, name, getattr(module, name))
        for name in names:
            setattr(self, name, names[name])


def _reset(*_):
    raise SystemExit(_HARD_RESET)


def _soft_reset():
    raise SystemExit(_SOFT_RESET)


def _install(cause):
    # A board has reset causes and a reset; constants as on the RP2040.
    sys.modules["micropython"] = _Overlay(_micropython, kbd_intr=kbd_intr)
    sys.modules["machine"] = _Overlay(
        _machine,
        reset=_reset,
        soft_reset=_soft_reset,
        reset_cause=lambda: cause,
        PWRON_RESET=1,
        WDT_RESET=3,
    )


def _mount(flash):
    # From here on "/" is the board's flash, as on a board, and the host's files are out of sight.
    vfs.umount("/")
    vfs.mount(vfs.VfsPosix(flash), "/")
    os.chdir("/")
    sys.path[:] = ["", ".frozen", "/lib"]


def _byte():
    got = _read(1)
    if not got:
        # The host closed the terminal: the board has no power any more.
        raise SystemExit(0)
    return got[0]


def _soft_reboot(raw):
    _write("MPY: soft reboot\r\n")
    raise SystemExit(_SOFT_RESET_RAW if raw else _SOFT_RESET)


def _execute(source, name, mode, names, before_traceback=""):
    # SystemExit passes through: from a program it means a soft reset, as on a board.
    failed = None
    kbd_intr(_CTRL_C)
    try:
        exec(compile(source, name, mode), names)  # noqa: S102 - that is what a prompt is for
    except Exception as error:  # noqa: BLE001 - every one is shown, none ends the board
        failed = error
    except KeyboardInterrupt as error:
        failed = error
    finally:
        kbd_intr(-1)
    _write(before_traceback)
    if failed is not None:
        sys.print_exception(failed)


def _run_file(name, names):
    try:
        with open(name) as file:
            source = file.read()
    except OSError:
        return
    _execute(source, name, "exec", names)


def _raw(names):
    # True when the host asks for the friendly prompt, MicroPython docs "The MicroPython Interactive
    # Interpreter Mode", section "Raw mode and raw-paste mode".
    _write(_RAW_BANNER)
    _write(">")
    source = bytearray()
    while True:
        char = _byte()
        if char == _CTRL_A:
            source = bytearray()
            _write("\r\n" + _RAW_BANNER + ">")
        elif char == _CTRL_B:
            _write("\r\n")
            return
        elif char == _CTRL_C:
            source = bytearray()
        elif char == _CTRL_D:
            _write("OK")
            if not source:
                _write("\r\n")
                _soft_reboot(True)
            _execute(source.decode(), "<stdin>", "exec", names, "\x04")
            _write("\x04>")
            source = bytearray()
        elif char == _CTRL_E and not source:
            # A request for raw-paste, Ctrl-E "A" Ctrl-A: understood, not supported.
            _byte()
            _byte()
            _write("R\x00")
        else:
            source.append(char)


def _line(prompt):
    # One edited line, or the control character that ended it.
    _write(prompt)
    line = bytearray()
    while True:
        char = _byte()
        if char in (10, 13):
            _write("\r\n")
            return line.decode()
        if char in (_CTRL_A, _CTRL_B, _CTRL_C) or (char == _CTRL_D and not line):
            return char
        if char in (8, 127):
            if line:
                line = line[:-1]
                _write("\b \b")
        elif char >= 32 or char == 9:
            line.append(char)
            sys.stdout.buffer.write(bytes([char]))


def _banner():
    _write("MicroPython " + sys.version.split("; ")[1].replace("MicroPython ", "") + "; unix board\r\n")
    _write('Type "help()" for more information.\r\n')


def _friendly(names):
    _banner()
    while True:
        line = _line(">>> ")
        if line == _CTRL_A:
            return
        if line == _CTRL_B:
            _write("\r\n")
            _banner()
        elif line == _CTRL_C:
            _write("\r\n")
        elif line == _CTRL_D:
            _write("\r\n")
            _soft_reboot(False)
        elif line.strip():
            block = line
            while line != _CTRL_C and (block.rstrip().endswith(":") or "\n" in block) and line:
                line = _line("... ")
                if not isinstance(line, str):
                    block = ""
                    break
                block += "\n" + line
            if block:
                _execute(block + "\n", "<stdin>", "single", names)


def _main():
    kbd_intr(-1)
    raw = os.getenv("HRI_BOOT") == "raw"
    _install(int(os.getenv("HRI_RESET_CAUSE") or "1"))
    _mount(os.getenv("HRI_FLASH"))
    names = {"__name__": "__main__"}
    _run_file("boot.py", names)
    if not raw:
        _run_file("main.py", names)
    while True:
        if raw:
            _raw(names)
        else:
            _friendly(names)
        raw = not raw


try:
    _main()
except SystemExit as stop:
    code = stop.value
    # A program's own sys.exit() ends in a soft reset, as on a board.
    sys.exit(code if code in (0, _SOFT_RESET, _SOFT_RESET_RAW, _HARD_RESET) else _SOFT_RESET)

"""The buses and byte streams of each runtime, on stand-ins for what only a board has."""

import importlib
import os
import pty
import socket
import sys
import termios
import threading
import time
from types import SimpleNamespace

import pytest
from hri_device.ports import circuitpython, cpython, reset_words
from hri_device.ports.console import Console


def nack(*_args):
    raise OSError(19)


# MicroPython on a microcontroller


class FakeI2C:
    log: list
    takes = 256

    def __init__(self, id, *, scl, sda, freq):
        self.log.append(("open", id, scl, sda, freq))

    def writeto(self, address, buf):
        self.log.append(("write", address, bytes(buf)))
        if address == 0:
            raise OSError(5)
        # As the rp2 port: a byte that is refused shows in the count alone.
        return min(len(buf), self.takes)

    def readfrom_into(self, address, buf):
        self.log.append(("read", address, len(buf)))
        buf[:] = b"\x5a" * len(buf)


@pytest.fixture
def micropython(monkeypatch):
    """The port module, imported against a fake `machine`; yields (module, log, interrupt characters)."""
    log, interrupts = [], []
    FakeI2C.log = log
    machine = SimpleNamespace(Pin=lambda n: f"pin{n}", I2C=FakeI2C, reset_cause=lambda: 3, WDT_RESET=3)
    builtin = SimpleNamespace(const=int, kbd_intr=interrupts.append)
    monkeypatch.setitem(sys.modules, "machine", machine)
    monkeypatch.setitem(sys.modules, "micropython", builtin)
    for name in ("sleep_us", "ticks_ms", "ticks_diff"):
        monkeypatch.setattr(time, name, getattr(cpython, name), raising=False)
    module = importlib.import_module("hri_device.ports.micropython")
    yield module, log, interrupts
    del sys.modules["hri_device.ports.micropython"]


def test_micropython_wakes_at_100_khz_and_goes_on_at_400(micropython):
    module, log, _ = micropython
    bus = module.I2CBus()
    bus.wake()
    bus.write(0x60, b"\x03")
    buf = bytearray(4)
    bus.read_into(0x60, memoryview(buf))
    assert log == [
        ("open", 0, "pin1", "pin0", 400_000),
        ("open", 0, "pin1", "pin0", 100_000),
        ("write", 0, b"\0"),
        ("open", 0, "pin1", "pin0", 400_000),
        ("write", 0x60, b"\x03"),
        ("read", 0x60, 4),
    ]
    assert buf == b"\x5a" * 4


@pytest.mark.parametrize("takes", [0, 1, 2])
def test_micropython_raises_where_a_byte_is_refused(micropython, monkeypatch, takes):
    monkeypatch.setattr(FakeI2C, "takes", takes)
    with pytest.raises(OSError, match="5"):
        micropython[0].I2CBus().write(0x60, b"abc")


def test_micropython_leaves_a_slow_bus_as_it_is(micropython):
    module, log, _ = micropython
    module.I2CBus(1, 7, 6, 100_000).wake()
    assert log == [("open", 1, "pin7", "pin6", 100_000), ("write", 0, b"\0")]


def test_micropython_says_why_it_started(micropython):
    assert micropython[0].reset_cause() == "watchdog"


def test_micropython_switches_the_consoles_ctrl_c(micropython):
    module, _, interrupts = micropython
    with open(os.devnull, "rb") as null:
        stream = module._Console(null, None, null)
        stream.kbd_intr(False)
        stream.kbd_intr(True)
    assert interrupts == [-1, 3]


@pytest.mark.parametrize(("value", "words"), [(1, "power-on"), (4, "soft reset"), (9, "unknown")])
def test_a_reset_cause_is_told_in_words(value, words):
    machine = SimpleNamespace(reset_cause=lambda: value, PWRON_RESET=1, SOFT_RESET=4)
    assert reset_words(machine) == words


# CircuitPython


class FakeBusio:
    def __init__(self, free=True):
        self.free = free
        self.locked = False
        self.log = []

    def try_lock(self):
        self.locked = self.free
        return self.free

    def unlock(self):
        self.locked = False

    def writeto(self, address, buf):
        assert self.locked
        self.log.append((address, bytes(buf)))
        if address != 0x60:
            nack()

    def readfrom_into(self, address, buf):
        assert self.locked
        buf[:] = b"\xa5" * len(buf)
        if address != 0x60:
            nack()


def test_circuitpython_locks_the_bus_around_every_transfer():
    i2c = FakeBusio()
    bus = circuitpython.I2CBus(i2c)
    buf = bytearray(2)
    bus.write(0x60, b"\x03")
    bus.read_into(0x60, buf)
    bus.wake()
    assert i2c.log == [(0x60, b"\x03"), (0, b"\0")]
    assert buf == b"\xa5\xa5"
    assert not i2c.locked


@pytest.mark.parametrize("transfer", ["write", "read_into"])
def test_circuitpython_frees_the_bus_where_nobody_acknowledges(transfer):
    i2c = FakeBusio()
    with pytest.raises(OSError, match="19"):
        getattr(circuitpython.I2CBus(i2c), transfer)(0x61, bytearray(1))
    assert not i2c.locked


def test_circuitpython_gives_up_a_bus_that_stays_locked(monkeypatch):
    clock = iter(range(0, 100_000, 10))
    monkeypatch.setattr(circuitpython, "ticks_ms", lambda: next(clock))
    with pytest.raises(OSError, match="stays locked"):
        circuitpython.I2CBus(FakeBusio(free=False)).write(0x60, b"")


def test_circuitpython_ticks_wrap_without_a_jump():
    assert circuitpython.ticks_diff(5, 0x1FFFFFFB) == 10
    assert circuitpython.ticks_diff(0x1FFFFFFB, 5) == -10


class FakeUsbSerial:
    def __init__(self, data):
        self.data = data
        self.written = b""
        self.timeout = None

    @property
    def in_waiting(self):
        return len(self.data)

    def readinto(self, buf):
        part, self.data = self.data[: len(buf)], self.data[len(buf) :]
        buf[: len(part)] = part
        return len(part) or None

    def write(self, data):
        self.written += data


def test_circuitpython_serial_reads_what_is_there():
    port = FakeUsbSerial(b"abc")
    stream = circuitpython.UsbSerial(port)
    buf = bytearray(2)
    assert stream.wait(0)
    assert (stream.read_into(buf), bytes(buf)) == (2, b"ab")
    assert (stream.read_into(buf), buf[:1]) == (1, b"c")
    assert not stream.wait(0)
    assert stream.read_into(buf) == 0
    stream.write(b"xyz")
    assert port.written == b"xyz"
    assert port.timeout == 0  # a read never waits for the buffer to fill


@pytest.mark.parametrize("data", [None, FakeUsbSerial(b"")])
def test_circuitpython_prefers_the_serial_line_without_ctrl_c(monkeypatch, data):
    console = FakeUsbSerial(b"")
    monkeypatch.setitem(sys.modules, "usb_cdc", SimpleNamespace(data=data, console=console))
    stream = circuitpython.serial_stream()
    stream.write(b"x")
    assert (data or console).written == b"x"


def test_circuitpython_says_why_it_started(monkeypatch):
    cpu = SimpleNamespace(reset_reason="microcontroller.ResetReason.POWER_ON")
    monkeypatch.setitem(sys.modules, "microcontroller", SimpleNamespace(cpu=cpu))
    assert circuitpython.reset_cause() == "power on"


# CPython and the unix port


class BusServer:
    """Answers each connection from its own list of (request, reply) and then closes it."""

    def __init__(self, *connections):
        self._connections = connections
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10)
        self.address = self._listener.getsockname()
        self.wrong = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exc):
        self._thread.join(10)
        self._listener.close()
        assert not self._thread.is_alive()
        assert self.wrong == []

    def _serve(self):
        for exchanges in self._connections:
            connection, _ = self._listener.accept()
            connection.settimeout(10)
            with connection:
                for request, reply in exchanges:
                    received = b""
                    while len(received) < len(request):
                        received += connection.recv(len(request) - len(received))
                    if received != request:
                        self.wrong.append((received, request))
                    # In two parts, as a network may.
                    connection.sendall(reply[:2])
                    connection.sendall(reply[2:])


def test_socket_bus_speaks_the_design_s_protocol():
    exchanges = [
        (b"K\0\0\0", b"\0\0\0"),
        (b"W\x60\0\x03abc", b"\0\0\0"),
        (b"R\x60\x01\x04", b"\0\x01\x04" + bytes(260)),
        (b"P\0\0\0", b"\0\0\0"),
    ]
    buf = bytearray(b"\xff" * 260)
    with BusServer(exchanges) as server:
        bus = cpython.SocketBus(*server.address)
        bus.wake()
        bus.write(0x60, memoryview(b"abc"))
        bus.read_into(0x60, memoryview(buf))
        bus.power_cycle()
        bus.close()
    assert buf == bytes(260)


@pytest.mark.parametrize(("status", "words"), [(1, "address"), (2, "data")])
def test_socket_bus_raises_where_nobody_acknowledges_and_goes_on(status, words):
    exchanges = [(b"W\x60\0\x01a", bytes((status, 0, 0))), (b"W\x60\0\x01a", b"\0\0\0")]
    with BusServer(exchanges) as server:
        bus = cpython.SocketBus(*server.address)
        with pytest.raises(OSError, match=f"{words} not acknowledged"):
            bus.write(0x60, b"a")
        bus.write(0x60, b"a")
        bus.close()


def test_socket_bus_connects_anew_after_a_lost_connection():
    with BusServer([(b"W\x60\0\x01a", b"\0")], [(b"W\x60\0\x01b", b"\0\0\0")]) as server:
        bus = cpython.SocketBus(*server.address)
        with pytest.raises(OSError, match="closed the connection"):
            bus.write(0x60, b"a")
        bus.write(0x60, b"b")
        bus.close()


def test_socket_bus_refuses_a_reply_of_another_length():
    with BusServer([(b"R\x60\0\x04", b"\0\0\x03abc")]) as server:
        bus = cpython.SocketBus(*server.address)
        with pytest.raises(OSError, match="another length"):
            bus.read_into(0x60, bytearray(4))


def test_socket_bus_without_a_server_is_an_oserror():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    with pytest.raises(OSError, match="refused"):
        cpython.SocketBus(*address).wake()


@pytest.mark.parametrize("value", [None, "", "nonsense", ":1"])
def test_hri_bus_must_name_a_host_and_a_port(monkeypatch, value):
    monkeypatch.delenv("HRI_BUS", raising=False)
    if value is not None:
        monkeypatch.setenv("HRI_BUS", value)
    with pytest.raises(ValueError, match="HRI_BUS"):
        cpython.bus_from_environment()


def test_hri_bus_is_taken_from_the_environment(monkeypatch):
    with BusServer([(b"K\0\0\0", b"\0\0\0")]) as server:
        monkeypatch.setenv("HRI_BUS", "{}:{}".format(*server.address))
        bus = cpython.bus_from_environment()
        bus.wake()
        bus.close()


def test_a_program_without_a_supervisor_was_just_started(monkeypatch):
    monkeypatch.setitem(sys.modules, "machine", None)
    assert cpython.reset_cause() == "process"


def test_a_supervisor_says_why_it_started_the_program(monkeypatch):
    machine = SimpleNamespace(reset_cause=lambda: 1, PWRON_RESET=1)
    monkeypatch.setitem(sys.modules, "machine", machine)
    assert cpython.reset_cause() == "power-on"


@pytest.fixture
def pipe():
    read_end, write_end = os.pipe()
    with open(read_end, "rb", buffering=0) as source, open(write_end, "wb", buffering=0) as sink:
        yield source, sink


def test_the_console_reads_what_is_there_and_no_more(pipe):
    source, sink = pipe
    console = Console(source, None, source)
    assert not console.wait(0)
    sink.write(b"abc")
    buf = bytearray(8)
    assert console.wait(0)
    assert console.read_into(memoryview(buf)[:2]) == 2
    assert console.read_into(buf) == 1
    assert buf[:2] == b"cb"
    assert console.read_into(buf) == 0


def test_a_closed_console_reads_as_nothing(pipe):
    source, sink = pipe
    sink.close()
    console = Console(source, None, source)
    assert console.wait(0)
    assert console.read_into(bytearray(4)) == 0


class Standard:
    """What sys.stdin or sys.stdout is, over an unbuffered file."""

    def __init__(self, raw):
        self.buffer = SimpleNamespace(raw=raw)
        self.fileno = raw.fileno


def test_the_terminal_passes_every_byte_while_ctrl_c_is_off(monkeypatch):
    master, slave = pty.openpty()
    saved = os.dup(0)
    os.dup2(slave, 0)
    try:
        with open(slave, "r+b", buffering=0) as terminal:
            monkeypatch.setattr(sys, "stdin", Standard(terminal))
            monkeypatch.setattr(sys, "stdout", Standard(terminal))
            before = termios.tcgetattr(0)
            stream = cpython.serial_stream()
            stream.kbd_intr(False)
            stream.kbd_intr(False)
            every = bytes(range(256))
            os.write(master, every)
            buf = bytearray(256)
            count = 0
            while count < len(every) and stream.wait(5000):
                count += stream.read_into(memoryview(buf)[count:])
            assert buf == every
            stream.write(every)
            echoed = b""
            while len(echoed) < len(every):
                echoed += os.read(master, len(every) - len(echoed))
            assert echoed == every
            stream.kbd_intr(True)
            assert termios.tcgetattr(0) == before
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(master)


def test_without_a_terminal_there_is_no_ctrl_c_to_switch(monkeypatch, pipe):
    source, _sink = pipe
    saved = os.dup(0)
    os.dup2(source.fileno(), 0)
    try:
        monkeypatch.setattr(sys, "stdin", Standard(source))
        stream = cpython.serial_stream()
        stream.kbd_intr(False)
        stream.kbd_intr(True)
        assert not stream.wait(0)
    finally:
        os.dup2(saved, 0)
        os.close(saved)

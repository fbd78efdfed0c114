"""Traces of served buses and boards: recorded, looked at while they run, replayed to the driver over TCP."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hri.rig.bus_control_client import RemoteControl
from hri.rig.trace import Exchange, Transfer, decode, load
from hri.rig.trace.file import from_dict
from hri_device.atecc.element import ATECC608
from hri_device.errors import SecureElementError
from hri_device.ports.cpython import SocketBus
from system.test_rig_faults import place
from system.test_rig_serve import run, serving

pytestmark = pytest.mark.timeout(240)
DEADLINE_S = 60
DIGEST = bytes(range(32))


@contextmanager
def replaying(file: Path) -> Iterator[tuple[dict, subprocess.Popen]]:
    """Run `hri rig replay`; yields what it said first, and the process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hri.cli", "--json", "rig", "replay", str(file), "--for", str(DEADLINE_S)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield json.loads(process.stdout.readline()), process
    finally:
        process.kill()
        process.wait(DEADLINE_S)
        process.stdout.close()


@contextmanager
def driver(listen: str) -> Iterator[ATECC608]:
    """Our driver on CPython, through its own bus over TCP."""
    bus = SocketBus(*place(listen))
    try:
        yield ATECC608(bus, 0x35)
    finally:
        bus.close()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trace of a signature by a served chip, held against what the bus counted and what others saw."""
    file = tmp_path_factory.mktemp("trace") / "sign.jsonl"
    options = ("--chip", "atecc608b-tngtls", "--trace", str(file), "--control", "127.0.0.1:0")
    with serving("bus", *options) as said, RemoteControl(*place(said["control"])) as control:
        assert said["trace"] == str(file)
        following = control.trace()["next"]
        with driver(said["listen"]) as element:
            element.sign(0, DIGEST)
        counted = control.counters()
        seen = control.trace(following)
    trace = load(file)
    assert (trace.header.chip, trace.header.clock) == ("atecc608b-tngtls", "host")
    transfers = [item for item in trace.transactions if isinstance(item, Transfer)]
    assert sum(transfer.bus_bytes for transfer in transfers) == counted["bytes"]
    assert tuple(from_dict(item) for item in seen["transactions"]) == trace.transactions
    assert [step.command.name for step in decode(transfers) if isinstance(step, Exchange)] == [
        "Nonce",
        "Sign",
    ]
    return file


def test_a_driver_that_follows_ends_a_replay_with_status_0(recorded: Path) -> None:
    with replaying(recorded) as (said, process):
        assert (said["address"], said["commands"]) == ("35", 2)
        with driver(said["listen"]) as element:
            signature = element.sign(0, DIGEST)
        verdict = json.loads(process.stdout.readline())
        assert process.wait(DEADLINE_S) == 0
    assert (verdict["followed"], verdict["commands"]) == (True, 2)
    (sign,) = (
        step
        for step in decode(load(recorded).transactions)
        if isinstance(step, Exchange) and step.command.name == "Sign"
    )
    assert signature == sign.reply.payload


def test_a_driver_that_does_otherwise_ends_it_with_status_1_and_the_reason(recorded: Path) -> None:
    with replaying(recorded) as (said, process):
        with driver(said["listen"]) as element, pytest.raises(SecureElementError):
            element.sign(1, DIGEST)
        verdict = json.loads(process.stdout.readline())
        assert process.wait(DEADLINE_S) == 1
    assert verdict["divergence"]["words"] == (
        "command 2: expected Sign external, TempKey, slot 0, got Sign external, TempKey, slot 1; "
        "byte 4 (Param2): expected 00, got 01; the last that agreed was Nonce fixed, 32 bytes to TempKey"
    )


def test_a_driver_that_never_comes_ends_it_with_status_1(recorded: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hri.cli", "rig", "replay", str(recorded), "--for", "0.2"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 1
    assert "the driver stopped after 0 of 2 commands; next is a wake pulse" in done.stdout


def test_the_emulated_boards_trace_has_the_time_of_every_bit(tmp_path: Path) -> None:
    file = tmp_path / "trace"
    with serving("serve", "--board", "rpi_pico", "--timing", "typical", "--trace", str(file)) as said:
        run("hri.cli", "--home", str(tmp_path), "--json", "chip", "info", "--port", said["port"])
    trace = load(file)
    assert (trace.header.board, trace.header.clock) == ("rpi_pico", "board")
    whole = [item for item in trace.transactions if isinstance(item, Transfer) and item.data]
    assert len(whole) > 10
    for transfer in whole:
        # Start, nine bits for the address and for each byte, stop; times are in whole microseconds.
        bits = 1 + 9 * transfer.bus_bytes + 1
        assert transfer.end_us - transfer.time_us >= bits * 1e6 / transfer.scl_hz - 3
    assert all(before.end_us <= after.time_us + 3 for before, after in pairwise(whole))
    reads = [step for step in decode(trace.transactions) if isinstance(step, Exchange)]
    assert all(step.succeeded and step.busy_us >= 100 for step in reads if step.command.name == "Read")


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_served(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hri.cli", "--json", "rig", "bus", "--trace", str(tmp_path / "no" / "file")],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "no such file" in json.loads(done.stderr)["error"]["message"]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_who_reads_only_the_first_lines_ends_it_quietly(
    recorded: Path, tmp_path: Path, options: tuple
) -> None:
    header, *lines = recorded.read_text().splitlines(keepends=True)
    long = tmp_path / "long"
    long.write_text(header + "".join(lines) * 200)
    process = subprocess.Popen(
        [sys.executable, "-m", "hri.cli", *options, "rig", "trace", str(long)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.read(20)
        process.stdout.close()
        assert process.wait(DEADLINE_S) == 0
        assert "error" not in process.stderr.read()
    finally:
        process.kill()
        process.stderr.close()

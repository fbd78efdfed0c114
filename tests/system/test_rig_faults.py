"""`hri rig bus` and `hri rig serve` with faults: armed at the start, by the control socket, repeated."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hri.rig.bus_client import RemoteBus
from hri.rig.bus_control_client import RemoteControl
from system.test_rig_serve import serving

pytestmark = pytest.mark.timeout(240)
ADDRESS = 0x60
INFO = bytes.fromhex("03 07 30 00 00 00 03 5d")
REVISION = bytes.fromhex("07 00 00 60 03 83 bb")


def place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def refused(*arguments: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "hri.cli", "--json", "rig", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    return json.loads(done.stderr)["error"]


def transcript(said: dict) -> list:
    """What one client sees of a bus that goes wrong."""
    seen = []
    with RemoteBus(*place(said["listen"])) as bus:
        for _ in range(200):
            bus.wake()
            seen.append((bus.write(ADDRESS, INFO), *bus.read(ADDRESS, 7)))
            bus.write(ADDRESS, b"\x01")
    return seen


def test_a_run_is_repeated_from_the_line_it_printed() -> None:
    campaign = ("--fault", "random:0.02:flip+drop+nack+truncate+power")
    with serving("bus", *campaign) as said:
        first = transcript(said)
    assert any(answer != (0, 0, REVISION) for answer in first)
    again = [word for text in said["faults"] for word in ("--fault", text)]
    with serving("bus", *again, "--fault-seed", str(said["fault_seed"])) as said:
        assert transcript(said) == first
    with serving("bus", *again, "--fault-seed", str(said["fault_seed"] + 1)) as said:
        assert transcript(said) != first


def test_faults_come_and_go_while_a_bus_is_served() -> None:
    with (
        serving("bus", "--control", "127.0.0.1:0") as said,
        RemoteBus(*place(said["listen"])) as bus,
        RemoteControl(*place(said["control"])) as control,
    ):
        bus.wake()
        control.arm("nack@1.0x2", "flip@10:bit7")
        assert [bus.write(ADDRESS, INFO) for _ in range(3)] == [1, 1, 0]
        assert bus.read(ADDRESS, 7) == (0, REVISION[:1] + b"\x80" + REVISION[2:])
        assert [hit["fault"] for hit in control.hits()] == ["nack@1.0", "nack@1.0", "flip@10:bit7"]
        control.power_off()
        bus.wake()
        assert bus.read(ADDRESS, 4) == (1, b"")
        control.power_on()
        control.clear()
        bus.wake()
        assert bus.write(ADDRESS, INFO) == 0
        assert bus.read(ADDRESS, 7) == (0, REVISION)


def test_a_slow_chip_is_served() -> None:
    with (
        serving("bus", "--timing", "2", "--fault", "slow:10000") as said,
        RemoteBus(*place(said["listen"])) as bus,
    ):
        bus.wake()
        # A wake-up of twenty seconds is not over yet.
        assert bus.read(ADDRESS, 4) == (1, b"")


@pytest.mark.parametrize("command", ["bus", "serve"])
@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--fault", "flop@3"), "drop@POSITION"),
        (("--fault", "slow:4"), "--timing typical"),
        (("--fault", "flip@3", "--fault-seed", "-1"), "fault-seed"),
        (("--control", "nowhere"), "HOST:PORT"),
        (("--timing", "soon"), "timing"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_served(command: str, options: tuple, why: str) -> None:
    assert why in json.dumps(refused(command, *options))


def test_a_bad_fault_leaves_no_chip_behind(tmp_path: Path) -> None:
    refused("bus", "--state", str(tmp_path / "chip"), "--fault", "flip@0")
    assert not list(tmp_path.iterdir())


def test_the_supply_of_a_served_boards_chip_is_taken_and_given_back(tmp_path: Path) -> None:
    with serving("serve", "--board", "unix", "--control", "127.0.0.1:0") as said:
        command = (
            *(sys.executable, "-m", "hri.cli", "--home", str(tmp_path), "--json"),
            *("chip", "info", "--port", said["port"]),
        )

        def info() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False
            )

        with RemoteControl(*place(said["control"])) as control:
            control.power_off()
            dead = info()
            assert (dead.returncode, json.loads(dead.stderr)["error"]["code"]) == (3, "chip-absent")
            control.power_on()
            assert info().returncode == 0
            assert control.counters()["commands"]

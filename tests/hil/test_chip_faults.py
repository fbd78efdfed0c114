"""A chip that is missing, silent, late, garbled or another's: told in one clear line, on both boards."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hil_bench import Answer, Bench, new_bench
from hri.rig.bus_faults import Fault, Plan
from hri.testing.options import REAL
from hri.testing.run import Run

pytestmark = pytest.mark.timeout(300)
DEVICE = "device-001"
FOREVER = 10**9
# A provisioning moves some 11,000 bytes on the bus.
PLACES = (300, 2500, 6000, 9000)


@pytest.fixture
def bench(kind: str, tmp_path: Path, device_package: dict[str, bytes], hri_run: Run) -> Iterator[Bench]:
    if kind == REAL:
        pytest.skip("the wires of a real chip cannot be made to fail on command")
    bench = new_bench(kind, tmp_path, device_package, hri_run)
    (bench.home / "config.yaml").write_text("identity:\n  provisioning:\n    retry_delay: 0\n")
    try:
        yield bench
    finally:
        bench.power_down()


def provision(bench: Bench) -> Answer:
    return bench.hri("--json", "provision", "--port", bench.port, "--device-id", DEVICE, "--lock")


def assert_told(answer: Answer, *codes: str) -> None:
    assert answer.status == 3, answer.out + answer.err
    assert answer.error["code"] in codes
    assert answer.error["hint"]
    assert "\n" not in answer.error["message"]


def assert_recovers(bench: Bench, first: Answer) -> None:
    """What failed was told, and the same command completes the work once the wires are good."""
    if first.status:
        assert first.status == 3, first.err
        assert first.error["hint"]
    bench.wires.arm([])
    again = provision(bench)
    assert again.status == 0, again.err
    shown = bench.hri("--json", "show", DEVICE).json
    assert [certificate["state"] for certificate in shown["certificates"]] == ["active"]


def test_no_chip_on_the_bus(bench: Bench) -> None:
    bench.power_up(soldered=False)
    assert_told(provision(bench), "chip-absent")
    assert_told(bench.hri("--json", "chip", "info", "--port", bench.port), "chip-absent")


def test_a_chip_that_falls_silent_in_the_middle(bench: Bench) -> None:
    bench.power_up().wires.arm([Plan(Fault.NACK, at=2500, count=FOREVER)])
    answer = provision(bench)
    assert_told(answer, "chip-absent", "chip-busy")
    assert_recovers(bench, answer)


def test_a_chip_whose_every_reply_is_garbled(bench: Bench) -> None:
    bench.power_up().wires.arm([Plan(Fault.FLIP, at=1, count=FOREVER)])
    answer = provision(bench)
    assert_told(answer, "chip-fault", "chip-absent")
    assert_recovers(bench, answer)


@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("fault", [Fault.FLIP, Fault.DROP, Fault.TRUNCATE, Fault.POWER_CUT])
def test_one_fault_on_the_wire(kind: str, bench: Bench, fault: Fault, at: int) -> None:
    if kind != "unix" and at != PLACES[(list(Fault).index(fault)) % len(PLACES)]:
        pytest.skip("the emulated Pico gets each fault once, the unix board gets the whole matrix")
    bench.power_up().wires.arm([Plan(fault, at=at)])
    answer = provision(bench)
    assert bench.wires.hits
    assert_recovers(bench, answer)


@pytest.mark.parametrize("at", PLACES)
def test_an_answer_that_comes_late(kind: str, bench: Bench, at: int) -> None:
    if kind != "unix" and at != PLACES[1]:
        pytest.skip("the emulated Pico gets each fault once, the unix board gets the whole matrix")
    bench.power_up().wires.arm([Plan(Fault.DELAY, at=at, delay_us=150_000)])
    answer = provision(bench)
    assert bench.wires.hits
    assert_recovers(bench, answer)


def test_a_chip_locked_with_another_configuration_is_left_alone(bench: Bench) -> None:
    bench.power_up()
    snapshot = bench.chip.eeprom
    config = bytearray(snapshot.config)
    config[87] = 0
    bench.chip.unsafe_load(dataclasses.replace(snapshot, config=bytes(config)))
    answer = provision(bench)
    assert answer.status == 1
    assert answer.error["code"] == "foreign-configuration"
    assert bench.chip.eeprom.config == bytes(config)


def test_a_chip_of_another_authority_is_left_alone(bench: Bench) -> None:
    bench.power_up()
    assert provision(bench).status == 0
    before = bytes(bench.chip.eeprom.config)
    stranger = dataclasses.replace(bench, home=bench.folder / "other")
    assert stranger.hri("ca", "init").status == 0
    answer = provision(stranger)
    assert answer.status == 1
    assert answer.error["code"] == "foreign-operator"
    assert bytes(bench.chip.eeprom.config) == before


def test_another_device_cannot_take_the_name(bench: Bench) -> None:
    bench.power_up()
    assert provision(bench).status == 0
    bench.power_down()
    bench.power_up("another")
    answer = provision(bench)
    assert answer.status == 1
    assert DEVICE in answer.error["message"]
    # Still blank: LockConfig as the chip was shipped.
    assert bench.chip.eeprom.config[87] == 0x55


def test_a_line_with_nobody_at_its_end(bench: Bench) -> None:
    master, slave = os.openpty()
    try:
        fast = {"HRI_LINK_TIMEOUT": "0.1"}
        answer = bench.hri("--json", "authenticate", "--port", os.ttyname(slave), environment=fast)
        assert_told(answer, "device-silent")
    finally:
        os.close(master)
        os.close(slave)
    missing = bench.hri("--json", "authenticate", "--port", str(bench.folder / "no-such-port"))
    assert_told(missing, "no-port")

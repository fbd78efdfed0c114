"""Cable, power and process cut at every step of provisioning: the same command again completes the work."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from hil_bench import PASSPHRASES, Bench, new_bench
from hri.authentication import authenticate
from hri.context import Context
from hri.elements.board import BoardElement, RetryPolicy
from hri.errors import HriError
from hri.home import Home, Passphrases
from hri.link import Deadlines, SerialLink
from hri.provision import STEPS, provision
from hri.rig.boards import bit_flips
from hri.steps import StepEvent

pytestmark = pytest.mark.timeout(300)
DEVICE = "device-001"
# Long enough for each board, short enough for a cut to be noticed soon.
DEADLINES = {
    "unix": Deadlines(hello=0.4, recovery=1.5, request=0.7, slow_request=1.5),
    # Far above what it takes on an idle machine: a run that ends before its fault tests nothing.
    "rpi_pico": Deadlines(hello=2.0, recovery=12.0, request=8.0, slow_request=15.0),
}
DEADLINES["rpi_pico_frozen"] = DEADLINES["rpi_pico"]
CUTS = [(step, phase) for step in STEPS for phase in ("begun", "done")]
HARNESS = Path(__file__).with_name("provision_until.py")


@contextmanager
def opened(bench: Bench) -> Iterator[Context]:
    home = Home(bench.home, Passphrases(PASSPHRASES), environ={})
    with home.context(unlocked=True) as context:
        yield context


@contextmanager
def connected(bench: Bench, context: Context) -> Iterator[Callable[[], BoardElement]]:
    links: list[SerialLink] = []

    def connect() -> BoardElement:
        links.append(SerialLink.open(bench.port, deadlines=DEADLINES[bench.kind]))
        return BoardElement(links[-1], authorise=context.authorise(), retry=RetryPolicy(1, 0.0))

    try:
        yield connect
    finally:
        for link in links:
            link.close()


def provision_with(bench: Bench, on_step: Callable[[StepEvent], None]) -> None:
    with opened(bench) as context, connected(bench, context) as connect:
        provision(connect, context, device_id=DEVICE, lock=True, on_step=on_step)


def assert_completes(bench: Bench) -> None:
    """The same command again leaves one device, one live certificate, and the board holding just that one."""
    again = bench.hri("--json", "provision", "--port", bench.port, "--device-id", DEVICE, "--lock")
    assert again.status == 0, again.err
    assert again.json["device_id"] == DEVICE
    with opened(bench) as context, connected(bench, context) as connect:
        assert authenticate(element := connect(), context, device_id=DEVICE)
        records = context.registry.certificates(DEVICE)
        assert [record.state for record in records if record.state in ("issued", "active")] == ["active"]
        live = next(record for record in records if record.state == "active")
        assert element.readable_certificate().certificate == live.der
        key = x509.load_der_x509_certificate(live.der).public_key().public_numbers()
        assert element.public_key(0) == key.x.to_bytes(32, "big") + key.y.to_bytes(32, "big")
        assert [device.device_id for device in context.registry.devices()] == [DEVICE]


def tell_clearly(bench: Bench, on_step: Callable[[StepEvent], None] = lambda _event: None) -> None:
    """Provision; if that fails, it says in one line what happened, and what to do."""
    error = None
    try:
        provision_with(bench, on_step)
    except HriError as caught:
        error = caught
    if error is not None:
        assert error.exit_status in (1, 3)
        assert error.hint
        assert "\n" not in error.message


def cut_at(bench: Bench, step: str, phase: str, cut: Callable[[], None]) -> None:
    """Provision, and have `cut` happen at that moment; whatever comes of it is told in one clear error."""

    def on_step(event: StepEvent) -> None:
        if (event.name, event.phase) == (step, phase):
            cut()

    tell_clearly(bench, on_step)


@pytest.mark.parametrize(("step", "phase"), CUTS)
def test_the_cable_is_pulled(unix: Bench, step: str, phase: str) -> None:
    cut_at(unix, step, phase, lambda: unix.board.link.cut(hang_up=True))
    unix.board.link.restore()
    assert_completes(unix)


@pytest.mark.parametrize(("step", "phase"), CUTS)
def test_the_board_loses_power(unix: Bench, step: str, phase: str) -> None:
    cut_at(unix, step, phase, unix.board.cut_power)
    unix.board.restore_power()
    assert_completes(unix)


def die_at(bench: Bench, step: str, phase: str) -> None:
    """Provision in a process that dies at that moment, without a chance to tidy up."""
    died = subprocess.run(
        [sys.executable, str(HARNESS), str(bench.home), bench.port, step, phase, DEVICE],
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env=os.environ | PASSPHRASES,
        check=False,
    )
    assert died.returncode == 9, died.stderr


@pytest.mark.parametrize(("step", "phase"), CUTS)
def test_the_host_process_dies(unix: Bench, step: str, phase: str) -> None:
    die_at(unix, step, phase)
    assert_completes(unix)


def power_fails_at_transfer(bench: Bench, transfers: int) -> None:
    """Provision, and cut the supply for a moment as the bus begins that transfer."""
    bus = bench.bus
    real_start = bus.start

    def start(address: int, read: bool) -> bool:
        nonlocal transfers
        transfers -= 1
        if transfers == 0:
            bus.power_cycle()
        return real_start(address, read)

    bus.start = start
    for _ in range(3):
        # A run that a busy machine ended sooner goes on where it stopped.
        tell_clearly(bench)
        if transfers <= 0:
            break
    bus.start = real_start
    assert transfers <= 0


@pytest.mark.parametrize("seed", range(6))
def test_the_power_fails_in_the_middle_of_a_bus_transfer(unix: Bench, seed: int) -> None:
    power_fails_at_transfer(unix, random.Random(seed).randrange(40, 520))  # noqa: S311 - a fault must repeat
    assert_completes(unix)


def noise_on_the_line(bench: Bench, seed: int) -> None:
    bench.board.link.corrupt(to_host=bit_flips(seed, 3000), to_board=bit_flips(seed + 100, 3000))
    tell_clearly(bench)
    bench.board.link.restore()


@pytest.mark.parametrize("seed", range(4))
def test_noise_and_bit_flips_on_the_line(unix: Bench, seed: int) -> None:
    noise_on_the_line(unix, seed)
    assert_completes(unix)


def resets_amid_an_answer(bench: Bench) -> None:
    heard = bytearray()

    def cut_off_once(data: bytes) -> bytes:
        before = len(heard)
        heard.extend(data)
        if before <= 900 < len(heard):
            return data[: len(data) // 2] + b"\r\nhri_device: a banner, as after a reset\r\n"
        return data

    bench.board.link.corrupt(to_host=cut_off_once)
    tell_clearly(bench)
    assert len(heard) > 900
    bench.board.link.restore()
    bench.board.reset()


def test_a_board_that_resets_in_the_middle_of_an_answer(unix: Bench) -> None:
    resets_amid_an_answer(unix)
    assert_completes(unix)


def rival_at_birth(bench: Bench) -> None:
    refused = []

    def meanwhile(event: StepEvent) -> None:
        if (event.name, event.phase) == ("birth", "begun"):
            refused.append(
                bench.hri("--json", "provision", "--port", bench.port, "--device-id", DEVICE, "--lock")
            )

    provision_with(bench, meanwhile)
    (answer,) = refused
    assert answer.status == 3
    assert "in use" in answer.error["message"]


def test_a_second_provisioner_is_told_who_is_at_work(unix: Bench) -> None:
    rival_at_birth(unix)
    assert_completes(unix)


def pull_the_cable(bench: Bench) -> None:
    cut_at(bench, "lock-data", "begun", lambda: bench.board.link.cut(hang_up=True))
    bench.board.link.restore()


def lose_power(bench: Bench) -> None:
    cut_at(bench, "birth", "done", bench.board.cut_power)
    bench.board.restore_power()


ON_THE_PICO = {
    "cable": pull_the_cable,
    "power": lose_power,
    "board reset": lambda bench: cut_at(bench, "store", "begun", bench.board.reset),
    "host process": lambda bench: die_at(bench, "lock-identity", "done"),
    "power in a transfer": lambda bench: power_fails_at_transfer(bench, 300),
    "noise": lambda bench: noise_on_the_line(bench, 3),
    "reset in an answer": resets_amid_an_answer,
    "second provisioner": rival_at_birth,
}


# With the package on its flash and with the package in its image, in turn.
PICOS = [(fault, ("rpi_pico", "rpi_pico_frozen")[place % 2]) for place, fault in enumerate(ON_THE_PICO)]


@pytest.mark.parametrize(("fault", "pico"), PICOS)
def test_each_fault_once_on_the_emulated_pico(
    tmp_path: Path, device_package: dict, fault: str, pico: str
) -> None:
    bench = new_bench(pico, tmp_path, device_package).power_up()
    try:
        ON_THE_PICO[fault](bench)
        assert_completes(bench)
    finally:
        bench.power_down()

"""A board to test on, from hri's own pytest plugin: virtual ones, or a real one (`--port`)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hil_bench import Bench, new_bench
from hri.rig.firmware import device_package as compiled_package
from hri.testing.options import REAL
from hri.testing.run import Run


@pytest.fixture(scope="session")
def device_package() -> dict[str, bytes]:
    """The device package as it goes onto a board: compiled, with main.py."""
    return compiled_package()


@pytest.fixture(scope="session")
def kind(hri_kind: str) -> str:
    return hri_kind


@pytest.fixture(scope="module")
def bench(
    kind: str,
    hri_run: Run,
    tmp_path_factory: pytest.TempPathFactory,
    device_package: dict[str, bytes],
) -> Iterator[Bench]:
    """A fresh chip on a running board, shared by a module's tests, which run in their order."""
    bench = new_bench(kind, tmp_path_factory.mktemp(kind), device_package, hri_run)
    if kind == REAL:
        board = hri_run.open(kind)
        bench.port = board.port
        try:
            _ask_before_locking(bench, hri_run.options.lock_chip)
            yield bench
        finally:
            hri_run.close(board)
        return
    bench.power_up()
    try:
        yield bench
    finally:
        bench.power_down()


def _ask_before_locking(bench: Bench, allowed: str | None) -> None:
    info = bench.hri("--json", "chip", "info", "--port", bench.port)
    assert info.status == 0, info.err
    serial = info.json["serial_number"]
    if allowed and allowed.lower() == serial.lower():
        return
    plan = bench.hri("chip", "plan", "--port", bench.port)
    pytest.exit(
        f"these tests provision the chip {serial} and lock it for good:\n{plan.out}\n"
        f"to allow that, add --hri-lock-chip {serial}",
        returncode=2,
    )


@pytest.fixture
def unix(tmp_path: Path, device_package: dict[str, bytes], hri_run: Run) -> Iterator[Bench]:
    """A fresh chip on a fresh unix board of the test's own."""
    bench = new_bench("unix", tmp_path, device_package, hri_run).power_up()
    try:
        yield bench
    finally:
        bench.power_down()

"""docs/examples: what a back end and a test bench copy, run on a good device, another one, a revoked one."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hil_bench import Bench, new_bench
from hri.elements.board import BoardElement
from hri.link import SerialLink
from hri.rig.firmware import device_package
from hri.verify.decision import ReasonCode

pytestmark = pytest.mark.timeout(240)
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
DEVICE = "device-001"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A provisioned device; the last test revokes it."""
    bench = new_bench("unix", tmp_path_factory.mktemp("bench"), device_package()).power_up()
    try:
        done = bench.hri("--json", "provision", "--port", bench.port, "--device-id", DEVICE, "--lock")
        assert done.status == 0, done.err
        (bench.folder / "device.pem").write_text(done.json["certificate"])
        export(bench)
        yield bench
    finally:
        bench.power_down()


def export(bench: Bench) -> None:
    for name in ("root", "chain", "crl"):
        exported = bench.hri("ca", "export", f"--{name}")
        assert exported.status == 0, exported.err
        (bench.folder / f"{name}.pem").write_text(exported.out)


def run(bench: Bench, *command: str) -> tuple[int, str]:
    done = subprocess.run(
        command,
        cwd=bench.folder,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env=os.environ
        | {"HRI_HOME": str(bench.home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def verify_board(bench: Bench, device_id: str) -> tuple[int, str]:
    return run(bench, sys.executable, str(EXAMPLES / "verify_board.py"), bench.port, device_id)


def verify_certificate(bench: Bench) -> int:
    return run(bench, "sh", str(EXAMPLES / "verify_certificate.sh"), "device.pem")[0]


@pytest.fixture(scope="module")
def back_end() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_answer", EXAMPLES / "verify_answer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reasons(back_end: ModuleType, bench: Bench, device_id: str) -> set[ReasonCode]:
    def ask(challenge: bytes, verifier: str) -> tuple[bytes, bytes]:
        with SerialLink.open(bench.port) as link:
            said = BoardElement(link).answer(challenge, verifier)
        return said.answer, said.certificate

    decision = back_end.is_it(back_end.load(bench.folder), device_id, ask, "our back end")
    assert bool(decision) is not bool(decision.reasons)
    return {reason.code for reason in decision.reasons}


def test_a_good_device_passes_all_of_them(bench: Bench, back_end: ModuleType) -> None:
    assert verify_board(bench, DEVICE) == (0, f"{DEVICE} trusted\n")
    status, said = run(bench, "sh", str(EXAMPLES / "verify_board.sh"), bench.port)
    assert (status, said.splitlines()[-1]) == (0, "ship it")
    assert verify_certificate(bench) == 0
    assert reasons(back_end, bench, DEVICE) == set()


def test_another_device_is_told_apart(bench: Bench, back_end: ModuleType) -> None:
    status, said = verify_board(bench, "device-002")
    assert status == 1
    assert said.startswith("device-002 not trusted ")
    assert ReasonCode.DEVICE_ID_MISMATCH in reasons(back_end, bench, "device-002")


def test_a_cable_that_is_not_there_is_told_apart_from_a_device_that_is_not_trusted(bench: Bench) -> None:
    script = str(EXAMPLES / "verify_board.py")
    status, said = run(bench, sys.executable, script, "/dev/no-such-port", DEVICE)
    assert status == 3
    assert "no such port" in said
    assert "Traceback" not in said


def test_a_recorded_answer_does_not_pass(bench: Bench, back_end: ModuleType) -> None:
    with SerialLink.open(bench.port) as link:
        old = BoardElement(link).answer(bytes(32), "our back end")
    decision = back_end.is_it(
        back_end.load(bench.folder), DEVICE, lambda *_: (old.answer, old.certificate), "our back end"
    )
    assert {reason.code for reason in decision.reasons} == {ReasonCode.CHALLENGE_MISMATCH}


def test_a_damaged_file_is_an_error_and_no_decision(
    bench: Bench, back_end: ModuleType, tmp_path: Path
) -> None:
    for name in ("root.pem", "chain.pem", "crl.pem"):
        (tmp_path / name).write_bytes((bench.folder / name).read_bytes())
    (tmp_path / "crl.pem").write_text("-----BEGIN X509 CRL-----\nMII!\n-----END X509 CRL-----\n")
    with pytest.raises(ValueError, match="CRL"):
        back_end.load(tmp_path)
    (tmp_path / "crl.pem").write_bytes((bench.folder / "crl.pem").read_bytes())
    (tmp_path / "root.pem").write_text("")
    with pytest.raises(ValueError, match="anchor"):
        back_end.load(tmp_path)


def test_without_a_crl_nobody_is_trusted(bench: Bench, back_end: ModuleType) -> None:
    kept = (bench.folder / "crl.pem").read_bytes()
    (bench.folder / "crl.pem").write_bytes(b"")
    try:
        assert reasons(back_end, bench, DEVICE) == {ReasonCode.REVOCATION_UNKNOWN}
    finally:
        (bench.folder / "crl.pem").write_bytes(kept)


def test_a_revoked_device_passes_none_of_them(bench: Bench, back_end: ModuleType) -> None:
    assert bench.hri("revoke", DEVICE, "--reason", "keyCompromise").status == 0
    export(bench)
    assert verify_board(bench, DEVICE)[0] == 1
    status, said = run(bench, "sh", str(EXAMPLES / "verify_board.sh"), bench.port)
    assert status == 1
    assert "ship it" not in said
    assert verify_certificate(bench) == 2
    assert reasons(back_end, bench, DEVICE) == {ReasonCode.REVOKED}

"""A device gets its identity and proves it; the tests run in their order, on one board."""

import json
import shutil
import subprocess

import pytest
from hil_bench import Bench

pytestmark = pytest.mark.timeout(600)
DEVICE = "device-001"


def _openssl(*arguments: str, data: bytes | None = None) -> str:
    done = subprocess.run(
        [shutil.which("openssl") or "openssl", *arguments],
        input=data,
        capture_output=True,
        timeout=30,
        check=False,
    )
    output = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, output
    return output


def _chip(bench: Bench) -> dict:
    answer = bench.hri("--json", "chip", "info", "--port", bench.port)
    assert answer.status == 0, answer.err
    return answer.json


def test_mpremote_gets_in_before_any_hri_command(bench: Bench) -> None:
    assert bench.mpremote("exec", "print(6 * 7)").strip() == "42"


def test_a_blank_chip_without_lock_ends_with_status_1_and_the_plan(bench: Bench) -> None:
    before = _chip(bench)
    if before["data_locked"]:
        pytest.skip("the chip on this board is locked already")
    answer = bench.hri("--json", "provision", "--port", bench.port, "--device-id", DEVICE)
    assert answer.status == 1
    assert "--lock" in answer.error["hint"]
    assert _chip(bench)["config"] == before["config"]


def test_provisioning_takes_a_blank_chip_to_a_certificate(bench: Bench) -> None:
    answer = bench.hri("--json", "provision", "--port", bench.port, "--device-id", DEVICE, "--lock")
    assert answer.status == 0, answer.err
    result = answer.json
    assert result["device_id"] == DEVICE
    assert result["element"]["slot"] == 0
    assert result["element"]["serial_number"] == _chip(bench)["serial_number"]
    assert result["certificate"].startswith("-----BEGIN CERTIFICATE-----")
    assert {step["name"] for step in result["steps"]} >= {"connect", "birth", "state", "issue", "store"}


def test_the_device_answers_a_fresh_challenge(bench: Bench) -> None:
    answer = bench.hri("--json", "authenticate", "--port", bench.port)
    assert answer.status == 0, answer.err + answer.out
    assert answer.json["trusted"] is True
    assert answer.json["device_id"] == DEVICE
    assert answer.json["reasons"] == []


def test_mpremote_gets_in_between_two_hri_commands(bench: Bench) -> None:
    assert bench.mpremote("exec", "print(6 * 7)").strip() == "42"
    answer = bench.hri("--json", "authenticate", "--port", bench.port)
    assert answer.status == 0, answer.err + answer.out


def test_provisioning_again_gives_the_same_certificate(bench: Bench) -> None:
    first = bench.hri("--json", "show", DEVICE).json
    answer = bench.hri("--json", "provision", "--port", bench.port, "--device-id", DEVICE)
    assert answer.status == 0, answer.err
    assert answer.json["certificate"] in json.dumps(first) or answer.json["device_id"] == DEVICE
    assert bench.hri("--json", "show", DEVICE).json["certificates"] == first["certificates"]


def test_where_the_key_lives_is_attested(bench: Bench) -> None:
    answer = bench.hri("--json", "attest", "--port", bench.port)
    assert answer.status == 0, answer.err + answer.out
    assert answer.json["trusted"] is True


def test_openssl_verifies_certificate_chain_and_crl(bench: Bench, tmp_path) -> None:
    provisioned = bench.hri("--json", "provision", "--port", bench.port, "--device-id", DEVICE)
    (tmp_path / "device.pem").write_text(provisioned.json["certificate"])
    (tmp_path / "root.pem").write_text(bench.hri("ca", "export", "--root").out)
    (tmp_path / "chain.pem").write_text(bench.hri("ca", "export", "--chain").out)
    (tmp_path / "crl.pem").write_text(bench.hri("ca", "export", "--crl").out)
    _openssl("crl", "-in", str(tmp_path / "crl.pem"), "-CAfile", str(tmp_path / "chain.pem"), "-noout")
    _openssl(
        "verify", "-CAfile", str(tmp_path / "root.pem"), "-untrusted", str(tmp_path / "chain.pem"),
        "-CRLfile", str(tmp_path / "crl.pem"), "-crl_check", "-purpose", "sslclient",
        str(tmp_path / "device.pem"),
    )  # fmt: skip


def test_a_rotated_key_replaces_the_certificate(bench: Bench) -> None:
    before = bench.hri("--json", "show", DEVICE).json
    answer = bench.hri("--json", "rotate", DEVICE, "--port", bench.port)
    assert answer.status == 0, answer.err
    assert bench.hri("--json", "authenticate", "--port", bench.port).status == 0
    after = bench.hri("--json", "show", DEVICE).json
    assert len(after["certificates"]) == len(before["certificates"]) + 1
    assert [c["state"] for c in after["certificates"]].count("active") == 1


def test_a_revoked_device_is_refused(bench: Bench) -> None:
    assert bench.hri("revoke", DEVICE, "--reason", "keyCompromise").status == 0
    answer = bench.hri("--json", "authenticate", "--port", bench.port)
    assert answer.status == 1
    assert answer.json["trusted"] is False
    assert "revoked" in {reason["code"] for reason in answer.json["reasons"]}


def test_mpremote_gets_in_after_all(bench: Bench) -> None:
    assert bench.mpremote("exec", "print(6 * 7)").strip() == "42"

"""The commands of a device's turns: what they say, what they ask, how they end."""

import os
import pty
import subprocess
import sys

import pytest
from hri.context import utc_now
from hri.decommissioning import MARK
from hri.registry import Registry


@pytest.mark.usefixtures("provisioned")
def test_suspended_is_not_trusted_and_resumed_is(hri, port):
    assert hri("--json", "suspend", "d1").json == {"device_id": "d1", "status": "suspended"}
    assert hri("authenticate", "--port", port).status == 1
    assert hri("--json", "resume", "d1").json == {"device_id": "d1", "status": "active"}
    assert hri("authenticate", "--port", port).status == 0


@pytest.mark.usefixtures("provisioned")
def test_a_decommissioned_chip_is_marked_where_its_board_is_there(hri, port, board):
    first = hri("--json", "decommission", "d1")
    assert (first.json["status"], first.json["chip_marked"]) == ("decommissioned", False)

    assert hri("--json", "decommission", "d1", "--port", port).json["chip_marked"] is True

    assert bytes(board.slots[5]) == MARK
    ran = hri("--json", "provision", "--port", port, "--lock")
    assert (ran.status, ran.error["code"]) == (1, "device-decommissioned")


@pytest.mark.usefixtures("provisioned")
def test_a_device_given_away_is_shown_with_its_owner(hri):
    assert hri("--json", "transfer", "d1", "--to", "beta").json == {
        "device_id": "d1",
        "owner": "beta",
        "ours": False,
    }

    shown = hri("--json", "show", "d1").json
    assert (shown["owner"], shown["status"]) == ("beta", "transferred")
    assert hri("--json", "transfer", "d1", "--to", " ").error["code"] == "bad-owner"


def test_a_registration_is_withdrawn(hri):
    hri("ca", "init")
    hri("register", "d7")

    assert hri("withdraw", "d7").status == 0
    assert hri("--json", "withdraw", "d7").error["code"] == "not-found"


@pytest.mark.usefixtures("provisioned")
def test_a_run_says_what_is_due_and_does_it_when_told(hri, port, tmp_path):
    (tmp_path / "home/config.yaml").write_text("identity: {security: {revoke_on_compromise: true}}")
    assert hri("--json", "lifecycle", "run").json == {"applied": False, "acts": []}
    with Registry.open(tmp_path / "home/hri.db") as registry:
        (record,) = registry.certificates("d1")
        registry.revoke(record.serial_number, "keyCompromise", utc_now())

    said, done, again = (
        hri("--json", "lifecycle", "run", *words)
        for words in ((), ("--apply", "--port", port), ("--apply", "--port", port))
    )

    assert [(act["device_id"], act["act"], act["outcome"]) for act in said.json["acts"]] == [
        ("d1", "revoke", "due")
    ]
    assert [act["outcome"] for act in done.json["acts"]] == ["done"]
    assert again.json["acts"] == []
    assert hri("--json", "show", "d1").json["status"] == "revoked"


@pytest.mark.usefixtures("provisioned")
def test_a_terminal_is_asked_before_a_revocation(tmp_path):
    """Only a terminal is asked: what is started by a script goes on as it did."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "HRI_HOME": str(tmp_path / "home")}
    process = subprocess.Popen(
        [sys.executable, "-m", "hri.cli", "--json", "revoke", "d1", "--reason", "superseded"],
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    os.close(follower)
    try:
        os.write(leader, b"n\n")
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
        os.close(leader)

    assert process.returncode == 1
    assert b"not-confirmed" in err
    assert out.strip() == b""

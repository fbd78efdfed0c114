"""`hri log` and `hri audit`: what they print, and how they end."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hri.ca.authority import Authority
from hri.context import utc_now
from hri.signed_note import NoteVerifier
from unit.cli.test_commands import make_csr


@pytest.fixture
def issued(hri, tmp_path: Path) -> Path:
    """A home with two certificates; returns the PEM of the second."""
    assert hri("ca", "init").status == 0
    for name in ("dev-1", "dev-2"):
        (tmp_path / "csr").write_bytes(make_csr(name))
        ran = hri("ca", "issue", "--csr", str(tmp_path / "csr"), "--unattested", "a test")
        assert ran.status == 0, ran.err
        (tmp_path / "leaf.pem").write_text(ran.out)
    return tmp_path / "leaf.pem"


def _execute(tmp_path: Path, statement: str) -> None:
    with closing(sqlite3.connect(tmp_path / "home/hri.db")) as connection, connection:
        assert connection.execute(statement).rowcount == 1


def _acts(hri) -> list[dict[str, Any]]:
    return hri("--json", "audit", "list").json["entries"]


@pytest.mark.usefixtures("issued")
def test_a_whole_home_is_verified_without_a_passphrase(hri, monkeypatch) -> None:
    monkeypatch.delenv("HRI_CA_PASSPHRASE")

    log, audit = hri("--json", "log", "verify"), hri("--json", "audit", "verify")

    assert (log.status, log.json["whole"], log.json["size"], log.json["pending"]) == (0, True, 2, 0)
    assert (audit.status, audit.json["whole"], audit.json["unsigned"]) == (0, True, 0)
    assert hri("log", "monitor").status == 0
    assert hri("audit", "list").status == 0


@pytest.mark.usefixtures("issued")
def test_every_act_names_who_did_it_and_to_what(hri) -> None:
    entries = _acts(hri)

    told = [(entry["act"], entry["subject"], entry["outcome"], entry["reason"]) for entry in entries]
    assert told == [
        ("logs-begun", None, "done", "new keys"),
        ("configuration", None, "done", None),
        ("ca-init", None, "done", None),
        ("publish-crl", None, "done", None),
        ("issue", "dev-1", "done", "a test"),
        ("issue-by-hand", "dev-1", "done", None),
        ("issue", "dev-2", "done", "a test"),
        ("issue-by-hand", "dev-2", "done", None),
    ]
    assert {entry["actor"].count("@") for entry in entries} == {1}


@pytest.mark.usefixtures("issued")
def test_acts_are_listed_by_device_time_and_number(hri) -> None:
    def numbers(*options: str) -> list[int]:
        return [entry["number"] for entry in hri("--json", "audit", "list", *options).json["entries"]]

    assert numbers("--device", "dev-1") == [4, 5]
    assert numbers("--after", "5") == [6, 7]
    assert numbers("--limit", "2") == [0, 1]
    assert numbers("--since", "2999-01-01") == []
    assert len(numbers("--since", "2026-01-01T00:00:00")) == 8


@pytest.mark.usefixtures("provisioned")
def test_a_provisioning_tells_every_lock_before_and_after_it(hri) -> None:
    locks = [
        (entry["details"]["lock"], entry["outcome"]) for entry in _acts(hri) if entry["act"] == "chip-lock"
    ]

    names = ("configuration zone", "data zone", "slot 1", "slot 0")
    assert locks == [(name, outcome) for name in names for outcome in ("intent", "done")]
    assert [entry["outcome"] for entry in _acts(hri) if entry["act"] == "provision"] == ["done"]


@pytest.mark.usefixtures("provisioned")
def test_refusals_are_told_with_their_code(hri, port) -> None:
    assert hri("revoke", "d1", "--reason", "keyCompromise").status == 0
    assert hri("authenticate", "--port", port).status == 1
    assert hri("provision", "--port", port).status == 1

    refused = [(entry["act"], entry["reason"]) for entry in _acts(hri) if entry["outcome"] == "refused"]
    assert ("provision", "device-revoked") in refused
    assert any(act == "authenticate" and "revoked" in reason for act, reason in refused)
    # Nobody gave a passphrase for the authentication: its act is chained, and signed over by the next.
    assert hri("--json", "audit", "verify").json["unsigned"] == 0


@pytest.mark.usefixtures("issued")
def test_a_changed_configuration_is_told_once(hri, tmp_path: Path) -> None:
    (tmp_path / "home/config.yaml").write_text(
        "identity:\n  certificate_authority:\n    api_key: hunter2\n    crl_days: 3\n"
    )
    for _ in range(2):
        assert hri("ca", "export", "--crl").status == 0

    told = [entry for entry in _acts(hri) if entry["act"] == "configuration"]
    assert len(told) == 2
    assert '"crl_days": 3' in told[1]["details"]["json"]
    assert "hunter2" not in str(told)


@pytest.mark.parametrize(
    ("statement", "command", "code"),
    [
        ("UPDATE certificate SET der = x'00' WHERE log_index = 0", "log", "edited"),
        ("DELETE FROM certificate WHERE log_index = 1", "log", "missing"),
        ("UPDATE audit_entry SET subject = 'x' WHERE number = 4", "audit", "edited"),
        ("DELETE FROM audit_entry WHERE number = 1", "audit", "missing"),
    ],
)
@pytest.mark.usefixtures("issued")
def test_a_change_is_found_and_ends_with_status_1(hri, tmp_path, statement, command, code) -> None:
    _execute(tmp_path, statement)

    ran = hri("--json", command, "verify")

    assert ran.status == 1
    assert code in {finding["code"] for finding in ran.json["findings"]}
    assert "does not fit" in hri(command, "verify").out


@pytest.mark.usefixtures("issued")
def test_a_checkpoint_kept_elsewhere_finds_an_older_copy(hri, tmp_path: Path) -> None:
    database = tmp_path / "home/hri.db"
    old = database.read_bytes()
    (tmp_path / "csr").write_bytes(make_csr("dev-3"))
    assert hri("ca", "issue", "--csr", str(tmp_path / "csr"), "--unattested", "x").status == 0
    kept = {}
    for name in ("log", "audit"):
        kept[name] = tmp_path / f"{name}.checkpoint"
        kept[name].write_text(hri(name, "checkpoint").out)
        assert hri(name, "verify", "--checkpoint", str(kept[name])).status == 0
    database.write_bytes(old)

    for name in ("log", "audit"):
        assert hri(name, "verify").status == 0
        ran = hri("--json", name, "verify", "--checkpoint", str(kept[name]))
        assert (ran.status, ran.json["findings"][0]["code"]) == (1, "truncated")


@pytest.mark.usefixtures("issued")
def test_a_missing_checkpoint_file_is_wrong_usage(hri, tmp_path: Path) -> None:
    for name in ("log", "audit"):
        assert hri(name, "verify", "--checkpoint", str(tmp_path / "none")).status == 2


def test_a_home_without_an_authority_is_wrong_usage(hri) -> None:
    for line in ("log verify", "audit verify", "audit list", "log monitor", "log key", "log checkpoint"):
        assert hri(*line.split()).status == 2


@pytest.mark.usefixtures("issued")
def test_the_keys_are_printed_for_verifiers(hri) -> None:
    keys = hri("--json", "log", "key").json

    for name, text in keys.items():
        assert NoteVerifier.from_text(text).name.endswith(f"/{name}")


def test_a_certificate_is_proved_to_be_logged(hri, issued) -> None:
    ran = hri("--json", "log", "monitor", "--cert", str(issued))

    assert (ran.status, ran.json["index"], len(ran.json["proof"])) == (0, 1, 1)


@pytest.mark.usefixtures("issued")
def test_a_certificate_that_was_signed_past_the_registry_is_not_logged(hri, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from hri.config import load

    authority = Authority.open(tmp_path / "home", b"secret ca words")
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    der = authority.build(key, "dev-9", load(None).profile(), serial_number=9, now=utc_now())
    (tmp_path / "rogue.der").write_bytes(der)

    ran = hri("--json", "log", "monitor", "--cert", str(tmp_path / "rogue.der"))

    assert (ran.status, ran.json["findings"][0]["code"]) == (1, "not-logged")
    assert hri("log", "monitor", "--cert", str(tmp_path / "csr")).status == 2


@pytest.mark.usefixtures("issued")
def test_a_log_is_exported_and_only_what_is_new_the_next_time(hri, tmp_path: Path) -> None:
    www = tmp_path / "www"

    first, second = (hri("--json", "log", "export", str(www)).json["files"] for _ in range(2))

    assert (first, second) == (3, 0)
    assert (www / "checkpoint").read_text() == hri("log", "checkpoint").out


@pytest.mark.usefixtures("issued")
def test_a_new_database_is_signed_only_when_somebody_asks_for_it(hri, tmp_path: Path) -> None:
    # As a database that was filled without the keys.
    _execute(tmp_path, "UPDATE log_head SET checkpoint = NULL WHERE name = 'audit'")

    assert hri("--json", "audit", "checkpoint").error["code"] == "log-unsigned"
    assert hri("audit", "verify").status == 1

    assert hri("log", "begin", "--reason", "moved to a new database").status == 0

    assert hri("audit", "verify").status == 0
    assert _acts(hri)[-1]["act"] == "logs-begun"


@pytest.mark.usefixtures("issued")
def test_a_lost_passphrase_opens_no_keys(hri, monkeypatch) -> None:
    monkeypatch.setenv("HRI_CA_PASSPHRASE", "wrong")

    assert hri("--json", "audit", "checkpoint").error["code"] == "wrong-passphrase"


@pytest.mark.usefixtures("issued")
def test_lost_keys_are_not_replaced_unasked(hri, tmp_path: Path) -> None:
    (tmp_path / "home/ca/log-signers.pem").unlink()

    assert hri("--json", "log", "sequence").error["code"] == "log-keys-lost"
    assert hri("audit", "verify").status == 1
    assert hri("log", "begin", "--reason", "the keys are lost").status == 0

    assert hri("audit", "verify").status == 0
    assert hri("log", "verify").status == 0

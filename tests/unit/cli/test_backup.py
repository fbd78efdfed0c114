"""`hri backup` and `hri restore`, as a person or a script runs them."""

from __future__ import annotations

import pytest


@pytest.fixture
def saved(hri, tmp_path):
    assert hri("ca", "init").status == 0
    assert hri("register", "d1").status == 0
    ran = hri("--json", "backup", str(tmp_path / "saved"))
    assert ran.status == 0, ran.err
    assert ran.json["database"] is True
    return tmp_path / "saved"


def test_a_restore_wants_the_log_or_a_reason(hri, saved, tmp_path):
    new = str(tmp_path / "new")

    refused = hri("--json", "--home", new, "restore", str(saved))
    assert (refused.status, refused.error["code"]) == (2, "no-log")
    assert not (tmp_path / "new").exists()

    done = hri("--json", "--home", new, "restore", str(saved), "--without-log", "nothing was issued")
    assert (done.status, done.json["home"]) == (0, new)
    assert [one["device_id"] for one in hri("--json", "--home", new, "list").json["devices"]] == ["d1"]
    last = hri("--json", "--home", new, "audit", "list").json["entries"][-1]
    assert (last["act"], last["reason"]) == ("restore", "nothing was issued")
    # Another one cannot take its place.
    again = hri("--json", "--home", new, "restore", str(saved), "--without-log", "x")
    assert (again.status, again.error["code"]) == (2, "home-exists")


def test_a_log_that_is_none_makes_no_home(hri, saved, tmp_path):
    ran = hri("--json", "--home", str(tmp_path / "new"), "restore", str(saved), "--log", str(tmp_path))

    assert ran.status == 2
    assert not (tmp_path / "new").exists()


def test_a_registry_elsewhere_is_not_in_the_backup(hri, saved, tmp_path, monkeypatch):
    monkeypatch.setenv("HRI_DATABASE_URL", f"sqlite:///{tmp_path}/elsewhere.db")

    ran = hri("--json", "backup", str(tmp_path / "files"))

    assert ran.json["database"] is False
    assert not list((tmp_path / "files").glob("hri.db*"))
    refused = hri(
        "--json", "--home", str(tmp_path / "n"), "restore", str(tmp_path / "files"), "--log", str(saved)
    )
    assert (refused.status, refused.error["code"]) == (2, "no-database")
    assert hri("--home", str(tmp_path / "n"), "restore", str(tmp_path / "files")).status == 0

"""A backup is whole or not there, whoever works meanwhile; a restore makes a home or nothing."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import pytest
from hri.audit_check import verify_audit
from hri.backup import MANIFEST, Backup, make_backup, restore_backup
from hri.errors import ConfigurationError, HriError, StorageError
from hri.log_check import verify_log
from hri.registry import Device, Registry
from unit.backup.conftest import NOW, Station


def _nothing(_draft: Path, _backup: Backup) -> None:
    pass


def test_a_home_comes_back_as_it_was(station: Station, tmp_path: Path) -> None:
    station.issue("a")
    (station.home / "config.yaml").write_text("identity: {}\n")

    saved = make_backup(station.home, tmp_path / "saved", NOW, database=True)
    again = restore_backup(tmp_path / "saved", tmp_path / "again", _nothing)

    assert saved == again
    assert (tmp_path / "again" / "config.yaml").read_text() == "identity: {}\n"
    for path in (station.home / "ca").rglob("*"):
        copy = tmp_path / "again" / path.relative_to(station.home)
        assert copy.is_dir() if path.is_dir() else copy.read_bytes() == path.read_bytes()
        assert copy.is_dir() or copy.stat().st_mode == path.stat().st_mode
    assert (tmp_path / "again").stat().st_mode & 0o077 == 0
    with Registry.open(tmp_path / "again" / "hri.db") as registry:
        assert registry.device("a") == station.registry.device("a")
        assert not verify_log(registry, station.keys.certificates.verifier).findings


def test_a_backup_is_of_one_moment_while_others_write(station: Station, tmp_path: Path) -> None:
    over, failed = threading.Event(), []

    def write() -> None:
        number = 0
        try:
            while not over.is_set():
                station.issue(f"d-{number}")
                number += 1
        except HriError as error:
            failed.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            make_backup(station.home, tmp_path / f"saved-{number}", NOW, database=True)
    finally:
        over.set()
        writer.join(60)

    assert failed == []
    for number in range(5):
        with Registry.open(tmp_path / f"saved-{number}" / "hri.db") as registry:
            assert not verify_log(registry, station.keys.certificates.verifier).findings
            assert not verify_audit(registry, station.keys.audit.verifier).findings
            for device in registry.devices(1000):
                # The device is there a transaction before its certificate, never one after it.
                assert len(registry.certificates(device.device_id)) <= 1


@pytest.mark.parametrize("name", ["_copy_database", "_copy_files", "_sha256", "_put"])
def test_a_backup_that_fails_leaves_nothing(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    class Killed(BaseException):
        pass

    def fail(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(f"hri.backup.{name}", fail)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(Killed):
        make_backup(station.home, tmp_path / "saved", NOW, database=True)

    assert sorted(os.listdir(tmp_path)) == before


def test_nothing_is_saved_over_or_into_what_is_there(station: Station, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    for folder, code in ((tmp_path / "saved", "backup-exists"), (station.home / "x", "backup-inside")):
        with pytest.raises(ConfigurationError) as refused:
            make_backup(station.home, folder, NOW, database=True)
        assert refused.value.code == code


def test_a_damaged_registry_is_not_saved(station: Station, tmp_path: Path) -> None:
    station.registry.close()
    (station.home / "hri.db").write_bytes(b"this is a letter to my aunt" * 400)

    with pytest.raises(StorageError):
        make_backup(station.home, tmp_path / "saved", NOW, database=True)

    assert not (tmp_path / "saved").exists()


def _restored(tmp_path: Path) -> str:
    with pytest.raises(ConfigurationError) as refused:
        restore_backup(tmp_path / "saved", tmp_path / "again", _nothing)
    assert not (tmp_path / "again").exists()
    return refused.value.code


def test_a_damaged_backup_makes_no_home(station: Station, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    make_backup(station.home, saved, NOW, database=True)
    manifest = json.loads((saved / MANIFEST).read_text())

    key = saved / "ca" / "issuing.key"
    whole = key.read_bytes()
    key.write_bytes(whole[:-1])
    assert _restored(tmp_path) == "backup-damaged"
    key.unlink()
    assert _restored(tmp_path) == "backup-damaged"
    key.write_bytes(whole)
    for name in ("../outside", "/etc/passwd", ""):
        manifest["files"] = {name: "00"}
        (saved / MANIFEST).write_text(json.dumps(manifest))
        assert _restored(tmp_path) == "backup-damaged"
    manifest["version"] = 2
    (saved / MANIFEST).write_text(json.dumps(manifest))
    assert _restored(tmp_path) == "backup-newer"
    (saved / MANIFEST).write_text("[]")
    assert _restored(tmp_path) == "backup-damaged"
    (saved / MANIFEST).unlink()
    assert _restored(tmp_path) == "no-file"


def test_a_home_that_is_there_is_not_touched(station: Station, tmp_path: Path) -> None:
    make_backup(station.home, tmp_path / "saved", NOW, database=True)
    before = sorted(str(path) for path in station.home.rglob("*"))

    with pytest.raises(ConfigurationError) as refused:
        restore_backup(tmp_path / "saved", station.home, _nothing)

    assert refused.value.code == "home-exists"
    assert sorted(str(path) for path in station.home.rglob("*")) == before


def test_a_home_appears_only_when_it_is_complete(station: Station, tmp_path: Path) -> None:
    make_backup(station.home, tmp_path / "saved", NOW, database=True)
    shutil.rmtree(station.home)

    def fail(draft: Path, _backup: Backup) -> None:
        with Registry.open(draft / "hri.db") as registry:
            registry.upsert_device(Device("x", "none", None, "registered", None, NOW))
        raise StorageError("x", "x")

    with pytest.raises(StorageError):
        restore_backup(tmp_path / "saved", station.home, fail)
    assert sorted(os.listdir(tmp_path)) == ["saved"]

    restore_backup(tmp_path / "saved", station.home, _nothing)
    with Registry.open(station.home / "hri.db") as registry:
        assert registry.device("x") is None

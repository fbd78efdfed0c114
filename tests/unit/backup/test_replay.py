"""What the exported log and the lists know is put on record again; the log goes on, and never forks."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hri.audit.recorder import Recorder
from hri.audit_check import verify_audit
from hri.backup import make_backup, restore_backup
from hri.ca.crl import publish
from hri.errors import ConfigurationError, HriError, PolicyRefusal
from hri.log_check import verify_log
from hri.log_monitor import monitor_registry
from hri.log_replay import PublishedSince, published_since, replay_log
from hri.registry import Replayed, RevokedEntry
from unit.backup.conftest import NOW, Station

LATER = NOW + timedelta(days=1)


def _save(station: Station, tmp_path: Path) -> None:
    make_backup(station.home, tmp_path / "saved", NOW, database=True)


def _lose(station: Station, tmp_path: Path) -> None:
    station.registry.close()
    shutil.rmtree(station.home)
    restore_backup(tmp_path / "saved", station.home, lambda _draft, _backup: None)
    station.open()


def _replay(station: Station, tmp_path: Path, *revoked: RevokedEntry, number: int = 0, kept=()) -> Replayed:
    return replay_log(
        station.registry,
        station.keys.certificates.verifier,
        tmp_path / "www",
        LATER,
        lists=PublishedSince(revoked, number),
        kept=kept,
        recorder=Recorder("ann@line-1"),
    )


def _whole(station: Station, *kept: str) -> None:
    assert not verify_log(station.registry, station.keys.certificates.verifier, kept).findings
    assert not verify_audit(station.registry, station.keys.audit.verifier).findings
    assert monitor_registry(station.registry, LATER) == []


def test_the_log_goes_on_where_it_was_published(station: Station, tmp_path: Path) -> None:
    station.issue(*(f"old-{number}" for number in range(3)))
    _save(station, tmp_path)
    new = station.issue(*(f"new-{number}" for number in range(300)), confirm=False)
    station.export(tmp_path / "www")
    head = station.registry.log_head()
    _lose(station, tmp_path)

    done = _replay(station, tmp_path)

    assert (done.since, done.size, done.certificates, done.devices) == (3, 303, 300, 300)
    assert station.registry.log_head() == head
    for issued in new:
        record = station.registry.certificate(issued.serial_number)
        assert record is not None
        assert (record.der, record.state) == (issued.der, "issued")
    (more,) = station.issue("more")
    entry = station.registry.log_entry_of(f"{more.serial_number:040x}")
    assert entry is not None
    assert entry.index == 303
    station.export(tmp_path / "www")
    _whole(station, head.checkpoint or "")


def test_a_second_replay_changes_nothing_but_the_numbers_of_lists(station: Station, tmp_path: Path) -> None:
    _save(station, tmp_path)
    station.issue("a")
    station.export(tmp_path / "www")
    _lose(station, tmp_path)
    _replay(station, tmp_path)
    before = list(station.registry.exported_devices())

    done = _replay(station, tmp_path)

    assert (done.since, done.size, done.certificates) == (1, 1, 0)
    assert list(station.registry.exported_devices()) == before


def test_the_newest_certificate_waits_for_its_device_to_answer(station: Station, tmp_path: Path) -> None:
    (first,) = station.issue("a")
    _save(station, tmp_path)
    second, third = station.issue("a")[0], station.issue("a")[0]
    station.export(tmp_path / "www")
    _lose(station, tmp_path)

    _replay(station, tmp_path)

    states = {one.serial_number: (one.state, one.reason) for one in station.registry.certificates("a")}
    assert states[first.serial_number] == ("active", None)
    assert states[second.serial_number] == ("superseded", "superseded")
    assert states[third.serial_number] == ("issued", None)
    # The device answers with what it has: the old one ends as it would have then.
    station.registry.activate(third.serial_number, LATER)
    assert {one.state for one in station.registry.certificates("a")} == {"active", "superseded"}
    _whole(station)


def test_what_waited_for_its_place_gets_the_one_it_was_given(station: Station, tmp_path: Path) -> None:
    station.recorder = Recorder("ann@line-1")
    (waits,) = station.issue("a")
    _save(station, tmp_path)
    station.registry.sequence(station.keys.certificates)
    station.export(tmp_path / "www")
    _lose(station, tmp_path)
    assert len(station.registry.pending()) == 1

    done = _replay(station, tmp_path)

    assert (done.size, done.certificates, station.registry.pending()) == (1, 0, [])
    record = station.registry.certificate(waits.serial_number)
    assert record is not None
    assert record.state == "active"
    _whole(station)


@pytest.mark.parametrize(
    ("reason", "status", "state"),
    [
        ("keyCompromise", "revoked", "revoked"),
        ("cessationOfOperation", "decommissioned", "revoked"),
        ("affiliationChanged", "transferred", "revoked"),
        ("certificateHold", "suspended", "issued"),
        ("superseded", "provisioning", "superseded"),
    ],
)
def test_what_a_list_says_since_is_taken_over(
    station: Station, tmp_path: Path, reason: str, status: str, state: str
) -> None:
    _save(station, tmp_path)
    (issued,) = station.issue("a")
    station.export(tmp_path / "www")
    _lose(station, tmp_path)

    _replay(station, tmp_path, RevokedEntry(issued.serial_number, NOW, reason))

    device, record = station.registry.device("a"), station.registry.certificate(issued.serial_number)
    assert device is not None
    assert record is not None
    assert (device.status, record.state, record.reason) == (status, state, reason)
    assert [entry.serial_number for entry in station.registry.revoked()] == [issued.serial_number]
    _whole(station)


def test_a_list_does_not_take_a_revocation_back(station: Station, tmp_path: Path) -> None:
    (issued,) = station.issue("a")
    station.registry.revoke("a", "keyCompromise", NOW, recorder=station.recorder)
    _save(station, tmp_path)
    station.export(tmp_path / "www")

    for reason in ("certificateHold", "superseded", "cessationOfOperation"):
        _replay(station, tmp_path, RevokedEntry(issued.serial_number, LATER, reason))

    record = station.registry.certificate(issued.serial_number)
    assert record is not None
    assert (record.state, record.reason, record.revoked_at) == ("revoked", "keyCompromise", NOW)


def test_numbers_of_lists_never_go_back(station: Station, tmp_path: Path) -> None:
    station.issue("a", "b")
    publish(station.authority, station.registry, tmp_path / "crl", now=NOW)
    _save(station, tmp_path)
    station.registry.revoke("a", "keyCompromise", NOW, recorder=station.recorder)
    for _ in range(5):
        late = publish(station.authority, station.registry, tmp_path / "crl", now=NOW)
    station.export(tmp_path / "www")
    _lose(station, tmp_path)
    lists = published_since([late], [station.authority.issuing])

    _replay(station, tmp_path, *lists.revoked, number=lists.number)
    new = x509.load_der_x509_crl(publish(station.authority, station.registry, tmp_path / "crl", now=LATER))

    number = new.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    assert (lists.number, number > lists.number) == (6, True)
    assert [entry.serial_number for entry in new] == [lists.revoked[0].serial_number]


def _code(station: Station, tmp_path: Path, kept: tuple[str, ...] = ()) -> str:
    before = list(station.registry.exported_devices()), station.registry.log_head()
    with pytest.raises(HriError) as refused:
        _replay(station, tmp_path, kept=kept)
    assert (list(station.registry.exported_devices()), station.registry.log_head()) == before
    return refused.value.code


def test_an_export_that_is_not_all_there_is_refused(station: Station, tmp_path: Path) -> None:
    _save(station, tmp_path)
    station.issue("a")
    station.export(tmp_path / "www")
    station.issue("b")
    newer = station.registry.log_head().checkpoint or ""
    _lose(station, tmp_path)

    assert _code(station, tmp_path, (newer,)) == "log-incomplete"
    bundle = next((tmp_path / "www" / "tile" / "entries").rglob("1"))
    whole = bundle.read_bytes()
    bundle.write_bytes(whole[:-1])
    assert _code(station, tmp_path) == "log-torn"
    bundle.write_bytes(whole[:12] + bytes([whole[12] ^ 1]) + whole[13:])
    assert _code(station, tmp_path) in ("log-torn", "log-forked")
    bundle.write_bytes(whole[:9] + bytes([whole[9] ^ 1]) + whole[10:])
    # Another time of issue is well formed, and not what was signed.
    assert _code(station, tmp_path) == "log-forked"
    (tmp_path / "www" / "checkpoint").unlink()
    assert _code(station, tmp_path) == "log-torn"


def test_a_registry_that_went_another_way_is_refused(station: Station, tmp_path: Path) -> None:
    _save(station, tmp_path)
    station.issue("a", "b")
    station.export(tmp_path / "www")
    _lose(station, tmp_path)
    # Somebody was too quick.
    station.issue("c")
    assert _code(station, tmp_path) == "log-forked"
    station.issue("d", "e")

    assert _code(station, tmp_path) == "log-forked"


def test_a_checkpoint_of_a_log_that_was_rewritten_is_refused(station: Station, tmp_path: Path) -> None:
    _save(station, tmp_path)
    station.issue("a", "b")
    station.export(tmp_path / "www")
    _lose(station, tmp_path)
    station.issue("c")
    kept = station.registry.log_head().checkpoint or ""
    _lose(station, tmp_path)

    assert _code(station, tmp_path, (kept,)) == "log-forked"


def test_the_log_of_another_authority_is_refused(station: Station, tmp_path: Path) -> None:
    other = Station(tmp_path / "other")
    other.issue("a")
    other.export(tmp_path / "www")
    late = publish(other.authority, other.registry, tmp_path / "crl", now=NOW)
    other.registry.close()

    assert _code(station, tmp_path) == "another-log"
    for data, code in ((late, "foreign-crl"), (b"no list", "no-crl")):
        with pytest.raises(ConfigurationError) as refused:
            published_since([data], [station.authority.issuing])
        assert refused.value.code == code


def test_nothing_is_issued_between_reading_and_replaying(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(station, tmp_path)
    station.issue("a")
    station.export(tmp_path / "www")
    _lose(station, tmp_path)
    real = station.registry.replay_log

    def overtaken(*arguments, **named):
        station.issue("quick")
        return real(*arguments, **named)

    monkeypatch.setattr(station.registry, "replay_log", overtaken)
    with pytest.raises(PolicyRefusal) as refused:
        _replay(station, tmp_path)

    assert refused.value.code == "log-moved"
    assert station.registry.device("a") is None

"""What somebody changes in the database is found; what cannot be known here is found from outside."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hri.acts import begin_logs
from hri.audit.entry import Act, digest
from hri.checkpoint import Checkpoint
from hri.errors import StorageError
from hri.log_monitor import monitor_registry
from hri.registry import Recorded, Registry
from unit.logs.conftest import KEYS, LOCKED, NOW, OPEN, issue, make_keys

# Columns of a certificate that the log does not speak of: what becomes of it is told by acts and CRLs.
_LIFE = {"state", "slot", "revoked_at", "reason", "replaces", "evidence", "unattested", "public_key_sha256"}
_LIFE |= {"not_before", "not_after", "device_id"}


@pytest.fixture
def whole(path: Path) -> Path:
    """A database with 300 certificates in the log and one that waits, with every act signed over but one."""
    with Registry.open(path) as registry:
        begin_logs(registry, KEYS)
        for begin in range(0, 300, 50):
            issue(registry, range(begin, begin + 50))
        registry.revoke("dev-7", "keyCompromise", NOW, recorder=OPEN)
        issue(registry, range(300, 301), LOCKED)
    return path


def _execute(path: Path, statement: str, *values: Any) -> int:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, values).rowcount


def _found(path: Path, codes: Callable[..., set[str]], **kept: tuple[str, ...]) -> set[str]:
    with Registry.open(path) as registry:
        return codes(registry, **kept)


def _flipped(value: Any) -> Any:
    """Return a value with its last byte, character or number changed."""
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    if isinstance(value, str):
        return value[:-1] + chr(ord(value[-1]) ^ 1)
    return 1 if value is None else value ^ 1


def test_a_whole_database_has_no_findings(whole: Path, codes) -> None:
    assert _found(whole, codes) == set()


def _cells(path: Path) -> list[tuple[str, str, int, Any]]:
    """Return every cell of the logs: table, column, rowid, value; of long tables some rows."""
    cells = []
    with closing(sqlite3.connect(path)) as connection:
        for table in ("certificate", "log_head", "log_tile", "audit_entry"):
            cursor = connection.execute(f"SELECT rowid, * FROM {table}")  # noqa: S608 - names of ours
            columns = [column[0] for column in cursor.description][1:]
            rows = cursor.fetchall()
            for rowid, *values in rows if len(rows) < 20 else [*rows[:2], rows[100], *rows[-2:]]:
                cells += [
                    (table, column, rowid, value) for column, value in zip(columns, values, strict=True)
                ]
    return cells


def test_a_change_in_any_column_of_any_table_of_the_logs_is_found(whole: Path, codes, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    tried, missed = 0, []
    for table, column, rowid, value in _cells(whole):
        if table == "certificate" and column in _LIFE:
            continue
        shutil.copy(whole, copy)
        changed = _flipped(value)
        try:
            _execute(copy, f"UPDATE {table} SET {column} = ? WHERE rowid = ?", changed, rowid)  # noqa: S608
        except sqlite3.IntegrityError:
            # The database itself refuses two rows in one place.
            continue
        tried += 1
        if not _seen(copy, codes):
            missed.append((table, column, rowid))

    assert tried > 50
    assert missed == []


def test_a_revocation_that_is_taken_back_is_found(whole: Path) -> None:
    assert _execute(whole, "UPDATE certificate SET state = 'active' WHERE device_id = 'dev-7'") == 1

    with Registry.open(whole) as registry:
        (finding,) = monitor_registry(registry, NOW)
    assert finding.code == "not-revoked"


def _seen(path: Path, codes: Callable[..., set[str]]) -> bool:
    """Return whether the checks or the monitor find something, or refuse to read on."""
    try:
        with Registry.open(path) as registry:
            return bool(codes(registry)) or bool(monitor_registry(registry, NOW))
    except StorageError as refused:
        return refused.code == "log-damaged"


@pytest.mark.parametrize("index", [0, 1, 255, 256, 299])
def test_a_deleted_certificate_is_missed(whole: Path, codes, index: int) -> None:
    assert _execute(whole, "DELETE FROM certificate WHERE log_index = ?", index) == 1

    assert "missing" in _found(whole, codes)


def test_swapped_certificates_are_found(whole: Path, codes) -> None:
    for old, new in ((3, 9999), (200, 3), (9999, 200)):
        assert _execute(whole, "UPDATE certificate SET log_index = ? WHERE log_index = ?", new, old) == 1

    assert "edited" in _found(whole, codes)


def test_a_certificate_that_is_taken_out_of_the_log_is_missed(whole: Path, codes) -> None:
    assert _execute(whole, "UPDATE certificate SET log_index = NULL WHERE log_index = 5") == 1

    assert "missing" in _found(whole, codes)


def test_a_certificate_behind_the_end_is_found(whole: Path, codes) -> None:
    assert _execute(whole, "UPDATE certificate SET log_index = 300 WHERE log_index IS NULL") == 1

    assert "head" in _found(whole, codes)


def test_a_smuggled_certificate_is_logged_and_has_no_act(whole: Path, codes) -> None:
    with closing(sqlite3.connect(whole)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(certificate)")]
        row = dict(
            zip(
                columns,
                connection.execute("SELECT * FROM certificate WHERE log_index = 1").fetchone(),
                strict=True,
            )
        )
        row |= {"serial_number": "f" * 40, "der": b"smuggled", "log_index": None, "state": "superseded"}
        marks = ", ".join("?" * len(columns))
        connection.execute(f"INSERT INTO certificate VALUES ({marks})", tuple(row[name] for name in columns))  # noqa: S608

    with Registry.open(whole) as registry:
        registry.sequence(KEYS.certificates)
        assert codes(registry) == set()
        (finding,) = monitor_registry(registry, NOW)
    assert finding.code == "no-issuance"
    assert "f" * 40 in finding.detail


def test_a_waiting_certificate_that_vanishes_is_missed_by_the_monitor(whole: Path) -> None:
    assert _execute(whole, "DELETE FROM certificate WHERE log_index IS NULL") == 1

    with Registry.open(whole) as registry:
        (finding,) = monitor_registry(registry, NOW)
    assert finding.code == "not-logged"


def test_deleted_and_swapped_acts_are_found(whole: Path, codes, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    for number, found in ((0, "missing"), (150, "missing"), (301, "head")):
        shutil.copy(whole, copy)
        assert _execute(copy, "DELETE FROM audit_entry WHERE number = ?", number) == 1
        assert found in _found(copy, codes)
    for old, new in ((3, 9999), (200, 3), (9999, 200)):
        _execute(whole, "UPDATE audit_entry SET number = ? WHERE number = ?", new, old)
    assert "broken" in _found(whole, codes)


def test_an_act_behind_the_end_is_found(whole: Path, codes) -> None:
    _execute(
        whole, "INSERT INTO audit_entry SELECT 999, at, act, subject, entry FROM audit_entry WHERE number = 0"
    )

    assert "head" in _found(whole, codes)


def test_nothing_is_issued_on_top_of_a_log_that_was_changed(whole: Path) -> None:
    statements = [
        "UPDATE log_tile SET hashes = zeroblob(length(hashes)) WHERE level = 0 AND tile_index = 1",
        "UPDATE log_tile SET hashes = zeroblob(length(hashes)) WHERE level = 1",
        "UPDATE log_head SET size = 299 WHERE name = 'certificates'",
        "UPDATE log_head SET checkpoint = NULL WHERE name = 'certificates'",
        "UPDATE log_head SET checkpoint = NULL WHERE name = 'audit'",
        "UPDATE log_head SET digest = zeroblob(32) WHERE name = 'audit'",
        "UPDATE log_head SET size = 0 WHERE name = 'audit'",
        "UPDATE audit_entry SET entry = zeroblob(8) WHERE number = (SELECT max(number) FROM audit_entry)",
        "DELETE FROM log_head WHERE name = 'audit'",
    ]
    for number, statement in enumerate(statements, 400):
        copy = whole.with_name(f"{number}.db")
        shutil.copy(whole, copy)
        assert _execute(copy, statement) == 1
        with Registry.open(copy) as registry, pytest.raises(StorageError) as refused:
            issue(registry, range(number, number + 1))
        assert refused.value.code in ("log-damaged", "log-unsigned")
        with Registry.open(copy) as registry:
            assert registry.certificates(f"dev-{number}") == ()


def _rewrite(path: Path, size: int) -> None:
    """Set both logs back to `size` certificates and write another history, with the keys."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM certificate")
        for table in ("log_tile", "audit_entry", "device"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of ours
        connection.execute("UPDATE log_head SET size = 0, digest = zeroblob(32), checkpoint = NULL")
        connection.execute(
            "UPDATE log_head SET digest = ? WHERE name = 'certificates'",
            (bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),),
        )
    with Registry.open(path) as registry:
        begin_logs(registry, make_keys())
        if size:
            issue(registry, range(1000, 1000 + size))


@pytest.mark.parametrize(("size", "code"), [(0, "truncated"), (40, "truncated"), (400, "rewritten")])
def test_who_holds_the_keys_can_rewrite_and_is_found_by_a_checkpoint_kept_elsewhere(
    whole: Path, codes, size: int, code: str
) -> None:
    with Registry.open(whole) as registry:
        kept = registry.log_head().checkpoint or "", registry.audit_head().checkpoint or ""
    _rewrite(whole, size)

    # The documented limit: what fits together cannot be told from the truth without an outside word.
    assert _found(whole, codes) == set()
    assert _found(whole, codes, log=(kept[0],)) == {code}
    assert _found(whole, codes, audit=(kept[1],)) == {code}


def test_an_older_copy_of_the_database_is_found_by_a_checkpoint_kept_elsewhere(
    whole: Path, codes, tmp_path: Path
) -> None:
    old = tmp_path / "old.db"
    shutil.copy(whole, old)
    with Registry.open(whole) as registry:
        issue(registry, range(500, 510))
        kept = registry.log_head().checkpoint or "", registry.audit_head().checkpoint or ""

    assert _found(old, codes) == set()
    assert _found(old, codes, log=(kept[0],)) == {"truncated"}
    assert _found(old, codes, audit=(kept[1],)) == {"truncated"}


def test_without_the_keys_only_acts_behind_the_last_signature_can_be_taken_away(whole: Path, codes) -> None:
    with Registry.open(whole) as registry:
        size = registry.audit_head().size
        signed = Checkpoint.opened(registry.audit_head().checkpoint or "", KEYS.audit.verifier)
    assert signed.size == size - 1
    end = "UPDATE log_head SET size = ?, digest = ? WHERE name = 'audit'"

    # The documented limit: the last act was chained without the key, and nobody vouches for it.
    _execute(whole, "DELETE FROM audit_entry WHERE number = ?", size - 1)
    _execute(whole, end, signed.size, signed.digest)
    assert _found(whole, codes) == set()

    _execute(whole, "DELETE FROM audit_entry WHERE number = ?", size - 2)
    with Registry.open(whole) as registry:
        *_, last = registry.audit_entries()
    _execute(whole, end, size - 2, digest(last.entry))
    assert _found(whole, codes) == {"truncated"}


def test_a_checkpoint_of_another_key_counts_for_nothing(whole: Path, codes) -> None:
    with Registry.open(whole) as registry:
        head = registry.log_head()
    forged = Checkpoint("example.test/certificates", head.size, head.digest).signed(make_keys(9).certificates)

    assert _found(whole, codes, log=(forged,)) == {"checkpoint"}
    assert _found(whole, codes, log=("",)) == {"checkpoint"}


def test_records_of_acts_are_never_written_over(whole: Path) -> None:
    with Registry.open(whole) as registry:
        before = [row.entry for row in registry.audit_entries()]
        registry.record_acts(Recorded(LOCKED, (Act("x"),)), NOW)

        assert [row.entry for row in registry.audit_entries()][: len(before)] == before

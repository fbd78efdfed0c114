"""A database is made, found again, or refused for what it is."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hri.errors import ConfigurationError, StorageError
from hri.registry import Device, Registry, registry_location
from hri.registry import migrations as scripts
from hri.registry.folder_lock import exclusive
from hri.registry.schema import HEAD, metadata


def _code(where: Path | str) -> str:
    with pytest.raises((StorageError, ConfigurationError)) as refused:
        Registry.open(where)
    return refused.value.code


def test_what_was_committed_is_there_after_reopening(path: Path, now: datetime) -> None:
    device = Device("dev-1", "atecc608b", "0123ab", "active", 3, now, now, "on the desk")
    with Registry.open(path) as registry:
        registry.upsert_device(device)

    with Registry.open(str(path)) as registry:
        assert registry.device("dev-1") == device


def test_a_new_file_is_the_owners_alone_and_survives_a_power_cut(path: Path) -> None:
    with Registry.open(path) as registry, registry._read() as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_the_folder_is_made(tmp_path: Path) -> None:
    Registry.open(tmp_path / "a" / "b" / "hri.db").close()

    assert (tmp_path / "a" / "b" / "hri.db").exists()


def test_many_openers_of_a_new_database_make_it_once(path: Path) -> None:
    def version(_: int) -> str:
        with Registry.open(path) as registry, registry._read() as connection:
            return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(version, range(8), timeout=60)) == [HEAD] * 8


def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"this is a letter to my aunt" * 100)

    assert _code(path) == "database-damaged"
    assert path.read_bytes().startswith(b"this is a letter")


def _overwrite_pages(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 64] = b"\xa5" * 64
    path.write_bytes(bytes(data))


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:10_000])


@pytest.mark.parametrize("damage", [_overwrite_pages, _truncate])
def test_a_damaged_database_is_said_to_be_damaged(
    path: Path, now: datetime, damage: Callable[[Path], None]
) -> None:
    with Registry.open(path) as registry:
        registry.upsert_device(Device("dev-1", "atecc608b", None, "active", 0, now))
    damage(path)

    with pytest.raises(StorageError) as refused, Registry.open(path) as registry:
        registry.check()

    assert refused.value.code == "database-damaged"
    assert "backup" in refused.value.hint


def test_a_whole_database_passes_the_check(registry: Registry) -> None:
    registry.check()


def test_another_programs_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE recipe (name TEXT)")
    other.close()
    before = path.read_bytes()

    assert _code(path) == "database-foreign"
    assert path.read_bytes() == before


def test_a_database_with_another_application_id_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA application_id = 7")
    other.close()

    assert _code(path) == "database-foreign"


def test_a_newer_database_is_not_touched(path: Path) -> None:
    Registry.open(path).close()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    other.close()

    assert _code(path) == "database-newer"


def test_an_interrupted_migration_starts_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise StorageError("disk-full", "the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("hri.registry.database.migrate", killed)
        assert _code(path) == "disk-full"

    with Registry.open(path) as registry:
        assert registry.devices() == ()


def test_a_folder_where_the_file_should_be(tmp_path: Path) -> None:
    assert _code(tmp_path) == "database-unreachable"


def test_a_path_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    assert _code(tmp_path / "file" / "hri.db") == "database-unreachable"


@pytest.mark.parametrize(
    "url", ["oracle://x/y", "mysql://x/y", "nonsense://", "postgresql+nodriver://x/y", "://"]
)
def test_urls_that_make_no_sense(url: str) -> None:
    assert _code(url) == "bad-database-url"


def test_a_password_in_a_url_is_never_shown() -> None:
    with pytest.raises((StorageError, ConfigurationError)) as refused:
        Registry.open("postgresql://hri:hunter2@127.0.0.1:1/hri")

    assert "hunter2" not in f"{refused.value.message} {refused.value.hint}"


def test_a_busy_folder_is_not_waited_for_without_end(path: Path) -> None:
    with (
        exclusive(path.parent, "testing"),
        pytest.raises(StorageError) as refused,
        exclusive(path.parent, "preparing a registry", patience=0),
    ):
        pytest.fail("two in one folder")

    assert refused.value.code == "folder-busy"


def test_the_location_is_the_url_or_inside_the_home(tmp_path: Path) -> None:
    url = "postgresql://db/hri"

    assert registry_location(tmp_path, {}) == tmp_path / "hri.db"
    assert registry_location(tmp_path, {"HRI_DATABASE_URL": ""}) == tmp_path / "hri.db"
    assert registry_location(tmp_path, {"HRI_DATABASE_URL": url}) == url


def test_the_scripts_lead_to_the_tables_in_use(registry: Registry) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(scripts.__file__).parent))

    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]
    with registry._read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []

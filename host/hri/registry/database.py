"""One database: opened, brought to the newest version, read and written in transactions.

Durability: SQLite runs in WAL mode with synchronous=FULL, so a commit that returned survives a power cut.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event, make_url, text
from sqlalchemy import exc as sa_exc
from sqlalchemy.engine import URL

from hri.errors import ConfigurationError, HriError, StorageError
from hri.log import get_logger
from hri.registry.folder_lock import exclusive
from hri.registry.migrate import migrate, stored_version
from hri.registry.schema import APPLICATION_ID, HEAD

_log = get_logger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BUSY_MS = 10_000
# Nobody waits for ever for a PostgreSQL that is gone or stuck; what the URL says goes before.
_POSTGRES_WAITS = {
    "connect_timeout": "5",
    "tcp_user_timeout": "10000",
    "options": "-c statement_timeout=20000 -c lock_timeout=10000",
}
_POOL_WAIT_S = 10
_MEMORY = ":memory:"

_SQLITE_FAULTS = {
    sqlite3.SQLITE_FULL: ("disk-full", "the disk is full", "make room and run the same command again"),
    sqlite3.SQLITE_READONLY: ("database-readonly", "it cannot be written", "correct its permissions"),
    sqlite3.SQLITE_PERM: ("database-readonly", "it cannot be written", "correct its permissions"),
    sqlite3.SQLITE_CORRUPT: ("database-damaged", "it is damaged", "restore it from a backup"),
    sqlite3.SQLITE_NOTADB: ("database-damaged", "it is not a database", "restore it from a backup"),
    sqlite3.SQLITE_CANTOPEN: ("database-unreachable", "it cannot be opened", "check the folder"),
    sqlite3.SQLITE_BUSY: ("database-busy", "another process holds it", "wait, and run the command again"),
    sqlite3.SQLITE_LOCKED: ("database-busy", "another process holds it", "wait, and run the command again"),
    sqlite3.SQLITE_IOERR: ("database-io", "the disk failed", "check the disk, then run the command again"),
}


def to_micros(moment: datetime) -> int:
    """Return an aware time as microseconds since 1970. Raises TypeError for a naive one."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return microseconds since 1970 as an aware UTC time."""
    return _EPOCH + micros * _MICROSECOND


def maybe_from_micros(micros: int | None) -> datetime | None:
    """Return `from_micros`, or None for NULL."""
    return None if micros is None else from_micros(micros)


class Database:
    """A connection pool whose transactions say beforehand whether they will write."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._writer = engine.execution_options(hri_write=True)
        self._name = name
        # An in-memory database lives in one connection, which threads must take turns with.
        self._turn: AbstractContextManager[Any] = (
            threading.RLock() if isinstance(engine.pool, StaticPool) else nullcontext()
        )

    @classmethod
    def open(cls, where: str | Path) -> Self:
        """Open a database, making it and bringing it to the newest version where needed.

        `where` is the path of a SQLite file, a database URL, or ":memory:".

        Raises StorageError (damaged, foreign, newer, full, read-only, unreachable) and ConfigurationError (a
        URL that makes no sense, or a driver that is not installed).
        """
        url = _url(where)
        name = url.render_as_string(hide_password=True)
        try:
            engine = _engine(url)
            database = cls(engine, url.database or name if url.get_backend_name() == "sqlite" else name)
        except (sa_exc.ArgumentError, sa_exc.NoSuchModuleError, ImportError) as error:
            raise ConfigurationError(
                "bad-database-url",
                f"the database {name} cannot be used: {type(error).__name__}",
                "give the path of a SQLite file or a postgresql:// URL, and install psycopg for the latter",
            ) from error
        try:
            database._prepare(url)
        except BaseException:
            engine.dispose()
            raise
        return database

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def check(self) -> None:
        """Read the whole database and raise StorageError if any of it is damaged (SQLite only)."""
        if self._engine.dialect.name == "sqlite":
            with self._read() as connection:
                answer = connection.execute(text("PRAGMA integrity_check(1)")).scalar_one()
            if answer != "ok":
                raise StorageError(
                    "database-damaged", f"the registry {self._name} is damaged", "restore it from a backup"
                )

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._turn, self._faults(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        """A reading transaction whose statements all see the same moment."""
        engine = self._engine
        if engine.dialect.name != "sqlite":
            # Otherwise each statement would see what was committed before it; SQLite has this anyway.
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with self._turn, self._faults(), engine.connect() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its beginning and is durable once it is left."""
        with self._turn, self._faults(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except HriError:
            raise
        except sa_exc.IntegrityError:
            # Not a fault of the storage: the caller knows which rule its row broke.
            raise
        except (sa_exc.DBAPIError, sqlite3.Error, OSError, sa_exc.TimeoutError) as error:
            raise self._fault(error) from error

    def _fault(self, error: BaseException) -> StorageError:
        original = error.orig if isinstance(error, sa_exc.DBAPIError) else error
        number = getattr(original, "sqlite_errorcode", None)
        # The low byte is the primary code (sqlite.org/rescode.html).
        known = _SQLITE_FAULTS.get(number & 0xFF) if isinstance(number, int) else None
        if known is None:
            why = original.strerror if isinstance(original, OSError) else None
            what = (why or f"it failed ({type(original).__name__})").lower()
            known = ("database-unreachable", what, "check that the database can be reached, then try again")
        code, what, hint = known
        _log.info("registry failed", database=self._name, code=code, error=str(original))
        return StorageError(code, f"the registry {self._name}: {what}", hint)

    def _prepare(self, url: URL) -> None:
        sqlite = url.get_backend_name() == "sqlite"
        if sqlite and url.database not in (None, "", _MEMORY):
            with self._faults():
                path = Path(str(url.database))
                path.parent.mkdir(parents=True, exist_ok=True)
                if not path.exists():
                    # Evidence and the names of devices are nobody else's business.
                    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
                with exclusive(path.parent, "preparing a registry"):
                    self._upgrade(sqlite=True)
        else:
            self._upgrade(sqlite=sqlite)

    def _upgrade(self, *, sqlite: bool) -> None:
        if sqlite:
            self._claim_file()
        with self._read() as connection:
            version = stored_version(connection, self._name)
        if version == HEAD:
            return
        with self._write() as connection:
            if not sqlite:
                # Two servers that start at once take turns (an arbitrary number of ours).
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": APPLICATION_ID})
            migrate(connection, self._name)
        _log.info("registry brought to the newest version", database=self._name, version=HEAD)

    def _claim_file(self) -> None:
        """Refuse somebody else's SQLite file; mark a new one as ours and switch it to WAL."""
        with self._turn, self._faults():
            raw = self._engine.raw_connection()
            try:
                cursor = raw.cursor()
                owner = cursor.execute("PRAGMA application_id").fetchone()[0]
                tables = cursor.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
                if owner not in (0, APPLICATION_ID) or (owner == 0 and tables):
                    raise StorageError(
                        "database-foreign",
                        f"{self._name} is another program's database",
                        "choose another --home or HRI_DATABASE_URL",
                    )
                if owner == 0:
                    cursor.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                if cursor.execute("PRAGMA journal_mode").fetchone()[0] == "delete":
                    cursor.execute("PRAGMA journal_mode = WAL")
            finally:
                raw.close()


def _url(where: str | Path) -> URL:
    if isinstance(where, Path):
        return URL.create("sqlite", database=str(where))
    if where == _MEMORY:
        return URL.create("sqlite")
    if "://" not in where:
        return URL.create("sqlite", database=where)
    try:
        url = make_url(where)
    except sa_exc.ArgumentError as error:
        raise ConfigurationError(
            "bad-database-url", "the database URL makes no sense", "write postgresql://user@host/name"
        ) from error
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigurationError(
            "bad-database-url",
            f"a database of type {url.get_backend_name()!r} is not supported",
            "use SQLite or PostgreSQL",
        )
    return url


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        waits = {name: value for name, value in _POSTGRES_WAITS.items() if name not in url.query}
        return create_engine(url, pool_pre_ping=True, pool_timeout=_POOL_WAIT_S, connect_args=waits)
    if url.database in (None, "", _MEMORY):
        engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        engine = create_engine(url, pool_size=8, max_overflow=24, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own idea of when to begin would leave DDL and reads outside transactions.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    # A transaction that reads first and then wants to write could fail half-way; so writers say so at once.
    write = connection.get_execution_options().get("hri_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

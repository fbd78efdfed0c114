"""Bring a database to the newest version of its tables."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from hri.errors import StorageError
from hri.registry.schema import HEAD, metadata

_SCRIPTS = Path(__file__).parent / "migrations"


def stored_version(connection: Connection, name: str) -> str | None:
    """Return the version of a database's tables, None for an empty database.

    Raises StorageError where tables of ours are there but their version is not.
    """
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" in tables:
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return None if version is None else str(version)
    if tables & set(metadata.tables):
        raise StorageError(
            "database-foreign",
            f"{name} has tables with our names that we did not make",
            "choose another --home or HRI_DATABASE_URL",
        )
    return None


def migrate(connection: Connection, name: str) -> None:
    """Apply what is missing, inside the caller's transaction.

    Raises StorageError where the database belongs to a newer version of this program.
    """
    # Here and not above: it takes longer to import than everything else, and is needed once in a version.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    version = stored_version(connection, name)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        raise StorageError(
            "database-newer",
            f"{name} was written by a newer version of this program (version {version})",
            "install the newer version",
        )
    if version != HEAD:
        command.upgrade(config, "head")

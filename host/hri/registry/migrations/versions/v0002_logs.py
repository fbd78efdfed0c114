"""The logs: Merkle log, for which earlier certificates wait, and audit log, with the acts before it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import cbor2
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
# The format is written out here, not imported: this version will not change with it.
_AUDIT = "hri/1 audit"


def upgrade() -> None:
    """Make the logs' tables and carry over what is there."""
    _merkle()
    _audit()
    # Every certificate waits for its place, marked as older than the log.
    op.get_bind().execute(sa.text("UPDATE certificate SET before_log = :yes"), {"yes": True})
    _carry_acts(op.get_bind())
    op.drop_table("event")


def downgrade() -> None:
    """Drop the logs; what the audit log told is lost."""
    op.drop_index("certificate_waits", "certificate")
    op.drop_index("certificate_log_index", "certificate")
    for column in ("log_index", "before_log"):
        op.drop_column("certificate", column)
    for table in ("audit_entry", "log_tile", "log_head"):
        op.drop_table(table)
    op.create_table(
        "event",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("device_id", sa.String(64)),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("event_device", "event", ["device_id"])


def _merkle() -> None:
    op.add_column("certificate", sa.Column("log_index", sa.BigInteger))
    op.add_column(
        "certificate", sa.Column("before_log", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.create_index("certificate_log_index", "certificate", ["log_index"], unique=True)
    waits = sa.text("log_index IS NULL")
    op.create_index(
        "certificate_waits", "certificate", ["issued_at"], sqlite_where=waits, postgresql_where=waits
    )
    op.create_table(
        "log_head",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("checkpoint", sa.Text),
    )
    op.create_table(
        "log_tile",
        sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("tile_index", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
    )


def _audit() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("number", _ID, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("act", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("entry", sa.LargeBinary, nullable=False),
    )
    op.create_index("audit_subject", "audit_entry", ["subject", "number"])
    configuration = sa.text("act = 'configuration'")
    op.create_index(
        "audit_configuration",
        "audit_entry",
        ["number"],
        sqlite_where=configuration,
        postgresql_where=configuration,
    )


def _carry_acts(connection: sa.Connection) -> None:
    """Chain the acts that the table of events told of; who did them was not recorded."""
    rows = connection.execute(sa.text("SELECT at, kind, device_id, detail FROM event ORDER BY id"))
    entries = sa.table(
        "audit_entry",
        *(sa.column(name) for name in ("number", "at", "act", "subject")),
        sa.column("entry", sa.LargeBinary),
    )
    number, before = 0, bytes(32)
    for page in rows.partitions(1000):
        values: list[dict[str, Any]] = []
        for at, kind, device_id, detail in page:
            told = {"detail": json.loads(detail)}
            items = [
                _AUDIT, number, before, at, "not recorded", kind, device_id, "done", "before the log", told
            ]  # fmt: skip
            entry = cbor2.dumps(items, canonical=True)
            values.append({"number": number, "at": at, "act": kind, "subject": device_id, "entry": entry})
            number, before = number + 1, hashlib.sha256(entry).digest()
        connection.execute(sa.insert(entries), values)
    heads = sa.table("log_head", sa.column("name"), sa.column("size"), sa.column("digest", sa.LargeBinary))
    ends = [
        {"name": "certificates", "size": 0, "digest": hashlib.sha256(b"").digest()},
        {"name": "audit", "size": number, "digest": before},
    ]
    connection.execute(sa.insert(heads), ends)

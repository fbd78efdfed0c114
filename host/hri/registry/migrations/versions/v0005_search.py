"""Indexes for every question that a list of devices is asked, and one order of names on both databases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Referenced columns first: the two ends of a foreign key have to be compared alike.
_NAMES = (
    ("device", "device_id"),
    ("certificate", "device_id"),
    ("evidence", "device_id"),
    ("challenge", "device_id"),
    ("device", "element_serial"),
    ("evidence", "element_serial"),
    ("endorsement", "element_serial"),
)
_LIVE = "state IN ('issued', 'active')"


def upgrade() -> None:
    """Order names by their bytes, as SQLite does anyway, and make the indexes."""
    _collate("C")
    op.create_index("device_status", "device", ["status", "device_id"])
    op.create_index("device_element_type", "device", ["element_type", "device_id"])
    for name in ("owner", "label"):
        given = sa.text(f"{name} IS NOT NULL")
        columns = [name, "device_id"]
        op.create_index(f"device_{name}", "device", columns, sqlite_where=given, postgresql_where=given)
    seen = sa.text("coalesce(last_authenticated_at, 0)")
    op.create_index("device_seen", "device", [seen, "device_id"])
    live = sa.text(_LIVE)
    ends = ["not_after", "device_id"]
    op.create_index("certificate_ends", "certificate", ends, sqlite_where=live, postgresql_where=live)


def downgrade() -> None:
    """Drop the indexes, and order names as the database does by itself."""
    op.drop_index("certificate_ends", "certificate")
    for name in ("seen", "label", "owner", "element_type", "status"):
        op.drop_index(f"device_{name}", "device")
    _collate("default")


def _collate(collation: str) -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, column in _NAMES:
        op.execute(f'ALTER TABLE {table} ALTER COLUMN {column} TYPE varchar(64) COLLATE "{collation}"')

"""What is published of revocation: lists as they were signed last, and shards; and who owns a device."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables. Lists that have no row yet are numbered on from the counter of the first version."""
    op.add_column("device", sa.Column("owner", sa.Text))
    op.create_table(
        "crl",
        sa.Column("issuer", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("this_update", sa.BigInteger, nullable=False),
        sa.Column("next_update", sa.BigInteger, nullable=False),
        sa.Column("content_sha256", sa.String(64), nullable=False),
        sa.Column("der", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "crl_shards",
        sa.Column("issuer", sa.String(64), primary_key=True),
        sa.Column("count", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("url", sa.String(512), primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables; the counter, from which older versions number their list, is brought up to date."""
    op.execute(
        "INSERT INTO counter SELECT 'crl', 0 WHERE NOT EXISTS (SELECT 1 FROM counter WHERE name = 'crl')"
    )
    op.execute(
        "UPDATE counter SET value = (SELECT max(number) FROM crl) "
        "WHERE name = 'crl' AND value < (SELECT max(number) FROM crl)"
    )
    op.drop_column("device", "owner")
    op.drop_table("crl_shards")
    op.drop_table("crl")

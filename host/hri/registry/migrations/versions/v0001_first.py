"""The tables of the first version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make every table."""
    _devices()
    _trust()
    _challenges()
    _house_keeping()


def downgrade() -> None:
    """Drop every table."""
    tables = ("counter", "event", "lease", "challenge", "evidence", "endorsement", "certificate", "device")
    for table in tables:
        op.drop_table(table)


def _devices() -> None:
    op.create_table(
        "device",
        sa.Column("device_id", sa.String(64), primary_key=True),
        sa.Column("element_type", sa.String(32), nullable=False),
        sa.Column("element_serial", sa.String(64), unique=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("slot", sa.Integer),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_authenticated_at", sa.BigInteger),
        sa.Column("label", sa.Text),
    )
    op.create_table(
        "certificate",
        sa.Column("serial_number", sa.String(40), primary_key=True),
        sa.Column("device_id", sa.String(64), sa.ForeignKey("device.device_id"), nullable=False),
        sa.Column("der", sa.LargeBinary, nullable=False),
        sa.Column("public_key_sha256", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("issued_at", sa.BigInteger, nullable=False),
        sa.Column("not_before", sa.BigInteger, nullable=False),
        sa.Column("not_after", sa.BigInteger, nullable=False),
        sa.Column("slot", sa.Integer),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("reason", sa.String(32)),
        sa.Column("replaces", sa.String(40), sa.ForeignKey("certificate.serial_number")),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("unattested", sa.Text),
    )
    op.create_index("certificate_device", "certificate", ["device_id"])
    for state in ("active", "issued"):
        where = sa.text(f"state = '{state}'")
        op.create_index(
            f"certificate_one_{state}",
            "certificate",
            ["device_id"],
            unique=True,
            sqlite_where=where,
            postgresql_where=where,
        )
    revoked = sa.text("revoked_at IS NOT NULL")
    op.create_index(
        "certificate_revoked",
        "certificate",
        ["revoked_at"],
        sqlite_where=revoked,
        postgresql_where=revoked,
    )


def _trust() -> None:
    op.create_table(
        "endorsement",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("element_serial", sa.String(64), nullable=False),
        sa.Column("attestation_key", sa.LargeBinary, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("station", sa.Text, nullable=False),
        sa.Column("chip_state", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.UniqueConstraint("element_serial", "kind", name="endorsement_once"),
    )
    op.create_table(
        "evidence",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("device_id", sa.String(64)),
        sa.Column("element_serial", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("cose", sa.LargeBinary, nullable=False),
        sa.Column("challenge", sa.LargeBinary, nullable=False),
        sa.Column("verifier", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("public_key", sa.LargeBinary),
        sa.Column("csr_sha256", sa.LargeBinary),
    )
    op.create_index("evidence_device", "evidence", ["device_id"])
    op.create_index("evidence_element", "evidence", ["element_serial"])


def _challenges() -> None:
    op.create_table(
        "challenge",
        sa.Column("challenge", sa.LargeBinary(32), primary_key=True),
        sa.Column("purpose", sa.String(64), nullable=False),
        sa.Column("device_id", sa.String(64), nullable=False),
        sa.Column("verifier", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger),
    )
    op.create_index("challenge_expiry", "challenge", ["expires_at"])


def _house_keeping() -> None:
    op.create_table(
        "lease",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("process", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "event",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("device_id", sa.String(64)),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("event_device", "event", ["device_id"])
    op.create_table(
        "counter",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )

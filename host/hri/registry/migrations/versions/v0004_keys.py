"""Find the certificates of a key, so that no key is certified for two devices."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("certificate_public_key", "certificate", ["public_key_sha256"])


def downgrade() -> None:
    """Drop the index."""
    op.drop_index("certificate_public_key", "certificate")

"""Find the certificates of a key, so that none is certified for two devices, and the CA of a certificate."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op
from cryptography import x509

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_PAGE = 1000
_certificate = sa.table(
    "certificate",
    sa.column("serial_number", sa.String),
    sa.column("der", sa.LargeBinary),
    sa.column("issuer", sa.String),
)


def upgrade() -> None:
    """Make the index and the column, and fill it from the certificates' authority key identifiers."""
    op.create_index("certificate_public_key", "certificate", ["public_key_sha256"])
    op.add_column("certificate", sa.Column("issuer", sa.String(64)))
    connection = op.get_bind()
    known = (
        sa.update(_certificate)
        .where(_certificate.c.serial_number == sa.bindparam("key"))
        .values(issuer=sa.bindparam("ca"))
    )
    for page in _pages(connection):
        issuers = ((serial_number, _issuer(der)) for serial_number, der in page)
        values = [{"key": serial_number, "ca": issuer} for serial_number, issuer in issuers if issuer]
        if values:
            connection.execute(known, values)


def downgrade() -> None:
    """Drop the index and the column."""
    op.drop_index("certificate_public_key", "certificate")
    op.drop_column("certificate", "issuer")


def _pages(connection: sa.Connection) -> Iterator[list[tuple[str, bytes]]]:
    after = ""
    while True:
        query = sa.select(_certificate.c.serial_number, _certificate.c.der)
        query = query.where(_certificate.c.serial_number > after)
        query = query.order_by(_certificate.c.serial_number).limit(_PAGE)
        page = [(serial_number, der) for serial_number, der in connection.execute(query)]
        if not page:
            return
        yield page
        after = page[-1][0]


def _issuer(der: bytes) -> str | None:
    """Return the key identifier of the CA in hex, None where the certificate does not say it."""
    try:
        extensions = x509.load_der_x509_certificate(bytes(der)).extensions
        value = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except (ValueError, x509.ExtensionNotFound, x509.InvalidVersion, x509.DuplicateExtension):
        return None
    return None if value.key_identifier is None else value.key_identifier.hex()

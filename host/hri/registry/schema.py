"""The tables, as they are in the newest version; how they came to be is in `migrations`.

Times are whole microseconds since 1970 UTC; serial numbers of certificates are 40 hex digits, because no
database has an integer of 160 bits.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

# PRAGMA application_id of our SQLite files ("HRI1"): says whose file it is before anything is changed in it.
APPLICATION_ID = 0x48524931
# The newest migration; `tests/unit/registry` holds it against the scripts.
HEAD = "0004"

metadata = MetaData()
_Id = BigInteger().with_variant(Integer, "sqlite")

device = Table(
    "device",
    metadata,
    Column("device_id", String(64), primary_key=True),
    Column("element_type", String(32), nullable=False),
    Column("element_serial", String(64), unique=True),
    Column("status", String(16), nullable=False),
    Column("slot", Integer),
    Column("created_at", BigInteger, nullable=False),
    Column("last_authenticated_at", BigInteger),
    Column("label", Text),
)

certificate = Table(
    "certificate",
    metadata,
    Column("serial_number", String(40), primary_key=True),
    Column("device_id", String(64), ForeignKey("device.device_id"), nullable=False),
    Column("der", LargeBinary, nullable=False),
    Column("public_key_sha256", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("not_before", BigInteger, nullable=False),
    Column("not_after", BigInteger, nullable=False),
    Column("slot", Integer),
    Column("revoked_at", BigInteger),
    Column("reason", String(32)),
    Column("replaces", String(40), ForeignKey("certificate.serial_number")),
    Column("evidence", Text, nullable=False),
    Column("unattested", Text),
)
Index("certificate_device", certificate.c.device_id)
Index("certificate_public_key", certificate.c.public_key_sha256)
Index(
    "certificate_one_active",
    certificate.c.device_id,
    unique=True,
    sqlite_where=text("state = 'active'"),
    postgresql_where=text("state = 'active'"),
)
Index(
    "certificate_one_issued",
    certificate.c.device_id,
    unique=True,
    sqlite_where=text("state = 'issued'"),
    postgresql_where=text("state = 'issued'"),
)
Index(
    "certificate_revoked",
    certificate.c.revoked_at,
    sqlite_where=text("revoked_at IS NOT NULL"),
    postgresql_where=text("revoked_at IS NOT NULL"),
)

endorsement = Table(
    "endorsement",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("kind", String(32), nullable=False),
    Column("element_serial", String(64), nullable=False),
    Column("attestation_key", LargeBinary, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("station", Text, nullable=False),
    Column("chip_state", Text, nullable=False),
    Column("detail", Text, nullable=False),
    UniqueConstraint("element_serial", "kind", name="endorsement_once"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("device_id", String(64)),
    Column("element_serial", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("cose", LargeBinary, nullable=False),
    Column("challenge", LargeBinary, nullable=False),
    Column("verifier", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("public_key", LargeBinary),
    Column("csr_sha256", LargeBinary),
)
Index("evidence_device", evidence.c.device_id)
Index("evidence_element", evidence.c.element_serial)

challenge = Table(
    "challenge",
    metadata,
    Column("challenge", LargeBinary(32), primary_key=True),
    Column("purpose", String(64), nullable=False),
    Column("device_id", String(64), nullable=False),
    Column("verifier", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
)
Index("challenge_expiry", challenge.c.expires_at)

lease = Table(
    "lease",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("token", String(32), nullable=False),
    Column("owner", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("process", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("device_id", String(64)),
    Column("detail", Text, nullable=False),
)
Index("event_device", event.c.device_id)

counter = Table(
    "counter",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

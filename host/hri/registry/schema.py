"""The tables, as they are in the newest version; how they came to be is in `migrations`.

Times are whole microseconds since 1970 UTC; serial numbers of certificates are 40 hex digits, because no
database has an integer of 160 bits.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
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
    false,
    func,
    literal_column,
    text,
)

# PRAGMA application_id of our SQLite files ("HRI1"): says whose file it is before anything is changed in it.
APPLICATION_ID = 0x48524931
# The newest migration; `tests/unit/registry` holds it against the scripts.
HEAD = "0005"

metadata = MetaData()
_Id = BigInteger().with_variant(Integer, "sqlite")
# Names are ordered by their bytes on both databases: a page ends at the same device on either, and the names
# with one beginning are one stretch of an index.
_Name = String(64).with_variant(String(64, collation="C"), "postgresql")

device = Table(
    "device",
    metadata,
    Column("device_id", _Name, primary_key=True),
    Column("element_type", String(32), nullable=False),
    Column("element_serial", _Name, unique=True),
    Column("status", String(16), nullable=False),
    Column("slot", Integer),
    Column("created_at", BigInteger, nullable=False),
    Column("last_authenticated_at", BigInteger),
    Column("label", Text),
    Column("owner", Text),
)
# Each ends with the id, in whose order the devices of one kind are listed.
Index("device_status", device.c.status, device.c.device_id)
Index("device_element_type", device.c.element_type, device.c.device_id)
for _column in (device.c.owner, device.c.label):
    Index(
        f"device_{_column.name}",
        _column,
        device.c.device_id,
        sqlite_where=text(f"{_column.name} IS NOT NULL"),
        postgresql_where=text(f"{_column.name} IS NOT NULL"),
    )
# Who was never seen was seen before everybody else.
SEEN = func.coalesce(device.c.last_authenticated_at, literal_column("0"))
Index("device_seen", SEEN, device.c.device_id)

certificate = Table(
    "certificate",
    metadata,
    Column("serial_number", String(40), primary_key=True),
    Column("device_id", _Name, ForeignKey("device.device_id"), nullable=False),
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
    # The place in the Merkle log (docs/log.md), NULL while it waits for one. A column of the certificate, so
    # that none can be neither in the log nor in the queue for it.
    Column("log_index", BigInteger),
    Column("before_log", Boolean, nullable=False, server_default=false()),
    # The key identifier of the CA, on whose lists it is; NULL, where that is not known, is on every list.
    Column("issuer", String(64)),
)
Index("certificate_device", certificate.c.device_id)
Index("certificate_public_key", certificate.c.public_key_sha256)
Index("certificate_log_index", certificate.c.log_index, unique=True)
Index(
    "certificate_waits",
    certificate.c.issued_at,
    sqlite_where=text("log_index IS NULL"),
    postgresql_where=text("log_index IS NULL"),
)
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
# Literally what a query has to say to be answered from the index.
LIVE_STATES = text("certificate.state IN ('issued', 'active')")
Index(
    "certificate_ends",
    certificate.c.not_after,
    certificate.c.device_id,
    sqlite_where=text("state IN ('issued', 'active')"),
    postgresql_where=text("state IN ('issued', 'active')"),
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
    Column("element_serial", _Name, nullable=False),
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
    Column("device_id", _Name),
    Column("element_serial", _Name, nullable=False),
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
    Column("device_id", _Name, nullable=False),
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

# The logs (docs/log.md): how long each is, its hash, and the last checkpoint that was signed over it.
log_head = Table(
    "log_head",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("checkpoint", Text),
)

log_tile = Table(
    "log_tile",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("tile_index", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

# What is in `entry` too, but for the columns that it is found by.
audit_entry = Table(
    "audit_entry",
    metadata,
    Column("number", _Id, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("act", String(64), nullable=False),
    Column("subject", Text),
    Column("entry", LargeBinary, nullable=False),
)
Index("audit_subject", audit_entry.c.subject, audit_entry.c.number)
Index(
    "audit_configuration",
    audit_entry.c.number,
    sqlite_where=text("act = 'configuration'"),
    postgresql_where=text("act = 'configuration'"),
)

# Every revocation list as it was signed last; the published files are copies. `issuer` is the key identifier
# of the CA, hex; `content_sha256` covers the entries and the distribution points, not the dates.
crl = Table(
    "crl",
    metadata,
    Column("issuer", String(64), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("this_update", BigInteger, nullable=False),
    Column("next_update", BigInteger, nullable=False),
    Column("content_sha256", String(64), nullable=False),
    Column("der", LargeBinary, nullable=False),
)

# Into how many shards certificates were divided, under which URL, and until when the last of them may live.
crl_shards = Table(
    "crl_shards",
    metadata,
    Column("issuer", String(64), primary_key=True),
    Column("count", Integer, primary_key=True, autoincrement=False),
    Column("url", String(512), primary_key=True),
    Column("until", BigInteger, nullable=False),
)

counter = Table(
    "counter",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

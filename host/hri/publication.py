"""What is published of revocation, on the configuration's terms: lists in a folder, and OCSP answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from hri.audit.entry import Act
from hri.ca.crl import Publisher
from hri.ca.ocsp import Responder
from hri.ca.ocsp_delegate import Delegate, Delegates
from hri.ca.ocsp_files import Produced, Producer
from hri.ca.ocsp_source import RegistrySource
from hri.context import Context
from hri.serial_numbers import serial_text


def publish_crls(
    context: Context, folder: Path, *, only_due: bool = False, clock_was_ahead: bool = False
) -> tuple[str, ...]:
    """Replace the lists that are due, and unless `only_due` the full one; return the names of the files.

    None where the authority is somebody else's: it lists what was revoked there, and here the registry alone
    says what no longer counts.

    `clock_was_ahead` accepts dates before those of the last lists. Raises StorageError, ConfigurationError.
    """
    if context.enroller is not None:
        return ()
    terms = context.config.certificate_authority
    publisher = Publisher(
        context.authority,
        context.registry,
        folder,
        lifetime=timedelta(days=terms.crl_days),
        overlap=timedelta(hours=terms.crl_overlap_hours),
        recorder=context.recorder,
    )
    return publisher.publish(now=context.now(), only_due=only_due, clock_was_ahead=clock_was_ahead)


def publish_new_shards(context: Context, folder: Path) -> None:
    """Publish the shards that certificates just issued may be the first to point to."""
    if context.certificate_profile.shards is not None:
        publish_crls(context, folder, only_due=True)


def ocsp_delegates(context: Context, folder: Path, passphrase: bytes) -> Delegates:
    """Return who signs OCSP answers; the audit log is told of each before it is used."""

    def tell(certificate: x509.Certificate) -> None:
        der = certificate.public_bytes(Encoding.DER)
        details = {"certificate": serial_text(certificate.serial_number), "sha256": sha256(der).digest()}
        context.record(Act("certify-ocsp", details=details))

    return Delegates(context.authority, folder, passphrase, on_made=tell)


def ocsp_responder(context: Context, delegate: Callable[[datetime], Delegate]) -> Responder:
    """Return what answers OCSP requests from the registry, signed by the delegate at the time."""
    issuing = context.authority.issuing
    source = RegistrySource(context.registry, issuing)
    hours = context.config.certificate_authority.ocsp_hours
    return Responder(issuing, source.standing_of, delegate, lifetime=timedelta(hours=hours))


def produce_ocsp(
    context: Context,
    delegate: Callable[[datetime], Delegate],
    folder: Path,
    *,
    algorithms: Sequence[hashes.HashAlgorithm],
    clock_was_ahead: bool = False,
) -> Produced:
    """Bring a folder of OCSP answers made ahead up to date; each is replaced after half of its life.

    Raises StorageError, ConfigurationError.
    """
    issuing = context.authority.issuing
    producer = Producer(
        issuing,
        RegistrySource(context.registry, issuing),
        ocsp_responder(context, delegate),
        folder,
        overlap=timedelta(hours=context.config.certificate_authority.ocsp_hours) / 2,
        algorithms=algorithms,
    )
    return producer.produce(context.now(), clock_was_ahead=clock_was_ahead)

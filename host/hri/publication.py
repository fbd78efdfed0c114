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
from hri.ca.authority import Authority
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
    """Replace every CA's lists that are due, and unless `only_due` its full one; return the files' names.

    `clock_was_ahead` accepts dates before those of the last lists. Raises StorageError, ConfigurationError.
    """
    terms = context.config.certificate_authority
    written: list[str] = []
    for name, authority in context.publishing():
        publisher = Publisher(
            authority,
            context.registry,
            folder,
            name=name,
            lifetime=timedelta(days=terms.crl_days),
            overlap=timedelta(hours=terms.crl_overlap_hours),
            recorder=context.recorder,
        )
        written += publisher.publish(now=context.now(), only_due=only_due, clock_was_ahead=clock_was_ahead)
    return tuple(written)


def publish_new_shards(context: Context, folder: Path) -> None:
    """Publish the shards that certificates just issued may be the first to point to."""
    if context.certificate_profile.shards is not None:
        publish_crls(context, folder, only_due=True)


def ocsp_delegates(context: Context, authority: Authority, folder: Path, passphrase: bytes) -> Delegates:
    """Return who signs OCSP answers for a CA; the audit log is told of each before it is used."""

    def tell(certificate: x509.Certificate) -> None:
        der = certificate.public_bytes(Encoding.DER)
        details = {"certificate": serial_text(certificate.serial_number), "sha256": sha256(der).digest()}
        context.record(Act("certify-ocsp", details=details))

    return Delegates(authority, folder, passphrase, on_made=tell)


def ocsp_responder(
    context: Context, issuing: x509.Certificate, delegate: Callable[[datetime], Delegate]
) -> Responder:
    """Return what answers OCSP requests about a CA's certificates, signed by the delegate at the time."""
    source = RegistrySource(context.registry, issuing)
    hours = context.config.certificate_authority.ocsp_hours
    return Responder(issuing, source.standing_of, delegate, lifetime=timedelta(hours=hours))


def produce_ocsp(
    context: Context,
    keys: Path,
    passphrase: bytes,
    folder: Path,
    *,
    algorithms: Sequence[hashes.HashAlgorithm],
    clock_was_ahead: bool = False,
) -> Produced:
    """Bring a folder of OCSP answers made ahead up to date; each is replaced after half of its life.

    The answers of every CA, signed by its delegate, which is kept in the folder `keys` under a passphrase.

    Raises StorageError, ConfigurationError.
    """
    total = Produced(0, 0, 0)
    for _, authority in context.publishing():
        issuing, delegates = authority.issuing, ocsp_delegates(context, authority, keys, passphrase)
        producer = Producer(
            issuing,
            RegistrySource(context.registry, issuing),
            ocsp_responder(context, issuing, delegates),
            folder,
            overlap=timedelta(hours=context.config.certificate_authority.ocsp_hours) / 2,
            algorithms=algorithms,
        )
        total += producer.produce(context.now(), clock_was_ahead=clock_was_ahead)
    return total

"""What is published of revocation, on the configuration's terms: lists in a folder, and OCSP answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from hri.audit.entry import Act
from hri.ca.authority import Authority
from hri.ca.crl import Publisher
from hri.ca.ocsp import Responder, Responders, StandingOf
from hri.ca.ocsp_delegate import Delegates
from hri.ca.ocsp_files import Produced, Producer
from hri.ca.ocsp_source import RegistrySource
from hri.context import Context
from hri.serial_numbers import serial_text


def publish_crls(
    context: Context, folder: Path, *, only_due: bool = False, clock_was_ahead: bool = False
) -> tuple[str, ...]:
    """Replace every CA's lists that are due, and unless `only_due` its full one; return the files' names.

    None where the authority is somebody else's: it lists what was revoked there, and here the registry alone
    says what no longer counts.

    `clock_was_ahead` accepts dates before those of the last lists. Raises StorageError, ConfigurationError.
    """
    if context.enroller is not None:
        return ()
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


@dataclass(frozen=True, slots=True)
class OcspKeys:
    """Where the keys are kept with which OCSP answers are signed, and under which passphrase."""

    folder: Path
    passphrase: bytes


def ocsp_responders(
    context: Context, keys: OcspKeys, *, through: Callable[[StandingOf], StandingOf] = lambda source: source
) -> Responders:
    """Return what answers OCSP requests about the certificates of every CA, from the registry.

    `through` may put something between a CA's responder and the registry.
    """
    return Responders(
        [_responder(context, authority, keys, through) for _, authority in context.publishing()]
    )


def produce_ocsp(
    context: Context,
    keys: OcspKeys,
    folder: Path,
    *,
    algorithms: Sequence[hashes.HashAlgorithm],
    clock_was_ahead: bool = False,
) -> Produced:
    """Bring a folder of OCSP answers made ahead up to date; each is replaced after half of its life.

    Raises StorageError, ConfigurationError.
    """
    total = Produced(0, 0, 0)
    for _, authority in context.publishing():
        producer = Producer(
            authority.issuing,
            RegistrySource(context.registry, authority.issuing),
            _responder(context, authority, keys, lambda source: source),
            folder,
            overlap=timedelta(hours=context.config.certificate_authority.ocsp_hours) / 2,
            algorithms=algorithms,
        )
        total += producer.produce(context.now(), clock_was_ahead=clock_was_ahead)
    return total


def _responder(
    context: Context, authority: Authority, keys: OcspKeys, through: Callable[[StandingOf], StandingOf]
) -> Responder:
    """Return the responder of a CA; the audit log is told of each delegate before it is used."""

    def tell(certificate: x509.Certificate) -> None:
        der = certificate.public_bytes(Encoding.DER)
        details = {"certificate": serial_text(certificate.serial_number), "sha256": sha256(der).digest()}
        context.record(Act("certify-ocsp", details=details))

    delegates = Delegates(authority, keys.folder, keys.passphrase, on_made=tell)
    source = through(RegistrySource(context.registry, authority.issuing).standing_of)
    hours = context.config.certificate_authority.ocsp_hours
    return Responder(authority.issuing, source, delegates, lifetime=timedelta(hours=hours))

"""Does this certificate count, here and now, for this purpose and this device?

The rules of `path_rules`, which any chain keeps, and those of `leaf`, which a device certificate keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ObjectIdentifier

from hri.serial_numbers import serial_text

from . import leaf as rules
from .cose import MalformedError
from .crl import RevocationLists
from .decision import Decision, Reason, ReasonCode
from .leaf import Leaf, Purpose, load_certificate
from .ocsp import OcspEvidence, OcspResponses
from .path_rules import PathPolicy, check_path
from .revocation import RevocationPolicy
from .trust import TrustStore

__all__ = [
    "CheckedCertificate",
    "OcspEvidence",
    "Purpose",
    "RevocationPolicy",
    "TrustStore",
    "check_certificate",
    "describe",
    "verify_certificate",
]

# A chain is a handful of certificates; a longer one is an attempt to keep us busy.
MAX_CHAIN = 8


@dataclass(frozen=True, slots=True)
class CheckedCertificate:
    """A certificate and what the rules say about it.

    `leaf` is None where it could not be read, `device_id` where no device is named. `standing` cites the
    lists and responses that were used.
    """

    leaf: Leaf | None
    device_id: str | None
    reasons: tuple[Reason, ...]
    standing: tuple[dict[str, Any], ...] = ()

    @property
    def evidence(self) -> dict[str, Any]:
        """What a decision about the certificate rests on, for people and for the audit."""
        return describe(self.leaf) | ({"standing": list(self.standing)} if self.standing else {})


def verify_certificate(
    leaf_der: bytes,
    chain: Sequence[bytes],
    anchors: Sequence[bytes],
    *,
    at: datetime,
    purpose: Purpose = Purpose.CLIENT,
    device_id: str | None = None,
    crls: Sequence[bytes] = (),
    ocsp: Sequence[OcspEvidence] = (),
    revocation: RevocationPolicy = RevocationPolicy.FAIL_CLOSED,
    certificate_policies: frozenset[ObjectIdentifier] = frozenset(),
) -> Decision:
    """Is this the valid certificate of this device (of any device, if `device_id` is None)?

    Everything is DER; `at` is an aware datetime. Raises ValueError for a naive `at` or without an anchor,
    MalformedError if an anchor or a CRL, which are ours, cannot be read.
    """
    try:
        between = [load_certificate(der) for der in chain[:MAX_CHAIN]]
    except MalformedError as error:
        return Decision(False, device_id, (_malformed("the chain", error),))
    trust = TrustStore.from_der(anchors)
    trust = replace(trust, lists=RevocationLists.from_der(crls, (*trust.anchors, *between)))
    checked = check_certificate(
        leaf_der,
        chain,
        trust,
        at=at,
        purpose=purpose,
        device_id=device_id,
        ocsp=ocsp,
        revocation=revocation,
        certificate_policies=certificate_policies,
    )
    return Decision.of(checked.reasons, checked.device_id, checked.evidence)


def check_certificate(
    leaf_der: bytes,
    chain: Sequence[bytes],
    trust: TrustStore,
    *,
    at: datetime,
    purpose: Purpose = Purpose.CLIENT,
    device_id: str | None = None,
    ocsp: Sequence[OcspEvidence] = (),
    revocation: RevocationPolicy = RevocationPolicy.FAIL_CLOSED,
    certificate_policies: frozenset[ObjectIdentifier] = frozenset(),
) -> CheckedCertificate:
    """As `verify_certificate`, against a trust store made beforehand, and giving the certificate as read."""
    if at.tzinfo is None:
        raise ValueError("the time must be aware")
    try:
        leaf, between = _read(leaf_der, chain, trust)
    except MalformedError as error:
        return CheckedCertificate(None, device_id, (_malformed("the chain", error),))
    try:
        if len(ocsp) > MAX_CHAIN:
            raise MalformedError(f"{len(ocsp)} of them, and no chain needs more than {MAX_CHAIN}")
        responses = OcspResponses(ocsp) if ocsp else None
    except MalformedError as error:
        return CheckedCertificate(leaf, device_id, (_malformed("the OCSP responses", error),))
    path = check_path(
        leaf.certificate,
        between,
        trust,
        at=at,
        policy=PathPolicy(purpose.value, revocation, certificate_policies),
        responses=responses,
        # A leaf outside its validity is reported as such; its path is judged at the nearest time it was
        # valid, so that an expired certificate that was also revoked, or forged, is told apart.
        valid_at=min(max(at, leaf.not_before), leaf.not_after),
    )
    kept = (
        rules.key_is_p256(leaf),
        rules.not_too_early(leaf, at),
        rules.not_too_late(leaf, at),
        rules.serves_purpose(leaf, purpose),
        rules.names_one_device(leaf),
        rules.names_the_device(leaf, device_id),
        rules.is_no_authority(leaf),
    )
    reasons = (*(reason for reason in kept if reason is not None), *path.reasons)
    named = leaf.device_id if device_id is None else device_id
    return CheckedCertificate(leaf, named, reasons, path.standing)


def _read(leaf_der: bytes, chain: Sequence[bytes], trust: TrustStore) -> tuple[Leaf, list[x509.Certificate]]:
    """The certificates that were presented; raises MalformedError."""
    if len(chain) > MAX_CHAIN:
        raise MalformedError(f"{len(chain)} certificates, and no chain has more than {MAX_CHAIN}")
    return Leaf.from_der(leaf_der), [trust.read(der) for der in chain]


def describe(leaf: Leaf | None) -> dict[str, str]:
    """What a decision about a certificate rests on, for people and for the audit."""
    if leaf is None:
        return {}
    return {
        "certificate_serial_number": serial_text(leaf.certificate.serial_number),
        "certificate_sha256": sha256(leaf.certificate.public_bytes(Encoding.DER)).hexdigest(),
        "not_after": leaf.not_after.isoformat(),
    }


def _malformed(what: str, error: MalformedError) -> Reason:
    return Reason(ReasonCode.MALFORMED, f"{what}: {error}")

"""Does this certificate count, here and now, for this purpose and this device? (RFC 5280 section 6)

The path itself is built by cryptography's X.509 verifier. The gaps that are closed here: it accepts a leaf
without extended key usage, knows nothing of revocation, and nothing of device ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    VerificationError,
)

from hri.serial_numbers import serial_text

from . import leaf as rules
from .cose import MalformedError
from .decision import Decision, Reason, ReasonCode
from .leaf import Leaf, Purpose, load_certificate
from .revocation import RevocationPolicy, authority_not_revoked, not_revoked
from .trust import TrustStore, authentic

__all__ = [
    "CheckedCertificate",
    "Purpose",
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

    `leaf` is None where it could not be read, `device_id` where no device is named.
    """

    leaf: Leaf | None
    device_id: str | None
    reasons: tuple[Reason, ...]


def verify_certificate(
    leaf_der: bytes,
    chain: Sequence[bytes],
    anchors: Sequence[bytes],
    *,
    at: datetime,
    purpose: Purpose = Purpose.CLIENT,
    device_id: str | None = None,
    crls: Sequence[bytes] = (),
    revocation: RevocationPolicy = RevocationPolicy.FAIL_CLOSED,
) -> Decision:
    """Is this the valid certificate of this device (of any device, if `device_id` is None)?

    Everything is DER; `at` is an aware datetime. Raises ValueError for a naive `at` or without an anchor,
    MalformedError if an anchor or a CRL, which are ours, cannot be read.
    """
    try:
        between = [load_certificate(der) for der in chain[:MAX_CHAIN]]
    except MalformedError as error:
        return Decision(False, device_id, (_malformed(error),))
    trust = TrustStore.from_der(anchors)
    trust = replace(trust, lists=authentic(crls, (*trust.anchors, *between)))
    checked = check_certificate(
        leaf_der, chain, trust, at=at, purpose=purpose, device_id=device_id, revocation=revocation
    )
    return Decision.of(checked.reasons, checked.device_id, describe(checked.leaf))


def check_certificate(
    leaf_der: bytes,
    chain: Sequence[bytes],
    trust: TrustStore,
    *,
    at: datetime,
    purpose: Purpose = Purpose.CLIENT,
    device_id: str | None = None,
    revocation: RevocationPolicy = RevocationPolicy.FAIL_CLOSED,
) -> CheckedCertificate:
    """As `verify_certificate`, against a trust store made beforehand, and giving the certificate as read."""
    if at.tzinfo is None:
        raise ValueError("the time must be aware")
    try:
        if len(chain) > MAX_CHAIN:
            raise MalformedError(f"{len(chain)} certificates, and no chain has more than {MAX_CHAIN}")
        leaf = Leaf.from_der(leaf_der)
        between = [trust.read(der) for der in chain]
    except MalformedError as error:
        return CheckedCertificate(None, device_id, (_malformed(error),))
    kept = (
        rules.key_is_p256(leaf),
        rules.not_too_early(leaf, at),
        rules.not_too_late(leaf, at),
        rules.serves_purpose(leaf, purpose),
        rules.names_one_device(leaf),
        rules.names_the_device(leaf, device_id),
        *_path_rules(leaf, between, trust, at, purpose, revocation),
    )
    reasons = tuple(reason for reason in kept if reason is not None)
    return CheckedCertificate(leaf, leaf.device_id if device_id is None else device_id, reasons)


def _path_rules(
    leaf: Leaf,
    chain: Sequence[x509.Certificate],
    trust: TrustStore,
    at: datetime,
    purpose: Purpose,
    revocation: RevocationPolicy,
) -> list[Reason | None]:
    """A path leads to an anchor, and nothing on it is revoked."""
    # A leaf outside its validity is reported as such; its path is judged at the nearest time it was valid,
    # so that an expired certificate that was also revoked, or forged, is told apart.
    when = min(max(at, leaf.not_before), leaf.not_after)
    try:
        path = _build_path(leaf.certificate, chain, trust, when, purpose)
    except VerificationError as error:
        return [Reason(ReasonCode.CHAIN_INVALID, f"no valid path to a trust anchor: {error}")]
    reasons: list[Reason | None] = []
    for position in range(len(path) - 1):
        rule = not_revoked if position == 0 else authority_not_revoked
        reasons.append(rule(path[position], path[position + 1], trust.lists, at, revocation))
    return reasons


def _build_path(
    leaf: x509.Certificate,
    chain: Sequence[x509.Certificate],
    trust: TrustStore,
    at: datetime,
    purpose: Purpose,
) -> list[x509.Certificate]:
    """The certificates from the leaf to an anchor; raises VerificationError."""
    ca, ee = _extension_policies(purpose)
    builder = PolicyBuilder().store(trust.store).time(at).extension_policies(ca_policy=ca, ee_policy=ee)
    candidates = [*chain, *(one for one in trust.intermediates.values() if one not in chain)]
    path = builder.build_client_verifier().verify(leaf, candidates).chain
    anchor = trust.vouched.get(path[-1])
    if anchor is None:
        return path
    if not anchor.not_valid_before_utc <= at <= anchor.not_valid_after_utc:
        raise VerificationError("the trust anchor is not valid at this time")
    return [*path, anchor]


@cache
def _extension_policies(purpose: Purpose) -> tuple[ExtensionPolicy, ExtensionPolicy]:
    """What CAs and leaves have to carry: cryptography's defaults, except for the extended key usage."""

    def may_issue_for(
        _policy: Policy, _certificate: x509.Certificate, usages: x509.ExtendedKeyUsage | None
    ) -> None:
        # RFC 5280 leaves it open, but it is general practice: a CA's own usages constrain its leaves.
        allowed = {purpose.value, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
        if usages is not None and allowed.isdisjoint(usages):
            raise ValueError(f"a CA on the path may not issue for {purpose.name.lower()} authentication")

    kind = x509.ExtendedKeyUsage
    ca = ExtensionPolicy.webpki_defaults_ca().may_be_present(kind, Criticality.AGNOSTIC, may_issue_for)
    # The leaf's own extended key usage has its rule above (`serves_purpose`), with its own reason.
    ee = ExtensionPolicy.webpki_defaults_ee().may_be_present(kind, Criticality.AGNOSTIC, None)
    return ca, ee


def describe(leaf: Leaf | None) -> dict[str, str]:
    """What a decision about a certificate rests on, for people and for the audit."""
    if leaf is None:
        return {}
    return {
        "certificate_serial_number": serial_text(leaf.certificate.serial_number),
        "certificate_sha256": sha256(leaf.certificate.public_bytes(Encoding.DER)).hexdigest(),
        "not_after": leaf.not_after.isoformat(),
    }


def _malformed(error: MalformedError) -> Reason:
    return Reason(ReasonCode.MALFORMED, f"the chain: {error}")

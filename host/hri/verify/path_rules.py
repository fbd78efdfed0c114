"""The rules that a path keeps, whatever stands at its end: RFC 5280 section 6, for any chain.

The path itself is built by cryptography's X.509 verifier: signatures and their algorithms, validity, names
that chain, basicConstraints, keyUsage, critical extensions, most name constraints. What it leaves open is
closed here: subjects under name constraints, key identifiers, certificate policies, revocation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    VerificationError,
)

from .certificate_policies import policies_are_accepted, policies_are_simple
from .decision import Reason, ReasonCode
from .extensions import extension
from .name_constraints import names_are_allowed
from .ocsp import OcspResponses
from .revocation import RevocationPolicy, standing_of, standing_of_authority
from .trust import TrustStore

_SAID_BY_ITS_KIND: tuple[type[x509.ExtensionType], ...] = (
    x509.BasicConstraints,
    x509.ExtendedKeyUsage,
    x509.KeyUsage,
    x509.NameConstraints,
    x509.SubjectAlternativeName,
)
# An attacker's certificate may put much into the verifier's message.
_MAX_DETAIL = 200


@dataclass(frozen=True, slots=True)
class PathPolicy:
    """What is asked of a path.

    `usage`: the extended key usage for which every authority on it may issue; None asks nothing.
    `certificate_policies`: those of which it has to be valid under one; empty asks nothing.
    """

    usage: ObjectIdentifier | None = None
    revocation: RevocationPolicy = RevocationPolicy.FAIL_CLOSED
    certificate_policies: frozenset[ObjectIdentifier] = frozenset()


@dataclass(frozen=True, slots=True)
class CheckedPath:
    """The path from the certificate to the anchor, empty if there is none, and what the rules say about it.

    `standing` cites the lists and responses that were used, as values that JSON can carry.
    """

    path: tuple[x509.Certificate, ...]
    reasons: tuple[Reason, ...]
    standing: tuple[dict[str, Any], ...] = ()


def check_path(
    certificate: x509.Certificate,
    chain: Sequence[x509.Certificate],
    trust: TrustStore,
    *,
    at: datetime,
    policy: PathPolicy,
    responses: OcspResponses | None = None,
    valid_at: datetime | None = None,
) -> CheckedPath:
    """Does a path lead from the certificate to an anchor, and is nothing on it revoked?

    `at` is aware; with `valid_at` the validity of the certificates is judged at that time instead, and only
    revocation at `at`.
    """
    try:
        path = _build_path(certificate, chain, trust, valid_at or at, policy.usage)
    except VerificationError as error:
        detail = f"no valid path to a trust anchor: {str(error)[:_MAX_DETAIL]}"
        return CheckedPath((), (Reason(ReasonCode.CHAIN_INVALID, detail),))
    kept = (
        key_identifiers_match(path),
        names_are_allowed(path),
        policies_are_simple(path),
        policies_are_accepted(path, policy.certificate_policies),
    )
    reasons = [reason for reason in kept if reason is not None]
    cited: list[dict[str, Any]] = []
    for position, issuer in enumerate(path[1:]):
        judge = standing_of if position == 0 else standing_of_authority
        findings = trust.lists.findings(path[position], issuer)
        if responses is not None:
            findings += responses.findings(path[position], issuer, trust.lists, at)
        standing = judge(path[position], findings, at, policy.revocation)
        cited += standing.cited
        if standing.reason is not None:
            reasons.append(standing.reason)
    return CheckedPath(tuple(path), tuple(reasons), tuple(cited))


def key_identifiers_match(path: Sequence[x509.Certificate]) -> Reason | None:
    """Where a certificate says whose key signed it, it is the key of the one above it (4.2.1.1)."""
    for certificate, issuer in pairwise(path):
        said = extension(certificate, x509.AuthorityKeyIdentifier)
        if said is None:
            continue
        own = extension(issuer, x509.SubjectKeyIdentifier)
        by_key = said.key_identifier is None or own is None or said.key_identifier == own.digest
        number = said.authority_cert_serial_number
        if not by_key or (number is not None and number != issuer.serial_number):
            subject = certificate.subject.rfc4514_string()
            return Reason(
                ReasonCode.CHAIN_INVALID, f"{subject} names another key or certificate as its issuer's"
            )
    return None


def _build_path(
    certificate: x509.Certificate,
    chain: Sequence[x509.Certificate],
    trust: TrustStore,
    at: datetime,
    usage: ObjectIdentifier | None,
) -> list[x509.Certificate]:
    """The certificates from the one asked about to an anchor; raises VerificationError."""
    ca, last = _extension_policies(usage)
    builder = PolicyBuilder().store(trust.store).time(at).extension_policies(ca_policy=ca, ee_policy=last)
    candidates = [*chain, *(one for one in trust.intermediates.values() if one not in chain)]
    path = builder.build_client_verifier().verify(certificate, candidates).chain
    anchor = trust.vouched.get(path[-1])
    if anchor is None:
        return path
    if not anchor.not_valid_before_utc <= at <= anchor.not_valid_after_utc:
        raise VerificationError("the trust anchor is not valid at this time")
    return [*path, anchor]


@cache
def _extension_policies(usage: ObjectIdentifier | None) -> tuple[ExtensionPolicy, ExtensionPolicy]:
    """What authorities and the certificate at the end have to carry.

    Of authorities what cryptography asks by default, and the extended key usage if they have any. What the
    last certificate is for, whom it names and whether it may issue is for the rules of its kind to say.
    """

    def may_issue_for(
        _policy: Policy, _certificate: x509.Certificate, usages: x509.ExtendedKeyUsage | None
    ) -> None:
        # RFC 5280 leaves it open, but it is general practice: a CA's own usages constrain its leaves.
        allowed = {usage, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
        if usage is not None and usages is not None and allowed.isdisjoint(usages):
            raise ValueError(f"an authority on the path may not issue for {usage._name}")

    anyhow = Criticality.AGNOSTIC
    ca = ExtensionPolicy.webpki_defaults_ca().may_be_present(x509.ExtendedKeyUsage, anyhow, may_issue_for)
    last = ExtensionPolicy.webpki_defaults_ee()
    for kind in _SAID_BY_ITS_KIND:
        last = last.may_be_present(kind, anyhow, None)
    return ca, last

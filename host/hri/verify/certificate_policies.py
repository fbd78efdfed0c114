"""Certificate policies (RFC 5280 section 6.1), without what a hierarchy for devices has no use for.

A path is valid under the policies that every certificate below the anchor asserts; anyPolicy is all of them.
Policy mapping and the inhibition of anyPolicy are not processed, and a path with either is refused. So is one
with critical policyConstraints, by cryptography's verifier; in one that is not, requireExplicitPolicy is
taken to hold for the whole path, which refuses more than its counter would, and never less.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.x509.oid import CertificatePoliciesOID, ExtensionOID, ObjectIdentifier

from .decision import Reason, ReasonCode
from .extensions import extension

ANY_POLICY = CertificatePoliciesOID.ANY_POLICY

_UNPROCESSED = {
    ExtensionOID.POLICY_MAPPINGS: "policy mappings",
    ExtensionOID.INHIBIT_ANY_POLICY: "an inhibition of anyPolicy",
}


def policies_are_simple(path: Sequence[x509.Certificate]) -> Reason | None:
    """No certificate of the path (leaf to anchor) asks for policy processing that is not done here."""
    asked = {one.oid for certificate in path for one in certificate.extensions}
    if asked.isdisjoint(_UNPROCESSED):
        return None
    what = " and ".join(name for oid, name in _UNPROCESSED.items() if oid in asked)
    return Reason(ReasonCode.CHAIN_INVALID, f"a certificate on the path has {what}, not processed here")


def policies_are_accepted(
    path: Sequence[x509.Certificate], accepted: frozenset[ObjectIdentifier]
) -> Reason | None:
    """The path is valid under one of the accepted policies (ANY_POLICY: under any).

    Without any given, it has to be valid under some policy only where a certificate on it requires that.
    """
    if not accepted and not any(_requires_explicit_policy(certificate) for certificate in path):
        return None
    valid = {ANY_POLICY}
    for certificate in path[:-1]:
        policies = extension(certificate, x509.CertificatePolicies) or ()
        asserted = {policy.policy_identifier for policy in policies}
        if ANY_POLICY in valid:
            valid = asserted
        elif ANY_POLICY not in asserted:
            valid &= asserted
    wanted = accepted or {ANY_POLICY}
    if valid and (ANY_POLICY in valid or ANY_POLICY in wanted or valid & wanted):
        return None
    names = " or ".join(sorted(one.dotted_string for one in accepted)) or "any"
    return Reason(ReasonCode.CHAIN_INVALID, f"the path is not valid under a certificate policy of {names}")


def _requires_explicit_policy(certificate: x509.Certificate) -> bool:
    constraints = extension(certificate, x509.PolicyConstraints)
    return constraints is not None and constraints.require_explicit_policy is not None

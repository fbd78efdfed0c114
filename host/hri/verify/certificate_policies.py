"""Certificate policies (RFC 5280 section 6.1), without what a hierarchy for devices has no use for.

A path is valid under the policies that every certificate below the anchor asserts; anyPolicy is all of them.
Policy mapping, policy constraints and the inhibition of anyPolicy are not processed, so a path with any of
them is refused: to pass over a requireExplicitPolicy that is not marked critical would be a wrong acceptance.
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
    ExtensionOID.POLICY_CONSTRAINTS: "policy constraints",
    ExtensionOID.INHIBIT_ANY_POLICY: "an inhibition of anyPolicy",
}


def policies_are_simple(path: Sequence[x509.Certificate]) -> Reason | None:
    """No certificate of the path (leaf to anchor) asks for policy processing that is not done here."""
    for certificate in path:
        for one in certificate.extensions:
            if one.oid in _UNPROCESSED:
                subject = certificate.subject.rfc4514_string()
                return Reason(
                    ReasonCode.CHAIN_INVALID, f"{subject} has {_UNPROCESSED[one.oid]}, not processed here"
                )
    return None


def policies_are_accepted(
    path: Sequence[x509.Certificate], accepted: frozenset[ObjectIdentifier]
) -> Reason | None:
    """The path is valid under one of the accepted policies (ANY_POLICY: under any); none asks for nothing."""
    if not accepted:
        return None
    valid = {ANY_POLICY}
    for certificate in path[:-1]:
        asserted = {
            policy.policy_identifier for policy in extension(certificate, x509.CertificatePolicies) or ()
        }
        if ANY_POLICY in valid:
            valid = asserted
        elif ANY_POLICY not in asserted:
            valid &= asserted
    if valid and (ANY_POLICY in valid or ANY_POLICY in accepted or valid & accepted):
        return None
    wanted = ", ".join(sorted(policy.dotted_string for policy in accepted))
    return Reason(ReasonCode.CHAIN_INVALID, f"the path is not valid under a certificate policy of {wanted}")

"""Has a certificate been revoked? What lists and responses say of it, put together (RFC 5280 section 6.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from cryptography import x509

from hri.serial_numbers import serial_text

from .decision import Reason, ReasonCode
from .finding import Finding, Status


@dataclass(frozen=True, slots=True)
class RevocationPolicy:
    """What a decision asks of the evidence of standing.

    `fail_open`: accept where nothing current and authentic says whether a certificate is revoked. `max_age`:
    how long after its thisUpdate a list or response counts as current, however late its nextUpdate.
    `every_authority`: ask the same of every authority below the anchor (RFC 5280 section 6.1.3 (a)(3));
    without it an authority's standing counts only where something is known of it, as an offline root may
    publish nothing.
    Raises ValueError for a `max_age` that is not positive.
    """

    fail_open: bool = False
    max_age: timedelta | None = None
    every_authority: bool = False

    FAIL_CLOSED: ClassVar[RevocationPolicy]
    FAIL_OPEN: ClassVar[RevocationPolicy]

    def __post_init__(self) -> None:
        if self.max_age is not None and self.max_age <= timedelta(0):
            raise ValueError("evidence has some age; a maximal age of nothing would refuse it all")


RevocationPolicy.FAIL_CLOSED = RevocationPolicy()
RevocationPolicy.FAIL_OPEN = RevocationPolicy(fail_open=True)


@dataclass(frozen=True, slots=True)
class Standing:
    """Why a certificate is not in good standing, None if it is, and the statements that this rests on."""

    reason: Reason | None
    cited: tuple[dict[str, Any], ...] = ()


def standing_of(
    certificate: x509.Certificate, findings: Sequence[Finding], at: datetime, policy: RevocationPolicy
) -> Standing:
    """Judge a leaf by all that is said of it: revoked anywhere beats good anywhere."""
    name = f"certificate {serial_text(certificate.serial_number)}"
    against = _revoking(findings, at, policy)
    if against is not None:
        why = f", {against.reason.value}" if against.reason is not None else ""
        reason = Reason(ReasonCode.REVOKED, f"{name} was revoked by its issuer{why}")
        return Standing(reason, (_cited(certificate, against, at),))
    good = [one for one in findings if _proves_good(one, at, policy)]
    if good:
        best = max(good, key=lambda one: one.this_update)
        return Standing(None, (_cited(certificate, best, at),))
    if policy.fail_open:
        return Standing(None)
    cited = tuple(_cited(certificate, one, at) for one in findings)
    return Standing(Reason(ReasonCode.REVOCATION_UNKNOWN, f"{name}: {_gap(findings, at)}"), cited)


def standing_of_authority(
    certificate: x509.Certificate, findings: Sequence[Finding], at: datetime, policy: RevocationPolicy
) -> Standing:
    """Judge an authority below the anchor, as a leaf if the policy says so or anything is known of it."""
    if not findings and not policy.every_authority:
        return Standing(None)
    return standing_of(certificate, findings, at, policy)


def _revoking(findings: Sequence[Finding], at: datetime, policy: RevocationPolicy) -> Finding | None:
    """The statement by which the certificate is revoked.

    Revocation is for good: an authentic statement counts whatever its dates. Only a hold can be lifted, and
    is when it is out of date and a newer, current statement says good.
    """
    revoking = [one for one in findings if one.status is Status.REVOKED]
    for one in revoking:
        if one.revoked_for_good or one.is_current(at, policy.max_age):
            return one
    lifted = max((one.this_update for one in findings if _proves_good(one, at, policy)), default=None)
    return next((one for one in revoking if lifted is None or one.this_update >= lifted), None)


def _proves_good(finding: Finding, at: datetime, policy: RevocationPolicy) -> bool:
    return finding.status is Status.GOOD and finding.conclusive and finding.is_current(at, policy.max_age)


def _gap(findings: Sequence[Finding], at: datetime) -> str:
    if not findings:
        return "there is no authentic CRL or OCSP response of its issuer"
    if not any(one.is_current(at, None) for one in findings):
        return "what its issuer said of it is out of date or not yet in force"
    if not any(one.status is Status.GOOD for one in findings):
        return "its issuer does not know it"
    if not any(one.conclusive for one in findings):
        return "what its issuer said does not cover every reason, or lacks the nonce that was asked for"
    return "what its issuer said of it is older than the policy allows"


def _cited(certificate: x509.Certificate, finding: Finding, at: datetime) -> dict[str, Any]:
    return {"certificate_serial_number": serial_text(certificate.serial_number), **finding.cited(at)}

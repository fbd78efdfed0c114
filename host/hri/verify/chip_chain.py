"""Does a chip's own certificate chain lead to a root that the operator named? A pure decision.

The certificates come rebuilt from templates, so what they say is known from those; what is left to ask is
whether the signatures hold, whether the dates do, and whether the chip has the key. cryptography's path
builder is not asked: vendors' device certificates break rules that it insists on (a PrintableString with an
underscore, GeneralizedTime before 2050; H, R).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from .cose import MalformedError, Sign1, encode, public_key
from .decision import Decision, Reason, ReasonCode

_ECDSA = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class Link:
    """One certificate of a chain: whose, when it is valid, whether it may issue, and its key (X ‖ Y)."""

    name: str
    public_key: bytes
    not_before: datetime
    not_after: datetime
    ca: bool


def judge_chain(
    chain: Sequence[Link],
    *,
    at: datetime,
    element_serial: bytes,
    challenge: bytes,
    answer: bytes,
) -> Decision:
    """Decide on a chain from the device to the root, whose signatures the caller has found to hold.

    `challenge` is what the chip was asked to sign as data, `answer` the COSE_Sign1 with detached payload.

    Raises ValueError for a chain of less than two certificates and a naive time.
    """
    if len(chain) < 2 or at.tzinfo is None:
        raise ValueError("a chain has a device and a root, and is judged at an aware time")
    rules = [
        *(_dates_hold(link, at) for link in chain),
        *(_may_issue(link) for link in chain[1:]),
        _answers(chain[0], challenge, answer),
    ]
    reasons = tuple(reason for reason in rules if reason is not None)
    evidence = {
        "chain": [link.name for link in chain],
        "element_serial": element_serial.hex(),
        "not_after": min(link.not_after for link in chain).isoformat(),
    }
    return Decision.of(reasons, None, evidence)


def signed_by(tbs: bytes, signature: bytes, key: ec.EllipticCurvePublicKey) -> bool:
    """Say whether `key` signed a TBSCertificate; `signature` is Ecdsa-Sig-Value (DER)."""
    try:
        key.verify(signature, tbs, _ECDSA)
    except InvalidSignature:
        return False
    return True


def _dates_hold(link: Link, at: datetime) -> Reason | None:
    """The certificate is valid now (RFC 5280 section 4.1.2.5, both ends included)."""
    if at < link.not_before:
        return Reason(
            ReasonCode.NOT_YET_VALID, f"{link.name} is valid only from {link.not_before.isoformat()}"
        )
    if at > link.not_after:
        return Reason(ReasonCode.EXPIRED, f"{link.name} was valid until {link.not_after.isoformat()}")
    return None


def _may_issue(link: Link) -> Reason | None:
    """Whoever stands above is a certification authority."""
    if link.ca:
        return None
    return Reason(ReasonCode.CHAIN_INVALID, f"{link.name} is no certification authority")


def _answers(device: Link, challenge: bytes, answer: bytes) -> Reason | None:
    """The chip signs with the certificate's key, now."""
    payload = encode(["hri/1 data", challenge])
    try:
        if Sign1.from_bytes(answer).is_signed_by(public_key(device.public_key), payload):
            return None
    except MalformedError as error:
        return Reason(ReasonCode.MALFORMED, f"the answer to the challenge: {error}")
    return Reason(ReasonCode.SIGNATURE_INVALID, "the chip does not sign with the certificate's key")

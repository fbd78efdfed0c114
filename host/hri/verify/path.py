"""Does this certificate count, here and now, for this purpose and this device? (RFC 5280 section 6)

The path itself is built by cryptography's X.509 verifier. The gaps that are closed here: it accepts a leaf
without extended key usage, knows nothing of revocation, and nothing of device ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from hashlib import sha256
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from .cose import MalformedError
from .decision import Decision, Reason, ReasonCode
from .revocation import RevocationList, RevocationPolicy, authority_not_revoked, not_revoked

DEVICE_URI = "urn:hri:device:"
# A chain is a handful of certificates of a few kilobytes; a larger one is an attempt to keep us busy.
MAX_CHAIN = 8
MAX_CERTIFICATE_BYTES = 16 * 1024


class Purpose(Enum):
    """What the certificate is presented for; the value is the extended key usage it must carry."""

    CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
    SERVER = ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True, slots=True)
class TrustStore:
    """What this verifier trusts and knows: anchors, issuing CAs, and revocation lists already authenticated.

    Build it once with `from_der`; a decision then costs no signature check of a CRL.
    """

    anchors: tuple[x509.Certificate, ...]
    intermediates: Mapping[bytes, x509.Certificate]
    lists: tuple[RevocationList, ...]
    store: Store

    @classmethod
    def from_der(
        cls, anchors: Sequence[bytes], *, intermediates: Sequence[bytes] = (), crls: Sequence[bytes] = ()
    ) -> TrustStore:
        """Load DER certificates and CRLs; a CRL by nobody known is left out.

        Raises ValueError without an anchor, MalformedError for what cannot be read.
        """
        if not anchors:
            raise ValueError("a trust store without an anchor would trust nobody")
        roots = tuple(load_certificate(der) for der in anchors)
        between = {der: load_certificate(der) for der in intermediates}
        lists = (RevocationList.authentic(der, (*roots, *between.values())) for der in crls)
        known = tuple(entry for entry in lists if entry is not None)
        return cls(roots, between, known, Store(list(roots)))

    def read(self, der: bytes) -> x509.Certificate:
        """The certificate of these bytes, parsed only if it is not one of ours; raises MalformedError."""
        return self.intermediates.get(der) or load_certificate(der)


@dataclass(frozen=True, slots=True)
class CheckedCertificate:
    """A certificate and what the rules say about it.

    `key` is None unless it is a P-256 key, `device_id` where no device is named.
    """

    certificate: x509.Certificate | None
    key: ec.EllipticCurvePublicKey | None
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
    intermediates = []
    for der in chain[:MAX_CHAIN]:
        try:
            intermediates.append(load_certificate(der))
        except MalformedError as error:
            return Decision(False, device_id, (Reason(ReasonCode.MALFORMED, f"the chain: {error}"),))
    trust = TrustStore.from_der(anchors)
    issuers = (*trust.anchors, *intermediates)
    lists = tuple(filter(None, (RevocationList.authentic(der, issuers) for der in crls)))
    trust = TrustStore(trust.anchors, {}, lists, trust.store)
    checked = check_certificate(
        leaf_der, chain, trust, at=at, purpose=purpose, device_id=device_id, revocation=revocation
    )
    return Decision.of(checked.reasons, checked.device_id, describe(checked.certificate))


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
    """As `verify_certificate`, against a trust store made beforehand, and giving the parsed certificate."""
    if at.tzinfo is None:
        raise ValueError("the time must be aware")
    try:
        if len(chain) > MAX_CHAIN:
            raise MalformedError(f"{len(chain)} certificates, and no chain has more than {MAX_CHAIN}")
        leaf = load_certificate(leaf_der)
        between = [trust.read(der) for der in chain]
    except MalformedError as error:
        return CheckedCertificate(
            None, None, device_id, (Reason(ReasonCode.MALFORMED, f"the chain: {error}"),)
        )
    named, key = _device_named(leaf), _p256_key(leaf)
    # A chain that only repeats what is in the store makes the search for a path no longer.
    candidates = {id(one): one for one in (*between, *trust.intermediates.values())}
    reasons = (
        key_is_p256(key),
        *validity_covers(leaf, at),
        serves_purpose(leaf, purpose),
        names_device(leaf, named, device_id),
        *_path_reasons(leaf, list(candidates.values()), trust, at, purpose, revocation),
    )
    found = tuple(reason for reason in reasons if reason is not None)
    return CheckedCertificate(leaf, key, device_id if device_id is not None else named, found)


def load_certificate(der: bytes) -> x509.Certificate:
    """Read a certificate with its subject and extensions; raises MalformedError."""
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise MalformedError(f"a certificate of {len(der)} bytes")
    try:
        certificate = x509.load_der_x509_certificate(der)
        # These are read lazily; reading them here means that nothing can fail later on.
        _ = (certificate.extensions, certificate.subject)
    except Exception as error:
        raise MalformedError(f"not a certificate: {error}") from error
    return certificate


def key_is_p256(key: ec.EllipticCurvePublicKey | None) -> Reason | None:
    """A device key is on P-256, the only curve the chips have."""
    if key is not None:
        return None
    return Reason(ReasonCode.KEY_UNSUPPORTED, "a device key is a P-256 key, and this is none")


def _p256_key(leaf: x509.Certificate) -> ec.EllipticCurvePublicKey | None:
    try:
        key = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1) else None


def validity_covers(leaf: x509.Certificate, at: datetime) -> tuple[Reason, ...]:
    """The time is within notBefore and notAfter, both included (RFC 5280 section 4.1.2.5)."""
    if at < leaf.not_valid_before_utc:
        since = leaf.not_valid_before_utc.isoformat()
        return (Reason(ReasonCode.NOT_YET_VALID, f"the certificate is valid only from {since}"),)
    if at > leaf.not_valid_after_utc:
        until = leaf.not_valid_after_utc.isoformat()
        return (Reason(ReasonCode.EXPIRED, f"the certificate was valid until {until}"),)
    return ()


def serves_purpose(leaf: x509.Certificate, purpose: Purpose) -> Reason | None:
    """The purpose stands in extendedKeyUsage, which must be there, and the key may sign."""
    usages: x509.ExtendedKeyUsage | tuple[()] = ()
    signs = True
    for extension in leaf.extensions:
        if isinstance(extension.value, x509.ExtendedKeyUsage):
            usages = extension.value
        elif isinstance(extension.value, x509.KeyUsage):
            signs = extension.value.digital_signature
    if purpose.value in usages and signs:
        return None
    return Reason(
        ReasonCode.WRONG_PURPOSE, f"the certificate is not for {purpose.name.lower()} authentication"
    )


def names_device(leaf: x509.Certificate, named: str | None, expected: str | None) -> Reason | None:
    """Common name and `urn:hri:device:` name the same device, and it is the one expected."""
    if named is None:
        return Reason(
            ReasonCode.DEVICE_ID_MISMATCH,
            f"common name and {DEVICE_URI} of {leaf.subject.rfc4514_string()!r} do not name one device",
        )
    if expected is not None and named != expected:
        return Reason(ReasonCode.DEVICE_ID_MISMATCH, f"the certificate is of {named!r}, not of {expected!r}")
    return None


def _device_named(leaf: x509.Certificate) -> str | None:
    """The one device id that the certificate's common name and URI agree on, or None."""
    names = [str(attribute.value) for attribute in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    uris: list[str] = []
    for extension in leaf.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            values = extension.value.get_values_for_type(x509.UniformResourceIdentifier)
            uris = [uri for uri in values if uri.startswith(DEVICE_URI)]
    if len(names) == 1 and names[0] and uris == [DEVICE_URI + names[0]]:
        return names[0]
    return None


def _path_reasons(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    trust: TrustStore,
    at: datetime,
    purpose: Purpose,
    revocation: RevocationPolicy,
) -> Iterator[Reason]:
    """A path leads to an anchor, and nothing on it is revoked."""
    # A leaf outside its validity is reported as such; its path is judged at the nearest time it was valid,
    # so that an expired certificate that was also revoked, or forged, is told apart.
    when = min(max(at, leaf.not_valid_before_utc), leaf.not_valid_after_utc)
    try:
        path = _build_path(leaf, intermediates, trust.store, when, purpose)
    except VerificationError as error:
        yield Reason(ReasonCode.CHAIN_INVALID, f"no valid path to a trust anchor: {error}")
        return
    for position, (certificate, issuer) in enumerate(pairwise(path)):
        rule = not_revoked if position == 0 else authority_not_revoked
        if reason := rule(certificate, issuer, trust.lists, at, revocation):
            yield reason


def _build_path(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    store: Store,
    at: datetime,
    purpose: Purpose,
) -> list[x509.Certificate]:
    ca, ee = _extension_policies(purpose)
    builder = PolicyBuilder().store(store).time(at).extension_policies(ca_policy=ca, ee_policy=ee)
    return builder.build_client_verifier().verify(leaf, list(intermediates)).chain


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


def describe(certificate: x509.Certificate | None) -> dict[str, str]:
    """What a decision about a certificate rests on, for people and for the audit."""
    if certificate is None:
        return {}
    return {
        "certificate_serial_number": f"{certificate.serial_number:x}",
        "certificate_sha256": sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
    }

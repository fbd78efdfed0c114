"""What a verifier trusts: anchors, the issuing CAs below them, and their revocation lists."""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import ExtensionOID
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from .cose import MalformedError
from .crl import RevocationLists
from .leaf import load_certificate

_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----(.+?)-----END \1-----", re.DOTALL)
# A root with any other extension (name constraints, usages, policies) constrains more than its issuing CA,
# so its paths are always built in full.
_PLAIN = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    }
)


@dataclass(frozen=True, slots=True)
class TrustStore:
    """Anchors, known issuing CAs by their DER, and revocation lists already authenticated.

    Build it once with `from_der` or `from_pem`; a decision then costs no signature check of a CRL. `vouched`
    maps an issuing CA to the anchor whose signature on it was checked here, so that no decision has to repeat
    it; `store` holds both. Validity and revocation depend on the time and are checked every time.
    """

    anchors: tuple[x509.Certificate, ...]
    intermediates: Mapping[bytes, x509.Certificate]
    vouched: Mapping[x509.Certificate, x509.Certificate]
    lists: RevocationLists
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
        # Of two anchors that vouch for a CA, a root and its renewal, the one that lives longer is kept.
        by_age = sorted(roots, key=lambda root: root.not_valid_after_utc)
        vouched = {ca: root for ca in between.values() for root in by_age if _vouches(root, ca)}
        store = Store([*roots, *vouched])
        lists = RevocationLists.from_der(crls, (*roots, *between.values()))
        return cls(roots, between, vouched, lists, store)

    @classmethod
    def from_pem(cls, anchors: bytes, *, intermediates: bytes = b"", crls: bytes = b"") -> TrustStore:
        """Load files as `hri ca export` prints them, each with any number of certificates or CRLs in PEM.

        Raises ValueError without an anchor, MalformedError for what cannot be read.
        """
        return cls.from_der(
            _pem_blocks(anchors, b"CERTIFICATE"),
            intermediates=_pem_blocks(intermediates, b"CERTIFICATE"),
            crls=_pem_blocks(crls, b"X509 CRL"),
        )

    def read(self, der: bytes) -> x509.Certificate:
        """The certificate of these bytes, parsed only if it is not one of ours; raises MalformedError."""
        return self.intermediates.get(der) or load_certificate(der)


def _pem_blocks(text: bytes, label: bytes) -> list[bytes]:
    """The DER of every block with this label (RFC 7468); what stands around the blocks is skipped."""
    found = [block for kind, block in _PEM.findall(text) if kind == label]
    try:
        return [binascii.a2b_base64(block) for block in found]
    except binascii.Error as error:
        raise MalformedError(f"a PEM block of a {label.decode()} is damaged") from error


def _vouches(root: x509.Certificate, ca: x509.Certificate) -> bool:
    """The root issued this CA, with nothing in the root that a path through both would have to heed."""
    if any(extension.oid not in _PLAIN for extension in root.extensions):
        return False
    constraints = [extension.value for extension in root.extensions]
    if any(isinstance(value, x509.BasicConstraints) and value.path_length == 0 for value in constraints):
        return False
    # Both were valid at this moment, or never: what is asked for is the signature and what a CA must carry.
    moment = max(root.not_valid_before_utc, ca.not_valid_before_utc)
    a_ca = ExtensionPolicy.webpki_defaults_ca()
    builder = PolicyBuilder().store(Store([root])).time(moment)
    try:
        path = (
            builder.extension_policies(ca_policy=a_ca, ee_policy=a_ca).build_client_verifier().verify(ca, [])
        )
    except VerificationError:
        return False
    return len(path.chain) == 2

"""What a request carries besides key and name: attestation, and the password that binds it to a channel.

The attribute for attestation is that of draft-ietf-lamps-csr-attestation-29 (not yet an RFC): id-aa 59, whose
number IANA has allocated, with an AttestationBundle. The kind of statement is ours: a COSE_Sign1 in an OCTET
STRING, as the draft wants formats that are not ASN.1 to be carried.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat import asn1

from hri.errors import PolicyRefusal

ID_AA_ATTESTATION = x509.ObjectIdentifier("1.2.840.113549.1.9.16.2.59")
STATE_EVIDENCE = x509.ObjectIdentifier("2.25.221484312471986027451283405121378826905")
"""Our state evidence (docs/protocol.md); below 2.25 a number needs no registration (ITU-T X.667)."""

_SEQUENCE = b"\x30"


@asn1.sequence
class _Statement:
    type: x509.ObjectIdentifier
    stmt: asn1.TLV


@asn1.sequence
class _Bundle:
    attestations: list[_Statement]
    certs: list[asn1.TLV] | None


def carried_evidence(csr: x509.CertificateSigningRequest) -> bytes | None:
    """Return the state evidence (COSE_Sign1) that a request carries, None if it carries none.

    Statements of other kinds are passed over, as the draft allows.

    Raises PolicyRefusal `csr-malformed` for an attribute that is not as the draft has it, or given twice.
    """
    content = _single(csr, ID_AA_ATTESTATION)
    if content is None:
        return None
    try:
        bundle = asn1.decode_der(_Bundle, content)
        found = [item.stmt.parse(bytes) for item in bundle.attestations if item.type == STATE_EVIDENCE]
    except (ValueError, TypeError) as error:
        raise _malformed("its attestation attribute is not an AttestationBundle") from error
    if len(found) > 1:
        raise _malformed("it carries more than one piece of state evidence")
    return found[0] if found else None


def challenge_password(csr: x509.CertificateSigningRequest) -> str | None:
    """Return the challengePassword of a request (RFC 2985 section 5.4.1), None where it has none.

    Raises PolicyRefusal `csr-malformed`.
    """
    for attribute in _attributes(csr):
        if attribute.oid == x509.oid.AttributeOID.CHALLENGE_PASSWORD:
            try:
                return attribute.value.decode("ascii")
            except UnicodeDecodeError as error:
                raise _malformed("its challengePassword is not text") from error
    return None


def _single(csr: x509.CertificateSigningRequest, oid: x509.ObjectIdentifier) -> bytes | None:
    """Return the one value (DER) of an attribute that is a SEQUENCE."""
    found = [attribute for attribute in _attributes(csr) if attribute.oid == oid]
    if not found:
        return None
    if len(found) > 1:
        raise _malformed("it has an attribute twice")
    # The library gives the contents without the tag, which has to be that of a SEQUENCE.
    content = found[0].value
    return _SEQUENCE + _length(len(content)) + content


def _length(length: int) -> bytes:
    """Return a DER length (X.690 section 8.1.3)."""
    if length < 0x80:
        return bytes((length,))
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


def _attributes(csr: x509.CertificateSigningRequest) -> list[x509.Attribute]:
    try:
        return list(csr.attributes)
    except ValueError as error:
        # Among others: an attribute with more than one value.
        raise _malformed("its attributes cannot be read") from error


def _malformed(why: str) -> PolicyRefusal:
    return PolicyRefusal("csr-malformed", f"the request: {why}", "make a new request on the device")

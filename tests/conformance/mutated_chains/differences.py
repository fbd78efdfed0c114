"""Where the openssl program and we do not agree, and why that is right."""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from .world import World

_ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
_IDENTIFIERS = {x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier}

# Mutation -> why we refuse what `openssl verify -x509_strict -crl_check_all` accepts.
OPENSSL_ACCEPTS = {
    "leaf signed with a weak digest": "its default security level has room for SHA-224 and SHA-1",
    "issuing CA signed with a weak digest": "as above",
    "list signed with a weak digest": "as above",
    "leaf with a key of kind p384": "it does not know that a device key is on P-256",
    "leaf with a key of kind k256": "as above",
    "leaf with a key of kind p224": "as above",
    "leaf with a key of kind rsa2048": "as above",
    "issuing CA with a key of kind k256": "it asks for no particular curve",
    "issuing CA with a key of kind p224": "as above",
    "issuing CA with a key of kind rsa1024": "it asks for no key length at its default security level",
    "issuer's name in another encoding of letters": "it compares names without regard to case",
    "device of another name": "it was not told which device is expected",
    "common name of another device than the URI": "it does not know urn:hri:device",
    "two devices named": "as above",
    "no subjectAltName": "as above",
    "leaf with cA": "it lets an authority's certificate stand at the end",
    "leaf without digitalSignature": "keyAgreement is enough for it",
    "leaf with cRLSign": "without cA the bit means nothing to it",
    "leaf with name constraints": "it lets an end entity carry what constrains nobody",
    "leaf without extended key usage": "it takes a missing extendedKeyUsage for any",
    "leaf with a negative serial number": "it takes the number as it is",
    "policy mappings": "it processes them",
    "anyPolicy inhibited": "it processes it, and one anyPolicy is left over",
    "list without an end": "it lets a list without nextUpdate hold for ever",
    "indirect list": "with -extended_crl it processes indirect lists",
    "indirect shard": "as above",
    "list with an entry of another issuer": "with -extended_crl it processes them",
}


def openssl_is_stricter(refusal: str, world: World) -> bool:
    """Whether openssl refuses what RFC 5280 allows, and we accept."""
    extensions = [draft.extensions for draft in world.authorities]
    if refusal in ("Missing Authority Key Identifier", "Missing Subject Key Identifier"):
        # Authorities have to put them there (section 4.2.1); validation (section 6) does without.
        return any(len(_IDENTIFIERS & one.keys()) < len(_IDENTIFIERS) for one in extensions) or (
            x509.SubjectKeyIdentifier not in world.leaf.extensions
        )
    if refusal == "unsuitable certificate purpose":
        # In an authority anyExtendedKeyUsage restricts nothing (section 4.2.1.12).
        usages = [one[x509.ExtendedKeyUsage][0] for one in extensions if x509.ExtendedKeyUsage in one]
        return any(_ANY in list(one) for one in usages if isinstance(one, x509.ExtendedKeyUsage))
    return False

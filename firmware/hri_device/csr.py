"""PKCS#10 requests (RFC 2986) signed by a key that never leaves its element."""

from hashlib import sha256

from . import der

_VERSION = b"\x02\x01\x00"
_NO_ATTRIBUTES = b"\xa0\x00"
# ecdsa-with-SHA256, parameters absent (RFC 5758 section 3.2).
_ECDSA_WITH_SHA256 = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"


def make(element, slot, subject):
    """Return the DER CertificationRequest for the key in `slot` and `subject`, a list of (short name, value).

    Raises ValueError for a subject that X.520 does not allow (see der.name), and what the element raises.
    RFC 2986 section 4.
    """
    # The name first: a subject that is refused must not cost a wake of the chip.
    name = der.name(subject)
    info = der.sequence(_VERSION, name, der.spki(element.public_key(slot)), _NO_ATTRIBUTES)
    signature = element.sign(slot, sha256(info).digest())
    return der.sequence(info, _ECDSA_WITH_SHA256, der.bit_string(der.signature(signature)))

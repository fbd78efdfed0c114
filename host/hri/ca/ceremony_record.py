"""The record of a key ceremony: who was there, what was done, with checksums that people read aloud.

A ceremony is a list of steps, each one said before it is done. What is done leaves checksums; what people
do is confirmed by both of them. The record is a text whose last lines are a signature with the root's key
over everything above, so that it can be checked with the root certificate alone, by openssl too.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from hri.ca.signer import Signer, digest_for
from hri.errors import ConfigurationError, PolicyRefusal

_MARK = "signature of the root over every line above, base64:"


@dataclass
class CeremonyRecord:
    """Lines with the time, UTC, at which each was written."""

    now: Callable[[], datetime]
    _lines: list[str] = field(default_factory=list)

    def write(self, text: str) -> None:
        """Add a line. Raises ValueError for one that could pass for several."""
        if not text.isprintable():
            raise ValueError("a line of the record is printable")
        self._lines.append(f"{self.now().astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}  {text}")

    def signed(self, signer: Signer) -> str:
        """Return the record with the root's signature over it. Raises DeviceError (a token)."""
        body = "".join(f"{line}\n" for line in self._lines)
        digest = digest_for(signer.public_key())
        if isinstance(signer, rsa.RSAPrivateKey):
            signature = signer.sign(body.encode(), padding.PKCS1v15(), digest)
        else:
            signature = signer.sign(body.encode(), ec.ECDSA(digest))
        return f"{body}{_MARK}\n{base64.b64encode(signature).decode()}\n"


def check_record(text: str, root: x509.Certificate) -> tuple[str, ...]:
    """Return the lines of a record that the root signed. Raises PolicyRefusal for any other text."""
    body, mark, tail = text.rpartition(f"{_MARK}\n")
    try:
        signature = base64.b64decode(tail.strip(), validate=True)
    except binascii.Error:
        signature = b""
    if not mark or not signature:
        raise PolicyRefusal(
            "record-malformed", "this is no signed record of a ceremony", "give the whole file"
        )
    key, digest = root.public_key(), digest_for(root.public_key())
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, body.encode(), padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, body.encode(), ec.ECDSA(digest))
        else:
            raise ConfigurationError("bad-key", "the root has a key of another kind", "give our root")
    except InvalidSignature as error:
        raise PolicyRefusal(
            "record-forged", "the record is not as the root signed it", "compare it with the copies on paper"
        ) from error
    return tuple(body.splitlines())


def spoken(fingerprint: bytes) -> tuple[str, ...]:
    """Return a fingerprint (32 bytes) in lines of four groups, as two people read it to each other."""
    groups = [fingerprint[start : start + 4].hex() for start in range(0, len(fingerprint), 4)]
    return tuple(" ".join(groups[start : start + 4]) for start in range(0, len(groups), 4))

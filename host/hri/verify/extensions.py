"""One extension of a certificate, list or response, or None where it has none."""

from __future__ import annotations

from typing import TypeVar

from cryptography import x509

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


def extension(
    holder: x509.Certificate | x509.CertificateRevocationList | x509.RevokedCertificate,
    kind: type[_Extension],
) -> _Extension | None:
    """The value of the extension of this kind; its holder's extensions have been read before."""
    for one in holder.extensions:
        # Not isinstance, which on these abstract classes takes ten times as long.
        if type(one.value) is kind:
            return one.value
    return None

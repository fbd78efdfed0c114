"""Name constraints that cryptography's verifier leaves open (RFC 5280 section 4.2.1.10).

It checks dNSName, iPAddress and rfc822Name against subjectAltName, and refuses what it cannot judge (a URI
below any URI constraint, which is right for `urn:hri:device:`: it has no host). It does not look at subjects,
and takes no excluded directoryName for a match. Both are closed here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from cryptography import x509
from cryptography.x509.oid import NameOID

from .decision import Reason, ReasonCode
from .extensions import extension

_Value = TypeVar("_Value", x509.Name, str)
_Rdn = frozenset[tuple[x509.ObjectIdentifier, str | bytes]]


def names_are_allowed(path: Sequence[x509.Certificate]) -> Reason | None:
    """No certificate of the path (leaf to anchor) has a name that an authority above it may not give."""
    for position in range(1, len(path)):
        constraints = extension(path[position], x509.NameConstraints)
        if constraints is None:
            continue
        for below, certificate in enumerate(path[:position]):
            # A self-issued certificate is exempt, unless it is the last of the path.
            if below > 0 and certificate.subject == certificate.issuer:
                continue
            fault = _fault(certificate, constraints)
            if fault is not None:
                authority = path[position].subject.rfc4514_string()
                return Reason(ReasonCode.CHAIN_INVALID, f"{authority} may not issue for {fault}")
    return None


def _fault(certificate: x509.Certificate, constraints: x509.NameConstraints) -> str | None:
    """The name that is excluded or not permitted, or None."""
    permitted, excluded = constraints.permitted_subtrees or (), constraints.excluded_subtrees or ()
    for name in _directory_names(certificate):
        if not _allowed(name, _bases(permitted), _bases(excluded), _is_below):
            return name.rfc4514_string()
    for attribute in certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
        mailbox = str(attribute.value)
        if not _allowed(mailbox, _mail_bases(permitted), _mail_bases(excluded), _is_mailbox_of):
            return mailbox
    return None


def _directory_names(certificate: x509.Certificate) -> list[x509.Name]:
    alternative = extension(certificate, x509.SubjectAlternativeName)
    names = alternative.get_values_for_type(x509.DirectoryName) if alternative is not None else []
    return [*([certificate.subject] if list(certificate.subject) else []), *names]


def _bases(subtrees: Iterable[x509.GeneralName]) -> list[x509.Name]:
    return [base.value for base in subtrees if isinstance(base, x509.DirectoryName)]


def _mail_bases(subtrees: Iterable[x509.GeneralName]) -> list[str]:
    return [base.value for base in subtrees if isinstance(base, x509.RFC822Name)]


def _allowed(
    name: _Value,
    permitted: Sequence[_Value],
    excluded: Sequence[_Value],
    is_within: Callable[[_Value, _Value], bool],
) -> bool:
    """The name is within a permitted subtree of its kind, if there is one, and within no excluded one."""
    if permitted and not any(is_within(name, base) for base in permitted):
        return False
    return not any(is_within(name, base) for base in excluded)


def _is_below(name: x509.Name, base: x509.Name) -> bool:
    """The name begins with the relative names of the base (X.501; compared as RFC 5280 section 7.1 says)."""
    prefix = [_comparable(rdn) for rdn in base.rdns]
    return [_comparable(rdn) for rdn in name.rdns[: len(prefix)]] == prefix


def _comparable(rdn: x509.RelativeDistinguishedName) -> _Rdn:
    return frozenset((attribute.oid, _prepared(attribute.value)) for attribute in rdn)


def _prepared(value: str | bytes) -> str | bytes:
    """The string as RFC 4518 prepares it: an excluded name must not get by in other letters or spaces."""
    if isinstance(value, bytes):
        return value
    seen = (character for character in value if unicodedata.category(character) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", "".join(seen)).casefold().split())


def _is_mailbox_of(mailbox: str, base: str) -> bool:
    """The base is this mailbox, its host, or with a leading dot a domain above its host."""
    host = mailbox.strip().rpartition("@")[2].rstrip(".").casefold()
    if "@" in base:
        local, _, base_host = base.rpartition("@")
        return mailbox.strip().rpartition("@")[0] == local and host == base_host.casefold()
    if base.startswith("."):
        return host.endswith(base.casefold())
    return host == base.casefold()

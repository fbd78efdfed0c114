"""For which names an issuing CA may issue (name constraints, RFC 5280 section 4.2.1.10)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cryptography import x509

from hri.errors import ConfigurationError, PolicyRefusal

_DOMAIN = re.compile(r"(?=.{1,253}$)((?!-)[a-z0-9-]{1,63}(?<!-)\.)*(?!-)[a-z0-9-]{1,63}(?<!-)")


@dataclass(frozen=True, slots=True)
class NameLimits:
    """Subtrees of names: where a kind of name is permitted anywhere, names of that kind must be in one."""

    permitted: tuple[x509.GeneralName, ...] = ()
    excluded: tuple[x509.GeneralName, ...] = ()

    @classmethod
    def parse(cls, permitted: Iterable[str], excluded: Iterable[str]) -> NameLimits:
        """Read `dns:example.com`, `ip:10.0.0.0/8`, `dir:O=Example Corp,OU=Pumps` (the broadest first).

        Raises ConfigurationError.
        """
        return cls(tuple(map(_subtree, permitted)), tuple(map(_subtree, excluded)))

    @classmethod
    def of(cls, certificate: x509.Certificate) -> NameLimits:
        """Return the limits in a CA's certificate."""
        try:
            value = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        except x509.ExtensionNotFound:
            return NO_LIMITS
        return cls(tuple(value.permitted_subtrees or ()), tuple(value.excluded_subtrees or ()))

    def extension(self) -> x509.NameConstraints | None:
        """Return the extension, None where there are no limits."""
        if not self.permitted and not self.excluded:
            return None
        return x509.NameConstraints(self.permitted or None, self.excluded or None)

    @property
    def critical(self) -> bool:
        """Whether verifiers that do not know the extension have to refuse.

        RFC 5280 wants it so. cryptography's verifier then refuses every chain with a directoryName in it,
        because it does not compare those; so such limits are not critical, as the CA/Browser Forum's rules
        (section 7.1.5) allow, and every verifier that does compare them still enforces them.
        """
        return not any(isinstance(name, x509.DirectoryName) for name in (*self.permitted, *self.excluded))

    def check(self, subject: x509.Name, names: Iterable[x509.GeneralName]) -> None:
        """Raise PolicyRefusal where a certificate with these names would be outside the limits."""
        for name in (x509.DirectoryName(subject), *names):
            inside = _MATCH.get(type(name))
            if inside is None:
                continue
            permitted = [one for one in self.permitted if type(one) is type(name)]
            if permitted and not any(inside(name, one) for one in permitted):
                raise _outside(name, "outside what the issuing CA may issue for")
            if any(inside(name, one) for one in self.excluded if type(one) is type(name)):
                raise _outside(name, "among what the issuing CA may not issue for")


NO_LIMITS = NameLimits()


def _subtree(text: str) -> x509.GeneralName:
    kind, _, value = text.partition(":")
    try:
        if kind == "dns" and _DOMAIN.fullmatch(value):
            return x509.DNSName(value)
        if kind == "ip":
            return x509.IPAddress(ipaddress.ip_network(value))
        if kind == "dir":
            name = x509.Name.from_rfc4514_string(value)
            # RFC 4514 begins with the narrowest; a subtree is a prefix of the name, the broadest first.
            if len(name.rdns):
                return x509.DirectoryName(x509.Name(list(reversed(name.rdns))))
    except ValueError:
        pass
    if kind == "uri":
        raise ConfigurationError(
            "bad-name-limit",
            f"{text!r}: every device certificate holds a URN, which no URI constraint can permit "
            "(RFC 5280 section 4.2.1.10: a URI without a host is refused)",
            "limit dns or dir names",
        )
    raise ConfigurationError(
        "bad-name-limit",
        f"{text!r} limits no names",
        "write dns:example.com, 'dir:O=Example Corp,OU=Pumps' or ip:10.0.0.0/8",
    )


def _dns_inside(name: x509.GeneralName, tree: x509.GeneralName) -> bool:
    value, base = str(name.value).lower().removeprefix("*."), str(tree.value).lower()
    return value == base or value.endswith("." + base.removeprefix("."))


def _ip_inside(name: x509.GeneralName, tree: x509.GeneralName) -> bool:
    return bool(name.value in tree.value)


def _directory_inside(name: x509.GeneralName, tree: x509.GeneralName) -> bool:
    rdns, base = list(name.value.rdns), list(tree.value.rdns)
    return rdns[: len(base)] == base


_MATCH: dict[type[x509.GeneralName], Callable[[x509.GeneralName, x509.GeneralName], bool]] = {
    x509.DNSName: _dns_inside,
    x509.IPAddress: _ip_inside,
    x509.DirectoryName: _directory_inside,
}


def _outside(name: x509.GeneralName, what: str) -> PolicyRefusal:
    shown = name.value.rfc4514_string() if isinstance(name, x509.DirectoryName) else str(name.value)
    return PolicyRefusal(
        "outside-name-limits",
        f"the name {shown!r} is {what}",
        "issue it from another CA, or change certificate.subject or certificate.subject_alt_names",
    )

"""What is below `home`/ca: roots and issuing CAs, each with the generations that came before.

A CA that is renewed keeps its name and gets a new key: another generation. The newest one issues; the older
ones stay, because their certificates have to be verified and revoked until they end.

```
ca/root.pem, ca/issuing.pem          the first root and the first generation of the CA `issuing`
ca/cas/NAME/N/ca.pem                 generation N of the CA NAME, with its key in ca.key or ca.uri
ca/cas/NAME/N.request/request.csr    one that waits for its certificate from a root elsewhere
ca/roots/N/root.pem                  the root of generation N, with its cross-certificates
```
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from hri.ca.authority import Authority
from hri.ca.keyring import Keyring
from hri.ca.parts import broken, read_certificates
from hri.ca.signer import KeyFile
from hri.errors import ConfigurationError

FIRST = "issuing"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_RESERVED = frozenset({"ca", "cas", "operator", "root", "roots"})


@dataclass(frozen=True, slots=True)
class Root:
    """A root of some generation, where its key is if it is here, and what cross-certifies it.

    `new_with_old` is this root's key signed by the root before it, for those who only know that one.
    """

    generation: int
    certificate: x509.Certificate
    key: KeyFile
    new_with_old: x509.Certificate | None = None
    old_with_new: x509.Certificate | None = None


@dataclass(frozen=True, slots=True)
class IssuingCa:
    """A generation of an issuing CA, below its root."""

    name: str
    generation: int
    certificate: x509.Certificate
    root: Root
    key: KeyFile

    @property
    def crl_name(self) -> str:
        """The stem of the file of its revocation list; no CA's name holds a dot."""
        return self.name if self.generation == 1 else f"{self.name}.{self.generation}"

    def authority(self, keyring: Keyring | None) -> Authority:
        """Return what issues, or with no keyring only verifies.

        Raises ConfigurationError, StorageError and DeviceError (a token).
        """
        key = None if keyring is None else keyring.open(self.key, f"CA {self.name}")
        cross = self.root.new_with_old
        crosses = () if cross is None else (cross,)
        return Authority(self.root.certificate, self.certificate, key, crosses=crosses)


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The roots, the oldest first, and every generation of every issuing CA."""

    home: Path
    roots: tuple[Root, ...]
    cas: tuple[IssuingCa, ...]

    @classmethod
    def read(cls, home: Path) -> Hierarchy:
        """Read the certificates of a home folder. Raises ConfigurationError and StorageError."""
        first = Authority.open_public(home)
        folder = home / "ca"
        roots = [Root(1, first.root, KeyFile(folder, "root"))]
        roots += [_root(path, int(path.name)) for path in _generations(folder / "roots")]
        cas = [IssuingCa(FIRST, 1, first.issuing, roots[0], KeyFile(folder, FIRST))]
        for named in sorted(path for path in (folder / "cas").glob("*") if _NAME.fullmatch(path.name)):
            for path in _generations(named):
                certificate = read_certificates(path / "ca.pem")[0]
                root = _issuer_of(certificate, roots)
                cas.append(IssuingCa(named.name, int(path.name), certificate, root, KeyFile(path, "ca")))
        return cls(home, tuple(roots), tuple(cas))

    @property
    def names(self) -> frozenset[str]:
        """The names of the issuing CAs, which no device may have."""
        return frozenset(ca.name for ca in self.cas)

    @property
    def first(self) -> IssuingCa:
        """The CA that the home began with; what is kept beside its key stays there when CAs are renewed."""
        return self.cas[0]

    @property
    def root(self) -> Root:
        """The newest root, which signs new issuing CAs."""
        return self.roots[-1]

    def newest(self, name: str) -> IssuingCa:
        """Return the generation of a CA that issues. Raises ConfigurationError where there is none."""
        found = [ca for ca in self.cas if ca.name == name]
        if not found:
            known = ", ".join(sorted({ca.name for ca in self.cas}))
            raise ConfigurationError(
                "no-such-ca", f"there is no issuing CA {name!r}", f"`hri ca list` names them: {known}"
            )
        return max(found, key=lambda ca: ca.generation)

    def alive(self, now: datetime) -> tuple[IssuingCa, ...]:
        """Return those that have not ended; no certificate outlives the CA that issued it."""
        return tuple(ca for ca in self.cas if now < ca.certificate.not_valid_after_utc)

    @property
    def intermediates(self) -> tuple[x509.Certificate, ...]:
        """Every issuing CA and every cross-certificate: what chains are built from."""
        crosses = [one for root in self.roots for one in (root.new_with_old, root.old_with_new)]
        between = [ca.certificate for ca in self.cas if ca.certificate != ca.root.certificate]
        return (*between, *(cross for cross in crosses if cross is not None))

    def next_folder(self, name: str) -> Path:
        """Return where the next generation of a CA is going to be."""
        generations = [ca.generation for ca in self.cas if ca.name == name]
        return self.home / "ca" / "cas" / name / str(max(generations, default=0) + 1)


def check_ca_name(name: str) -> str:
    """Return the name of an issuing CA unchanged if it may be one. Raises ConfigurationError."""
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise ConfigurationError(
            "bad-ca-name",
            f"{name[:40]!r} cannot be the name of an issuing CA",
            "use 1 to 31 of a-z 0-9 - that begin with a letter or a digit, such as factory-a",
        )
    return name


def _generations(folder: Path) -> list[Path]:
    """Return the folders of finished generations, in order; requests that wait have other names."""
    return sorted(
        (path for path in folder.glob("*") if path.name.isdecimal()), key=lambda path: int(path.name)
    )


def _root(folder: Path, generation: int) -> Root:
    certificate, new_with_old, old_with_new = (
        read_certificates(folder / name)[0] for name in ("root.pem", "new-with-old.pem", "old-with-new.pem")
    )
    return Root(generation, certificate, KeyFile(folder, "root"), new_with_old, old_with_new)


def _issuer_of(certificate: x509.Certificate, roots: list[Root]) -> Root:
    for root in roots:
        try:
            certificate.verify_directly_issued_by(root.certificate)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return root
    raise broken(f"no root here signed the CA {certificate.subject.rfc4514_string()!r}")

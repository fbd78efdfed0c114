"""A new key for the root, with cross-certificates, so that nobody's chain breaks meanwhile.

As RFC 4210 section 4.4 has it: the new key signed with the old one, for verifiers who only know the old root;
the old key signed with the new one, for verifiers who will only know the new root.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from hri.ca.ca_certificate import ROOT_TERMS, ROOT_VALIDITY, ca_certificate
from hri.ca.ceremony import root_key_name
from hri.ca.files import write_atomically
from hri.ca.hierarchy import Hierarchy, Root
from hri.ca.placing import Files, place
from hri.ca.signer import KeyKind, Signer, Signers
from hri.errors import ConfigurationError
from hri.registry.folder_lock import exclusive


def rekey_root(
    home: Path,
    *,
    kind: KeyKind,
    keys: Signers,
    old_signer: Signer,
    root_out: Path | None,
    now: datetime,
) -> Root:
    """Make a root of the same name with a new key, and both cross-certificates; it signs all new CAs.

    Issuing CAs stay below the old root until they are renewed. The new key goes to `root_out` where given.

    Raises ConfigurationError, StorageError and DeviceError (a token).
    """
    with exclusive(home, "changing the hierarchy of authorities"):
        hierarchy = Hierarchy.read(home)
        old = hierarchy.root.certificate
        if old_signer.public_key() != old.public_key():
            raise ConfigurationError("bad-key", "this is not the key of the newest root", "give that one")
        start = now.replace(microsecond=0)
        if not old.not_valid_before_utc <= start < old.not_valid_after_utc:
            raise ConfigurationError(
                "ca-not-valid",
                "the root is not valid now",
                "check this machine's clock, or make a new authority",
            )
        folder = home / "ca" / "roots" / str(hierarchy.root.generation + 1)
        key = keys.generate("root CA", kind)
        key_path = folder / f"root{key.suffix}"
        try:
            public, name = key.signer.public_key(), old.subject
            certificate = ca_certificate(
                name, public, issuer=name, signer=key.signer,
                start=start, end=start + ROOT_VALIDITY, terms=ROOT_TERMS,
            )  # fmt: skip
            new_with_old = ca_certificate(
                name, public, issuer=name, signer=old_signer,
                start=start, end=old.not_valid_after_utc, terms=ROOT_TERMS,
            )  # fmt: skip
            old_public = old_signer.public_key()
            old_with_new = ca_certificate(
                name, old_public, issuer=name, signer=key.signer,
                start=old.not_valid_before_utc, end=old.not_valid_after_utc, terms=ROOT_TERMS,
            )  # fmt: skip
            made = {"root": certificate, "new-with-old": new_with_old, "old-with-new": old_with_new}
            files: Files = {
                f"{stem}.pem": (one.public_bytes(Encoding.PEM), 0o644) for stem, one in made.items()
            }
            if root_out is None:
                files = {**files, key_path.name: (key.content, 0o600)}
            else:
                key_path = (root_out / root_key_name(certificate)).with_suffix(key.suffix)
                write_atomically(key_path, key.content, 0o600)
            place(
                folder,
                files,
                lambda: ConfigurationError("ca-exists", f"{folder} is there already", "try again"),
            )
        except BaseException:
            if not folder.exists():
                key.discard()
                key_path.unlink(missing_ok=True)
            raise
    return Hierarchy.read(home).root

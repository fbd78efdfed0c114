"""New issuing CAs, and new keys for those there are: on this machine, or with a root that is elsewhere.

Each becomes whole in one rename: a process killed at any moment leaves the hierarchy as it was, or with the
new generation in it.
"""

from __future__ import annotations

import os
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hri.ca.ca_certificate import ISSUING_VALIDITY, CaTerms, ca_certificate, ca_name
from hri.ca.files import disk_errors, sync_folder, write_atomically
from hri.ca.hierarchy import Hierarchy, IssuingCa, Root, check_ca_name
from hri.ca.name_limits import NameLimits
from hri.ca.parts import check_parts
from hri.ca.placing import place
from hri.ca.signer import KeyKind, NewKey, Signer, SignerPublicKey, Signers, check_kind, digest_for, kind_of
from hri.errors import ConfigurationError, HriError, PolicyRefusal
from hri.registry.folder_lock import exclusive

_KINDS = frozenset(KeyKind)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An issuing CA to be: its kind of key, what it may do, how long it is valid.

    `terms` of None are those of the generation before, or for a new CA none in particular.
    """

    name: str
    kind: KeyKind | None = None
    terms: CaTerms | None = None
    validity: timedelta = ISSUING_VALIDITY


def new_generation(
    home: Path, wanted: Wanted, *, keys: Signers, root_signer: Signer, now: datetime
) -> IssuingCa:
    """Make an issuing CA, or a new generation of one, signed with the root's key.

    Raises ConfigurationError, StorageError and DeviceError (a token).
    """
    check_ca_name(wanted.name)
    with _changing(home):
        hierarchy = Hierarchy.read(home)
        _check_root_key(hierarchy.root, root_signer)
        folder, key = hierarchy.next_folder(wanted.name), _generate(hierarchy, wanted, keys)
        try:
            certificate = sign_issuing(
                hierarchy.root.certificate,
                root_signer,
                _subject(hierarchy, wanted.name),
                key.signer.public_key(),
                terms=wanted.terms or _terms_before(hierarchy, wanted.name),
                validity=wanted.validity,
                now=now,
            )
            files = {
                "ca.pem": (certificate.public_bytes(Encoding.PEM), 0o644),
                f"ca{key.suffix}": (key.content, 0o600),
            }
            place(folder, files, lambda: _generation_there(folder))
        except BaseException:
            if not folder.exists():
                key.discard()
            raise
    return Hierarchy.read(home).newest(wanted.name)


def request_generation(home: Path, wanted: Wanted, *, keys: Signers) -> bytes:
    """Make the key of an issuing CA and return a request (PKCS#10, PEM) for a root that is elsewhere.

    Asked again it returns the same request, until that is installed or withdrawn.

    Raises ConfigurationError, StorageError and DeviceError (a token).
    """
    check_ca_name(wanted.name)
    with _changing(home):
        hierarchy = Hierarchy.read(home)
        folder = _request_folder(hierarchy, wanted.name)
        if folder.exists():
            return _read_request(folder)
        key = _generate(hierarchy, wanted, keys)
        try:
            csr = (
                x509.CertificateSigningRequestBuilder()
                .subject_name(_subject(hierarchy, wanted.name))
                .sign(key.signer, digest_for(key.signer.public_key()))
            )
            pem = csr.public_bytes(Encoding.PEM)
            files = {"request.csr": (pem, 0o644), f"ca{key.suffix}": (key.content, 0o600)}
            place(folder, files, lambda: _generation_there(folder))
        except BaseException:
            if not folder.exists():
                key.discard()
            raise
    return pem


def withdraw_request(home: Path, name: str) -> None:
    """Forget a request that waits, with its key file. Raises ConfigurationError and StorageError."""
    with _changing(home):
        folder = _waiting(Hierarchy.read(home), name)
        with disk_errors(folder):
            # First out of the way in one step: half a request would pass for one.
            gone = folder.with_name(f".withdrawn-{folder.name}")
            os.rename(folder, gone)
            shutil.rmtree(gone)


def sign_request(
    pem: bytes,
    root: x509.Certificate,
    root_signer: Signer,
    *,
    terms: CaTerms,
    validity: timedelta,
    now: datetime,
) -> x509.Certificate:
    """Sign the request of an issuing CA, on the machine where the root's key is.

    Of the request only name and key count: `terms` decide the rest.

    Raises PolicyRefusal (no proof of possession, a key or a name that no CA may have), ConfigurationError.
    """
    if root_signer.public_key() != root.public_key():
        raise _not_its_key()
    try:
        csr = x509.load_pem_x509_csr(pem)
        public_key, proved, subject = csr.public_key(), csr.is_signature_valid, csr.subject
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise PolicyRefusal(
            "csr-malformed", "this is no PKCS#10 request", "make one with `hri ca request`"
        ) from error
    if not proved:
        raise _bad_request("csr-signature", "there is no proof of possession of its key")
    if not isinstance(public_key, SignerPublicKey) or kind_of(public_key) is None:
        raise PolicyRefusal(
            "csr-key-type", "its key is of no kind that an authority may have", "use `hri ca request`"
        )
    if subject == root.subject or not list(subject):
        raise PolicyRefusal(
            "reserved-name", "it asks for the root's own name, or none", "use `hri ca request`"
        )
    return sign_issuing(root, root_signer, subject, public_key, terms=terms, validity=validity, now=now)


def sign_issuing(
    root: x509.Certificate,
    root_signer: Signer,
    subject: x509.Name,
    public_key: SignerPublicKey,
    *,
    terms: CaTerms,
    validity: timedelta,
    now: datetime,
) -> x509.Certificate:
    """Sign the certificate of an issuing CA; it does not outlive its root. Raises ConfigurationError."""
    start = now.replace(microsecond=0)
    if not root.not_valid_before_utc <= start < root.not_valid_after_utc:
        raise ConfigurationError(
            "ca-not-valid", "the root is not valid now", "check this machine's clock, or re-key the root"
        )
    return ca_certificate(
        subject,
        public_key,
        issuer=root.subject,
        signer=root_signer,
        start=start,
        end=min(start + validity, root.not_valid_after_utc),
        terms=terms,
    )


def install(home: Path, name: str, certificate: x509.Certificate) -> IssuingCa:
    """Take the certificate for a request that waits; the CA issues from then on.

    Raises ConfigurationError (no request, another key's or nobody's certificate) and StorageError.
    """
    with _changing(home):
        hierarchy = Hierarchy.read(home)
        folder = _waiting(hierarchy, name)
        csr = x509.load_pem_x509_csr(_read_request(folder))
        if not _answers(certificate, csr):
            raise ConfigurationError(
                "not-for-this-request",
                f"the certificate is not for the request of {name}",
                "install the one that `hri ca sign-issuing` made from it",
            )
        signed_by = [root for root in hierarchy.roots if root.certificate.subject == certificate.issuer]
        _check_signed(certificate, signed_by)
        write_atomically(folder / "ca.pem", certificate.public_bytes(Encoding.PEM))
        with disk_errors(folder):
            os.rename(folder, hierarchy.next_folder(name))
            sync_folder(folder.parent)
    return Hierarchy.read(home).newest(name)


def _answers(certificate: x509.Certificate, csr: x509.CertificateSigningRequest) -> bool:
    return certificate.public_key() == csr.public_key() and certificate.subject == csr.subject


def _check_signed(certificate: x509.Certificate, roots: list[Root]) -> None:
    """Raise ConfigurationError where none of the roots signed this as an issuing CA's."""
    refusal: HriError | None = None
    for root in roots:
        try:
            check_parts(root.certificate, certificate, None)
        except ConfigurationError as error:
            refusal = error
        else:
            return
    why = refusal.message if refusal else "its issuer is no root here"
    raise ConfigurationError(
        "not-by-our-root", f"the certificate cannot be installed: {why}", "have the root of this home sign it"
    )


def _generate(hierarchy: Hierarchy, wanted: Wanted, keys: Signers) -> NewKey:
    kind = wanted.kind
    if kind is None:
        before = [ca for ca in hierarchy.cas if ca.name == wanted.name]
        kind = (kind_of(before[-1].certificate.public_key()) if before else None) or KeyKind.P256
    key = keys.generate(f"CA {wanted.name}", kind)
    check_kind(key.signer.public_key(), _KINDS, wanted.name)
    return key


def _subject(hierarchy: Hierarchy, name: str) -> x509.Name:
    """Return the name of the generation before, or for a new CA one beside the root's."""
    before = [ca for ca in hierarchy.cas if ca.name == name]
    if before:
        return before[-1].certificate.subject
    root = hierarchy.root.certificate.subject
    common = str(root.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value).removesuffix(" root")
    organisation = str(root.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value)
    return ca_name(organisation, f"{common} {name}"[-64:])


def _terms_before(hierarchy: Hierarchy, name: str) -> CaTerms:
    before = [ca for ca in hierarchy.cas if ca.name == name]
    if not before:
        return CaTerms()
    extensions = before[-1].certificate.extensions
    length = extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    try:
        found = extensions.get_extension_for_class(x509.CertificatePolicies).value
        policies = tuple(policy.policy_identifier for policy in found)
    except x509.ExtensionNotFound:
        policies = ()
    return CaTerms(NameLimits.of(before[-1].certificate), policies, length)


def _check_root_key(root: Root, signer: Signer) -> None:
    if signer.public_key() != root.certificate.public_key():
        raise _not_its_key()


def _changing(home: Path) -> AbstractContextManager[None]:
    return exclusive(home, "changing the hierarchy of authorities")


def _request_folder(hierarchy: Hierarchy, name: str) -> Path:
    folder = hierarchy.next_folder(name)
    # One may have been asked for before the generation that was to be its own was made here.
    waiting = sorted(folder.parent.glob("*.request"))
    return waiting[0] if waiting else folder.with_name(f"{folder.name}.request")


def _waiting(hierarchy: Hierarchy, name: str) -> Path:
    folder = _request_folder(hierarchy, check_ca_name(name))
    if not folder.exists():
        raise ConfigurationError(
            "no-request", f"no request of {name} waits", f"`hri ca request {name}` makes one"
        )
    return folder


def _read_request(folder: Path) -> bytes:
    with disk_errors(folder):
        return (folder / "request.csr").read_bytes()


def _bad_request(code: str, message: str) -> PolicyRefusal:
    return PolicyRefusal(code, message, "make a request with `hri ca request`")


def _generation_there(folder: Path) -> ConfigurationError:
    return ConfigurationError("ca-exists", f"{folder} is there already", "run the same command again")


def _not_its_key() -> ConfigurationError:
    return ConfigurationError(
        "bad-key", "this is not the key of the root", "give the key that belongs to the newest root"
    )

"""Somebody else's authority in the place of our own: how it is reached, and how a home adopts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from hri.ca.authority import Authority
from hri.ca.ceremony import adopt_authority
from hri.ca.external_est import EstClient, EstServer, Patience
from hri.config import Config
from hri.errors import ConfigurationError, StorageError

_REQUEST_S = 30.0


def est_client(config: Config, home: Path, environ: Mapping[str, str]) -> EstClient:
    """Return the client of the configured EST server; files are relative to the home.

    Raises ConfigurationError.
    """
    wanted = config.certificate_authority
    if wanted.url is None:
        raise ConfigurationError(
            "bad-configuration", "certificate_authority.url is missing", "name the EST server"
        )
    client = None
    if wanted.client_certificate is not None and wanted.client_key is not None:
        client = (home / wanted.client_certificate, home / wanted.client_key)
    server = EstServer(
        wanted.url.get(environ),
        label=wanted.label,
        trust=None if wanted.trust is None else home / wanted.trust,
        user=wanted.user,
        api_key=None if wanted.api_key is None else wanted.api_key.get(environ),
        client=client,
    )
    provisioning = config.provisioning
    patience = Patience(
        min(_REQUEST_S, provisioning.enrollment_timeout),
        provisioning.retry_attempts,
        provisioning.retry_delay,
        provisioning.enrollment_timeout,
    )
    return EstClient(server, patience)


def adopt(home: Path, client: EstClient, ca_passphrase: bytes) -> Authority:
    """Make a home of an external authority: its root and issuing certificate, and an operator key of ours.

    The certificates are believed because the server was: compare the root's fingerprint by another way.

    Raises ConfigurationError (an authority is there already), PolicyRefusal and StorageError.
    """
    root, issuing = root_and_issuing(client.ca_certificates())
    # What the whole house relies on of an authority is checked before anything is written.
    Authority(root, issuing, None)
    adopt_authority(home, root.public_bytes(Encoding.PEM), issuing.public_bytes(Encoding.PEM), ca_passphrase)
    return Authority.open_public(home)


def root_and_issuing(
    certificates: Sequence[x509.Certificate],
) -> tuple[x509.Certificate, x509.Certificate]:
    """Return the root and the CA below it that issues, which may be one; raises StorageError."""
    roots = [item for item in certificates if _issued(item, item)]
    if len(roots) != 1:
        raise _unclear(f"{len(roots)} roots")
    [root] = roots
    below = [item for item in certificates if item != root and _issued(root, item)]
    if len(below) > 1 or len(certificates) != 1 + len(below):
        raise _unclear("more than a root and one issuing CA below it")
    return root, below[0] if below else root


def _issued(issuer: x509.Certificate, subject: x509.Certificate) -> bool:
    try:
        subject.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _unclear(what: str) -> StorageError:
    return StorageError(
        "ca-nonsense", f"the external authority names {what}", "name one of its profiles in .label"
    )

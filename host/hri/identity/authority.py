"""`CertificateAuthority`: one from files, or somebody else's behind a URL, with records of its own."""

from __future__ import annotations

import hashlib
import os
import socket
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from hri import lifecycle
from hri.acts import begin_with_new_keys
from hri.audit.recorder import Recorder
from hri.ca.authority import Authority
from hri.ca.csr import checked_public_key
from hri.ca.device_id import check_device_id
from hri.ca.external_issuer import Enroller
from hri.ca.keys import open_key
from hri.ca.log_keys import open_log_keys
from hri.ca.operator import OperatorKey
from hri.ca.parts import read_certificates
from hri.ca.profiles import Profile, SanTemplate
from hri.config import Config, Deferred
from hri.context import Context, utc_now
from hri.errors import PolicyRefusal, StorageError
from hri.home import default_home, open_external, process_actor
from hri.identity.values import CertificateRequest
from hri.log import get_logger
from hri.registry import (
    CertificateRecord,
    ConcurrentIssuance,
    Device,
    IssuanceState,
    Registry,
    require_not_barred,
)

_log = get_logger(__name__)
_UNATTESTED = "create_certificate was called with a bare public key"


class CertificateAuthority:
    """An authority from a key file and a self-signed certificate; its records are kept beside them.

    The registry, the operator key and the revocation list live in a folder named like the certificate, with
    the ending .hri.
    """

    def __init__(
        self,
        ca_key_path: str,
        ca_cert_path: str,
        ca_url: str | None = None,
        *,
        passphrase: bytes | None = None,
    ) -> None:
        """Open the authority; a plaintext key is accepted with a warning.

        An encrypted key takes `passphrase` or HRI_CA_PASSPHRASE. With `ca_url`, the address of an EST server
        (RFC 7030), certificates come from there, on the terms of the YAML's `certificate_authority` (api_key,
        client_certificate, trust). The certificate file then holds that authority's certificates, the issuing
        one first and the root last, and the key is one of ours, which protects what is kept here.

        Raises ConfigurationError and StorageError.
        """
        self.ca_url = ca_url
        key_path, certificate_path = Path(ca_key_path), Path(ca_cert_path)
        if passphrase is None and b"ENCRYPTED" in key_path.read_bytes():
            passphrase = os.environ.get("HRI_CA_PASSPHRASE", "").encode()
        self._enroller: Enroller | None = None
        if ca_url is None:
            self.authority = Authority.from_files(key_path, certificate_path, passphrase)
        else:
            issuing, *above = read_certificates(certificate_path)
            self.authority = Authority(above[-1] if above else issuing, issuing, None)
            self._enroller = _enroller(ca_url)
        self.ca_cert = self.authority.issuing
        self.folder = certificate_path.with_suffix(".hri")
        self.registry = Registry.open(self.folder / "hri.db")
        secret = open_key(key_path, passphrase, "CA").private_bytes(
            Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
        )
        # As well kept as the CA key itself, and no second passphrase to lose.
        derived = hashlib.sha256(b"hri/1 operator key of a CA from files" + secret).hexdigest().encode()
        self.operator = OperatorKey.create(self.folder, derived)
        begin = partial(begin_with_new_keys, self.registry, process_actor())
        keys = open_log_keys(self.folder, derived, self.authority.root, begin)
        self.recorder = Recorder(process_actor(), keys)

    def context(self, *, validity_days: int | None = None, require_attestation: bool = True) -> Context:
        """Return what the use cases work with, under the YAML's configuration."""
        config = default_home().config()
        security = config.security.model_copy(update={"require_attestation": require_attestation})
        changes: dict[str, Any] = {"security": security}
        if validity_days is not None:
            changes["certificate"] = config.certificate.model_copy(update={"validity_days": validity_days})
        config = config.model_copy(update=changes)
        return Context(
            config,
            self.registry,
            self.authority,
            self.operator,
            station=socket.gethostname(),
            recorder=self.recorder,
            enroller=self._enroller,
        )

    def create_certificate(self, csr: CertificateRequest) -> bytes:
        """Issue for a bare public key and return the certificate as PEM, recorded before it is released.

        A bare key comes without proof of possession and without evidence of where it lives: that is logged
        and stays on record. A device with a secure element gets certificates by provisioning only.

        Raises PolicyRefusal, ConfigurationError, StorageError.
        """
        if self._enroller is not None:
            raise PolicyRefusal(
                "no-proof-of-possession",
                "an external authority issues to requests that are signed with their key, not to bare keys",
                "use DeviceIdentityManager.provision_device, or `hri ca issue --csr`",
            )
        key = _public_key(csr.public_key)
        fingerprint = checked_public_key(key)[2]
        device_id, now = check_device_id(csr.device_id), utc_now()
        device = self.registry.device(device_id)
        if device is not None:
            require_not_barred(device_id, device.status)
        if device is not None and device.element_serial:
            raise PolicyRefusal(
                "unattested",
                f"device {device_id} has a secure element",
                "use DeviceIdentityManager.provision_device with its own board",
            )
        live = self.registry.live_certificate(device_id)
        if live is not None and now < live.not_after:
            if live.public_key_sha256 == fingerprint:
                return _certificate_pem(live.der)
            raise PolicyRefusal(
                "live-certificate", f"device {device_id} has a live certificate", "revoke it first"
            )
        self.registry.upsert_device(
            Device(device_id, "none", None, "provisioning", None, now, label="unattested")
        )
        profile = _profile(csr, self.context().config)
        for warning in profile.warnings:
            _log.warning(warning)
        _log.warning("certificate for a key of unknown origin", device_id=device_id)
        expected = self.registry.issuance_state([device_id])
        require_not_barred(device_id, expected[device_id].status)
        return self._sign(
            csr.device_id,
            key,
            fingerprint,
            profile,
            replaces=live.serial_number if live else None,
            expected=expected,
        )

    def revoke_certificate(self, device_id: str) -> None:
        """Revoke a device with all its certificates, for good, and publish the revocation list."""
        lifecycle.revoke(self.context(), device_id, "unspecified", self.folder / "crl")

    def _sign(
        self,
        device_id: str,
        key: ec.EllipticCurvePublicKey,
        fingerprint: str,
        profile: Profile,
        *,
        replaces: int | None,
        expected: dict[str, IssuanceState],
    ) -> bytes:
        now, serial_number = utc_now(), x509.random_serial_number()
        der = self.authority.build(key, device_id, profile, serial_number=serial_number, now=now)
        not_before, not_after = self.authority.validity(profile, now)
        record = CertificateRecord(
            serial_number,
            device_id,
            der,
            fingerprint,
            "issued",
            now,
            not_before,
            not_after,
            replaces=replaces,
            unattested=_UNATTESTED,
            issuer=self.authority.key_identifier,
        )
        try:
            self.registry.record_certificates([record], expected=expected, recorder=self.recorder)
        except ConcurrentIssuance as error:
            # Revoked meanwhile, or given a certificate: what was decided no longer holds.
            raise StorageError(
                "database-busy", f"another process changes the device {device_id}", "try again"
            ) from error
        self.registry.activate(serial_number, now)
        return _certificate_pem(der)


def _enroller(url: str) -> Enroller:
    """Return the way to an EST server, on the terms of the YAML. Raises ConfigurationError."""
    home = default_home()
    config = home.config()
    external = {"type": "external", "url": Deferred("ca_url", url)}
    authority = config.certificate_authority.model_copy(update=external)
    return open_external(
        config.model_copy(update={"certificate_authority": authority}), home.path, os.environ
    )


def _public_key(pem: bytes) -> ec.EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise PolicyRefusal(
            "bad-key", "this is no PEM public key", "give SubjectPublicKeyInfo as PEM"
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise PolicyRefusal("bad-key", "this is no P-256 key", "use the device's own key")
    return key


def _profile(csr: CertificateRequest, config: Config) -> Profile:
    subject = tuple((name, value) for name, value in csr.subject_dn.items() if name != "CN")
    return Profile.checked(
        "request",
        validity=timedelta(days=csr.validity_days),
        key_usage=csr.key_usage,
        extended_key_usage=csr.extended_key_usage,
        subject=subject,
        sans=tuple(SanTemplate(san.type, san.value) for san in config.certificate.subject_alt_names),
        crl_url=config.certificate_authority.crl_url,
    )


def _certificate_pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)

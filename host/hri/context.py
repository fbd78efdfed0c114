"""What a use case works with: registry, authority, configuration, clock. Handed in, never looked up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from hri.audit.entry import Act
from hri.audit.recorder import NOBODY, Recorder
from hri.ca.authority import Authority
from hri.ca.csr import checked_public_key
from hri.ca.external_issuer import Enroller, ExternalIssuer
from hri.ca.hierarchy import Hierarchy
from hri.ca.issuance import Issuer
from hri.ca.keyring import Keyring
from hri.ca.operator import OperatorKey
from hri.ca.profiles import Profile as CertificateProfile
from hri.config import Config
from hri.elements.atecc.profile import Profile as ChipProfile
from hri.elements.atecc.profile import load_profile
from hri.elements.board import Authorise, RetryPolicy
from hri.errors import ConfigurationError, PolicyRefusal
from hri.registry import Recorded, Registry, require_not_barred
from hri.verify.attestation import AttestationPolicy
from hri.verify.cose import MalformedError
from hri.verify.endorsement import STATION_FIRST_SEEN, VENDOR_MANIFEST, EndorsementClaim
from hri.verify.leaf import load_certificate

CHIP_PROFILE = "hri-device"


def utc_now() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Context:
    """One authority with its registry and rules, and the hierarchy that it is the default of, if any.

    `operator` is None where the passphrase was not given; what needs it then raises ConfigurationError.
    `enroller` has certificates issued where the authority is somebody else's. `station` names this machine in
    records, `recorder` who acts, with the logs' keys where they are open. `now` gives aware UTC times,
    `monotonic` seconds.
    """

    config: Config
    registry: Registry
    authority: Authority
    operator: OperatorKey | None
    station: str
    now: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    hierarchy: Hierarchy | None = None
    keyring: Keyring | None = None
    recorder: Recorder = NOBODY
    enroller: Enroller | None = None

    @property
    def verifier(self) -> str:
        """The name under which this authority challenges."""
        return self.config.verifier

    @property
    def chip_profile(self) -> ChipProfile:
        """The configuration that every chip gets."""
        return load_profile(CHIP_PROFILE)

    @property
    def certificate_profile(self) -> CertificateProfile:
        """What certificates say."""
        return self.config.profile()

    @property
    def challenge_ttl(self) -> timedelta:
        """How long a challenge may be answered."""
        return timedelta(seconds=self.config.security.challenge_ttl)

    @property
    def anchors(self) -> tuple[bytes, ...]:
        """The trust anchors, DER: every root there ever was here."""
        known = () if self.hierarchy is None else tuple(root.certificate for root in self.hierarchy.roots)
        roots = dict.fromkeys((self.authority.root, *known))
        return tuple(root.public_bytes(Encoding.DER) for root in roots)

    @property
    def intermediates(self) -> tuple[bytes, ...]:
        """The issuing CAs of every generation, and cross-certificates, DER."""
        known = () if self.hierarchy is None else self.hierarchy.intermediates
        others = (certificate.public_bytes(Encoding.DER) for certificate in known)
        return tuple(dict.fromkeys((*self.authority.chain_der(), *others)))

    def chain_of(self, certificate_der: bytes) -> tuple[bytes, ...]:
        """Return our CAs (DER) that bear the name of a certificate's issuer, the default one if none does."""
        try:
            issuer = load_certificate(certificate_der).issuer
        except (MalformedError, ValueError):
            # The library reads names late: then it is the verifier that says what is wrong.
            return self.authority.chain_der()
        cas = () if self.hierarchy is None else self.hierarchy.cas
        own = (ca.certificate for ca in cas if issuer == ca.certificate.subject != ca.certificate.issuer)
        return tuple(one.public_bytes(Encoding.DER) for one in own) or self.authority.chain_der()

    def signer_of(self, certificate_der: bytes) -> Authority:
        """Return the public part of our CA that signed a certificate (DER), the default one if none did."""
        certificate = x509.load_der_x509_certificate(certificate_der)
        for ca in () if self.hierarchy is None else self.hierarchy.cas:
            try:
                certificate.verify_directly_issued_by(ca.certificate)
            except (ValueError, TypeError, InvalidSignature):
                continue
            return ca.authority(None)
        return self.authority

    def authority_for(self, device_id: str, name: str | None = None) -> Authority:
        """Return the CA of this name, or the one that issues for a device, opened as this context is.

        Raises ConfigurationError, StorageError and DeviceError (a token).
        """
        name = name or self.config.issuing_ca(device_id)
        if self.hierarchy is None or name == self.config.issuing_ca():
            return self.authority
        return self.hierarchy.newest(name).authority(self.keyring)

    def publishing(self) -> tuple[tuple[str, Authority], ...]:
        """Return every CA whose revocation list is still owed, and the stem of its file; the default last."""
        if self.hierarchy is None:
            return (("issuing", self.authority),)
        own, alive = self.authority.issuing, self.hierarchy.alive(self.now())
        return tuple(
            (ca.crl_name, self.authority if ca.certificate == own else ca.authority(self.keyring))
            for ca in sorted(alive, key=lambda ca: ca.certificate == own)
        )

    @property
    def root_public_bytes(self) -> bytes:
        """The root's public key, 64 bytes X ‖ Y; raises ConfigurationError for another kind of key."""
        return _p256_point(self.authority.root)

    def require_root_for_chips(self) -> None:
        """Raise ConfigurationError where no chip could check what the root signs."""
        _p256_point(self.authority.root)

    def issuer(self, device_id: str, name: str | None = None) -> Issuer:
        """Return what issues for a device, from the CA of this name if one is given.

        Raises what `authority_for` raises.
        """
        if self.enroller is not None:
            return ExternalIssuer(
                self.authority,
                self.registry,
                self.enroller,
                require_attestation=self.config.security.require_attestation,
                recorder=self.recorder,
            )
        return Issuer(
            self.authority_for(device_id, name),
            self.registry,
            require_attestation=self.config.security.require_attestation,
            reserved=frozenset() if self.hierarchy is None else self.hierarchy.names,
            recorder=self.recorder,
        )

    def passphrase_beside(self, purpose: str) -> bytes:
        """Return the passphrase of a file that is kept beside the first CA's key.

        Raises ConfigurationError (the keys are not open), StorageError and DeviceError (a token).
        """
        if self.hierarchy is None or self.keyring is None:
            raise ConfigurationError("ca-locked", "the issuing key is not open", "give the CA passphrase")
        first = self.hierarchy.first
        return self.keyring.passphrase_beside(first.key, f"CA {first.name}", purpose)

    def recorded(self, *acts: Act) -> Recorded:
        """Return acts of this context's actor, for a change that takes them along."""
        return Recorded(self.recorder, acts)

    def record(self, *acts: Act) -> None:
        """Put acts into the audit log; durable once this returns. Raises StorageError."""
        self.registry.record_acts(self.recorded(*acts), self.now())

    def attestation_policy(self) -> AttestationPolicy:
        """Return what evidence has to show, as the configuration says."""
        accepted = {VENDOR_MANIFEST}
        if self.config.security.accept_first_seen:
            accepted.add(STATION_FIRST_SEEN)
        return AttestationPolicy(self.chip_profile, frozenset(accepted))

    def endorsements(self, element_serial: str) -> tuple[EndorsementClaim, ...]:
        """Return what is on record for the attestation key of a chip (serial number in lower-case hex)."""
        records = self.registry.endorsements(element_serial)
        return tuple(
            EndorsementClaim(record.kind, record.element_serial, record.attestation_key) for record in records
        )

    def opened_operator(self) -> OperatorKey:
        """Return the operator key; raises ConfigurationError where it was not opened."""
        if self.operator is None:
            raise ConfigurationError("ca-locked", "the operator key is not open", "give the CA passphrase")
        return self.operator

    def authorise(self) -> Authorise:
        """Return the operator's signature for changes to provisioned chips."""
        operator, verifier = self.opened_operator(), self.verifier

        def authorise(device_id: str, nonce: bytes, op: str, args: Mapping[str, Any]) -> bytes:
            device = self.registry.device(device_id)
            if device is not None and device.status == "transferred":
                require_not_barred(device_id, device.status)
            # Before it is signed: a signature that exists can be used.
            self.record(Act("authorise", device_id, details={"op": op}))
            return operator.sign_authorisation(verifier, device_id, nonce, op, args)

        return authorise

    def retry_policy(self) -> RetryPolicy:
        """Return how often passing device errors are retried, from the YAML's `provisioning`."""
        provisioning = self.config.provisioning
        return RetryPolicy(1 + provisioning.retry_attempts, provisioning.retry_delay)


def _p256_point(certificate: x509.Certificate) -> bytes:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise _not_p256(certificate)
    try:
        return checked_public_key(key)[0]
    except PolicyRefusal as refusal:
        raise _not_p256(certificate) from refusal


def _not_p256(certificate: x509.Certificate) -> ConfigurationError:
    return ConfigurationError(
        "ca-key-type",
        f"the key of {certificate.subject.rfc4514_string()!r} is not a P-256 key, all that the chip knows",
        "make an authority with `hri ca init`",
    )

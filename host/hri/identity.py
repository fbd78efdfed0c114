"""The façade: the mission document's names over the modules that do the work.

Where its sample says too little, the environment and the YAML do: HRI_PORT names the serial port, HRI_HOME
the home folder, HRI_CONFIG the YAML, and HRI_LOCK allows the permanent locks that a blank chip needs (the
chip's serial number in hex, or `any`).
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from pydantic import ValidationError

from hri import lifecycle, provision
from hri.acts import begin_with_new_keys
from hri.audit.recorder import Recorder
from hri.authentication import attest, purpose_of
from hri.ca.authority import Authority
from hri.ca.csr import checked_public_key
from hri.ca.device_id import check_device_id
from hri.ca.keys import open_key
from hri.ca.log_keys import open_log_keys
from hri.ca.operator import OperatorKey
from hri.ca.profiles import Profile, SanTemplate
from hri.config import Config, SecureElementConfig
from hri.context import Context, utc_now
from hri.elements.board import BoardElement
from hri.errors import ConfigurationError, PolicyRefusal, StorageError
from hri.home import default_home, process_actor
from hri.link import Deadlines, SerialLink
from hri.log import get_logger
from hri.publication import publish_crls
from hri.registry import (
    CertificateRecord,
    ConcurrentIssuance,
    Device,
    IssuanceState,
    Registry,
    require_not_barred,
)
from hri.steps import StepEvent, Steps
from hri.verify.answer import verify_data_signature
from hri.verify.decision import Decision, Reason, ReasonCode

_log = get_logger(__name__)
_UNATTESTED = "create_certificate was called with a bare public key"


class SecureElementType(Enum):
    """Types of secure elements."""

    TPM_2_0 = "tpm2.0"
    ATECC608A = "atecc608a"
    SE050 = "se050"
    HSM = "hsm"


class KeyType(Enum):
    """Cryptographic key types."""

    RSA = "rsa"
    ECC = "ecc"


@dataclass
class DeviceIdentity:
    """A device's identity: public key and certificate are PEM, times are aware and in UTC."""

    device_id: str
    public_key: bytes
    certificate: bytes | None = None
    certificate_issuer: str | None = None
    certificate_valid_from: datetime | None = None
    certificate_valid_to: datetime | None = None
    attestation_data: dict[str, Any] | None = None


@dataclass
class CertificateRequest:
    """What a certificate is asked to say; `public_key` is PEM, `subject_dn` short name -> value."""

    device_id: str
    public_key: bytes
    subject_dn: dict[str, str] = field(default_factory=dict)
    key_usage: list[str] = field(default_factory=lambda: ["digital_signature"])
    extended_key_usage: list[str] = field(default_factory=lambda: ["client_auth"])
    validity_days: int = 365


class SecureElementManager:
    """The secure element on the board at a serial port; the port is open only while an operation runs."""

    def __init__(
        self,
        element_type: SecureElementType,
        interface: str = "i2c",
        address: str = "0x60",
        *,
        port: str | None = None,
    ) -> None:
        """Check that such an element can be reached; nothing is opened yet.

        Raises ConfigurationError for an element, interface or address that is not supported.
        """
        try:
            SecureElementConfig.model_validate(
                {"type": element_type.value, "interface": interface, "address": address}
            )
        except ValidationError as error:
            words = "; ".join(str(fault["msg"]).removeprefix("Value error, ") for fault in error.errors())
            raise ConfigurationError(
                "unsupported-element", words, "use SecureElementType.ATECC608A on i2c at 0x60"
            ) from error
        self.element_type = element_type
        self.interface = interface
        self.address = address
        self._port = port
        self._authority: CertificateAuthority | None = None
        self._slots: dict[str, int] = {}

    def generate_key_pair(
        self,
        key_type: KeyType = KeyType.ECC,
        key_size: int = 256,
        curve: str = "secp256r1",
        key_id: str | None = None,
    ) -> tuple[bytes, bytes]:
        """Have the permanent identity key born in the chip, and return (public key as PEM, handle).

        `key_id` becomes the device id; without one it is derived from the key. The key is made once in the
        chip's life: called again, the same key is returned (`rotate_certificate` makes others). The evidence
        of its birth is kept in the registry.

        Raises ConfigurationError (a key that the chip cannot hold), LockRequired, PolicyRefusal, DeviceError.
        """
        _check_key(key_type, key_size, curve)
        with self._working() as (board, context):
            steps = Steps(_silent, context.monotonic)
            info = provision.inspect_element(board, board.hello())
            lock = _may_lock(info.serial_number)
            with provision.element_lease(context, info.serial_number, "generate_key_pair", steps):
                device, identity = provision.make_permanent(
                    board, context, info, steps, device_id=key_id, lock=lock
                )
        self._slots[device.device_id] = identity.slot
        return _pem(identity.public_key), f"slot:{identity.slot}".encode()

    def sign_data(
        self, data: bytes, private_key_handle: bytes | str, hash_algorithm: str = "sha256"
    ) -> bytes:
        """Return the chip's signature over at most 2048 bytes: a COSE_Sign1 that is labelled as data.

        So it can never pass for an authentication (docs/protocol.md "What is signed"). The handle is what
        `generate_key_pair` returned, or the device id. Raises ConfigurationError and DeviceError.
        """
        if hash_algorithm.lower().replace("-", "") != "sha256":
            raise ConfigurationError(
                "unsupported-hash", f"the chip signs SHA-256 digests only, not {hash_algorithm}", "use sha256"
            )
        with self._connected() as board:
            return board.sign_data(self._slot(board, private_key_handle), data)

    def get_attestation(self, private_key_handle: bytes | str) -> dict[str, Any]:
        """Have the chip prove key, configuration and locks under a fresh challenge, and appraise the proof.

        Returns `trusted`, `reasons`, `device_id` and the `evidence` on record. Raises ConfigurationError,
        PolicyRefusal where the chip is not known here, DeviceError.
        """
        with self._working() as (board, context):
            slot = self._slot(board, private_key_handle)
            decision = attest(board, context)
            if decision.evidence.get("slot", slot) != slot:
                raise PolicyRefusal(
                    "slot-mismatch",
                    f"slot {slot} does not hold the key that the device is known by",
                    "give the device id as the handle",
                )
            return decision.as_dict()

    def bind(self, authority: CertificateAuthority) -> None:
        """Take registry and operator key from this authority, not from the home folder."""
        self._authority = authority

    @contextmanager
    def connection(self, context: Context) -> Iterator[BoardElement]:
        """Open the board for one use case of `context`."""
        with SerialLink.open(self._port_name(), deadlines=Deadlines.from_environment(os.environ)) as link:
            authorise = context.authorise() if context.operator else None
            yield BoardElement(link, authorise=authorise, retry=context.retry_policy())

    @contextmanager
    def _working(self) -> Iterator[tuple[BoardElement, Context]]:
        if self._authority is not None:
            context = self._authority.context()
            with self.connection(context) as board:
                yield board, context
            return
        with default_home().context(unlocked=True) as context, self.connection(context) as board:
            yield board, context

    @contextmanager
    def _connected(self) -> Iterator[BoardElement]:
        with SerialLink.open(self._port_name(), deadlines=Deadlines.from_environment(os.environ)) as link:
            yield BoardElement(link)

    def _port_name(self) -> str:
        port = self._port or os.environ.get("HRI_PORT") or default_home().config().secure_element.port
        if not port:
            raise ConfigurationError(
                "no-port", "no serial port was named", "set HRI_PORT, or secure_element.port in the YAML"
            )
        return port

    def _slot(self, board: BoardElement, handle: bytes | str) -> int:
        name = handle.decode() if isinstance(handle, bytes) else handle
        prefix, _, number = name.partition(":")
        if prefix == "slot" and number.isdigit() and int(number) < 16:
            return int(number)
        stored = board.readable_certificate()
        if stored is not None and stored.device_id == name:
            return stored.slot
        if name in self._slots:
            return self._slots[name]
        raise ConfigurationError(
            "unknown-key", f"there is no key {name!r} on this board", "use the handle of generate_key_pair"
        )


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

        An encrypted key takes `passphrase` or HRI_CA_PASSPHRASE. Raises ConfigurationError and StorageError.
        """
        if ca_url is not None:
            raise ConfigurationError(
                "unsupported-ca",
                "an external authority is not supported in this version",
                "leave ca_url out: the key and certificate given here issue",
            )
        self.ca_url = ca_url
        key_path, certificate_path = Path(ca_key_path), Path(ca_cert_path)
        if passphrase is None and b"ENCRYPTED" in key_path.read_bytes():
            passphrase = os.environ.get("HRI_CA_PASSPHRASE", "").encode()
        self.authority = Authority.from_files(key_path, certificate_path, passphrase)
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
        )

    def create_certificate(self, csr: CertificateRequest) -> bytes:
        """Issue for a bare public key and return the certificate as PEM, recorded before it is released.

        A bare key comes without proof of possession and without evidence of where it lives: that is logged
        and stays on record. A device with a secure element gets certificates by provisioning only.

        Raises PolicyRefusal, ConfigurationError, StorageError.
        """
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


class DeviceIdentityManager:
    """Provisions, authenticates and rotates devices of one authority."""

    def __init__(
        self,
        secure_element: SecureElementManager,
        certificate_authority: CertificateAuthority,
        require_attestation: bool = True,
    ) -> None:
        """Bring element and authority together; refused evidence stops only with `require_attestation`."""
        self.se = secure_element
        self.ca = certificate_authority
        self.require_attestation = require_attestation
        self.se.bind(certificate_authority)

    def provision_device(
        self, device_id: str, key_type: KeyType = KeyType.ECC, validity_days: int = 365
    ) -> DeviceIdentity:
        """Make a device of the board: key born in its chip, proof, certificate, first authentication.

        Called again it completes what was cut off, or returns what is there. A blank chip needs HRI_LOCK.

        Raises ConfigurationError, LockRequired, PolicyRefusal, DeviceError, StorageError.
        """
        _check_key(key_type, 256, "secp256r1")
        context = self._context(validity_days)
        with self.se.connection(context) as board:
            info = provision.inspect_element(board, board.hello())
            result = provision.provision(
                lambda: board, context, device_id=device_id, lock=_may_lock(info.serial_number)
            )
        return self._identity(result.device_id, result.certificate.encode("ascii"))

    def authenticate_device(
        self, device_id: str, certificate: bytes, signature: bytes, challenge: bytes
    ) -> bool:
        """Return whether `signature` (of `sign_data`) over `challenge` is by this device, still trusted.

        The challenge is the caller's own: it stands outside the single-use store, so whoever calls this has
        to see to it that no challenge is accepted twice. `hri authenticate` does. `decide` gives the reasons.
        """
        return bool(self.decide(device_id, certificate, signature, challenge))

    def decide(self, device_id: str, certificate: bytes, signature: bytes, challenge: bytes) -> Decision:
        """Return the decision behind `authenticate_device`, with every reason; raises StorageError."""
        try:
            leaf = x509.load_pem_x509_certificate(certificate)
        except ValueError:
            return Decision(False, device_id, (Reason(ReasonCode.MALFORMED, "this is no PEM certificate"),))
        context = self._context(None)
        decision = lifecycle.check_certificate(
            context,
            leaf.public_bytes(Encoding.DER),
            (),
            at=utc_now(),
            purpose=purpose_of(context.certificate_profile),
            device_id=device_id,
        )
        reasons = decision.reasons
        key = leaf.public_key()
        if isinstance(key, ec.EllipticCurvePublicKey):
            reasons += verify_data_signature(signature, challenge, key)
        return Decision.of(reasons, device_id, decision.evidence)

    def rotate_certificate(self, device_id: str, validity_days: int = 365) -> DeviceIdentity:
        """Give the device a new key, born in its chip, and a certificate for it.

        The old certificate stays in force until the device has answered with the new one, and is revoked as
        superseded then. Raises what `provision_device` raises.
        """
        context = self._context(validity_days)
        with self.se.connection(context) as board:
            issued = lifecycle.rotate(lambda: board, context, device_id)
        publish_crls(context, self.ca.folder / "crl", only_due=True)
        return self._identity(device_id, issued.pem)

    def _context(self, validity_days: int | None) -> Context:
        return self.ca.context(validity_days=validity_days, require_attestation=self.require_attestation)

    def _identity(self, device_id: str, certificate: bytes) -> DeviceIdentity:
        leaf = x509.load_pem_x509_certificate(certificate)
        key = leaf.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        births = lifecycle.check_evidence(self._context(None), device_id)
        states = self.ca.registry.evidence(device_id, kind="state")
        return DeviceIdentity(
            device_id=device_id,
            public_key=key,
            certificate=certificate,
            certificate_issuer=leaf.issuer.rfc4514_string(),
            certificate_valid_from=leaf.not_valid_before_utc,
            certificate_valid_to=leaf.not_valid_after_utc,
            attestation_data={
                "births": [item.record.cose for item in births],
                "states": [record.cose for record in states],
            }
            if births
            else None,
        )


def _check_key(key_type: KeyType, key_size: int, curve: str) -> None:
    if key_type is not KeyType.ECC:
        raise ConfigurationError(
            "unsupported-key-type", "an ATECC608 holds P-256 keys only, no RSA keys", "use KeyType.ECC"
        )
    if key_size != 256 or curve.lower() not in ("secp256r1", "prime256v1", "p-256"):
        raise ConfigurationError(
            "unsupported-key-type",
            f"an ATECC608 computes on secp256r1 with 256 bits only, not on {curve} with {key_size}",
            "use key_size=256 and curve='secp256r1'",
        )


def _may_lock(serial: bytes) -> bool:
    allowed = os.environ.get("HRI_LOCK", "").strip().lower()
    if allowed and allowed != "any" and len(allowed) != len(serial.hex()):
        raise ConfigurationError(
            "bad-lock", f"HRI_LOCK is {allowed!r}", "set it to the chip's serial number in hex, or to `any`"
        )
    return allowed in ("any", serial.hex())


def _silent(_event: StepEvent) -> None:
    return


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


def _pem(public_key: bytes) -> bytes:
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public_key)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _certificate_pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)

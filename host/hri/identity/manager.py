"""`DeviceIdentityManager`: devices of one authority, from their first certificate on."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hri import lifecycle, provision
from hri.authentication import purpose_of
from hri.context import Context, utc_now
from hri.identity.authority import CertificateAuthority
from hri.identity.element import SecureElementManager, may_lock
from hri.identity.values import DeviceIdentity, KeyType, check_key
from hri.publication import publish_crls
from hri.verify.answer import verify_data_signature
from hri.verify.decision import Decision, Reason, ReasonCode


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
        check_key(key_type, 256, "secp256r1")
        context = self._context(validity_days)
        with self.se.connection(context) as board:
            info = provision.inspect_element(board, board.hello())
            result = provision.provision(
                lambda: board, context, device_id=device_id, lock=may_lock(info.serial_number)
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

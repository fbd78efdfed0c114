"""A chip that came with certificates: its variant found, its chain read, rebuilt, verified and challenged.

No vendor's root is shipped as trusted: the operator names roots, and which of them signed is found out.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hri.compressed import (
    CompressedCertificate,
    CompressedError,
    FieldKind,
    Sources,
    Template,
    load_template,
    rebuild,
    unpad_public_key,
)
from hri.elements.board import BoardElement, ElementInfo
from hri.errors import ConfigurationError, PolicyRefusal
from hri.link.errors import DeviceRefused
from hri.verify.chip_chain import Link, judge_chain, signed_by
from hri.verify.cose import MalformedError, public_key
from hri.verify.decision import Decision, Reason, ReasonCode

_ADDRESS = 16
_SLOT_SIZE = 72
_DEVICE, _SIGNER_KEY, _SIGNER = 10, 11, 12
_LABEL = b"hri chip chain: "


@dataclass(frozen=True, slots=True)
class Variant:
    """A kind of chip that has a chain: where its key is, and to which templates its certificates may be.

    `eui48_slot` holds the EUI-48 address as 12 characters, where the chip has one.
    """

    name: str
    device_templates: tuple[str, ...]
    signer_templates: tuple[str, ...]
    key_slot: int = 0
    eui48_slot: int | None = None


# By the default I2C address in byte 16 (O: TNGTLS 0x35, TFLXTLS 0x36). Templates of both are tried on both:
# which one a part number has changed over the years (O, OTP zone), and only one gives a signature that holds.
_VARIANTS = {
    0x6A: Variant(
        "tngtls", ("tngtls-device", "tflxtls-device", "tngtls-device-2"), ("tngtls-signer",), eui48_slot=5
    ),
    0x6C: Variant("tflxtls", ("tngtls-device-2", "tflxtls-device"), ("tngtls-signer",)),
    0xC0: Variant("hri-device", ("hri-device", "hri-element"), ("hri-signer",)),
}


@dataclass(frozen=True, slots=True)
class ReadChain:
    """A chain as it was found: certificates (DER) from the device's, without the root, and the decision."""

    variant: str
    templates: tuple[str, ...]
    certificates: tuple[bytes, ...]
    decision: Decision


def variant_of(info: ElementInfo) -> Variant:
    """Return the variant of a chip by its configuration; raises PolicyRefusal for one that is not known."""
    variant = _VARIANTS.get(info.config[_ADDRESS])
    if variant is None or not info.config_locked or not info.data_locked:
        raise PolicyRefusal(
            "no-chain",
            f"chip {info.serial_number.hex()} is no TNGTLS, TrustFLEX or provisioned hri-device chip",
            "`hri chip info` shows its configuration",
        )
    return variant


def load_roots(pem: bytes) -> tuple[x509.Certificate, ...]:
    """Read the roots that the operator trusts (PEM); raises ConfigurationError for none, or another key."""
    try:
        roots = tuple(x509.load_pem_x509_certificates(pem))
        usable = all(_is_p256(root) for root in roots)
    except ValueError as error:
        raise ConfigurationError(
            "bad-roots", "the file holds no certificate in PEM", "give the vendor's root, from the vendor"
        ) from error
    if not roots or not usable:
        raise ConfigurationError("bad-roots", "a root has no P-256 key", "give P-256 roots")
    return roots


def read_chain(
    board: BoardElement,
    roots: Sequence[x509.Certificate],
    *,
    at: datetime,
    templates: Sequence[Template] = (),
) -> ReadChain:
    """Read a chip's chain and decide on it; `templates` are the operator's, tried before those shipped.

    Raises PolicyRefusal (a chip without a chain) and DeviceError.
    """
    info = board.chip_info()
    variant = variant_of(info)
    reader = _Reader(board, info, variant, roots, templates)
    try:
        found = reader.chain()
    except (CompressedError, MalformedError) as error:
        return ReadChain(variant.name, (), (), _refused(ReasonCode.MALFORMED, str(error)))
    if found is None:
        return ReadChain(variant.name, (), (), _refused(ReasonCode.CHAIN_INVALID, reader.problem))
    challenge = _LABEL + secrets.token_bytes(32)
    decision = judge_chain(
        [link.link for link in found],
        at=at,
        element_serial=info.serial_number,
        challenge=challenge,
        answer=board.sign_data(variant.key_slot, challenge),
    )
    # The root is the operator's own already.
    rebuilt = found[:-1]
    return ReadChain(
        variant.name, tuple(one.template for one in rebuilt), tuple(one.der for one in rebuilt), decision
    )


@dataclass(frozen=True, slots=True)
class _Found:
    der: bytes
    template: str
    link: Link
    subject: bytes
    key_id: bytes | None


class _Reader:
    """Reads the slots of one chip and looks for the templates and the root that fit them."""

    def __init__(
        self,
        board: BoardElement,
        info: ElementInfo,
        variant: Variant,
        roots: Sequence[x509.Certificate],
        templates: Sequence[Template],
    ) -> None:
        self._board = board
        self._info = info
        self._variant = variant
        self._roots = [_anchor(root) for root in roots]
        self._templates = templates
        self.problem = ""

    def chain(self) -> list[_Found] | None:
        """Return device, signer (where it is not itself a root) and root, or None with `problem` set."""
        signer_key = unpad_public_key(self._slot(_SIGNER_KEY))
        # Refused here for what it is, where it is no point of the curve.
        public_key(signer_key)
        above = self._above(signer_key)
        if above is None:
            self.problem = "no root that was named signed the chip's signer certificate"
            return None
        compressed = self._slot(_DEVICE)
        # From the chip itself: the certificate of another key cannot even be rebuilt with it.
        device_key = self._board.public_key(self._variant.key_slot)
        sources = Sources(device_key, signer_key, element_serial=self._info.serial_number)
        device = self._first_signed(compressed, self._device_templates(), sources, above[0])
        if device is None:
            self.problem = "the chip's signer signed no certificate of this chip's key, to any known template"
            return None
        return [device, *above]

    def _above(self, signer_key: bytes) -> list[_Found] | None:
        for root in self._roots:
            if root.link.public_key == signer_key:
                return [root]
        compressed = self._slot(_SIGNER)
        for root in self._roots:
            sources = Sources(signer_key, root.link.public_key)
            signer = self._first_signed(compressed, self._signer_templates(), sources, root)
            if signer is not None:
                return [signer, root]
        return None

    def _first_signed(
        self, compressed: bytes, templates: Sequence[Template], sources: Sources, issuer: _Found
    ) -> _Found | None:
        read = CompressedCertificate.from_bytes(compressed)
        key = public_key(issuer.link.public_key)
        sources = replace(sources, issuer=issuer.subject, authority_key_id=issuer.key_id)
        for template, whole in self._with_eui48(templates, sources):
            try:
                der = rebuild(template, compressed, whole)
            except CompressedError:
                # To another template; what is wrong with the bytes themselves was found above.
                continue
            certificate = x509.load_der_x509_certificate(der)
            if signed_by(certificate.tbs_certificate_bytes, certificate.signature, key):
                validity = read.validity
                link = Link(
                    certificate.subject.rfc4514_string(),
                    sources.public_key,
                    validity.not_before,
                    validity.not_after(template.not_after),
                    template.ca,
                )
                return _Found(der, template.name, link, certificate.subject.public_bytes(), None)
        return None

    def _with_eui48(
        self, templates: Sequence[Template], sources: Sources
    ) -> Iterator[tuple[Template, Sources]]:
        address: bytes | None = None
        for template in templates:
            needed = FieldKind.EUI48 in template.layout(sources.issuer).kinds
            if needed and address is None and self._variant.eui48_slot is not None:
                address = self._eui48(self._variant.eui48_slot)
            yield template, replace(sources, eui48=address) if needed else sources

    def _eui48(self, slot: int) -> bytes | None:
        try:
            return self._board.read_slot(slot, 0, 12)
        except DeviceRefused as refused:
            # Newer parts have no address there and may not let the slot be read.
            if refused.code == "chip-refused":
                return None
            raise

    def _slot(self, slot: int) -> bytes:
        return self._board.read_slot(slot, 0, _SLOT_SIZE)

    def _device_templates(self) -> list[Template]:
        own = [one for one in self._templates if not one.ca]
        return own + [load_template(name) for name in self._variant.device_templates]

    def _signer_templates(self) -> list[Template]:
        own = [one for one in self._templates if one.ca]
        return own + [load_template(name) for name in self._variant.signer_templates]


def _anchor(root: x509.Certificate) -> _Found:
    point = root.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    try:
        key_id = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        key_id = None
    try:
        ca = root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        ca = False
    link = Link(root.subject.rfc4514_string(), point, root.not_valid_before_utc, root.not_valid_after_utc, ca)
    der = root.public_bytes(Encoding.DER)
    return _Found(der, "", link, root.subject.public_bytes(), key_id)


def _is_p256(certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


def _refused(code: ReasonCode, detail: str) -> Decision:
    return Decision(False, None, (Reason(code, detail),))

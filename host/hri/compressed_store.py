"""The chain in the chip itself: slots 10, 11 and 12 of docs/profile.md, read back before they count."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hri.ca.to_template import with_issuer
from hri.compressed import (
    CompressedError,
    Sources,
    Template,
    compress,
    load_template,
    pad_public_key,
    rebuild,
    unpad_public_key,
)
from hri.context import Context
from hri.elements.board import BoardElement
from hri.errors import DeviceError

DEVICE_SLOT = 10
SIGNER_KEY_SLOT = 11
SIGNER_SLOT = 12
SLOT_SIZE = 72
_SIGNER_TEMPLATE = "hri-signer"
# What a slot without a certificate is filled with: nothing that could be read as one.
_NONE = b"\xff" * SLOT_SIZE


@dataclass(frozen=True, slots=True)
class StoredChain:
    """What the three slots hold, 72 bytes each."""

    device: bytes
    signer_key: bytes
    signer: bytes

    def slots(self) -> tuple[tuple[int, bytes], ...]:
        """Slots and their contents in the order of writing: what the device's certificate leans on first."""
        return (
            (SIGNER_SLOT, self.signer),
            (SIGNER_KEY_SLOT, self.signer_key),
            (DEVICE_SLOT, self.device),
        )


def chain_to_store(context: Context, template: Template, certificate: bytes, sources: Sources) -> StoredChain:
    """Return what the slots are to hold for a certificate (DER) to `template`.

    Slot 12 holds the issuing CA's certificate where that fits into 72 bytes, and is blank where it does not:
    the board's record and every TLS peer have it from elsewhere.

    Raises CompressedError and ConfigurationError.
    """
    authority = context.signer_of(certificate)
    issuing, root = authority.issuing, authority.root
    whole = with_issuer(template, sources, issuing)
    signer_id = authority.signer_id
    device = compress(template, certificate, whole, signer_id=signer_id)
    if whole.authority_key is None:
        raise ValueError("an issuer has a key")
    above = load_template(_SIGNER_TEMPLATE)
    try:
        signer = compress(
            above,
            issuing.public_bytes(Encoding.DER),
            with_issuer(above, Sources(whole.authority_key), root),
        )
    except CompressedError:
        signer = _NONE
    return StoredChain(device, pad_public_key(whole.authority_key), signer)


def store_chain(board: BoardElement, serial: bytes, wanted: StoredChain) -> None:
    """Write what differs into the slots and read it back; a cut leaves the board's own record untouched.

    Raises DeviceError, also where a slot does not read back as it was written.
    """
    for slot, content in wanted.slots():
        if board.read_slot(slot, 0, SLOT_SIZE) == content:
            continue
        board.write_slot(serial, slot, 0, content)
        if board.read_slot(slot, 0, SLOT_SIZE) != content:
            raise DeviceError(
                "chip-fault",
                f"slot {slot} did not read back as it was written",
                "look at the wiring and the supply of the chip, then run the same command again",
            )


def stored_certificate(
    board: BoardElement, template: Template, sources: Sources, issuing: x509.Certificate
) -> bytes:
    """Return the device certificate (DER) rebuilt from the slots, its issuer's key taken from slot 11.

    Raises CompressedError (nothing there, or another template) and DeviceError.
    """
    key = unpad_public_key(board.read_slot(SIGNER_KEY_SLOT, 0, SLOT_SIZE))
    whole = with_issuer(template, sources, issuing)
    if key != whole.authority_key:
        raise CompressedError(
            "another-signer", "slot 11 holds the key of another authority", "use the home that issued to it"
        )
    return rebuild(template, board.read_slot(DEVICE_SLOT, 0, SLOT_SIZE), whole)


def store_issued(
    board: BoardElement,
    context: Context,
    template: Template,
    certificate: bytes,
    public_key: bytes,
    serial: bytes,
) -> None:
    """Put an issued certificate (DER) into the chip's slots and rebuild it from what they then hold.

    Raises CompressedError, ConfigurationError and DeviceError.
    """
    sources = Sources(public_key, element_serial=serial)
    store_chain(board, serial, chain_to_store(context, template, certificate, sources))
    if stored_certificate(board, template, sources, context.signer_of(certificate).issuing) != certificate:
        raise DeviceError(
            "chip-fault",
            "the certificate in the chip's slots is not the one that was issued",
            "run the same command again",
        )

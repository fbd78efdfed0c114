"""A pre-provisioned chip's chain is found, rebuilt, verified and challenged, or refused with the reason."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hri.chip_chain import load_roots, read_chain
from hri.compressed.template import parse_template
from hri.elements.board import BoardElement
from hri.errors import ConfigurationError, PolicyRefusal
from hri.link import DeviceRefused
from hri.verify.decision import ReasonCode
from unit.chip_chain.vendor import Vendor, new_key, point, self_signed, slot_of
from unit.provision.soft_board import SoftBoard

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def vendor():
    return Vendor()


def read(board, *roots, at=NOW, templates=()):
    return read_chain(BoardElement(board), roots, at=at, templates=templates)


def codes(board, *roots, **more):
    found = read(board, *roots, **more)
    assert not found.decision.trusted
    return list(found.decision.codes)


@pytest.mark.parametrize(
    ("template", "address", "variant"),
    [
        ("tngtls-device", 0x6A, "tngtls"),
        ("tflxtls-device", 0x6A, "tngtls"),
        ("tngtls-device-2", 0x6A, "tngtls"),
        ("tngtls-device-2", 0x6C, "tflxtls"),
        ("tflxtls-device", 0x6C, "tflxtls"),
    ],
)
def test_a_chips_chain_is_found_by_its_signature(vendor, template, address, variant):
    board = vendor.chip(template, address)
    found = read(board, vendor.root)
    assert found.decision.trusted, found.decision.reasons
    assert (found.variant, found.templates) == (variant, (template, "tngtls-signer"))
    assert found.certificates == (vendor.device_der, vendor.signer_der)
    assert found.decision.evidence["element_serial"] == board.serial.hex()
    assert "data.sign" in board.ops


def test_the_root_is_found_among_several(vendor):
    assert read(vendor.chip(), self_signed(new_key()), vendor.root).decision.trusted


def test_another_root_of_the_same_name_is_refused(vendor):
    assert codes(vendor.chip(), self_signed(new_key())) == [ReasonCode.CHAIN_INVALID]


def test_a_root_that_is_no_authority_is_refused(vendor):
    assert codes(vendor.chip(), self_signed(vendor.root_key, ca=False)) == [ReasonCode.CHAIN_INVALID]


def test_a_root_with_the_signers_key_and_another_name_is_refused(vendor):
    assert codes(vendor.chip(), self_signed(vendor.signer_key)) == [ReasonCode.CHAIN_INVALID]


def test_a_chip_with_another_key_than_its_certificates_is_refused(vendor):
    board = vendor.chip()
    board.keys[0] = new_key()
    assert codes(board, vendor.root) == [ReasonCode.CHAIN_INVALID]


def test_another_chips_certificate_is_refused(vendor):
    board = vendor.chip()
    board.serial = bytes.fromhex("0123FE0CF960432D02")
    assert codes(board, vendor.root) == [ReasonCode.CHAIN_INVALID]


def test_firmware_that_only_repeats_a_chips_public_data_fails_the_challenge(vendor):
    board = vendor.chip()
    answered = board.call

    def call(op, args, **more):
        if op == "data.sign":
            board.keys[0], kept = new_key(), board.keys[0]
            try:
                return answered(op, args, **more)
            finally:
                board.keys[0] = kept
        return answered(op, args, **more)

    board.call = call
    assert codes(board, vendor.root) == [ReasonCode.SIGNATURE_INVALID]


def test_an_answer_to_another_challenge_is_refused(vendor):
    board = vendor.chip()
    answered = board.call
    board.call = lambda op, args, **more: answered(
        op, args | {"data": b"something else"} if op == "data.sign" else args, **more
    )
    assert codes(board, vendor.root) == [ReasonCode.SIGNATURE_INVALID]


def test_dates_are_heeded():
    young = Vendor(start=datetime(2027, 1, 1, tzinfo=UTC))
    assert codes(young.chip(), young.root) == [ReasonCode.NOT_YET_VALID]
    old = Vendor(years=2)
    assert codes(old.chip(), old.root) == [ReasonCode.EXPIRED]
    late = datetime(2060, 1, 1, tzinfo=UTC)
    assert codes(old.chip(), old.root, at=late) == [ReasonCode.EXPIRED] * 3


@pytest.mark.parametrize("slot", [10, 11, 12])
@pytest.mark.parametrize("content", [bytes(72), b"\xff" * 72])
def test_an_empty_slot_is_refused(vendor, slot, content):
    board = vendor.chip()
    board.slots[slot][:] = content
    assert codes(board, vendor.root) == [ReasonCode.MALFORMED]


@pytest.mark.parametrize("slot", [10, 12])
@pytest.mark.parametrize("at", range(0, 72, 5))
def test_no_changed_byte_is_accepted(vendor, slot, at):
    board = vendor.chip()
    board.slots[slot][at] ^= 0x10
    assert codes(board, vendor.root)[0] in (ReasonCode.MALFORMED, ReasonCode.CHAIN_INVALID)


def test_the_signer_key_of_somebody_else_is_refused(vendor):
    board = vendor.chip()
    board.slots[11][:] = slot_of(point(new_key()))
    assert codes(board, vendor.root) == [ReasonCode.CHAIN_INVALID]


def test_a_signer_whose_certificate_does_not_make_it_one_is_refused():
    leaf = parse_template(LEAF_AS_SIGNER.encode(), "leaf")
    wrong = Vendor(signer_template=leaf)
    board = wrong.chip()
    assert codes(board, wrong.root) == [ReasonCode.CHAIN_INVALID]


LEAF_AS_SIGNER = """
name: leaf
version: 1
source: A
issuable: false
template_id: 1
chain_id: 0
serial_number: {source: key-hash}
issuer: authority
subject: [{CN: leaf}]
not_before: utc
not_after: generalized
validity_years: 1
extensions: [{basic_constraints: {ca: false}}]
"""

OWN_DEVICE = """
name: own-device
version: 1
source: A
issuable: false
template_id: 9
chain_id: 3
serial_number: {source: key-hash}
issuer: authority
subject: [{O: Ours}, {CN: "thing {element_serial}"}]
not_before: utc
not_after: generalized
validity_years: 1
extensions: [{basic_constraints: {ca: false}}, authority_key_identifier]
"""


def test_a_template_of_the_operators_own_is_tried(vendor):
    template = parse_template(OWN_DEVICE.encode(), "own")
    board = vendor.chip(template)
    assert codes(board, vendor.root) == [ReasonCode.CHAIN_INVALID]
    assert read(board, vendor.root, templates=[template]).templates[0] == "own-device"


def test_a_chip_whose_address_slot_cannot_be_read_is_tried_without_it(vendor):
    board = vendor.chip("tflxtls-device")
    answered = board.call

    def call(op, args, **more):
        if op == "chip.read_slot" and args["slot"] == 5:
            raise DeviceRefused("chip-refused", "no", op=op, status=0x0F, opcode=0x02)
        return answered(op, args, **more)

    board.call = call
    assert read(board, vendor.root).decision.trusted


def test_a_blank_chip_has_no_chain(vendor):
    with pytest.raises(PolicyRefusal) as refused:
        read(SoftBoard(), vendor.root)
    assert refused.value.code == "no-chain"


def test_roots_that_cannot_be_used_are_refused(vendor):
    assert load_roots(vendor.root.public_bytes(Encoding.PEM)) == (vendor.root,)
    with pytest.raises(ConfigurationError, match="no certificate in PEM"):
        load_roots(b"nothing")
    with pytest.raises(ConfigurationError, match="no P-256 key"):
        load_roots(self_signed(ec.generate_private_key(ec.SECP384R1())).public_bytes(Encoding.PEM))

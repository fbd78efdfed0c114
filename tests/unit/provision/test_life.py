"""The turns of a device's life: each is told everywhere at once, and none is half-done."""

import dataclasses
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hri import decommissioning, lifecycle, ownership, suspension
from hri.authentication import attest, authenticate
from hri.ca.ocsp_source import RegistrySource
from hri.elements.board import BoardElement
from hri.errors import ConfigurationError, PolicyRefusal
from hri.link import DeviceRefused
from hri.provision import provision
from hri.publication import OcspKeys, ocsp_responders
from hri.registration import register_device
from hri.verify.decision import ReasonCode
from hri.verify.ocsp import OcspEvidence
from hri.verify.path import verify_certificate
from unit.provision.soft_board import CableCut

DEVICE = "d1"


@pytest.fixture
def device(connect, context):
    return provision(connect, context, device_id=DEVICE, lock=True)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "crl"


@pytest.fixture
def owned(context):
    return dataclasses.replace(context, config=context.config.model_copy(update={"owner": "acme"}))


def listed(folder):
    crl = x509.load_der_x509_crl((folder / "issuing.crl").read_bytes())
    return [entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value for entry in crl]


def said_by_ocsp(context):
    source = RegistrySource(context.registry, context.authority.issuing)
    numbers = {record.serial_number for record in context.registry.certificates(DEVICE)}
    return {standing.revoked_at and standing.reason for standing in source.standing_of(numbers).values()}


@pytest.mark.usefixtures("device")
def test_a_suspended_device_is_on_hold_everywhere(connect, context, folder):
    suspension.suspend(context, DEVICE, folder)

    assert listed(folder) == ["certificateHold"]
    assert said_by_ocsp(context) == {"certificateHold"}
    assert authenticate(connect(), context).codes == (ReasonCode.REVOKED,)
    assert attest(connect(), context).codes == (ReasonCode.REVOKED,)
    for use_case in (lifecycle.renew, lifecycle.rotate):
        with pytest.raises(PolicyRefusal) as refused:
            use_case(connect, context, DEVICE)
        assert refused.value.code == "device-suspended"


@pytest.mark.usefixtures("device")
def test_a_resumed_device_is_trusted_again_with_the_certificate_that_it_had(connect, context, folder):
    before = context.registry.live_certificate(DEVICE)
    suspension.suspend(context, DEVICE, folder)
    suspension.resume(context, DEVICE, folder)

    assert listed(folder) == []
    assert said_by_ocsp(context) == {None}
    assert context.registry.live_certificate(DEVICE) == before
    assert authenticate(connect(), context).trusted


@pytest.mark.usefixtures("device")
def test_turns_made_twice_are_made_once(context, folder):
    for turn in (suspension.suspend, suspension.resume, decommissioning.decommission):
        turn(context, DEVICE, folder)
        number = context.registry.published_crl(context.authority.key_identifier, "issuing").number
        turn(context, DEVICE, folder)
        assert context.registry.published_crl(context.authority.key_identifier, "issuing").number == number


@pytest.mark.usefixtures("device")
def test_provisioning_does_not_bring_a_suspended_device_back(connect, context, folder):
    suspension.suspend(context, DEVICE, folder)

    with pytest.raises(PolicyRefusal, match="suspended"):
        provision(connect, context)

    assert context.registry.device(DEVICE).status == "suspended"


@pytest.mark.usefixtures("device")
def test_a_suspension_during_a_rotation_keeps_the_new_certificate_from_becoming_active(
    board, connect, context, folder
):
    def suspended(_number, op, when):
        if (op, when) == ("identity.answer", "after"):
            board.cut = lambda *_: None
            suspension.suspend(context, DEVICE, folder)

    board.cut = suspended

    with pytest.raises(PolicyRefusal):
        lifecycle.rotate(connect, context, DEVICE)

    assert context.registry.device(DEVICE).status == "suspended"
    assert {record.state for record in context.registry.certificates(DEVICE)} == {"active", "issued"}
    assert listed(folder) == ["certificateHold", "certificateHold"]


@pytest.mark.usefixtures("device")
def test_a_suspended_device_can_be_revoked_and_then_not_resumed(context, folder):
    suspension.suspend(context, DEVICE, folder)
    lifecycle.revoke(context, DEVICE, "keyCompromise", folder)

    with pytest.raises(PolicyRefusal) as refused:
        suspension.resume(context, DEVICE, folder)

    assert refused.value.code == "device-revoked"
    assert listed(folder) == ["keyCompromise"]


def test_only_what_is_in_use_can_be_suspended_or_decommissioned(context, folder):
    register_device(context, "later")

    for turn in (suspension.suspend, suspension.resume, decommissioning.decommission):
        with pytest.raises(PolicyRefusal, match="registered"):
            turn(context, "later", folder)
        with pytest.raises(ConfigurationError, match="no device nobody"):
            turn(context, "nobody", folder)


@pytest.mark.usefixtures("device")
def test_a_decommissioned_device_is_at_its_end(connect, context, folder):
    decommissioning.decommission(context, DEVICE, folder)

    assert listed(folder) == ["cessationOfOperation"]
    assert authenticate(connect(), context).codes == (ReasonCode.REVOKED,)
    for turn in (suspension.suspend, suspension.resume):
        with pytest.raises(PolicyRefusal, match="decommissioned"):
            turn(context, DEVICE, folder)
    with pytest.raises(PolicyRefusal, match="decommissioned"):
        provision(connect, context)
    lifecycle.revoke(context, DEVICE, "keyCompromise", folder)
    assert context.registry.device(DEVICE).status == "decommissioned"
    assert listed(folder) == ["keyCompromise"]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("op", ["authorisation.nonce", "key.generate", "chip.write_slot"])
@pytest.mark.usefixtures("device")
def test_a_chip_is_marked_and_its_rotatable_keys_are_gone_whatever_is_cut(
    board, connect, context, folder, op, moment
):
    lifecycle.rotate(connect, context, DEVICE)
    rotated, permanent = board.keys[2], board.keys[0]
    decommissioning.decommission(context, DEVICE, folder)

    def cut(_number, done, when):
        if (done, when) == (op, moment):
            board.cut = lambda *_: None
            raise CableCut(op)

    board.cut = cut
    try:
        decommissioning.mark_chip(connect, context, DEVICE)
    except CableCut:
        decommissioning.mark_chip(connect, context, DEVICE)

    assert bytes(board.slots[5]) == decommissioning.MARK
    assert board.keys[2] is not rotated
    assert board.keys[0] is permanent
    assert 5 not in board.locked_slots
    board.ops.clear()
    decommissioning.mark_chip(connect, context, DEVICE)
    assert board.changes == []


@pytest.mark.usefixtures("device")
def test_the_chip_of_a_device_in_use_is_not_marked(board, connect, context):
    with pytest.raises(PolicyRefusal) as refused:
        decommissioning.mark_chip(connect, context, DEVICE)

    assert refused.value.code == "not-decommissioned"
    assert bytes(board.slots[5]) == bytes(36)


@pytest.mark.usefixtures("device")
def test_a_device_given_away_is_trusted_and_changed_here_no_more(board, connect, owned, folder):
    assert ownership.transfer(owned, DEVICE, "beta", folder) is False

    assert listed(folder) == ["affiliationChanged"]
    assert authenticate(connect(), owned).codes == (ReasonCode.REVOKED,)
    with pytest.raises(PolicyRefusal) as refused:
        connect().generate_key(board.serial, 2)
    assert refused.value.code == "device-transferred"
    with pytest.raises(PolicyRefusal, match="belongs to somebody else"):
        provision(connect, owned)
    assert lifecycle.device_report(owned, DEVICE)["owner"] == "beta"


@pytest.mark.usefixtures("device")
def test_a_device_given_back_is_provisioned_again(connect, owned, folder):
    ownership.transfer(owned, DEVICE, "beta", folder)
    assert ownership.transfer(owned, DEVICE, "acme", folder) is True

    provision(connect, owned)

    assert authenticate(connect(), owned).trusted
    assert listed(folder) == ["affiliationChanged"]


@pytest.mark.usefixtures("device")
def test_the_chip_itself_still_takes_the_first_operators_word(board, context, folder):
    """What docs/lifecycle.md says of a transfer: slot 14 was written once."""
    ownership.transfer(context, DEVICE, "beta", folder)
    operator = context.opened_operator()
    old = BoardElement(
        board, authorise=lambda *request: operator.sign_authorisation(context.verifier, *request)
    )

    assert len(old.generate_key(board.serial, 2)) == 64
    with pytest.raises(DeviceRefused, match="no"):
        BoardElement(board).generate_key(board.serial, 2)


def test_a_registration_can_be_withdrawn_and_made_for_another_chip(context):
    register_device(context, "d2", "0123aabbccddee02ee")
    ownership.withdraw(context, "d2")

    assert context.registry.device("d2") is None
    assert register_device(context, "d3", "0123aabbccddee02ee").element_serial == "0123aabbccddee02ee"


@pytest.mark.usefixtures("device")
def test_a_device_with_a_history_cannot_be_withdrawn(context):
    with pytest.raises(PolicyRefusal) as refused:
        ownership.withdraw(context, DEVICE)

    assert refused.value.code == "not-only-registered"


@pytest.mark.usefixtures("device")
def test_every_turn_is_in_the_audit_log(context, folder):
    suspension.suspend(context, DEVICE, folder)
    suspension.resume(context, DEVICE, folder)
    ownership.transfer(context, DEVICE, "beta", folder)

    acts = [entry.act for entry in context.registry.audit_entries(subject=DEVICE)]
    assert acts[-3:] == ["suspend", "resume", "transfer"]


def _decide(context, at, **standing):
    certificate = context.registry.live_certificate(DEVICE).der
    return verify_certificate(
        certificate, context.authority.chain_der(), context.anchors, at=at, device_id=DEVICE, **standing
    )


@pytest.mark.usefixtures("device")
def test_a_verifier_elsewhere_learns_of_a_hold_and_of_its_end_from_lists(context, folder):
    suspension.suspend(context, DEVICE, folder)
    held = (folder / "issuing.crl").read_bytes()
    later = dataclasses.replace(context, now=lambda: context.now() + timedelta(hours=1))
    suspension.resume(later, DEVICE, folder)
    freed = (folder / "issuing.crl").read_bytes()

    assert _decide(context, later.now(), crls=[held]).codes == (ReasonCode.REVOKED,)
    assert _decide(context, later.now(), crls=[freed]).trusted


@pytest.mark.usefixtures("device")
def test_a_verifier_elsewhere_believes_the_responder(context, folder, tmp_path):
    responder = ocsp_responders(context, OcspKeys(tmp_path / "ocsp", b"secret"))
    certificate = x509.load_der_x509_certificate(context.registry.live_certificate(DEVICE).der)
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        certificate, context.authority.issuing, hashes.SHA256()
    )
    request = builder.add_extension(x509.OCSPNonce(b"n" * 32), False).build().public_bytes(Encoding.DER)

    def decide(nonce=b"n" * 32):
        evidence = OcspEvidence(responder.answer(request, context.now()), nonce)
        return _decide(context, context.now(), ocsp=[evidence])

    assert decide().trusted
    assert decide(b"m" * 32).codes == (ReasonCode.REVOCATION_UNKNOWN,)
    suspension.suspend(context, DEVICE, folder)
    assert decide().codes == (ReasonCode.REVOKED,)

"""Renewal, rotation and revocation: one live certificate at any time, and none lost to a cut cable."""

import dataclasses
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hri import lifecycle
from hri.authentication import attest, authenticate, check_answer
from hri.elements.board import BoardElement, IdentityAnswer
from hri.errors import ConfigurationError, PolicyRefusal
from hri.link import DeviceRefused, ProtocolMismatch
from hri.manual_issue import _on_record
from hri.provision import provision
from hri.verify.decision import ReasonCode
from hri.verify.path import Purpose
from unit.provision.soft_board import CableCut, SoftBoard

DEVICE = "d1"


@pytest.fixture
def device(connect, context):
    return provision(connect, context, device_id=DEVICE, lock=True)


def states(context):
    return sorted(record.state for record in context.registry.certificates(DEVICE))


def cut_once(board, target, moment):
    def cut(_number, op, when):
        if (op, when) == (target, moment):
            board.cut = lambda *_: None
            raise CableCut(op)

    board.cut = cut


@pytest.mark.usefixtures("device")
def test_renewal_keeps_the_key_and_ends_the_old_certificate(board, connect, context):
    key = board.keys[0]

    issued = lifecycle.renew(connect, context, DEVICE)

    assert states(context) == ["active", "superseded"]
    assert x509.load_der_x509_certificate(issued.der).public_key() == key.public_key()
    assert board.record["certificate"] == issued.der
    assert authenticate(connect(), context).trusted


@pytest.mark.usefixtures("device")
def test_an_order_for_one_device_is_not_signed_in_the_name_of_another(board, connect):
    stored = connect().load_certificate()
    board.record = {**board.record, "device_id": "victim"}

    with pytest.raises(ProtocolMismatch, match="says that it is 'victim'"):
        connect().store_certificate(stored)

    assert board.record["device_id"] == "victim"


@pytest.mark.usefixtures("device")
def test_evidence_by_hand_is_judged_by_the_rules_of_today(context, registry):
    records = registry.evidence(DEVICE)
    birth = next(item for item in records if item.kind == "birth")
    state = next(item for item in records if item.kind == "state")
    strict = dataclasses.replace(
        context,
        config=context.config.model_copy(
            update={"security": context.config.security.model_copy(update={"accept_first_seen": False})}
        ),
    )

    assert _on_record(context, DEVICE, birth.public_key, state.cose) == (birth.id, state.id)
    assert _on_record(strict, DEVICE, birth.public_key, state.cose) == (state.id,)


@pytest.mark.usefixtures("device")
def test_evidence_by_hand_counts_for_a_time(context, registry):
    state = next(item for item in registry.evidence(DEVICE) if item.kind == "state")
    limit = timedelta(seconds=context.config.security.evidence_ttl)
    in_time = dataclasses.replace(context, now=lambda: state.created_at + limit)
    late = dataclasses.replace(context, now=lambda: state.created_at + limit + timedelta(seconds=1))

    assert state.id in _on_record(in_time, DEVICE, state.public_key, state.cose)
    with pytest.raises(PolicyRefusal, match="evidence_ttl") as refused:
        _on_record(late, DEVICE, state.public_key, state.cose)
    assert refused.value.code == "evidence-stale"


@pytest.mark.usefixtures("device")
def test_rotation_makes_a_new_key_in_the_next_slot_under_authorisation(board, connect, context):
    first = lifecycle.rotate(connect, context, DEVICE)
    second = lifecycle.rotate(connect, context, DEVICE)

    assert states(context) == ["active", "superseded", "superseded"]
    assert x509.load_der_x509_certificate(first.der).public_key() == board.keys[2].public_key()
    assert x509.load_der_x509_certificate(second.der).public_key() == board.keys[3].public_key()
    assert authenticate(connect(), context).trusted
    assert attest(connect(), context).trusted


@pytest.mark.usefixtures("device")
def test_after_the_last_rotatable_slot_comes_the_first_again(connect, context):
    for _ in range(4):
        lifecycle.rotate(connect, context, DEVICE)

    assert context.registry.live_certificate(DEVICE).slot == 2


@pytest.mark.usefixtures("device")
def test_rotation_without_the_operator_changes_nothing(board, context):
    locked_out = dataclasses.replace(context, operator=None)

    with pytest.raises(DeviceRefused) as refused:
        lifecycle.rotate(lambda: BoardElement(board), locked_out, DEVICE)

    assert refused.value.code == "unauthorised"
    assert 2 not in board.keys
    assert states(context) == ["active"]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    "op",
    ["authorisation.nonce", "key.birth", "csr.make", "key.state", "certificate.store", "identity.answer"],
)
@pytest.mark.parametrize("use_case", [lifecycle.renew, lifecycle.rotate])
@pytest.mark.usefixtures("device")
def test_a_cut_anywhere_is_completed_by_the_same_command(board, connect, context, use_case, op, moment):
    cut_once(board, op, moment)
    try:
        use_case(connect, context, DEVICE)
    except CableCut:
        use_case(connect, context, DEVICE)

    assert states(context) == ["active", "superseded"]
    assert authenticate(connect(), context).trusted


@pytest.mark.usefixtures("device")
def test_provisioning_after_a_cut_rotation_returns_to_the_certificate_in_force(board, connect, context):
    cut_once(board, "identity.answer", "before")
    with pytest.raises(CableCut):
        lifecycle.rotate(connect, context, DEVICE)

    result = provision(connect, context)

    assert result.element.slot == 0
    assert authenticate(connect(), context).trusted


@pytest.mark.usefixtures("device")
def test_a_provisioned_and_rotated_device_is_left_as_it_is(board, connect, context):
    issued = lifecycle.rotate(connect, context, DEVICE)
    board.ops.clear()

    result = provision(connect, context)

    assert board.changes == []
    assert result.certificate.encode() == issued.pem
    assert result.element.slot == 2


@pytest.mark.usefixtures("device")
def test_another_board_is_not_renewed_under_this_name(context):
    other = SoftBoard(bytes.fromhex("0123aabbccddee09ee"))

    with pytest.raises(PolicyRefusal) as refused:
        lifecycle.renew(lambda: BoardElement(other), context, DEVICE)

    assert refused.value.code == "wrong-device"


@pytest.mark.usefixtures("device")
def test_a_revoked_device_is_refused_and_on_the_list(connect, context, tmp_path):
    lifecycle.revoke(context, DEVICE, "keyCompromise", tmp_path / "crl")

    crl = x509.load_der_x509_crl((tmp_path / "crl" / "issuing.crl").read_bytes())
    assert len(crl) == 1
    assert authenticate(connect(), context).codes == (ReasonCode.REVOKED,)
    assert attest(connect(), context).codes == (ReasonCode.REVOKED,)
    for use_case in (lifecycle.renew, lifecycle.rotate):
        with pytest.raises(PolicyRefusal, match="revoked"):
            use_case(connect, context, DEVICE)


def test_an_unknown_device_is_a_usage_error(connect, context):
    with pytest.raises(ConfigurationError, match="no device nobody"):
        lifecycle.renew(connect, context, "nobody")


@pytest.mark.usefixtures("device")
def test_a_copied_flash_on_another_chip_is_refused(board, context):
    copy = SoftBoard(bytes.fromhex("0123aabbccddee09ee"))
    copy.record = dict(board.record)
    copy.keys[0] = ec.generate_private_key(ec.SECP256R1())

    assert authenticate(BoardElement(copy), context).codes == (ReasonCode.SIGNATURE_INVALID,)


@pytest.mark.usefixtures("device")
def test_a_replayed_answer_is_refused(connect, context):
    challenge = context.registry.new_challenge(
        "authenticate", DEVICE, context.verifier, now=context.now(), ttl=context.challenge_ttl
    )
    answer = connect().answer(challenge, context.verifier)

    first = check_answer(context, answer, challenge, device_id=DEVICE)
    again = check_answer(context, answer, challenge, device_id=DEVICE)

    assert first.trusted
    assert again.codes == (ReasonCode.CHALLENGE_USED,)


@pytest.mark.usefixtures("device")
def test_an_answer_to_another_challenge_is_refused(connect, context):
    challenges = [
        context.registry.new_challenge(
            "authenticate", DEVICE, context.verifier, now=context.now(), ttl=context.challenge_ttl
        )
        for _ in range(2)
    ]
    answer = connect().answer(challenges[0], context.verifier)

    decision = check_answer(context, answer, challenges[1], device_id=DEVICE)

    assert ReasonCode.CHALLENGE_MISMATCH in decision.codes


@pytest.mark.usefixtures("device")
def test_an_answer_that_comes_too_late_is_refused(connect, context):
    challenge = context.registry.new_challenge(
        "authenticate", DEVICE, context.verifier, now=context.now(), ttl=context.challenge_ttl
    )
    answer = connect().answer(challenge, context.verifier)
    later = dataclasses.replace(context, now=lambda: context.now() + timedelta(hours=1))

    assert check_answer(later, answer, challenge, device_id=DEVICE).codes == (ReasonCode.CHALLENGE_EXPIRED,)


def test_a_board_without_a_certificate_is_not_trusted(board, context):
    decision = authenticate(BoardElement(board), context)

    assert decision.codes == (ReasonCode.EVIDENCE_MISSING,)


@pytest.mark.usefixtures("device")
def test_garbage_from_the_board_is_a_reason_and_not_a_crash(context):
    challenge = context.registry.new_challenge(
        "authenticate", DEVICE, context.verifier, now=context.now(), ttl=context.challenge_ttl
    )

    decision = check_answer(context, IdentityAnswer(b"\xff", DEVICE, b"\x30"), challenge, device_id=DEVICE)

    assert ReasonCode.MALFORMED in decision.codes


@pytest.mark.usefixtures("device")
def test_kept_births_can_be_appraised_again_offline(context):
    (checked,) = lifecycle.check_evidence(context, DEVICE)

    assert checked.reasons == ()


@pytest.mark.usefixtures("device")
def test_a_certificate_that_the_registry_does_not_know_is_not_trusted(context):
    from hri.registry import Registry

    der = context.registry.live_certificate(DEVICE).der
    with Registry.open(":memory:") as empty:
        elsewhere = dataclasses.replace(context, registry=empty)
        decision = lifecycle.check_certificate(elsewhere, der, (), at=context.now(), purpose=Purpose.CLIENT)

    assert decision.codes == (ReasonCode.REVOCATION_UNKNOWN,)

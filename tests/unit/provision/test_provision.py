"""What provisioning does to a chip that is blank, half done, done, or somebody else's."""

import contextlib
import dataclasses
import hashlib
import itertools
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hri.config import Config, ProvisioningConfig, SecurityConfig
from hri.elements.board import BoardElement
from hri.errors import ConfigurationError, DeviceError, PolicyRefusal
from hri.link import DeviceRefused
from hri.personalisation import LockRequired
from hri.provision import STEPS, element_lease, provision
from hri.registration import register_device
from hri.steps import Steps
from unit.provision.soft_board import SoftBoard


def derived_id(key) -> str:
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def with_config(context, **sections):
    return dataclasses.replace(context, config=Config(**sections))


def iter_clock(start, step):
    """A clock that goes on by `step` at every look."""
    moments = (start + number * step for number in itertools.count())
    return lambda: next(moments)


def refusal_code(connect, context, **options) -> str:
    with pytest.raises(PolicyRefusal) as refused:
        provision(connect, context, **options)
    assert refused.value.exit_status == 1
    return refused.value.code


def test_a_blank_board_becomes_an_active_device(board, connect, context):
    result = provision(connect, context, lock=True)

    assert board.locked_slots == [0, 1]
    assert board.config_locked
    assert board.data_locked
    assert result.device_id == derived_id(board.keys[0])
    certificate = x509.load_pem_x509_certificate(result.certificate.encode())
    assert certificate.public_key() == board.keys[0].public_key()
    assert context.registry.device(result.device_id).status == "active"
    live = context.registry.live_certificate(result.device_id)
    assert (live.state, live.serial_number) == ("active", certificate.serial_number)
    assert [step.name for step in result.steps] == list(STEPS)
    assert (result.element.type, result.element.serial_number, result.element.slot) == (
        "atecc608b",
        board.serial.hex(),
        0,
    )


def test_the_operator_may_name_the_device(connect, context):
    assert provision(connect, context, device_id="press-07", lock=True).device_id == "press-07"


def test_evidence_and_endorsement_are_kept(board, connect, context):
    result = provision(connect, context, lock=True)

    kinds = [record.kind for record in context.registry.evidence(result.device_id)]
    assert kinds == ["birth", "state", "authentication"]
    (endorsement,) = context.registry.endorsements(board.serial.hex())
    assert endorsement.kind == "station-first-seen"


def test_a_blank_chip_without_lock_is_left_as_it_was_and_the_plan_is_told(board, connect, context):
    with pytest.raises(LockRequired) as refused:
        provision(connect, context)

    assert board.changes == []
    assert refused.value.exit_status == 1
    assert [step.code for step in refused.value.plan.steps if step.permanent] == [
        "lock-config",
        "lock-data",
        "lock-attestation",
        "lock-identity",
    ]


def test_a_half_locked_chip_needs_the_lock_asked_for_again(board, connect, context):
    def stop(_number, op, when):
        if (op, when) == ("chip.lock_config", "after"):
            raise DeviceError("cut", "cut")

    board.cut = stop
    with pytest.raises(DeviceError):
        provision(connect, context, lock=True)
    board.cut = lambda *_: None
    board.ops.clear()

    assert refusal_code(connect, context) == "lock-required"
    assert board.changes == []


def test_a_provisioned_device_is_left_as_it_is(board, connect, context):
    first = provision(connect, context, lock=True)
    board.ops.clear()

    again = provision(connect, context)

    assert board.changes == []
    assert (again.device_id, again.certificate) == (first.device_id, first.certificate)
    assert len(context.registry.certificates(first.device_id)) == 1


def test_a_chip_locked_with_another_configuration_is_refused(board, connect, context):
    board.config[30] ^= 1
    board.config[87] = 0

    assert refusal_code(connect, context, lock=True) == "foreign-configuration"
    assert board.changes == []


def test_an_open_chip_with_another_configuration_is_configured_anew(board, connect, context):
    board.config[20:84] = b"\x5a" * 64

    assert provision(connect, context, lock=True).device_id


def test_a_chip_of_another_authority_is_refused(board, connect, context):
    provision(connect, context, lock=True)
    board.slots[14][10] ^= 1
    board.ops.clear()

    assert refusal_code(connect, context, lock=True) == "foreign-operator"
    assert board.changes == []


def test_a_permanent_key_without_a_record_of_its_birth_is_refused(board, connect, context):
    from hri.registry import Registry

    provision(connect, context, lock=True)
    board.ops.clear()
    with Registry.open(":memory:") as other:
        elsewhere = dataclasses.replace(context, registry=other)

        assert refusal_code(connect, elsewhere, lock=True) == "no-birth-record"
    assert board.changes == []


def test_a_revoked_device_is_refused(connect, context):
    result = provision(connect, context, lock=True)
    context.registry.revoke(result.device_id, "keyCompromise", context.now())

    assert refusal_code(connect, context, lock=True) == "device-revoked"


def test_a_chip_keeps_its_name_for_life(connect, context):
    provision(connect, context, device_id="press-07", lock=True)

    assert refusal_code(connect, context, device_id="press-08", lock=True) == "already-registered"


def test_a_name_keeps_its_chip_for_life(connect, context):
    provision(connect, context, device_id="press-07", lock=True)
    second = SoftBoard(bytes.fromhex("0123aabbccddee02ee"))

    code = refusal_code(lambda: BoardElement(second), context, device_id="press-07", lock=True)

    assert code == "device-id-taken"
    assert second.changes == []


def test_without_auto_enrollment_only_registered_devices_are_provisioned(board, connect, context):
    closed = with_config(context, provisioning=ProvisioningConfig(auto_enrollment=False))
    assert refusal_code(connect, closed, device_id="press-07", lock=True) == "not-registered"
    assert board.changes == []
    assert register_device(closed, "press-07").status == "registered"

    assert provision(connect, closed, device_id="press-07", lock=True).device_id == "press-07"
    assert closed.registry.device("press-07").status == "active"


def test_a_device_registered_with_its_chip_needs_no_name_at_the_line(board, connect, context):
    closed = with_config(context, provisioning=ProvisioningConfig(auto_enrollment=False))
    register_device(closed, "press-07", board.serial.hex().upper())

    assert provision(connect, closed, lock=True).device_id == "press-07"


def test_registering_again_changes_nothing_and_never_moves_a_chip(board, context):
    first = register_device(context, "press-07", board.serial.hex())

    assert register_device(context, "press-07") == first
    with pytest.raises(PolicyRefusal) as another_chip:
        register_device(context, "press-07", "0123aabbccddee02ee")
    assert another_chip.value.code == "device-element-conflict"
    with pytest.raises(PolicyRefusal) as another_name:
        register_device(context, "press-08", board.serial.hex())
    assert another_name.value.code == "element-conflict"
    assert context.registry.device("press-08") is None


@pytest.mark.parametrize("serial", ["", "0123", "0123aabbccddee02eg", "0123aabbccddee02ee00"])
def test_a_serial_number_that_is_none_is_refused(context, serial):
    with pytest.raises(ConfigurationError) as refused:
        register_device(context, "press-07", serial)
    assert refused.value.code == "bad-serial-number"
    assert context.registry.device("press-07") is None


def test_two_provisioners_of_one_chip_are_told_of_each_other(board, connect, context):
    codes = []

    def second(_number, op, when):
        if (op, when) == ("chip.write_config", "before"):
            codes.append(refusal_code(lambda: BoardElement(board_beside), context, lock=True))

    board_beside = SoftBoard(board.serial)
    board.cut = second

    provision(connect, context, lock=True)

    assert codes == ["lease-held"]


def test_who_was_held_up_until_another_took_over_stops_before_the_next_step(board, connect, context):
    times = [context.now()]
    context = dataclasses.replace(context, now=lambda: times[-1])

    def held_up(_number, op, when):
        if (op, when) == ("chip.lock_config", "after"):
            times.append(times[-1] + timedelta(hours=1))
            stack.enter_context(element_lease(context, board.serial, "another", Steps(print, lambda: 0.0)))

    board.cut = held_up

    with contextlib.ExitStack() as stack, pytest.raises(PolicyRefusal) as refused:
        provision(connect, context, lock=True)

    assert refused.value.code == "lease-lost"
    assert board.changes[-1] == "chip.lock_config"


def test_forged_birth_evidence_is_refused_and_the_slot_stays_open(board, connect, context):
    def forged(evidence: bytes) -> bytes:
        return evidence[:-1] + bytes((evidence[-1] ^ 1,))

    board.evidence = forged

    assert refusal_code(connect, context, lock=True) == "birth-refused"
    assert board.locked_slots == [1]
    (record,) = context.registry.evidence(element_serial=board.serial.hex())
    assert record.verdict["trusted"] is False


def test_forged_state_evidence_gets_no_certificate(board, connect, context):
    seen = []

    def forged(evidence: bytes) -> bytes:
        seen.append(evidence)
        return evidence if len(seen) == 1 else seen[0]

    board.evidence = forged

    assert refusal_code(connect, context, device_id="d1", lock=True) == "state-refused"
    assert context.registry.certificates("d1") == ()


def test_without_required_attestation_the_verdict_is_kept_but_does_not_stop(board, connect, context):
    board.evidence = lambda evidence: evidence[:-1] + bytes((evidence[-1] ^ 1,))
    lax = with_config(context, security=SecurityConfig(require_attestation=False))

    result = provision(connect, lax, lock=True)

    assert context.registry.device(result.device_id).status == "active"


def test_a_chip_first_seen_here_does_not_count_where_policy_does_not_name_it(board, connect, context):
    strict = with_config(context, security=SecurityConfig(accept_first_seen=False))

    for lock in (False, True):
        assert refusal_code(connect, strict, lock=lock) == "unendorsed"
    assert board.changes == []


def test_a_birth_that_policy_refused_counts_once_policy_accepts_it(board, connect, context):
    """The chip may be locked by then: what is proved must not be lost for a rule that was changed."""

    def turn_strict(_number, op, when):
        if (op, when) == ("key.generate", "before"):
            object.__setattr__(strict.config, "security", SecurityConfig(accept_first_seen=False))

    strict = with_config(context, security=SecurityConfig())
    board.cut = turn_strict
    assert refusal_code(connect, strict, device_id="d1", lock=True) == "birth-refused"
    board.cut = lambda *_: None

    assert provision(connect, context, device_id="d1", lock=True).device_id == "d1"
    kept = context.registry.evidence("d1", kind="birth")
    assert [record.verdict["trusted"] for record in kept] == [False, True]
    assert kept[1].verdict["appraised_again"] == kept[0].id
    assert kept[1].cose == kept[0].cose


def test_a_birth_that_came_too_late_never_counts(connect, context):
    late = dataclasses.replace(context, now=iter_clock(context.now(), context.challenge_ttl))
    assert refusal_code(connect, late, device_id="d1", lock=True) == "birth-refused"
    (first,) = context.registry.evidence("d1", kind="birth")
    assert "challenge-expired" in {reason["code"] for reason in first.verdict["reasons"]}

    provision(connect, context, device_id="d1", lock=True)

    # A new key was born, and the late one's evidence was not looked at again.
    births = context.registry.evidence("d1", kind="birth")
    assert [record.verdict["trusted"] for record in births] == [False, True]
    assert births[1].cose != first.cose


def test_a_swapped_board_is_refused_not_configured(board, connect, context):
    def swap(_number, op, when):
        if (op, when) == ("chip.write_config", "before"):
            board.serial = bytes.fromhex("0123aabbccddee03ee")

    board.cut = swap

    with pytest.raises(DeviceRefused) as refused:
        provision(connect, context, lock=True)

    assert refused.value.code == "wrong-chip"
    assert not board.config_locked


def test_a_busy_chip_is_asked_again_as_often_as_the_configuration_says(board, connect, context):
    busy = iter([True, True, True, False])

    def refuse(_number, op, when):
        if (op, when) == ("csr.make", "before") and next(busy, False):
            raise DeviceRefused("chip-busy", "at work", op=op)

    board.cut = refuse

    assert provision(connect, context, lock=True).device_id
    assert board.ops.count("csr.make") == 4


def test_a_chip_that_stays_busy_is_given_up(board, connect, context):
    def refuse(_number, op, when):
        if (op, when) == ("csr.make", "before"):
            raise DeviceRefused("chip-busy", "at work", op=op)

    board.cut = refuse

    with pytest.raises(DeviceRefused):
        provision(connect, context, lock=True)
    assert board.ops.count("csr.make") == 1 + context.config.provisioning.retry_attempts


def test_the_time_for_all_steps_is_limited(connect, context):
    ticks = iter(range(0, 10_000, 100))
    slow = dataclasses.replace(context, monotonic=lambda: float(next(ticks)))

    with pytest.raises(DeviceError, match="enrollment_timeout") as error:
        provision(connect, slow, lock=True)

    assert error.value.code == "enrollment-timeout"


def test_a_board_without_a_working_chip_says_so(context):
    class Chipless(SoftBoard):
        def _hello(self, args, authorisation):
            return super()._hello(args, authorisation) | {
                "element": None,
                "element_error": {"code": "chip-absent", "message": "nothing at 0x60"},
            }

    with pytest.raises(DeviceError, match="nothing at 0x60") as error:
        provision(lambda: BoardElement(Chipless()), context, lock=True)

    assert (error.value.code, error.value.exit_status) == ("chip-absent", 3)


def test_every_step_is_told_when_it_begins_and_ends(connect, context):
    events = []

    provision(connect, context, lock=True, on_step=events.append)

    assert [event.name for event in events if event.phase == "begun"] == list(STEPS)
    assert [event.name for event in events if event.phase == "done"] == list(STEPS)


def test_a_damaged_record_on_the_board_is_mended(board, connect, context):
    provision(connect, context, device_id="d1", lock=True)

    class Damaged(SoftBoard):
        pass

    good = dict(board.record)
    original = board._certificate_load

    def damaged(args, authorisation):
        if board.ops.count("certificate.store") == stores:
            raise DeviceRefused("storage", "damaged", op="certificate.load")
        return original(args, authorisation)

    stores = board.ops.count("certificate.store")
    board._certificate_load = damaged
    board.record = None

    provision(connect, context)

    assert board.record == good

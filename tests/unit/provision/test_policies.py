"""`hri lifecycle run`: what the YAML asks for is done once, in the right order, and nothing else."""

import dataclasses
from datetime import timedelta

import pytest
from cryptography import x509
from hri import lifecycle, suspension
from hri.authentication import authenticate
from hri.errors import PolicyRefusal
from hri.lifecycle_run import run_policies
from hri.policies import due_acts
from hri.provision import provision
from unit.provision.soft_board import CableCut

DEVICE = "d1"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def device(connect, context):
    return provision(connect, context, device_id=DEVICE, lock=True)


def later(context, days, **security):
    """The context so many days later, under other rules of security."""
    moment = context.now() + timedelta(days=days)
    rules = context.config.security.model_copy(update=security)
    config = context.config.model_copy(update={"security": rules})
    return dataclasses.replace(context, now=lambda: moment, config=config)


def due(context):
    return [(act.device_id, act.kind) for act in due_acts(context.registry, context.config, context.now())]


def run(context, tmp_path, boards=None, *, apply=True):
    outcomes = run_policies(context, tmp_path / "crl", apply=apply, boards=boards or {})
    return [(one.act.kind, one.how) for one in outcomes]


def test_nothing_is_due_on_the_first_day(context):
    assert due(context) == []


@pytest.mark.parametrize(
    ("day", "acts"), [(334, []), (335, [(DEVICE, "rotate")]), (400, [(DEVICE, "rotate")])]
)
def test_a_key_is_due_for_rotation_before_its_days_are_over(context, day, acts):
    assert due(later(context, day)) == acts


@pytest.mark.parametrize(("day", "acts"), [(334, []), (335, [(DEVICE, "renew")]), (400, [(DEVICE, "renew")])])
def test_without_rotation_the_certificate_is_due_for_renewal(context, day, acts):
    assert due(later(context, day, enforce_key_rotation=False)) == acts


def test_a_short_life_is_due_in_its_last_third_only(context):
    assert due(later(context, 59, key_rotation_days=90)) == []
    assert due(later(context, 60, key_rotation_days=90)) == [(DEVICE, "rotate")]


def test_a_run_without_apply_changes_nothing(context, tmp_path):
    before = context.registry.certificates(DEVICE)

    assert run(later(context, 340), tmp_path, apply=False) == [("rotate", "due")]

    assert context.registry.certificates(DEVICE) == before
    assert not (tmp_path / "crl").exists()


def test_what_is_due_is_done_once_where_the_board_is_at_hand(connect, context, tmp_path):
    then = later(context, 340)

    assert run(then, tmp_path) == [("rotate", "needs-board")]
    assert run(then, tmp_path, {DEVICE: connect}) == [("rotate", "done")]
    assert run(then, tmp_path, {DEVICE: connect}) == []

    assert context.registry.live_certificate(DEVICE).slot == 2
    crl = x509.load_der_x509_crl((tmp_path / "crl/issuing.crl").read_bytes())
    assert len(crl) == 1


def test_a_rotation_cut_off_is_completed_by_the_next_run(board, connect, context, tmp_path):
    then = later(context, 340)

    def cut(_number, op, when):
        if (op, when) == ("certificate.store", "before"):
            board.cut = lambda *_: None
            raise CableCut(op)

    board.cut = cut
    assert run(then, tmp_path, {DEVICE: connect}) == [("rotate", "failed")]
    assert run(then, tmp_path, {DEVICE: connect}) == [("rotate", "done")]

    assert authenticate(connect(), then).trusted


def test_a_device_with_a_compromised_certificate_is_revoked_as_a_whole(context, tmp_path):
    first = context.registry.certificates(DEVICE)[0]
    context.registry.revoke(first.serial_number, "keyCompromise", context.now())

    assert due(later(context, 1, revoke_on_compromise=False)) == []
    assert run(context, tmp_path) == [("revoke", "done")]
    assert run(context, tmp_path) == []

    assert context.registry.device(DEVICE).status == "revoked"
    assert (tmp_path / "crl/issuing.crl").exists()


def test_two_devices_with_one_key_are_both_compromised(context):
    mine = context.registry.certificates(DEVICE)[0]
    device = context.registry.device(DEVICE)
    context.registry.upsert_device(dataclasses.replace(device, device_id="copy", element_serial=None))
    copy = dataclasses.replace(mine, serial_number=77, device_id="copy")
    context.registry.record_certificates([copy])

    assert due(context) == [("copy", "revoke"), (DEVICE, "revoke")]


def test_a_suspended_device_is_not_rotated_and_a_compromised_one_is_revoked_all_the_same(context, tmp_path):
    suspension.suspend(context, DEVICE, tmp_path / "crl")
    assert due(later(context, 340)) == []

    context.registry.revoke(
        context.registry.certificates(DEVICE)[0].serial_number, "cACompromise", context.now()
    )
    assert due(later(context, 340)) == [(DEVICE, "revoke")]


def test_a_renewed_certificate_does_not_outlive_its_key(connect, context):
    then = later(context, 100)

    renewed = lifecycle.renew(connect, then, DEVICE)

    assert context.now() + 364 * DAY <= renewed.not_after <= context.now() + 365 * DAY


def test_a_key_at_its_end_is_not_renewed(connect, context):
    with pytest.raises(PolicyRefusal) as refused:
        lifecycle.renew(connect, later(context, 365), DEVICE)
    assert refused.value.code == "rotation-due"

    free = later(context, 364, enforce_key_rotation=False)
    assert lifecycle.renew(connect, free, DEVICE).not_after >= free.now() + 364 * DAY


def test_a_rotated_key_begins_its_days_anew(connect, context):
    then = later(context, 340)
    lifecycle.rotate(connect, then, DEVICE)

    assert due(then) == []
    assert due(later(context, 340 + 335)) == [(DEVICE, "rotate")]

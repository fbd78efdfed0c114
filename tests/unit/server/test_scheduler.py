"""The scheduler: a step that fails is told of, and keeps neither the others nor the next turn."""

import threading
from datetime import timedelta

import pytest
from hri.errors import StorageError
from hri.publication import OcspKeys
from hri.server.metrics import Metrics
from hri.server.scheduler import Scheduler
from hri.upkeep import Folders, Step, upkeep_steps

_DEADLINE_S = 30
_SOON = timedelta(microseconds=1)


def failing_with(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    "error", [StorageError("disk-full", "the disk is full", "make room"), ValueError("x")]
)
def test_a_step_that_fails_is_counted_and_the_next_ones_are_done(context, error):
    twice, metrics, seen = threading.Event(), Metrics(), []

    def work():
        seen.append(1)
        if len(seen) == 2:
            twice.set()

    steps = [Step("bad", None, failing_with(error)), Step("good", None, work)]
    with Scheduler(context, steps, _SOON, metrics):
        assert twice.wait(_DEADLINE_S)

    text = metrics.text().decode()
    assert 'hri_upkeep_turns_total{outcome="failed",step="bad"}' in text
    assert 'hri_upkeep_turns_total{outcome="done",step="good"}' in text
    assert 'outcome="failed",step="good"' not in text


def test_the_end_does_not_wait_for_the_next_turn(context):
    done = threading.Event()

    with Scheduler(context, [Step("one", None, done.set)], timedelta(days=1), Metrics()) as scheduler:
        assert done.wait(_DEADLINE_S)

    assert not scheduler._thread.is_alive()


def test_without_an_interval_nothing_is_done(context):
    steps = [Step("one", None, failing_with(AssertionError("it was done")))]
    metrics = Metrics()

    with Scheduler(context, steps, None, metrics):
        pass

    assert "outcome=" not in metrics.text().decode()


def test_the_steps_are_those_that_there_are_folders_and_keys_for(context, tmp_path):
    def names(folders, ocsp_keys):
        return [step.name for step in upkeep_steps(context, folders, ocsp_keys)]

    least = names(Folders(tmp_path / "crl"), None)
    most = names(Folders(tmp_path / "crl", tmp_path / "ocsp", tmp_path / "log"), OcspKeys(tmp_path, b"ca"))

    assert least == ["policies", "lists", "log"]
    assert most == ["policies", "lists", "answers", "log", "log-files"]


def test_two_folders_have_turns_of_their_own_and_one_has_one(context, tmp_path):
    every = timedelta(hours=1)
    here, there = (Step("lists", tmp_path / name, lambda: None) for name in ("here", "there"))

    assert [step.is_ours(context, every) for step in (here, there, here)] == [True, True, False]


def test_a_compromised_device_is_revoked_by_the_policies(context, device, tmp_path):
    serial = context.registry.live_certificate(device).serial_number
    context.registry.revoke(serial, "keyCompromise", context.now())

    for step in upkeep_steps(context, Folders(tmp_path / "crl"), None):
        step.work()

    assert context.registry.device(device).status == "revoked"
    assert (tmp_path / "crl" / "issuing.crl").exists()

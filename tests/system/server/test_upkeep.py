"""Upkeep by real processes: what ends is replaced in time, once, and nothing stops the server."""

import dataclasses
import fcntl
import os
import re
import time
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509 import ocsp
from hri.context import utc_now
from hri.log_export import export_log
from hri.publication import publish_crls
from system.server.conftest import provisioned
from system.server.processes import ServedHome, serving
from unit.server.serving import bearer

_DEADLINE_S = 60
_LIMITS = {"requests_per_second": 100_000.0, "burst": 100_000}
_COUNT = re.compile(r'hri_upkeep_turns_total\{outcome="(\w+)",step="([\w-]+)"\} (\d+)\.0')


def turns(server):
    """How often each (step, outcome) was counted in a process."""
    with server.client() as client:
        text = client.get("/metrics", headers=bearer("auditor")).text
    return {(step, outcome): int(count) for outcome, step, count in _COUNT.findall(text)}


def until(found):
    """Ask again until there is an answer, which is returned."""
    end = time.monotonic() + _DEADLINE_S
    while time.monotonic() < end:
        answer = found()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError("it did not happen")


def newest(context):
    return context.registry.published_crl(context.authority.key_identifier, "issuing")


def home(folder, interval, database=None, **upkeep):
    return ServedHome(folder / "home", database, upkeep={"interval": interval, **upkeep}, limits=_LIMITS)


def test_a_list_about_to_end_is_replaced_while_the_server_runs(tmp_path):
    served = home(tmp_path, 0.2)
    folder = served.home.crl_path().parent
    with serving(served) as server, served.context() as context:
        before = until(lambda: newest(context))
        # As it is when six of seven days are over.
        past = dataclasses.replace(context, now=lambda: utc_now() - timedelta(days=6))
        publish_crls(past, folder, clock_was_ahead=True)

        until(lambda: newest(context).number >= before.number + 2)

        assert newest(context).next_update > utc_now() + timedelta(days=6)
        on_disk = until(lambda: served.home.crl_path().read_bytes() == newest(context).der)
        assert on_disk
        assert server.stop() == 0


def test_answers_and_log_are_kept_in_the_folders_that_are_named(tmp_path):
    served = home(tmp_path, 0.2, ocsp_folder="answers", log_folder="tiles")
    with serving(served) as server:
        board = provisioned(served, "device-1", bytes.fromhex("0123aabbccddee07ee"))
        serial = x509.load_der_x509_certificate(board.record["certificate"]).serial_number

        def answered():
            files = (path for path in (served.path / "answers").rglob("*") if path.is_file())
            answers = [ocsp.load_der_ocsp_response(path.read_bytes()) for path in files]
            return {one.hash_algorithm.name for one in answers if one.serial_number == serial}

        assert until(lambda: answered() == {"sha1", "sha256"})
        until(lambda: (served.path / "tiles" / "tile" / "entries" / "000.p" / "1").exists())
        assert server.stop() == 0
    with served.context() as context:
        # The checkpoint is written last, and an export checks what is there before it goes on.
        verifier = context.recorder.keys.certificates.verifier
        assert export_log(context.registry, verifier, served.path / "tiles").size == 1


def test_a_failing_turn_is_counted_and_the_next_one_succeeds(tmp_path):
    served = home(tmp_path, 0.2)
    crl = served.home.crl_path().parent
    crl.write_text("in the way")
    with serving(served) as server:
        until(lambda: turns(server).get(("lists", "failed"), 0) >= 2)
        assert turns(server).get(("log", "done"), 0) >= 1

        crl.unlink()

        until(lambda: turns(server).get(("lists", "done"), 0) >= 1)
        assert served.home.crl_path().exists()
        assert server.stop() == 0
    assert "upkeep failed" in (served.path / "server.log").read_text()


def test_the_end_does_not_wait_for_a_turn_that_is_stuck(tmp_path):
    served = home(tmp_path, 3600)
    crl = served.home.crl_path().parent
    crl.mkdir()
    held = os.open(crl, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        with serving(served) as server:
            with server.client() as client:
                assert client.get("/healthz").status_code == 200
            assert server.stop() == 0
    finally:
        os.close(held)


@pytest.fixture
def shared(postgres, tmp_path):
    return home(tmp_path, 3600, postgres.url())


def test_two_servers_on_one_database_do_one_turn_between_them(shared):
    with serving(shared) as one, serving(shared) as other:

        def both():
            counts = [turns(one), turns(other)]
            per_step = {
                step: sorted(outcome for count in counts for name, outcome in count if name == step)
                for step in ("policies", "lists", "log")
            }
            return per_step if all(len(outcomes) == 2 for outcomes in per_step.values()) else None

        assert until(both) == {step: ["done", "elsewhere"] for step in ("policies", "lists", "log")}


def test_the_turns_of_a_server_that_was_killed_fall_to_the_other(postgres, tmp_path):
    served = home(tmp_path, 0.5, postgres.url())
    with serving(served) as one, serving(served) as other:
        until(lambda: turns(one).get(("lists", "done"), 0) >= 1)
        one.kill()
        done = turns(other).get(("lists", "done"), 0)

        until(lambda: turns(other).get(("lists", "done"), 0) >= done + 3)

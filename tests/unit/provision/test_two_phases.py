"""Renewal and rotation killed at every write of the host: an old or a new certificate is good at any time."""

import contextlib
import sqlite3
from datetime import UTC, datetime

import pytest
from hri import lifecycle
from hri.authentication import authenticate
from hri.config import Config
from hri.context import Context
from hri.provision import provision
from hri.registry import Registry
from hri.registry.database import Database

DEVICE = "d1"
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


class Killed(BaseException):
    """The process is gone: no code of ours catches this, and nothing is written after it."""


class Killer:
    """Ends the process before or after its write number `at`; without a number it counts."""

    def __init__(self, monkeypatch):
        self.at, self.after, self.writes, self.dead = None, False, 0, False
        plain = Database._write
        killer = self

        @contextlib.contextmanager
        def write(database):
            if killer.dead:
                raise Killed
            killer.writes += 1
            mine = killer.writes == killer.at
            if mine and not killer.after:
                killer.dead = True
                raise Killed
            with plain(database) as connection:
                yield connection
            if mine:
                killer.dead = True
                raise Killed

        monkeypatch.setattr(Database, "_write", write)

    def arm(self, at, *, after):
        self.at, self.after, self.writes, self.dead = at, after, 0, False

    def revive(self):
        self.arm(None, after=False)


@pytest.fixture
def context(authority, tmp_path):
    from unit.provision.conftest import NOW

    made, operator = authority
    with Registry.open(tmp_path / "hri.db") as registry:
        yield Context(
            Config(), registry, made, operator, station="test", now=lambda: NOW, sleep=lambda _: None
        )


def _states(context):
    return sorted(record.state for record in context.registry.certificates(DEVICE))


def _forget_leases(path):
    """What the registry does by itself once it sees that the holder's process is gone."""
    with sqlite3.connect(path) as raw:
        raw.execute("DELETE FROM lease")


@pytest.mark.parametrize("use_case", [lifecycle.renew, lifecycle.rotate])
def test_a_host_killed_at_any_write_leaves_a_device_that_is_trusted(
    connect, context, monkeypatch, tmp_path, use_case
):
    provision(connect, context, device_id=DEVICE, lock=True)
    killer = Killer(monkeypatch)
    use_case(connect, context, DEVICE)
    count = killer.writes

    for after in (False, True):
        for at in range(1, count + 1):
            ended = _states(context).count("superseded")
            killer.arm(at, after=after)
            with pytest.raises(Killed):
                use_case(connect, context, DEVICE)
            killer.revive()
            _forget_leases(tmp_path / "hri.db")

            in_force = context.registry.live_certificate(DEVICE)
            assert in_force is not None, (at, after)
            assert in_force.state == "active", (at, after)
            assert authenticate(connect(), context).trusted, (at, after)
            assert _states(context).count("superseded") <= ended + 1

            use_case(connect, context, DEVICE)
            assert _states(context).count("active") == 1, (at, after)
            assert "issued" not in _states(context), (at, after)
            assert authenticate(connect(), context).trusted, (at, after)

    assert count > 10


def test_the_old_certificate_is_in_force_until_an_authentication_confirms_the_new_one(
    board, connect, context
):
    provision(connect, context, device_id=DEVICE, lock=True)
    old = context.registry.live_certificate(DEVICE)
    seen = []

    def look(_number, op, when):
        if when == "before" and op in ("certificate.store", "identity.answer"):
            seen.append((op, context.registry.certificate(old.serial_number).state))

    board.cut = look
    lifecycle.rotate(connect, context, DEVICE)

    assert set(seen) == {("certificate.store", "active"), ("identity.answer", "active")}
    ended = context.registry.certificate(old.serial_number)
    assert (ended.state, ended.reason) == ("superseded", "superseded")


def test_any_authentication_finishes_a_rotation_that_was_cut_off_before_it(board, connect, context):
    provision(connect, context, device_id=DEVICE, lock=True)

    def unplug(_number, op, when):
        if (op, when) == ("certificate.store", "after") and board.record["slot"] == 2:
            board.cut = lambda *_: None
            raise Killed

    board.cut = unplug
    with pytest.raises(Killed):
        lifecycle.rotate(connect, context, DEVICE)
    assert _states(context) == ["active", "issued"]

    assert authenticate(connect(), context).trusted

    assert _states(context) == ["active", "superseded"]
    assert context.registry.device(DEVICE).slot == 2

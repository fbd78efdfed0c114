"""The life of a certificate, and the two rules that the schema itself keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hri.errors import ConfigurationError, HriError
from hri.registry import (
    REVOCATION_REASONS,
    CertificateRecord,
    ConcurrentIssuance,
    Device,
    Registry,
    RevokedEntry,
    revocation_reason,
)
from hri.registry.schema import certificate
from sqlalchemy import exc, update

Record = Callable[..., CertificateRecord]
BIG = (1 << 159) - 1
HOUR = timedelta(hours=1)


def _states(registry: Registry) -> dict[int, str]:
    return {record.serial_number: record.state for record in registry.certificates("dev-1")}


def test_a_record_comes_back_as_it_was(registry: Registry, record: Record) -> None:
    full = record(BIG, slot=3, evidence=(4, 5), unattested="why")

    assert registry.certificate(BIG) == full
    assert registry.certificates("dev-1") == (full,)
    assert registry.certificate(BIG - 1) is None


def test_a_serial_number_is_unique(registry: Registry, record: Record, now: datetime) -> None:
    registry.upsert_device(Device("dev-2", "atecc608b", None, "active", 0, now))
    record(5)

    with pytest.raises(ConcurrentIssuance):
        record(5, device_id="dev-2")


def test_a_batch_is_recorded_whole_or_not_at_all(registry: Registry, record: Record, now: datetime) -> None:
    registry.upsert_device(Device("dev-2", "atecc608b", None, "active", 0, now))
    first = record(5)

    with pytest.raises(ConcurrentIssuance):
        registry.record_certificates([replace(first, serial_number=6, device_id="dev-2"), first])

    assert registry.certificate(6) is None


def test_a_device_has_one_issued_certificate_at_most(record: Record) -> None:
    record(5)

    with pytest.raises(ConcurrentIssuance):
        record(6)


def test_the_schema_itself_refuses_two_active_certificates(
    registry: Registry, record: Record, now: datetime
) -> None:
    record(5)
    registry.activate(5, now)
    record(6, replaces=5)

    with pytest.raises(exc.IntegrityError), registry._write() as connection:
        connection.execute(update(certificate).values(state="active"))

    assert _states(registry) == {5: "active", 6: "issued"}


def test_a_certificate_of_an_unknown_device_is_not_recorded(record: Record) -> None:
    with pytest.raises(ConcurrentIssuance):
        record(5, device_id="nobody")


def test_activation_makes_the_device_active(registry: Registry, record: Record, now: datetime) -> None:
    record(5, slot=0)

    active = registry.activate(5, now, slot=2)

    device = registry.device("dev-1")
    assert (active.state, active.slot) == ("active", 2)
    assert device is not None
    assert (device.status, device.slot) == ("active", 2)
    assert registry.live_certificate("dev-1") == active


def test_activation_twice_is_once(registry: Registry, record: Record, now: datetime) -> None:
    record(5)

    assert registry.activate(5, now) == registry.activate(5, now + HOUR)


def test_the_live_certificate_is_the_active_one_before_the_issued_one(
    registry: Registry, record: Record, now: datetime
) -> None:
    assert registry.live_certificate("dev-1") is None
    record(5)
    assert registry.live_certificate("dev-1").serial_number == 5  # type: ignore[union-attr]
    registry.activate(5, now)
    record(4, replaces=5)
    assert registry.live_certificate("dev-1").serial_number == 5  # type: ignore[union-attr]


def test_activation_supersedes_what_it_replaces(registry: Registry, record: Record, now: datetime) -> None:
    record(5)
    registry.activate(5, now)
    record(6, replaces=5)

    registry.activate(6, now + HOUR)

    assert _states(registry) == {5: "superseded", 6: "active"}
    assert registry.revoked() == [RevokedEntry(5, now + HOUR, "superseded")]


def test_activation_of_a_stranger_is_refused(registry: Registry, record: Record, now: datetime) -> None:
    record(5)
    registry.activate(5, now)
    record(6, replaces=None)

    with pytest.raises(HriError) as refused:
        registry.activate(6, now)

    assert refused.value.code == "live-certificate"
    assert _states(registry) == {5: "active", 6: "issued"}


def test_nothing_of_a_revoked_device_becomes_active(
    registry: Registry, record: Record, now: datetime
) -> None:
    registry.revoke("dev-1", "keyCompromise", now)
    record(5)

    with pytest.raises(HriError) as refused:
        registry.activate(5, now)

    assert refused.value.code == "device-revoked"
    assert _states(registry) == {5: "issued"}


@pytest.mark.parametrize(("serial", "code"), [(5, "certificate-ended"), (7, "not-found")])
def test_what_ended_or_never_was_cannot_become_active(
    registry: Registry, record: Record, now: datetime, serial: int, code: str
) -> None:
    record(5)
    registry.revoke(5, "keyCompromise", now)

    with pytest.raises(HriError) as refused:
        registry.activate(serial, now)

    assert refused.value.code == code


def test_revoking_a_device_ends_all_its_live_certificates(
    registry: Registry, record: Record, now: datetime
) -> None:
    record(5)
    registry.activate(5, now)
    record(6, replaces=5)

    ended = registry.revoke("dev-1", "cessationOfOperation", now + HOUR)

    device = registry.device("dev-1")
    assert {(item.serial_number, item.state, item.reason) for item in ended} == {
        (5, "revoked", "cessationOfOperation"),
        (6, "revoked", "cessationOfOperation"),
    }
    assert device is not None
    assert device.status == "revoked"
    assert registry.live_certificate("dev-1") is None


def test_revoking_a_certificate_leaves_the_device(registry: Registry, record: Record, now: datetime) -> None:
    record(5)
    registry.activate(5, now)

    registry.revoke(5, "superseded", now)

    device = registry.device("dev-1")
    assert device is not None
    assert device.status == "active"


def test_revoking_again_keeps_the_first_time_and_reason(
    registry: Registry, record: Record, now: datetime
) -> None:
    record(5)
    registry.revoke("dev-1", "cessationOfOperation", now)

    registry.revoke("dev-1", "privilegeWithdrawn", now + HOUR)

    assert registry.revoked() == [RevokedEntry(5, now, "cessationOfOperation")]


def test_a_compromise_overrides_and_reaches_back(registry: Registry, record: Record, now: datetime) -> None:
    record(5)
    registry.activate(5, now)
    record(6, replaces=5)
    registry.activate(6, now)
    registry.revoke(6, "privilegeWithdrawn", now)

    registry.revoke("dev-1", "keyCompromise", now + HOUR)
    registry.revoke("dev-1", "unspecified", now + 2 * HOUR)

    assert registry.revoked() == [
        RevokedEntry(5, now, "keyCompromise"),
        RevokedEntry(6, now, "keyCompromise"),
    ]


def test_a_compromise_reaches_a_certificate_that_expired_unconfirmed(
    registry: Registry, record: Record, now: datetime
) -> None:
    record(5)
    registry.record_certificates([], retired=[5])

    registry.revoke("dev-1", "keyCompromise", now)

    assert registry.revoked() == [RevokedEntry(5, now, "keyCompromise")]


@pytest.mark.parametrize("target", ["nobody", 12345])
def test_an_unknown_target_is_said_to_be_unknown(registry: Registry, target: Any, now: datetime) -> None:
    with pytest.raises(ConfigurationError) as refused:
        registry.revoke(target, "keyCompromise", now)

    assert refused.value.code == "not-found"


@pytest.mark.parametrize("written", ["keyCompromise", "key-compromise", "KEY_COMPROMISE", "keycompromise"])
def test_reasons_are_read_as_people_write_them(written: str) -> None:
    assert revocation_reason(written) == "keyCompromise"


@pytest.mark.parametrize("reason", REVOCATION_REASONS)
def test_every_reason_is_its_own_name(reason: str) -> None:
    assert revocation_reason(reason) == reason


@pytest.mark.parametrize("written", ["", "removeFromCRL", "certificateHold", "because"])
def test_what_is_no_final_reason_is_refused(
    registry: Registry, device: Device, written: str, now: datetime
) -> None:
    with pytest.raises(ConfigurationError):
        registry.revoke(device.device_id, written, now)

    assert registry.device("dev-1") == device


def test_a_changed_state_stops_the_recording(registry: Registry, record: Record, now: datetime) -> None:
    expected = registry.issuance_state(["dev-1"])
    first = record(5)
    registry.revoke(5, "superseded", now)

    registry.record_certificates([replace(first, serial_number=6)], expected=expected)
    with pytest.raises(ConcurrentIssuance):
        registry.record_certificates([replace(first, serial_number=7)], expected=expected)

    assert _states(registry) == {5: "revoked", 6: "issued"}

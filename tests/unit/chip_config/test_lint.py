"""What bricks or weakens a chip is found by its own code; the shipped profile has nothing of it."""

from __future__ import annotations

import pytest
from hri.elements.atecc.lint import lint
from hypothesis import given
from hypothesis import strategies as st
from unit.chip_config.configs import blank, changed, wanted, with_slot

GOOD = wanted()


def codes(config: bytes, severity: str = "error", **given: bytes) -> set[tuple[int | None, str]]:
    return {
        (finding.slot, finding.code)
        for finding in lint(config, present=given.get("present"))
        if finding.severity == severity
    }


def test_shipped_profile_over_a_blank_chip_has_no_finding() -> None:
    assert lint(GOOD, present=blank()) == []


@pytest.mark.parametrize("length", [0, 127, 129, 219])
def test_a_configuration_of_another_length_is_refused_whole(length: int) -> None:
    # 219 is the length of a configuration that a well-known driver ships, writes and locks for ever.
    findings = lint(bytes(length))
    assert [(finding.severity, finding.code) for finding in findings] == [("error", "wrong-length")]
    assert str(length) in findings[0].message


@pytest.mark.parametrize(
    ("config", "slot", "code"),
    [
        pytest.param(with_slot(GOOD, 0, 0x2001, 0x0033), 0, "private-key-readable", id="not secret"),
        pytest.param(with_slot(GOOD, 2, 0x4681, 0x0013), 2, "private-key-writable", id="PrivWrite"),
        pytest.param(with_slot(GOOD, 0, 0x2081, 0x003F), 0, "private-key-type", id="type"),
        pytest.param(with_slot(GOOD, 1, 0x2083, 0x0073), 1, "attests-anything", id="attestation signs all"),
        pytest.param(with_slot(GOOD, 3, 0x2083, 0x0013), 3, "attests-anything", id="identity also attests"),
        pytest.param(with_slot(GOOD, 0, 0x2081, 0x0013), 0, "identity-replaceable", id="regenerable"),
        pytest.param(with_slot(GOOD, 0, 0x2082, 0x0033), 0, "identity-cannot-sign", id="identity mute"),
        pytest.param(with_slot(GOOD, 0, 0x2081, 0x003C), 0, "identity-cannot-sign", id="identity is data"),
        pytest.param(with_slot(GOOD, 0, 0x20A1, 0x0033), 0, "identity-limited-use", id="identity limited"),
        pytest.param(with_slot(GOOD, 1, 0x2082, 0x0053), 1, "attestation-replaceable", id="attestation"),
        pytest.param(with_slot(GOOD, 1, 0x2081, 0x0073), 1, "attestation-cannot-sign", id="attestation mute"),
        pytest.param(
            with_slot(GOOD, 1, 0x20A2, 0x0073), 1, "attestation-limited-use", id="attestation limited"
        ),
        pytest.param(with_slot(GOOD, 6, 0x0006, 0x003C), 6, "io-key-not-secret", id="IO key readable"),
        pytest.param(changed(GOOD, b91=0x00), 0, "io-key-not-secret", id="IO key in a private slot"),
        pytest.param(changed(GOOD, b90=0x04, b91=0x62), None, "io-key-missing", id="protection without key"),
        pytest.param(changed(GOOD, b71=0x07), 0, "secure-boot-key", id="secure boot by a private key"),
        pytest.param(changed(GOOD, b71=0x87), 8, "secure-boot-key", id="secure boot by data"),
        pytest.param(with_slot(GOOD, 5, 0x0045, 0x003C), 5, "encrypted-read-of-clear", id="EncryptRead"),
        pytest.param(with_slot(GOOD, 5, 0x00C8, 0x003C), 5, "read-key-missing", id="ReadKey is clear"),
        pytest.param(with_slot(GOOD, 5, 0x00C0, 0x003C), 5, "read-key-missing", id="ReadKey is private"),
        pytest.param(with_slot(GOOD, 8, 0x4808, 0x001C), 8, "write-key-missing", id="WriteKey is clear"),
        pytest.param(with_slot(GOOD, 2, 0x4881, 0x0013), 2, "write-key-missing", id="PrivWrite, no key"),
        pytest.param(with_slot(GOOD, 0, 0x2081, 0x08B3), 0, "auth-key-missing", id="AuthKey is data"),
        pytest.param(with_slot(GOOD, 0, 0x2081, 0x01B3), 0, "auth-key-missing", id="AuthKey is private"),
        pytest.param(
            changed(with_slot(GOOD, 0, 0x2081, 0x1033), b70=0x03), 0, "latch-never-set", id="persistent latch"
        ),
        pytest.param(changed(GOOD, b19=0x01), None, "address-movable", id="address by byte 85"),
        pytest.param(changed(GOOD, b16=0x00), None, "address-reserved", id="general call"),
        pytest.param(changed(GOOD, b16=0xF8), None, "address-reserved", id="reserved address"),
    ],
)
def test_what_must_not_be_locked_is_refused_by_its_own_code(
    config: bytes, slot: int | None, code: str
) -> None:
    assert (slot, code) in codes(config)


@pytest.mark.parametrize(
    ("config", "slot", "code"),
    [
        (changed(GOOD, b19=0x04), None, "long-watchdog"),
        (changed(GOOD, b19=0x68), None, "slow-clock"),
        (changed(GOOD, b18=0x51), 5, "count-match"),
        (with_slot(GOOD, 9, 0x00B9, 0x0038), 9, "limited-use"),
        (with_slot(GOOD, 9, 0x0099, 0x0018), 9, "secret-replaceable"),
    ],
)
def test_what_is_unwise_is_a_warning(config: bytes, slot: int | None, code: str) -> None:
    assert codes(config, "warning") == {(slot, code)}
    assert codes(config) == set()


@pytest.mark.parametrize(
    ("config", "code"),
    [
        (changed(GOOD, b16=0x6A), "address-changes"),
        (changed(GOOD, b2=0x77), "manufacturer-bytes"),
        (changed(GOOD, b84=0x01), "lock-bytes"),
        (changed(GOOD, b85=0x6A), "lock-bytes"),
        (changed(GOOD, b86=0x00), "lock-bytes"),
        (changed(GOOD, b87=0x00), "lock-bytes"),
    ],
)
def test_what_a_write_cannot_or_should_not_change(config: bytes, code: str) -> None:
    assert codes(config, present=blank()) == {(None, code)}


def test_encrypted_access_under_a_secret_key_is_fine() -> None:
    assert codes(with_slot(GOOD, 5, 0x46C6, 0x003C)) == set()


def test_authorisation_by_a_public_key_is_fine() -> None:
    assert codes(with_slot(GOOD, 0, 0x2081, 0x0EB3)) == set()


@given(st.binary(max_size=200))
def test_lint_never_fails(config: bytes) -> None:
    for finding in lint(config, present=config):
        assert finding.severity in ("error", "warning")
        assert finding.message

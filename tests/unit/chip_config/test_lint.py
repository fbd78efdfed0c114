"""What bricks or weakens a chip is found by its own code; the shipped profile has nothing of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from adafruit_atecc.adafruit_atecc import CFG_TLS
from hri.elements.atecc.description import Profile
from hri.elements.atecc.known import identify
from hri.elements.atecc.lint import RULES, lint, rules_table
from hypothesis import given
from hypothesis import strategies as st
from unit.chip_config.configs import PROFILE, blank, changed, wanted, with_slot

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


REFUSED = [
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
    pytest.param(with_slot(GOOD, 1, 0x20A2, 0x0073), 1, "attestation-limited-use", id="attestation limited"),
    pytest.param(with_slot(GOOD, 6, 0x0006, 0x003C), 6, "io-key-not-secret", id="IO key readable"),
    pytest.param(changed(GOOD, b91=0x00), 0, "io-key-not-secret", id="IO key in a private slot"),
    pytest.param(changed(GOOD, b90=0x04, b91=0x61), None, "io-key-missing", id="protection without key"),
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
    pytest.param(changed(GOOD, b69=0x80), 0, "volatile-key-missing", id="volatile key is private"),
    pytest.param(changed(GOOD, b19=0x10), None, "clock-undefined", id="clock divider 2"),
    pytest.param(changed(GOOD, b53=0x0F), None, "counter-damaged", id="counter 0"),
    pytest.param(changed(GOOD, b63=0x12), None, "counter-damaged", id="counter 1"),
    pytest.param(
        changed(GOOD, b52=0, b53=0, b54=0, b55=1, b56=0xFF, b57=0xFF, b58=0xFF, b59=0xFF),
        None,
        "counter-spent",
        id="counter at its end",
    ),
    pytest.param(changed(GOOD, b17=0x20), None, "reserved-bits", id="byte 17"),
    pytest.param(changed(GOOD, b80=0x20), None, "reserved-bits", id="byte 80"),
    pytest.param(changed(GOOD, b90=0x16), None, "reserved-bits", id="ChipOptions"),
    pytest.param(changed(GOOD, b70=0x23), None, "reserved-bits", id="SecureBoot"),
    pytest.param(with_slot(GOOD, 8, 0x0008, 0x201C), 8, "reserved-bits", id="KeyConfig"),
    pytest.param(with_slot(GOOD, 7, 0x0087, 0x001C), 7, "secure-boot-store", id="digest replaceable"),
    pytest.param(changed(GOOD, b70=0x02), 7, "secure-boot-store", id="signature in 36 bytes"),
    pytest.param(with_slot(GOOD, 5, 0x0005, 0x0030), 5, "public-key-too-long", id="key in 36 bytes"),
    pytest.param(with_slot(GOOD, 8, 0x0008, 0x0014), 8, "key-type-undefined", id="key type 5"),
    pytest.param(with_slot(GOOD, 9, 0x3899, 0x0038), 9, "derive-key-missing", id="derived from clear data"),
    pytest.param(with_slot(GOOD, 12, 0x0008, 0x0012), 12, "validation-key-missing", id="parent is data"),
    pytest.param(changed(GOOD, b19=0x01), None, "address-movable", id="address by byte 85"),
    pytest.param(changed(GOOD, b16=0x00), None, "address-reserved", id="general call"),
    pytest.param(changed(GOOD, b16=0xF8), None, "address-reserved", id="reserved address"),
    pytest.param(changed(GOOD, b68=0x5A), 5, "use-lock", id="UseLock"),
    pytest.param(changed(GOOD, b68=0x51), 5, "use-lock", id="UseLock, by any of its bits"),
    pytest.param(changed(GOOD, b18=0x02), None, "reserved-bits", id="CountMatch"),
    pytest.param(changed(GOOD, b69=0x10), None, "reserved-bits", id="VolatileKeyPermission"),
    pytest.param(changed(GOOD, b91=0x63), None, "protection-undefined", id="ECDH output"),
    pytest.param(changed(GOOD, b91=0x6C), None, "protection-undefined", id="KDF output"),
    pytest.param(with_slot(GOOD, 7, 0x4687, 0x001C), 7, "secure-boot-store", id="digest, encrypted"),
    pytest.param(with_slot(GOOD, 4, 0x208D, 0x0013), 4, "ecdh-result-readable", id="ECDH into data"),
    pytest.param(with_slot(GOOD, 3, 0x208D, 0x0013), 3, "ecdh-result-readable", id="ECDH, odd slot"),
    pytest.param(with_slot(GOOD, 9, 0x0009, 0x0038), 9, "symmetric-key-readable", id="AES key in clear"),
    pytest.param(with_slot(GOOD, 9, 0x00C9, 0x0038), 9, "read-key-itself", id="read under itself"),
    pytest.param(with_slot(GOOD, 9, 0x0099, 0x09B8), 9, "auth-key-itself", id="authorised by itself"),
    pytest.param(with_slot(GOOD, 12, 0x000C, 0x0012), 12, "validation-key-missing", id="its own parent"),
]


@pytest.mark.parametrize(("config", "slot", "code"), REFUSED)
def test_what_must_not_be_locked_is_refused_by_its_own_code(
    config: bytes, slot: int | None, code: str
) -> None:
    assert (slot, code) in codes(config)


UNWISE = [
    (changed(GOOD, b19=0x04), None, "long-watchdog"),
    (changed(GOOD, b19=0x68), None, "slow-clock"),
    (changed(GOOD, b18=0x51), 5, "count-match"),
    (with_slot(GOOD, 9, 0x00B9, 0x0038), 9, "limited-use"),
    (with_slot(GOOD, 9, 0x0099, 0x0018), 9, "secret-replaceable"),
    (changed(GOOD, b13=0x00), 9, "aes-off"),
    (changed(GOOD, b69=0x86), 6, "volatile-key"),
    (with_slot(GOOD, 6, 0x8096, 0x003C), 6, "io-key-never-written"),
    (with_slot(GOOD, 15, 0x000F, 0x0010), 15, "secure-boot-key-replaceable"),
    (with_slot(GOOD, 9, 0x4999, 0x0038), 9, "write-key-itself"),
    (with_slot(GOOD, 12, 0x000C, 0x4010), 12, "x509-format-missing"),
    (changed(with_slot(GOOD, 12, 0x000C, 0x401C), b93=0x31), 12, "x509-id-misplaced"),
    (changed(GOOD, b92=0x05), None, "x509-format-impossible"),
]


@pytest.mark.parametrize(("config", "slot", "code"), UNWISE)
def test_what_is_unwise_is_a_warning(config: bytes, slot: int | None, code: str) -> None:
    assert codes(config, "warning") == {(slot, code)}
    assert codes(config) == set()


CHANGES = [
    (changed(GOOD, b16=0x6A), "address-changes"),
    (changed(GOOD, b2=0x77), "manufacturer-bytes"),
    (changed(GOOD, b84=0x01), "lock-bytes"),
    (changed(GOOD, b85=0x6A), "lock-bytes"),
    (changed(GOOD, b86=0x00), "lock-bytes"),
    (changed(GOOD, b87=0x00), "lock-bytes"),
]


@pytest.mark.parametrize(("config", "code"), CHANGES)
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


def test_a_write_that_would_lock_slots_is_refused() -> None:
    findings = codes(changed(GOOD, b88=0xFB), present=blank())
    assert findings == {(2, "slot-locked-by-write")}
    # Slots that the chip has locked already are no news.
    assert codes(changed(GOOD, b88=0xFB), present=changed(blank(), b88=0xFB)) == set()


ROLES = [
    (8, 0x8008, 0x001C, "never-writable"),
    (6, 0x8096, 0x003C, "never-writable"),
    (10, 0x008A, 0x001C, "never-readable"),
    (0, 0x0081, 0x0033, "never-born"),
    (1, 0x0082, 0x0073, "never-born"),
    (3, 0x0081, 0x0013, "never-rotated"),
    (3, 0x0003, 0x003C, "never-rotated"),
    (3, 0x2084, 0x0013, "rotatable-cannot-sign"),
    (3, 0x20A1, 0x0013, "rotatable-limited-use"),
    (0, 0x2081, 0x0EB3, "device-key-gated"),
    (2, 0x2081, 0x0E93, "device-key-gated"),
    (1, 0x2082, 0x1073, "device-key-gated"),
    (0, 0x2081, 0x0031, "public-key-hidden"),
    (14, 0x000E, 0x0010, "anchor-replaceable"),
    (14, 0x000E, 0x0030, "anchor-replaceable"),
    (13, 0x460D, 0x0010, "anchor-replaceable"),
    (14, 0x808E, 0x0010, "anchor-unusable"),
    (14, 0x800E, 0x001C, "anchor-unusable"),
    (13, 0x800E, 0x0012, "anchor-unusable"),
    (5, 0x47C6, 0x003C, "parent-left-zero"),
]


@pytest.mark.parametrize(("slot", "slot_config", "key_config", "code"), ROLES)
def test_a_slot_that_cannot_do_what_it_is_for(slot, slot_config, key_config, code) -> None:
    config = with_slot(GOOD, slot, slot_config, key_config)

    assert (slot, code) in {(finding.slot, finding.code) for finding in lint(config, profile=PROFILE)}
    assert RULES[code][0] == "error"


def test_shipped_profile_does_what_its_slots_are_for() -> None:
    assert lint(GOOD, present=blank(), profile=PROFILE) == []


def test_what_somebody_else_fills_need_not_be_writable_after_the_lock() -> None:
    custom = replace(PROFILE, kind="custom")
    config = with_slot(GOOD, 8, 0x8008, 0x001C)

    assert lint(config, profile=PROFILE) != []
    assert lint(config, profile=custom) == []


def nameless() -> Profile:
    """The shipped profile as somebody's own, which says of no slot what it is for."""
    slots = tuple(replace(slot, role="general-data") for slot in PROFILE.slots)
    return replace(PROFILE, kind="custom", slots=slots)


def test_a_private_key_that_nobody_names_is_pointed_out_and_said_to_be_replaceable() -> None:
    found = lint(with_slot(GOOD, 0, 0x2081, 0x0013), profile=nameless())
    unnamed = {finding.slot: finding.message for finding in found if finding.code == "private-key-unnamed"}
    assert set(unnamed) == {0, 1, 2, 3, 4}
    assert "replace for ever" in unnamed[0]
    assert "replace for ever" not in unnamed[1]


def test_every_rule_is_broken_by_some_case() -> None:
    """No code is listed that nothing finds."""
    found = {"wrong-length"}
    for case in [*REFUSED, *UNWISE]:
        found |= {finding.code for finding in lint((getattr(case, "values", case))[0])}
    for config, _ in CHANGES:
        found |= {finding.code for finding in lint(config, present=blank())}
    for slot, slot_config, key_config, _ in ROLES:
        found |= {f.code for f in lint(with_slot(GOOD, slot, slot_config, key_config), profile=PROFILE)}
    found |= {finding.code for finding in lint(changed(GOOD, b88=0xFB), present=blank())}
    found |= {finding.code for finding in lint(GOOD, profile=nameless())}
    assert found == set(RULES)


def test_the_document_has_the_table_of_all_rules() -> None:
    """To renew it: put what `lint.rules_table()` returns at the end of the document."""
    text = (Path(__file__).parents[3] / "docs" / "chip-configuration.md").read_text(encoding="utf-8")
    assert text[text.index("| code |") :] == rules_table()


def test_the_corrupt_configuration_of_a_known_driver_is_refused() -> None:
    """adafruit-circuitpython-atecc 1.3.2, CFG_TLS: 219 bytes, torn apart by stray 0x20s."""
    assert [finding.code for finding in lint(CFG_TLS)] == ["wrong-length"]

    # As that library writes it over a blank chip: the words from byte 16 on, but for 84 to 87.
    chip = blank()
    written = chip[:16] + CFG_TLS[16:84] + chip[84:88] + CFG_TLS[88:128]
    found = {(finding.slot, finding.code) for finding in lint(written, present=chip)}

    assert {(0, "identity-cannot-sign"), (1, "attestation-cannot-sign"), (2, "private-key-readable")} <= found
    assert {(None, "reserved-bits"), (None, "clock-undefined"), (0, "limited-use")} <= found
    assert identify(written).profile.name == "adafruit-cfg-tls"
    # Version 1.3.2 sets byte 16 to its own 0x60 after the fault: a chip at another address moves. What stands
    # there before, a stray 0x20, would move any chip.
    assert (None, "address-changes") in codes(written, present=changed(chip, b16=0x6A))
    assert (None, "address-changes") in codes(changed(written, b16=0x20), present=chip)

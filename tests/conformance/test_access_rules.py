"""The virtual ATECC608 against a second reading of its access rules: random sequences in every lock state.

The table (``access_rules/rules.txt``) was written from the documents without sight of the chip. A failing
sequence prints the line that runs it again.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import pytest
from conformance.access_rules.campaign import Campaign, Result, coverage
from conformance.access_rules.table import the_table
from hri.rig.atecc import Chip, Snapshot

Sort = tuple[str, str, str]

SEED = 608
SEQUENCES = 100_000
CHUNK = 5_000


@pytest.fixture(scope="module")
def results() -> dict[int, Result]:
    """Return what ran so far, by first sequence."""
    return {}


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    return Campaign(SEED)


def _run(campaign: Campaign, results: dict[int, Result], start: int) -> Result:
    if start not in results:
        results[start] = campaign.run(start, CHUNK)
    return results[start]


@pytest.mark.parametrize("start", range(0, SEQUENCES, CHUNK))
def test_the_chip_decides_as_the_table_does_and_gives_nothing_away(
    campaign: Campaign, results: dict[int, Result], start: int
) -> None:
    result = _run(campaign, results, start)

    assert result.sequences == CHUNK
    assert not result.findings, "\n\n".join(finding.report() for finding in result.findings.values())


def test_every_row_of_the_table_spoke(campaign: Campaign, results: dict[int, Result]) -> None:
    ran = [_run(campaign, results, start) for start in range(0, SEQUENCES, CHUNK)]

    silent = [name for name, count in coverage([result.tally for result in ran]).items() if not count]

    assert not silent


def test_every_command_was_both_carried_out_and_refused(
    campaign: Campaign, results: dict[int, Result]
) -> None:
    ran = [_run(campaign, results, start) for start in range(0, SEQUENCES, CHUNK)]

    counts = {command.name: [0, 0] for command in the_table().commands.values()}
    for result in ran:
        for name, both in result.tally.commands.items():
            if name in counts:
                counts[name][0] += both["allowed"]
                counts[name][1] += both["refused"]

    assert {name: both for name, both in counts.items() if min(both) < 20} == {}


SLOT_POLICIES, KEY_POLICIES, KEY_POLICIES_HIGH = range(20, 52, 2), range(96, 128, 2), range(97, 128, 2)
WRITE_POLICIES = range(21, 52, 2)


class _Forgetful:
    """A chip that does not see some bits of its configuration, and shows them all the same."""

    def __init__(self, campaign: Campaign, places: range, mask: int, value: int) -> None:
        self._chip: Chip = campaign.rig.chip
        self.campaign = campaign
        campaign.rig.chip = self  # type: ignore[assignment]
        self._places, self._mask, self._value = places, mask, value
        self._hidden = b""

    def unsafe_load(self, snapshot: Snapshot) -> None:
        self._hidden = snapshot.config
        config = bytearray(snapshot.config)
        for place in self._places:
            config[place] = config[place] & ~self._mask | self._value
        self._chip.unsafe_load(Snapshot(bytes(config), snapshot.otp, snapshot.slots))

    @property
    def eeprom(self) -> Snapshot:
        snapshot = self._chip.eeprom
        config = bytearray(snapshot.config)
        for place in self._places:
            config[place] = config[place] & ~self._mask | self._hidden[place] & self._mask
        return Snapshot(bytes(config), snapshot.otp, snapshot.slots)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chip, name)


@pytest.mark.parametrize(
    ("places", "mask", "value"),
    [
        pytest.param(SLOT_POLICIES, 0x80, 0x00, id="IsSecret"),
        pytest.param(SLOT_POLICIES, 0x40, 0x00, id="EncryptRead"),
        pytest.param(SLOT_POLICIES, 0x20, 0x00, id="LimitedUse"),
        pytest.param(SLOT_POLICIES, 0x10, 0x00, id="NoMac"),
        pytest.param(SLOT_POLICIES, 0x0F, 0x0F, id="ReadKey"),
        pytest.param(WRITE_POLICIES, 0x0F, 0x00, id="WriteKey"),
        pytest.param(WRITE_POLICIES, 0xF0, 0x00, id="WriteConfig"),
        pytest.param(KEY_POLICIES, 0x01, 0x00, id="Private"),
        pytest.param(KEY_POLICIES, 0x02, 0x02, id="PubInfo"),
        pytest.param(KEY_POLICIES, 0x1C, 0x10, id="KeyType"),
        pytest.param(KEY_POLICIES, 0x20, 0x20, id="Lockable"),
        pytest.param(KEY_POLICIES, 0x40, 0x00, id="ReqRandom"),
        pytest.param(KEY_POLICIES, 0x80, 0x00, id="ReqAuth"),
        pytest.param(KEY_POLICIES_HIGH, 0x0F, 0x00, id="AuthKey"),
        pytest.param(KEY_POLICIES_HIGH, 0x10, 0x00, id="PersistentDisable"),
        pytest.param(range(13, 14), 0x01, 0x01, id="AES enable"),
        pytest.param(range(18, 19), 0x01, 0x00, id="CountMatch"),
        pytest.param(range(70, 71), 0x03, 0x01, id="SecureBootMode"),
        pytest.param(range(90, 91), 0x02, 0x02, id="IO key enable"),
        pytest.param(range(91, 92), 0x0F, 0x00, id="ECDH and KDF protection"),
        pytest.param(range(88, 90), 0xFF, 0xFF, id="SlotLocked"),
        pytest.param(range(86, 87), 0xFF, 0x55, id="LockValue"),
        pytest.param(range(87, 88), 0xFF, 0x55, id="LockConfig"),
    ],
)
def test_a_chip_that_forgets_one_field_of_its_policy_is_found_out(
    campaign: Campaign, results: dict[int, Result], places: range, mask: int, value: int
) -> None:
    known = _run(campaign, results, 0).findings.keys()

    assert _first_found(_Forgetful(Campaign(SEED), places, mask, value), known) is not None


def test_a_chip_that_forgets_nothing_is_not_accused(campaign: Campaign, results: dict[int, Result]) -> None:
    known = _run(campaign, results, 0).findings.keys()

    assert _first_found(_Forgetful(Campaign(SEED), range(20, 52), 0x00, 0x00), known) is None


def _first_found(chip: _Forgetful, known: Set[Sort]) -> Sort | None:
    """Return the first disagreement of the first chunk that the chip as it is does not show."""
    for start in range(0, CHUNK, 250):
        new = chip.campaign.run(start, 250).findings.keys() - known
        if new:
            return next(iter(new))
    return None

"""An entry says one thing in one way, and a chain of them cannot be changed unseen."""

from __future__ import annotations

from dataclasses import replace

import cbor2
import pytest
from hri.audit.chain import StoredEntry, check_chain
from hri.audit.entry import BEGINNING, REFUSED, Act, Entry, digest
from hri.checkpoint import Checkpoint

AT = 1_780_000_000_000_000
ACTS = [
    Act("ca-init", details={"root": "CN=root"}),
    Act("issue", "dev-1", details={"certificate": "0a", "evidence": [1, 2]}),
    Act("issue", "dev-2", reason="no chip"),
    Act("authenticate", "dev-1", REFUSED, "revoked"),
    Act("revoke", "dev-1", reason="keyCompromise"),
]


def _chain(acts: list[Act] = ACTS) -> list[StoredEntry]:
    rows, before = [], BEGINNING
    for number, act in enumerate(acts):
        entry = Entry(number, before, AT + number, "ann@line-1", act).to_bytes()
        rows.append(StoredEntry(number, AT + number, act.act, act.subject, entry))
        before = digest(entry)
    return rows


ROWS = _chain()
HEAD = (len(ROWS), digest(ROWS[-1].entry))
SIGNED = Checkpoint("log", *HEAD)


def _codes(rows: list[StoredEntry], *checkpoints: Checkpoint, head: tuple[int, bytes] = HEAD) -> set[str]:
    return {finding.code for finding in check_chain(rows, checkpoints, head)}


def test_an_entry_is_deterministic_cbor_in_the_documented_order() -> None:
    entry = Entry(3, bytes(32), AT, "ann@line-1", Act("issue", "dev-1", details={"slot": 0, "at": "x"}))

    items = [
        "hri/1 audit",
        3,
        bytes(32),
        AT,
        "ann@line-1",
        "issue",
        "dev-1",
        "done",
        None,
        {"at": "x", "slot": 0},
    ]
    assert cbor2.loads(entry.to_bytes()) == items
    assert entry.to_bytes() == cbor2.dumps(items, canonical=True)
    assert Entry.from_bytes(entry.to_bytes()) == entry


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"\x80",
        ROWS[0].entry[:-1],
        ROWS[0].entry + b"\x00",
        cbor2.dumps(["hri/2 audit", 0, bytes(32), AT, "a", "b", None, "done", None, {}], canonical=True),
        cbor2.dumps(["hri/1 audit", 0, bytes(32), AT, "a", "b", None, "done", None, 7], canonical=True),
        # The same values, longer than they need be.
        ROWS[0].entry.replace(b"\x58\x20", b"\x59\x00\x20", 1),
    ],
)
def test_what_is_no_entry_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no entry of the audit log"):
        Entry.from_bytes(data)


@pytest.mark.parametrize("details", [{"k" * 24: 1}, {"a": {"k" * 24: 1}}, {"a": [{"k" * 24: 1}]}])
def test_a_key_whose_order_two_encoders_could_dispute_is_refused(details: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="at most 23 ASCII"):
        Entry(0, BEGINNING, AT, "a", Act("x", details=details)).to_bytes()


def test_a_whole_chain_has_no_findings() -> None:
    assert _codes(ROWS, SIGNED) == set()
    assert _codes([], head=(0, BEGINNING)) == set()


def test_a_flipped_bit_anywhere_is_found() -> None:
    for at, row in enumerate(ROWS):
        for byte in range(len(row.entry)):
            edited = bytearray(row.entry)
            edited[byte] ^= 1
            rows = [*ROWS[:at], replace(row, entry=bytes(edited)), *ROWS[at + 1 :]]

            assert _codes(rows), (at, byte)


@pytest.mark.parametrize(
    "change",
    [{"number": 9}, {"number": -1}, {"at": 0}, {"act": "renew"}, {"subject": "x"}, {"subject": None}],
)
def test_an_edited_column_is_found(change: dict[str, object]) -> None:
    for at, row in enumerate(ROWS):
        edited = replace(row, **change)
        if edited != row:
            assert _codes([*ROWS[:at], edited, *ROWS[at + 1 :]]) & {"edited", "missing"}


def test_a_deleted_entry_is_found_wherever_it_was() -> None:
    assert "missing" in _codes(ROWS[1:])
    assert "missing" in _codes([*ROWS[:2], *ROWS[3:]])
    assert _codes(ROWS[:-1]) == {"head"}


def test_swapped_entries_are_found() -> None:
    first, second = ROWS[1], ROWS[2]
    swapped = [replace(second, number=1), replace(first, number=2)]

    assert "broken" in _codes([ROWS[0], *swapped, *ROWS[3:]])


def test_an_added_entry_is_found() -> None:
    longer = _chain([*ACTS, Act("issue", "dev-9")])

    assert _codes(longer) == {"head"}


def test_a_rewrite_that_fits_together_is_found_by_a_checkpoint_of_before() -> None:
    rewritten = _chain([*ACTS[:3], Act("authenticate", "dev-2", REFUSED, "revoked"), ACTS[4]])
    head = (5, digest(rewritten[-1].entry))

    assert _codes(rewritten, head=head) == set()
    assert _codes(rewritten, SIGNED, head=head) == {"rewritten"}
    assert _codes(rewritten, Checkpoint("log", 3, digest(ROWS[2].entry)), head=head) == set()


def test_a_truncation_that_fits_together_is_found_by_a_checkpoint_of_before() -> None:
    head = (3, digest(ROWS[2].entry))

    assert _codes(ROWS[:3], head=head) == set()
    assert _codes(ROWS[:3], SIGNED, head=head) == {"truncated"}

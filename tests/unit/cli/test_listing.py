"""`hri list` gives the devices that its options let through, a page at a time or all."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hri.registry import Device, Registry

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=40)


@pytest.fixture
def listed(hri):
    """A home with devices; returns what runs `hri list` and gives the ids that it named."""
    assert hri("ca", "init").status == 0
    with Registry.open(Path(os.environ["HRI_HOME"]) / "hri.db") as registry:
        registry.upsert_devices(
            [
                Device("a-1", "atecc608b", "0123aa", "active", 0, NOW, NOW, "left", "acme"),
                Device("a-2", "atecc608b", "0123ab", "active", 0, NOW, LONG_AGO),
                Device("b-1", "se050", "04", "revoked", 0, NOW),
                Device("b-2", "none", None, "registered", None, NOW),
            ]
        )

    def call(*options: str) -> list[str]:
        ran = hri("--json", "list", *options)
        assert ran.status == 0, ran.err
        return [device["device_id"] for device in ran.json["devices"]]

    return call


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ((), ["a-1", "a-2", "b-1", "b-2"]),
        (("--status", "active"), ["a-1", "a-2"]),
        (("--owner", "acme"), ["a-1"]),
        (("--label", "left"), ["a-1"]),
        (("--prefix", "b-"), ["b-1", "b-2"]),
        (("--element-type", "se050"), ["b-1"]),
        (("--element-prefix", "0123"), ["a-1", "a-2"]),
        (("--not-seen-for", "30"), ["b-1", "b-2", "a-2"]),
        (("--never-seen", "--prefix", "b-2"), ["b-2"]),
        (("--expiring-within", "999999"), []),
        (("--after", "a-2"), ["b-1", "b-2"]),
        (("--after", "a-1", "--limit", "1"), ["a-2"]),
        (("--all",), ["a-1", "a-2", "b-1", "b-2"]),
        (("--all", "--status", "suspended"), []),
    ],
)
def test_options_choose(listed, options, ids):
    assert listed(*options) == ids


def test_a_page_says_where_the_next_begins(hri, listed):
    first = hri("--json", "list", "--limit", "3", "--not-seen-for", "0").json
    second = hri("--json", "list", "--limit", "3", "--not-seen-for", "0", "--after", first["next"]).json

    assert [device["device_id"] for device in first["devices"]] == ["b-1", "b-2", "a-2"]
    assert [device["device_id"] for device in second["devices"]] == ["a-1"]
    assert "next" not in second
    assert listed("--limit", "4") == ["a-1", "a-2", "b-1", "b-2"]


@pytest.mark.usefixtures("listed")
def test_people_are_told_of_more(hri):
    ran = hri("list", "--limit", "1")

    assert ran.out.splitlines()[1].split()[:4] == ["a-1", "active", "atecc608b", "0123aa"]
    assert "--after a-1" in ran.err


@pytest.mark.usefixtures("listed")
def test_all_of_them_are_one_document(hri, monkeypatch):
    monkeypatch.setattr("hri.cli.listing._PAGE", 1)

    out = hri("--json", "list", "--all").out

    assert len(out.splitlines()) == 1
    assert len(json.loads(out)["devices"]) == 4
    assert hri("list", "--all").out.count("b-2") == 1


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize(
    ("options", "code"),
    [(("--status", "dead"), "bad-status"), (("--not-seen-for", "1", "--after", "a-1"), "bad-place")],
)
def test_what_makes_no_sense_is_refused(hri, options, code):
    ran = hri("--json", "list", *options)

    assert (ran.status, ran.error["code"]) == (2, code)

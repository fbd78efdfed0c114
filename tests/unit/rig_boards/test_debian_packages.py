"""Pinned packages come from the suite they are pinned in, with the pinned content, or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hri.rig.runtimes import RuntimeUnavailableError
from hri.rig.runtimes.debian import Package, Pinned, fetch

CONTENT = b"a package\n"
NAME = "thing_1.0_all.deb"
# Stands in for apt-get; the private state that it is pointed at decides which suite it has.
APT = """#!/bin/sh
case "$1" in
indextargets) echo https://mirror.test/debian ;;
update) grep -q " trixie main" "$(dirname "$APT_CONFIG")/sources.list" ;;
download) [ "$2" = thing=1.0 ] && echo "a package" > {name} ;;
*) exit 2 ;;
esac
"""


def pinned(*, suite: str = "trixie", version: str = "1.0", content: bytes = CONTENT) -> Pinned:
    files = ((NAME, hashlib.sha256(content).hexdigest()),)
    return Pinned(suite, (Package("thing", version, False, files),), "make a thing by hand")


@pytest.fixture(autouse=True)
def _apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    apt = tmp_path / "bin/apt-get"
    apt.write_text(APT.format(name=NAME))
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")


def fetched(what: Pinned, folder: Path) -> Path:
    fetch(what, folder / "downloads", folder / "scratch", folder / "log", lambda _: None)
    return folder / "downloads" / NAME


def test_a_package_is_taken_from_the_suite_that_is_named(tmp_path: Path) -> None:
    assert fetched(pinned(), tmp_path).read_bytes() == CONTENT


def test_what_is_there_is_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched(pinned(), tmp_path)
    monkeypatch.setenv("PATH", "")

    assert fetched(pinned(), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (pinned(suite="forky"), "offers the suite forky; .*make a thing by hand"),
        (pinned(version="2.0"), "does not have thing 2.0; .*make a thing by hand"),
        (pinned(content=b"another"), "does not have its pinned hash"),
    ],
    ids=["no such suite", "no such version", "another content"],
)
def test_what_cannot_be_had_as_pinned_is_said_and_not_kept(tmp_path: Path, what: Pinned, words: str) -> None:
    with pytest.raises(RuntimeUnavailableError, match=words):
        fetched(what, tmp_path)

    assert not (tmp_path / "downloads" / NAME).exists()

"""The keys of the logs are made once, with the logs begun, and are found again."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
from hri.acts import begin_with_new_keys
from hri.audit.recorder import LogKeys
from hri.ca.authority import Authority
from hri.ca.log_keys import log_verifiers, open_log_keys
from hri.errors import ConfigurationError
from hri.registry import Registry


class Killed(BaseException):
    """What no handler may catch."""


@pytest.fixture
def folder(home: Path, tmp_path: Path) -> Path:
    """A home of its own, as it was before there were logs."""
    return Path(shutil.copytree(home, tmp_path / "home"))


def _never(_keys: LogKeys) -> None:
    raise AssertionError("the keys were there")


def test_the_keys_begin_the_logs_once_and_are_found_again(folder: Path, authority: Authority) -> None:
    begun: list[LogKeys] = []

    made = open_log_keys(folder, b"ca secret", authority.root, begun.append)
    found = open_log_keys(folder, b"ca secret", authority.root, _never)

    assert begun == [made]
    assert (found.certificates.verifier, found.audit.verifier) == (
        made.certificates.verifier,
        made.audit.verifier,
    )
    public = log_verifiers(folder)
    assert public is not None
    assert (public.certificates, public.audit) == (made.certificates.verifier, made.audit.verifier)
    assert stat.S_IMODE((folder / "ca/log-signers.pem").stat().st_mode) == 0o600
    assert b"BEGIN PRIVATE KEY" not in (folder / "ca/log-signers.pem").read_bytes()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_killed_while_the_logs_begin_leaves_keys_that_begin_again(
    folder: Path, authority: Authority, when: str
) -> None:
    with Registry.open(folder / "hri.db") as registry:

        def killed(keys: LogKeys) -> None:
            if when == "after":
                begin_with_new_keys(registry, "ann@line-1", keys)
            raise Killed

        with pytest.raises(Killed):
            open_log_keys(folder, b"ca secret", authority.root, killed)
        assert log_verifiers(folder) is None

        keys = open_log_keys(
            folder, b"ca secret", authority.root, lambda made: begin_with_new_keys(registry, "ann", made)
        )

        registry.sign_audit(keys.audit)
        registry.sequence(keys.certificates)


@pytest.mark.parametrize(
    "damage", [lambda data: data[:200], lambda _data: b"", lambda data: data.replace(b"A", b"B")]
)
def test_a_damaged_file_is_said_to_be_damaged(folder: Path, authority: Authority, damage) -> None:
    open_log_keys(folder, b"ca secret", authority.root, lambda _keys: None)
    path = folder / "ca/log-signers.pem"
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(ConfigurationError) as refused:
        open_log_keys(folder, b"ca secret", authority.root, _never)

    assert refused.value.code in ("ca-broken", "wrong-passphrase")
    assert "backup" in refused.value.hint


def test_a_wrong_passphrase_opens_nothing(folder: Path, authority: Authority) -> None:
    open_log_keys(folder, b"ca secret", authority.root, lambda _keys: None)

    for passphrase in (b"wrong", b""):
        with pytest.raises(ConfigurationError) as refused:
            open_log_keys(folder, passphrase, authority.root, _never)
        assert refused.value.code == "wrong-passphrase"


def test_no_passphrase_makes_no_keys(folder: Path, authority: Authority) -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_log_keys(folder, b"", authority.root, _never)

    assert refused.value.code == "empty-passphrase"
    assert log_verifiers(folder) is None

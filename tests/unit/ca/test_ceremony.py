"""An authority is made in one step, and its keys stay where and how they were meant to."""

from __future__ import annotations

import os
import stat
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hri.ca.authority import Authority
from hri.ca.ceremony import root_key_name
from hri.ca.operator import OperatorKey
from hri.errors import ConfigurationError, StorageError


def _create(home: Path, now: datetime, root_out: Path | None = None) -> Authority:
    return Authority.create(home, root_passphrase=b"r", ca_passphrase=b"c", root_out=root_out, now=now)


def test_the_home_holds_what_it_should_and_nothing_half_made(home: Path) -> None:
    assert {path.name for path in (home / "ca").iterdir()} == {
        "root.pem",
        "root.key",
        "issuing.pem",
        "issuing.key",
        "operator.pem",
        "operator.key",
    }
    assert [path.name for path in home.iterdir()] == ["ca"]


def test_only_the_owner_reads_keys(home: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home / "ca").glob("*.key")}

    assert modes == {"root.key": 0o600, "issuing.key": 0o600, "operator.key": 0o600}


@pytest.mark.parametrize("name", ["root.key", "issuing.key", "operator.key"])
def test_keys_are_encrypted_pkcs8(home: Path, name: str) -> None:
    assert (home / "ca" / name).read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")


def test_the_root_has_its_own_passphrase(home: Path) -> None:
    pem = (home / "ca" / "root.key").read_bytes()

    assert isinstance(load_pem_private_key(pem, b"root secret"), ec.EllipticCurvePrivateKey)
    with pytest.raises(ValueError, match=r"."):
        load_pem_private_key(pem, b"ca secret")


def test_root_out_keeps_the_root_key_off_the_home(tmp_path: Path, now: datetime) -> None:
    authority = _create(tmp_path / "home", now, tmp_path / "stick")

    kept = tmp_path / "stick" / root_key_name(authority.root)
    key = load_pem_private_key(kept.read_bytes(), b"r")
    assert key.public_key() == authority.root.public_key()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert not list((tmp_path / "home").rglob("root*.key"))


def test_validity_and_path_length(authority: Authority, now: datetime) -> None:
    root, issuing = authority.root, authority.issuing

    assert root.not_valid_before_utc == issuing.not_valid_before_utc == now
    assert root.not_valid_after_utc.year == now.year + 20
    assert issuing.not_valid_after_utc.year == now.year + 10
    assert root.extensions.get_extension_for_oid(root.extensions[0].oid).critical
    assert issuing.extensions[0].value.path_length == 0
    assert root.extensions[0].value.path_length is None


def test_a_second_ceremony_changes_nothing(tmp_path: Path, now: datetime) -> None:
    _create(tmp_path, now)
    before = {path: path.read_bytes() for path in (tmp_path / "ca").iterdir()}

    with pytest.raises(ConfigurationError) as refused:
        _create(tmp_path, now)

    assert refused.value.code == "ca-exists"
    assert {path: path.read_bytes() for path in (tmp_path / "ca").iterdir()} == before


@pytest.mark.parametrize("which", ["root_passphrase", "ca_passphrase"])
def test_an_empty_passphrase_is_refused_and_leaves_nothing(tmp_path: Path, now: datetime, which: str) -> None:
    words = {"root_passphrase": b"r", "ca_passphrase": b"c", which: b""}

    with pytest.raises(ConfigurationError) as refused:
        Authority.create(tmp_path / "home", now=now, **words)

    assert refused.value.code == "empty-passphrase"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("failing", range(1, 20))
def test_a_disk_that_fails_at_any_write_leaves_no_authority(
    tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    calls = 0
    real = os.fsync

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    home, stick = tmp_path / "home", tmp_path / "stick"
    error = None
    try:
        authority = _create(home, now, stick)
    except StorageError as raised:
        error = raised
    monkeypatch.setattr(os, "fsync", real)

    if error is not None:
        assert "no space left" in error.message
        assert not list(home.glob(".ca-draft-*"))
        if not (home / "ca").exists():
            assert not list(stick.glob("*"))
            _create(home, now, stick)
        authority = Authority.open(home, b"c")
    assert (error is None) == (calls < failing)
    assert [path.name for path in stick.iterdir()] == [root_key_name(authority.root)]


def test_a_wrong_passphrase_is_said_plainly(home: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Authority.open(home, b"wrong")

    assert refused.value.code == "wrong-passphrase"
    assert refused.value.exit_status == 2
    assert "wrong" not in refused.value.message.replace("wrong-passphrase", "")


def test_a_home_without_an_authority_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Authority.open(tmp_path, b"c")

    assert refused.value.code == "no-ca"
    assert "hri ca init" in refused.value.hint


@pytest.mark.parametrize("name", ["root.pem", "issuing.pem", "issuing.key"])
def test_a_missing_file_is_named(tmp_path: Path, now: datetime, name: str) -> None:
    _create(tmp_path, now)
    (tmp_path / "ca" / name).unlink()

    with pytest.raises(StorageError) as refused:
        Authority.open(tmp_path, b"c")

    assert name in refused.value.message


def test_an_issuing_key_of_another_authority_is_refused(tmp_path: Path, now: datetime, home: Path) -> None:
    _create(tmp_path, now)
    other = OperatorKey.open(home, b"ca secret")
    assert other.public_bytes
    (tmp_path / "ca" / "issuing.key").write_bytes((tmp_path / "ca" / "operator.key").read_bytes())

    with pytest.raises(ConfigurationError) as refused:
        Authority.open(tmp_path, b"c")

    assert refused.value.code == "ca-broken"


def test_certificates_of_two_authorities_do_not_pass_as_one(
    tmp_path: Path, now: datetime, home: Path
) -> None:
    _create(tmp_path, now)
    (tmp_path / "ca" / "root.pem").write_bytes((home / "ca" / "root.pem").read_bytes())

    with pytest.raises(ConfigurationError) as refused:
        Authority.open_public(tmp_path)

    assert refused.value.code == "ca-broken"


def test_the_authority_that_expired_refuses_to_issue(
    authority: Authority, now: datetime, profile, key
) -> None:
    later = now + timedelta(days=3660)

    with pytest.raises(ConfigurationError) as refused:
        authority.build(key.public_key(), "dev-1", profile, serial_number=5, now=later)

    assert refused.value.code == "ca-not-valid"


def test_what_a_killed_ceremony_left_is_cleared_away(tmp_path: Path, now: datetime) -> None:
    left_over = tmp_path / ".ca-draft-x1y2"
    left_over.mkdir()
    (left_over / "issuing.key").write_bytes(b"half")

    _create(tmp_path, now)

    assert [path.name for path in tmp_path.iterdir()] == ["ca"]

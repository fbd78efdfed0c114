"""Publishing: numbers rise, the file is whole, what was revoked is on it."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hri.ca.authority import Authority
from hri.ca.crl import FILE_NAME, Publisher, publish, published
from hri.ca.issuance import Issuer, IssueRequest
from hri.ca.profiles import Profile
from hri.errors import ConfigurationError, StorageError
from hri.registry import Registry


def _number(der: bytes) -> int:
    crl = x509.load_der_x509_crl(der)
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def test_a_revoked_certificate_is_on_the_next_list(
    authority: Authority,
    registry: Registry,
    tmp_path: Path,
    now: datetime,
    profile: Profile,
    make_csr: Callable[..., bytes],
    key: ec.EllipticCurvePrivateKey,
) -> None:
    issuer = Issuer(authority, registry, require_attestation=False)
    issued = issuer.issue(IssueRequest(make_csr(key), "dev-1", profile), now)
    before = publish(authority, registry, tmp_path, now=now)
    registry.revoke(issued.serial_number, "keyCompromise", now)

    after = publish(authority, registry, tmp_path, now=now)

    assert [len(x509.load_der_x509_crl(der)) for der in (before, after)] == [0, 1]
    assert x509.load_der_x509_crl(after).get_revoked_certificate_by_serial_number(issued.serial_number)
    assert (tmp_path / "issuing.crl").read_bytes() == after
    assert [path.name for path in tmp_path.iterdir()] == ["issuing.crl"]


def test_an_expired_certificate_leaves_the_list(
    authority: Authority,
    registry: Registry,
    tmp_path: Path,
    now: datetime,
    profile: Profile,
    make_csr: Callable[..., bytes],
    key: ec.EllipticCurvePrivateKey,
) -> None:
    issuer = Issuer(authority, registry, require_attestation=False)
    issued = issuer.issue(IssueRequest(make_csr(key), "dev-1", profile), now)
    registry.revoke(issued.serial_number, "keyCompromise", now)

    last = publish(authority, registry, tmp_path, now=issued.not_after)
    gone = publish(authority, registry, tmp_path, now=issued.not_after + timedelta(seconds=1))

    assert [len(x509.load_der_x509_crl(der)) for der in (last, gone)] == [1, 0]


def test_two_publishers_leave_the_newest_list(authority: Authority, tmp_path: Path, now: datetime) -> None:
    with Registry.open(tmp_path / "hri.db") as registry, ThreadPoolExecutor(4) as pool:
        folder = tmp_path / "crl"
        lists = list(pool.map(lambda _: publish(authority, registry, folder, now=now), range(8), timeout=60))

    assert sorted(map(_number, lists)) == list(range(1, 9))
    assert _number((folder / "issuing.crl").read_bytes()) == 8


def test_a_folder_that_cannot_be_made_is_said_plainly(
    authority: Authority, registry: Registry, tmp_path: Path, now: datetime
) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StorageError) as refused:
        publish(authority, registry, tmp_path / "file" / "crl", now=now)

    assert "cannot use" in refused.value.message


def _read(authority: Authority, registry: Registry, folder: Path, now: datetime) -> int | None:
    found = published(authority, registry, folder / FILE_NAME, now=now)
    return None if found is None else len(found)


def test_only_the_newest_list_is_handed_out(
    authority: Authority,
    registry: Registry,
    tmp_path: Path,
    now: datetime,
    profile: Profile,
    make_csr: Callable[..., bytes],
    key: ec.EllipticCurvePrivateKey,
) -> None:
    issuer = Issuer(authority, registry, require_attestation=False)
    issued = issuer.issue(IssueRequest(make_csr(key), "dev-1", profile), now)
    assert _read(authority, registry, tmp_path, now) is None
    older = publish(authority, registry, tmp_path, now=now)
    assert _read(authority, registry, tmp_path, now) == 0
    assert _read(authority, registry, tmp_path, now + timedelta(days=8)) is None
    assert _read(authority, registry, tmp_path, now - timedelta(days=1)) is None

    # A publisher killed after the revocation was committed.
    registry.revoke(issued.serial_number, "unspecified", now)
    assert _read(authority, registry, tmp_path, now) is None
    publish(authority, registry, tmp_path, now=now)
    assert _read(authority, registry, tmp_path, now) == 1

    # A compromise overrides the reason on the list.
    registry.revoke(issued.serial_number, "keyCompromise", now)
    assert _read(authority, registry, tmp_path, now) is None

    (tmp_path / FILE_NAME).write_bytes(older)
    assert _read(authority, registry, tmp_path, now) is None


def test_the_list_of_another_authority_of_the_same_name_is_not_handed_out(
    authority: Authority, registry: Registry, tmp_path: Path, now: datetime
) -> None:
    home = tmp_path / "other"
    other = Authority.create(home, root_passphrase=b"root", ca_passphrase=b"ca", now=now)
    assert other.issuing.subject == authority.issuing.subject
    publish(other, registry, tmp_path, now=now)

    assert _read(other, registry, tmp_path, now) == 0
    assert _read(authority, registry, tmp_path, now) is None


@pytest.mark.parametrize("content", [b"", b"damaged", b"\x30\x03\x02\x01\x01"])
def test_a_damaged_list_is_not_handed_out(
    authority: Authority, registry: Registry, tmp_path: Path, now: datetime, content: bytes
) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)

    assert _read(authority, registry, tmp_path, now) is None


def test_a_list_is_replaced_before_it_ends_and_not_long_before(
    authority: Authority, registry: Registry, tmp_path: Path, now: datetime
) -> None:
    publisher = Publisher(
        authority, registry, tmp_path, lifetime=timedelta(days=7), overlap=timedelta(days=2)
    )
    publisher.publish(now=now, only_due=True)

    assert publisher.publish(now=now + timedelta(days=5, seconds=-1), only_due=True) == ()
    assert publisher.publish(now=now + timedelta(days=5), only_due=True) == (FILE_NAME,)


@pytest.mark.parametrize("content", [None, b"", b"damaged"])
def test_a_file_that_is_not_its_list_is_written_again_without_a_new_number(
    authority: Authority, registry: Registry, tmp_path: Path, now: datetime, content: bytes | None
) -> None:
    der = publish(authority, registry, tmp_path, now=now)
    path = tmp_path / FILE_NAME
    path.unlink() if content is None else path.write_bytes(content)

    assert Publisher(authority, registry, tmp_path).publish(now=now, only_due=True) == (FILE_NAME,)
    assert path.read_bytes() == der


def test_a_full_disk_between_the_list_and_its_file_is_mended_by_the_next_run(
    authority: Authority, registry: Registry, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = publish(authority, registry, tmp_path, now=now)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="no space left"):
            publish(authority, registry, tmp_path, now=now)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]

    Publisher(authority, registry, tmp_path).publish(now=now, only_due=True)

    assert _number((tmp_path / FILE_NAME).read_bytes()) == 2


def test_a_clock_set_back_does_not_take_the_list_back(
    authority: Authority, registry: Registry, tmp_path: Path, now: datetime
) -> None:
    publish(authority, registry, tmp_path, now=now)
    a_little = x509.load_der_x509_crl(publish(authority, registry, tmp_path, now=now - timedelta(minutes=1)))
    with pytest.raises(ConfigurationError) as refused:
        publish(authority, registry, tmp_path, now=now - timedelta(hours=1))

    assert a_little.last_update_utc == now
    assert refused.value.code == "clock-went-back"
    assert _number((tmp_path / FILE_NAME).read_bytes()) == 2


def test_a_list_dated_ahead_can_be_replaced_by_who_says_so(
    authority: Authority, registry: Registry, tmp_path: Path, now: datetime
) -> None:
    publish(authority, registry, tmp_path, now=now + timedelta(days=300))

    Publisher(authority, registry, tmp_path).publish(now=now, clock_was_ahead=True)

    crl = x509.load_der_x509_crl((tmp_path / FILE_NAME).read_bytes())
    assert (_number(crl.public_bytes(Encoding.DER)), crl.last_update_utc) == (2, now)


def test_a_revocation_during_the_signing_is_not_lost_to_a_slower_publisher(
    authority: Authority,
    registry: Registry,
    tmp_path: Path,
    now: datetime,
    profile: Profile,
    make_csr: Callable[..., bytes],
    key: ec.EllipticCurvePrivateKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    issuer = Issuer(authority, registry, require_attestation=False)
    issued = issuer.issue(IssueRequest(make_csr(key), "dev-1", profile), now)
    signing = Authority.crl

    def overtaken(self: Authority, *entries: Any, **terms: Any) -> bytes:
        monkeypatch.setattr(Authority, "crl", signing)
        registry.revoke(issued.serial_number, "keyCompromise", now)
        publish(authority, registry, tmp_path / "other machine", now=now)
        return signing(self, *entries, **terms)

    monkeypatch.setattr(Authority, "crl", overtaken)
    slower = publish(authority, registry, tmp_path / "this machine", now=now)

    assert (_number(slower), len(x509.load_der_x509_crl(slower))) == (2, 1)


def test_numbers_go_on_from_those_of_the_first_version(
    authority: Authority, tmp_path: Path, now: datetime
) -> None:
    with Registry.open(tmp_path / "hri.db") as registry:
        with sqlite3.connect(tmp_path / "hri.db") as raw:
            raw.execute("INSERT INTO counter VALUES ('crl', 41)")

        assert _number(publish(authority, registry, tmp_path / "crl", now=now)) == 42

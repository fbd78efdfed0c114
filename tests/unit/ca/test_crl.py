"""Publishing: numbers rise, the file is whole, what was revoked is on it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hri.ca.authority import Authority
from hri.ca.crl import FILE_NAME, publish, published
from hri.ca.issuance import Issuer, IssueRequest
from hri.ca.profiles import Profile
from hri.errors import StorageError
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

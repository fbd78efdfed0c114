"""Sharded lists: a certificate points to its shard for life, and the shard is published for as long."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hri.ca.authority import Authority
from hri.ca.crl import Publisher
from hri.ca.issuance import Issuer, IssueRequest
from hri.ca.profiles import Profile
from hri.errors import ConfigurationError
from hri.registry import Device, Registry, ShardedUrl
from hri.verify.decision import ReasonCode
from hri.verify.path import verify_certificate

URL = "http://ca.test/crl/issuing-{shard}.crl"
YEAR = timedelta(days=365)


def _profile(count: int, url: str = URL) -> Profile:
    return Profile.checked("default", validity=YEAR, crl_url=url, crl_shards=count)


class Site:
    """An authority, its registry and the folder that it publishes to."""

    def __init__(
        self, authority: Authority, registry: Registry, folder: Path, make_csr: Callable[..., bytes]
    ):
        self.authority, self.registry, self.folder, self._make_csr = authority, registry, folder, make_csr
        self.publisher = Publisher(authority, registry, folder)

    def issue(self, device_id: str, profile: Profile, serial_number: int, now: datetime) -> bytes:
        self.registry.upsert_device(Device(device_id, "atecc608b", None, "provisioning", 0, now))
        issuer = Issuer(
            self.authority, self.registry, require_attestation=False, serial_numbers=lambda: serial_number
        )
        csr = self._make_csr(ec.generate_private_key(ec.SECP256R1()), device_id)
        return issuer.issue(IssueRequest(csr, device_id, profile), now).der

    def read(self, name: str) -> x509.CertificateRevocationList:
        return x509.load_der_x509_crl((self.folder / name).read_bytes())

    def names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}

    def serial_numbers(self, name: str) -> set[int]:
        return {entry.serial_number for entry in self.read(name)}


@pytest.fixture
def site(authority: Authority, registry: Registry, tmp_path: Path, make_csr: Callable[..., bytes]) -> Site:
    return Site(authority, registry, tmp_path / "crl", make_csr)


def _number(crl: x509.CertificateRevocationList) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def _point(der: bytes) -> str:
    certificate = x509.load_der_x509_certificate(der)
    (point,) = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    return str((point.full_name or [])[0].value)


def test_a_shard_is_critically_limited_to_the_certificates_that_point_to_it(
    site: Site, now: datetime
) -> None:
    leaf = site.issue("a", _profile(4), 6, now)

    site.publisher.publish(now=now)

    assert _point(leaf) == "http://ca.test/crl/issuing-2-of-4.crl"
    scope = site.read("issuing-2-of-4.crl").extensions.get_extension_for_class(x509.IssuingDistributionPoint)
    assert scope.critical
    assert [name.value for name in scope.value.full_name or ()] == [_point(leaf)]
    assert site.names() == {"issuing.crl", *(f"issuing-{number}-of-4.crl" for number in range(4))}


def test_a_revoked_certificate_is_on_its_own_shard_and_on_the_full_list_alone(
    site: Site, now: datetime
) -> None:
    site.issue("a", _profile(4), 6, now)
    site.registry.revoke(6, "keyCompromise", now)

    site.publisher.publish(now=now)

    listing = {name for name in site.names() if 6 in site.serial_numbers(name)}
    assert listing == {"issuing.crl", "issuing-2-of-4.crl"}


@pytest.mark.parametrize(
    ("shard", "codes"),
    [(2, ()), (3, (ReasonCode.REVOCATION_UNKNOWN,))],
)
def test_a_verifier_is_satisfied_by_the_certificates_own_shard_only(
    site: Site, now: datetime, shard: int, codes: tuple[ReasonCode, ...]
) -> None:
    leaf = site.issue("a", _profile(4), 6, now)
    site.publisher.publish(now=now)
    crl = (site.folder / f"issuing-{shard}-of-4.crl").read_bytes()

    decision = verify_certificate(
        leaf,
        site.authority.chain_der(),
        [site.authority.root.public_bytes(Encoding.DER)],
        at=now,
        crls=[crl],
    )

    assert decision.codes == codes


def test_a_change_of_the_number_leaves_no_earlier_certificate_without_its_list(
    site: Site, now: datetime
) -> None:
    old = site.issue("a", _profile(4), 6, now)
    new = site.issue("b", _profile(16), 7, now)
    for serial_number in (6, 7):
        site.registry.revoke(serial_number, "unspecified", now)

    site.publisher.publish(now=now)

    assert 6 in site.serial_numbers(_point(old).rpartition("/")[2])
    assert 7 in site.serial_numbers(_point(new).rpartition("/")[2])


def test_a_change_of_the_address_is_answered_by_one_list_with_both_names(site: Site, now: datetime) -> None:
    points = [
        _point(site.issue("a", _profile(2), 6, now)),
        _point(site.issue("b", _profile(2, "http://new.test/{shard}.crl"), 8, now)),
    ]

    site.publisher.publish(now=now)

    scope = site.read("issuing-0-of-2.crl").extensions.get_extension_for_class(x509.IssuingDistributionPoint)
    assert sorted(name.value for name in scope.value.full_name or ()) == sorted(points)


def test_shards_end_with_the_last_certificate_that_points_to_them(site: Site, now: datetime) -> None:
    site.issue("a", _profile(2), 6, now)
    later = now + YEAR + timedelta(days=60)

    assert site.publisher.publish(now=now) == ("issuing.crl", "issuing-0-of-2.crl", "issuing-1-of-2.crl")
    assert site.publisher.publish(now=now + YEAR - timedelta(days=1), only_due=True) == (
        "issuing.crl",
        "issuing-0-of-2.crl",
        "issuing-1-of-2.crl",
    )
    assert site.publisher.publish(now=later, only_due=True) == ("issuing.crl",)


def test_only_the_shard_of_what_was_revoked_is_signed_anew(site: Site, now: datetime) -> None:
    site.issue("a", _profile(4), 6, now)
    site.publisher.publish(now=now)
    site.registry.revoke(6, "keyCompromise", now)

    written = site.publisher.publish(now=now)

    assert written == ("issuing.crl", "issuing-2-of-4.crl")
    numbers = {name: _number(site.read(name)) for name in sorted(site.names())}
    assert numbers == {
        "issuing.crl": 2,
        "issuing-0-of-4.crl": 1,
        "issuing-1-of-4.crl": 1,
        "issuing-2-of-4.crl": 2,
        "issuing-3-of-4.crl": 1,
    }


@pytest.mark.parametrize(
    ("count", "url"),
    [
        (4, None),
        (4, "http://ca.test/issuing.crl"),
        (4, "http://ca.test/{shard}/{shard}.crl"),
        (1, URL),
        (0, URL),
        (1 << 20, URL),
    ],
)
def test_shards_that_nobody_could_find_are_refused(count: int, url: str | None) -> None:
    with pytest.raises(ConfigurationError):
        Profile.checked("default", validity=YEAR, crl_url=url, crl_shards=count)


def test_the_certificate_is_not_recorded_before_its_shard_is(
    site: Site, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Registry, "record_certificates", fail)
    with pytest.raises(KeyboardInterrupt):
        site.issue("a", _profile(2), 6, now)

    assert site.registry.shards_in_use(site.authority.key_identifier, now)


def test_the_end_of_shards_only_moves_forward(registry: Registry, now: datetime) -> None:
    known = ShardedUrl(2, URL)
    registry.keep_shards("ca", known, now + YEAR)
    registry.keep_shards("ca", known, now)

    assert registry.shards_in_use("ca", now + YEAR) == (known,)
    assert registry.shards_in_use("other", now) == ()

"""Issuing CAs are made, renewed and installed in one step, and what older ones signed stays good."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hri.ca.authority import Authority
from hri.ca.ca_certificate import CaTerms
from hri.ca.hierarchy import Hierarchy, IssuingCa
from hri.ca.keyring import Keyring, given
from hri.ca.keys import FileSigners, open_signer
from hri.ca.name_limits import NameLimits
from hri.ca.new_issuing import (
    Wanted,
    install,
    new_generation,
    request_generation,
    sign_request,
    withdraw_request,
)
from hri.ca.profiles import Profile, SanTemplate
from hri.ca.root_rekeying import rekey_root
from hri.ca.signer import KeyKind, Signer, kind_of
from hri.errors import ConfigurationError, HriError, PolicyRefusal, StorageError

POLICY = x509.ObjectIdentifier("1.3.6.1.4.1.99999.1")
KEYRING = Keyring(given({"ca": b"ca secret", "root": b"root secret"}))


@pytest.fixture
def own(home: Path, tmp_path: Path) -> Path:
    """A home of this test's own, as the version before hierarchies left it."""
    shutil.copytree(home, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def root_signer(home: Path) -> Signer:
    return open_signer(home / "ca" / "root.key", b"root secret", "root")


@pytest.fixture
def make(own: Path, root_signer: Signer, now: datetime) -> Callable[..., IssuingCa]:
    def call(name: str, **words: object) -> IssuingCa:
        wanted = Wanted(name, **words)
        return new_generation(own, wanted, keys=FileSigners(b"ca secret"), root_signer=root_signer, now=now)

    return call


def _leaf(authority: Authority, profile: Profile, now: datetime) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return x509.load_der_x509_certificate(authority.build(key, "dev-1", profile, serial_number=9, now=now))


def test_a_home_of_before_is_a_hierarchy_of_one(own: Path, authority: Authority) -> None:
    hierarchy = Hierarchy.read(own)

    assert [(ca.name, ca.generation, ca.crl_name) for ca in hierarchy.cas] == [("issuing", 1, "issuing")]
    assert hierarchy.newest("issuing").certificate == authority.issuing
    assert hierarchy.intermediates == (authority.issuing,)
    assert [root.certificate for root in hierarchy.roots] == [authority.root]


@pytest.mark.parametrize("kind", list(KeyKind))
def test_a_ca_of_every_kind_issues(make, profile: Profile, now: datetime, kind: KeyKind) -> None:
    made = make("factory-a", kind=kind)

    leaf = _leaf(made.authority(KEYRING), profile, now)

    assert kind_of(made.certificate.public_key()) is kind
    leaf.verify_directly_issued_by(made.certificate)
    made.certificate.verify_directly_issued_by(made.root.certificate)
    assert made.certificate.subject.rfc4514_string() == "CN=HRI factory-a,O=Hardware Rooted Identity"


def test_several_live_beside_each_other(make, own: Path) -> None:
    make("factory-a")
    make("factory-b")

    assert [ca.name for ca in Hierarchy.read(own).cas] == ["issuing", "factory-a", "factory-b"]


@pytest.mark.parametrize("name", ["issuing", "factory-a"])
def test_a_renewed_ca_keeps_name_and_terms_and_the_old_one_stays(
    make, own: Path, profile: Profile, now: datetime, name: str
) -> None:
    terms = CaTerms(NameLimits.parse(["dns:example.com"], []), (POLICY,))
    old = make(name, terms=terms) if name != "issuing" else Hierarchy.read(own).newest(name)
    before = _leaf(old.authority(KEYRING), profile, now)

    new = make(name)

    assert new.generation == old.generation + 1
    assert new.certificate.subject == old.certificate.subject
    assert new.certificate.public_key() != old.certificate.public_key()
    assert NameLimits.of(new.certificate) == NameLimits.of(old.certificate)
    hierarchy = Hierarchy.read(own)
    assert hierarchy.newest(name) == new
    assert {old.certificate, new.certificate} <= set(hierarchy.intermediates)
    before.verify_directly_issued_by(old.certificate)
    # Both still owe a revocation list, in files of their own, until the old one ends.
    assert {old.crl_name, new.crl_name} <= {ca.crl_name for ca in hierarchy.alive(now)}
    assert old.crl_name != new.crl_name
    assert hierarchy.alive(old.certificate.not_valid_after_utc) == ()


def test_the_terms_are_in_the_certificate(make) -> None:
    limits = NameLimits.parse(["dns:example.com", "ip:10.0.0.0/8"], ["dns:secret.example.com"])

    certificate = make("factory-a", terms=CaTerms(limits, (POLICY,))).certificate

    constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert x509.DNSName("example.com") in (constraints.value.permitted_subtrees or [])
    assert constraints.value.excluded_subtrees == [x509.DNSName("secret.example.com")]
    policies = certificate.extensions.get_extension_for_class(x509.CertificatePolicies).value
    assert [policy.policy_identifier for policy in policies] == [POLICY]
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_a_ca_does_not_issue_outside_its_names(make, now: datetime) -> None:
    limits = NameLimits.parse(["dir:O=Example,OU=Pumps", "dns:example.com"], ["dns:secret.example.com"])
    authority = make("factory-a", terms=CaTerms(limits)).authority(KEYRING)

    def profile(unit: str, host: str) -> Profile:
        subject = [("O", "Example"), ("OU", unit)]
        return Profile.checked(
            "p", validity=timedelta(days=1), subject=subject, sans=[SanTemplate("dns", host)]
        )

    assert _leaf(authority, profile("Pumps", "a.example.com"), now)
    for unit, host in (
        ("Valves", "a.example.com"),
        ("Pumps", "a.example.org"),
        ("Pumps", "badexample.com"),
        ("Pumps", "a.secret.example.com"),
    ):
        with pytest.raises(PolicyRefusal) as refused:
            _leaf(authority, profile(unit, host), now)
        assert refused.value.code == "outside-name-limits"


@pytest.mark.parametrize(
    "text", ["uri:example.com", "dns:", "dns:-x", "ip:10.0.0.1/8", "dir:", "dir:x", "x:y", ""]
)
def test_limits_that_limit_nothing_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        NameLimits.parse([text], [])

    assert refused.value.code == "bad-name-limit"


@pytest.mark.parametrize("name", ["", "A", "a/b", "..", "-a", "roots", "ca", "a.2", "x" * 32, "a\n"])
def test_names_that_could_be_something_else_are_refused(make, own: Path, name: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        make(name)

    assert refused.value.code == "bad-ca-name"
    assert len(Hierarchy.read(own).cas) == 1


def test_another_roots_key_signs_nothing(own: Path, now: datetime) -> None:
    stranger = ec.generate_private_key(ec.SECP256R1())

    with pytest.raises(ConfigurationError) as refused:
        new_generation(own, Wanted("a"), keys=FileSigners(b"x"), root_signer=stranger, now=now)

    assert refused.value.code == "bad-key"
    assert not (own / "ca" / "cas").exists()


def _round(own: Path, root_signer: Signer, now: datetime, name: str) -> x509.Certificate:
    pem = request_generation(own, Wanted(name), keys=FileSigners(b"ca secret"))
    root = Hierarchy.read(own).root.certificate
    return sign_request(pem, root, root_signer, terms=CaTerms(), validity=timedelta(days=100), now=now)


def test_a_request_is_signed_elsewhere_and_installed(
    own: Path, root_signer: Signer, profile: Profile, now: datetime
) -> None:
    certificate = _round(own, root_signer, now, "factory-a")
    assert [ca.name for ca in Hierarchy.read(own).cas] == ["issuing"]

    made = install(own, "factory-a", certificate)

    assert _leaf(made.authority(KEYRING), profile, now).issuer == certificate.subject
    assert not list((own / "ca").rglob("*.request"))


def test_a_request_outlasts_a_renewal_made_here_meanwhile(
    own: Path, make, root_signer: Signer, now: datetime
) -> None:
    certificate = _round(own, root_signer, now, "factory-a")
    assert make("factory-a").generation == 1

    made = install(own, "factory-a", certificate)

    assert (made.generation, made.certificate) == (2, certificate)
    assert not list(own.rglob("*.request"))


def test_a_request_made_again_is_the_same(own: Path) -> None:
    first = request_generation(own, Wanted("a"), keys=FileSigners(b"x"))

    assert request_generation(own, Wanted("a"), keys=FileSigners(b"y")) == first
    withdraw_request(own, "a")
    assert request_generation(own, Wanted("a"), keys=FileSigners(b"x")) != first


def test_only_the_certificate_of_the_request_is_installed(
    own: Path, root_signer: Signer, now: datetime
) -> None:
    other = _round(own, root_signer, now, "factory-b")
    mine = _round(own, root_signer, now, "factory-a")
    stranger = ec.generate_private_key(ec.SECP256R1())
    forged = (
        x509.CertificateBuilder()
        .subject_name(mine.subject)
        .issuer_name(mine.issuer)
        .public_key(mine.public_key())
        .serial_number(5)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(stranger, hashes.SHA256())
    )

    for certificate, code in ((other, "not-for-this-request"), (forged, "not-by-our-root")):
        with pytest.raises(ConfigurationError) as refused:
            install(own, "factory-a", certificate)
        assert refused.value.code == code
    assert install(own, "factory-a", mine).certificate == mine
    with pytest.raises(ConfigurationError) as again:
        install(own, "factory-a", mine)
    assert again.value.code == "no-request"


def test_a_request_decides_nothing_and_proves_its_key(home: Path, root_signer: Signer, now: datetime) -> None:
    root = Hierarchy.read(home).root.certificate
    key = ec.generate_private_key(ec.SECP384R1())

    def asked(common_name: str, extension: x509.ExtensionType | None = None) -> bytes:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
        builder = x509.CertificateSigningRequestBuilder().subject_name(name)
        builder = builder if extension is None else builder.add_extension(extension, critical=True)
        return builder.sign(key, hashes.SHA384()).public_bytes(Encoding.PEM)

    def sign(pem: bytes) -> x509.Certificate:
        return sign_request(pem, root, root_signer, terms=CaTerms(), validity=timedelta(days=9), now=now)

    made = sign(asked("x", x509.BasicConstraints(ca=True, path_length=7)))
    assert made.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    good = asked("x").decode().splitlines()
    forged = "\n".join([*good[:-2], good[-2][:8] + "AAAA" + good[-2][12:], good[-1]]).encode()
    weak = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    secp = ec.generate_private_key(ec.SECP256K1())
    for pem, codes in (
        (forged, {"csr-signature", "csr-malformed"}),
        (
            b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
            {"csr-malformed"},
        ),
        (weak.sign(key, hashes.SHA384()).public_bytes(Encoding.PEM), {"reserved-name"}),
        (weak.sign(secp, hashes.SHA256()).public_bytes(Encoding.PEM), {"csr-key-type"}),
    ):
        with pytest.raises(PolicyRefusal) as refused:
            sign(pem)
        assert refused.value.code in codes


def test_a_new_root_and_the_old_one_vouch_for_each_other(
    own: Path, root_signer: Signer, profile: Profile, now: datetime
) -> None:
    old = Hierarchy.read(own).root.certificate

    new = rekey_root(
        own,
        kind=KeyKind.P256,
        keys=FileSigners(b"root secret"),
        old_signer=root_signer,
        root_out=None,
        now=now,
    )

    assert new.certificate.subject == old.subject
    assert new.new_with_old is not None
    assert new.old_with_new is not None
    new.new_with_old.verify_directly_issued_by(old)
    new.old_with_new.verify_directly_issued_by(new.certificate)
    assert new.new_with_old.public_key() == new.certificate.public_key()
    assert new.old_with_new.public_key() == old.public_key()
    # The CA of before stays below the old root; a renewed one is below the new one, with the bridge.
    assert Hierarchy.read(own).newest("issuing").root.certificate == old
    signer = open_signer(own / "ca" / "roots" / "2" / "root.key", b"root secret", "root")
    renewed = new_generation(
        own, Wanted("issuing"), keys=FileSigners(b"ca secret"), root_signer=signer, now=now
    )
    authority = renewed.authority(KEYRING)
    assert authority.root == new.certificate
    chain = [x509.load_der_x509_certificate(der) for der in authority.chain_der()]
    assert chain == [renewed.certificate, new.new_with_old]
    _leaf(authority, profile, now).verify_directly_issued_by(renewed.certificate)


@pytest.mark.parametrize("what", ["make", "request", "install", "rekey"])
@pytest.mark.parametrize("failing", range(1, 9))
def test_a_disk_that_fails_leaves_the_hierarchy_as_it_was_or_whole(
    own: Path, root_signer: Signer, now: datetime, monkeypatch: pytest.MonkeyPatch, what: str, failing: int
) -> None:
    keys = FileSigners(b"ca secret")
    certificate = _round(own, root_signer, now, "factory-a") if what == "install" else None

    def act() -> None:
        if certificate is not None:
            install(own, "factory-a", certificate)
        elif what == "make":
            new_generation(own, Wanted("factory-a"), keys=keys, root_signer=root_signer, now=now)
        elif what == "request":
            request_generation(own, Wanted("factory-a"), keys=keys)
        else:
            rekey_root(own, kind=KeyKind.P256, keys=keys, old_signer=root_signer, root_out=None, now=now)

    calls, real = 0, os.fsync

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(28, "No space left on device")
        real(descriptor)

    before = Hierarchy.read(own)
    monkeypatch.setattr(os, "fsync", fsync)
    error: HriError | None = None
    try:
        act()
    except StorageError as raised:
        error = raised
    monkeypatch.setattr(os, "fsync", real)

    after = Hierarchy.read(own)
    assert (error is None) == (calls < failing)
    if error is not None and after == before:
        act()
        after = Hierarchy.read(own)
    for ca in after.cas:
        ca.authority(KEYRING)
    if what in ("make", "install"):
        assert [ca.name for ca in after.cas] == ["issuing", "factory-a"]
    assert not list(own.rglob(".ca-draft-*"))

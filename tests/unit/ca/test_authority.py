"""What is in a certificate and in a revocation list."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
from hri.ca.authority import Authority
from hri.ca.profiles import Profile
from hri.errors import ConfigurationError
from hri.registry import RevokedEntry

SERIAL = (1 << 158) + 1


@pytest.fixture
def certificate(
    authority: Authority, profile: Profile, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.Certificate:
    der = authority.build(key.public_key(), "dev-1", profile, serial_number=SERIAL, now=now)
    return x509.load_der_x509_certificate(der)


def test_the_issuing_authority_signed_it(certificate: x509.Certificate, authority: Authority) -> None:
    certificate.verify_directly_issued_by(authority.issuing)

    assert certificate.version is x509.Version.v3
    assert certificate.signature_algorithm_oid._name == "ecdsa-with-SHA256"
    assert certificate.serial_number == SERIAL


def test_it_names_the_device_twice(certificate: x509.Certificate) -> None:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "dev-1"
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["urn:hri:device:dev-1"]


def test_constraints_and_usage_are_critical(certificate: x509.Certificate) -> None:
    critical = {item.oid for item in certificate.extensions if item.critical}

    assert critical == {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE}
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_encipherment
    assert not usage.key_cert_sign


def test_extended_usage_is_that_of_the_profile(certificate: x509.Certificate) -> None:
    extension = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)

    assert list(extension.value) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_key_identifiers_link_it_to_its_issuer(
    certificate: x509.Certificate, authority: Authority, key: ec.EllipticCurvePrivateKey
) -> None:
    extensions = certificate.extensions
    issuer_key = authority.issuing.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value

    own = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    theirs = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert own == x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    assert theirs.key_identifier == issuer_key.digest


def test_a_revocation_url_becomes_a_distribution_point(
    authority: Authority, key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    profile = Profile.checked("p", validity=timedelta(days=1), crl_url="http://ca.example/issuing.crl")

    der = authority.build(key.public_key(), "dev-1", profile, serial_number=SERIAL, now=now)

    points = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(
        x509.CRLDistributionPoints
    )
    assert points.value[0].full_name == [x509.UniformResourceIdentifier("http://ca.example/issuing.crl")]


def test_validity_begins_a_little_earlier_for_slow_clocks(
    authority: Authority, profile: Profile, now: datetime, key: ec.EllipticCurvePrivateKey
) -> None:
    later = now + timedelta(days=10, microseconds=999_999)

    der = authority.build(key.public_key(), "dev-1", profile, serial_number=SERIAL, now=later)

    certificate = x509.load_der_x509_certificate(der)
    assert certificate.not_valid_before_utc == now + timedelta(days=10, minutes=-5)
    assert certificate.not_valid_after_utc == now + timedelta(days=375)
    assert authority.validity(profile, later) == (
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )


def test_no_certificate_is_valid_when_its_issuer_is_not(authority: Authority, now: datetime) -> None:
    century = Profile.checked("p", validity=timedelta(days=36500))

    not_before, not_after = authority.validity(century, now)

    assert not_before == authority.issuing.not_valid_before_utc
    assert not_after == authority.issuing.not_valid_after_utc


def test_without_the_key_nothing_is_signed(
    home: Path, profile: Profile, key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    public = Authority.open_public(home)

    with pytest.raises(ConfigurationError) as refused:
        public.build(key.public_key(), "dev-1", profile, serial_number=1, now=now)

    assert refused.value.code == "ca-locked"


def test_a_revocation_list_says_what_was_revoked_when_and_why(authority: Authority, now: datetime) -> None:
    entries = [
        RevokedEntry(SERIAL, now - timedelta(days=2, microseconds=5), "keyCompromise"),
        RevokedEntry(7, now, "unspecified"),
    ]

    der = authority.crl(entries, number=41, now=now, next_update=now + timedelta(days=7))

    crl = x509.load_der_x509_crl(der)
    assert crl.is_signature_valid(authority.issuing.public_key())
    assert crl.issuer == authority.issuing.subject
    assert (crl.last_update_utc, crl.next_update_utc) == (now, now + timedelta(days=7))
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 41
    identifier = crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    issuer_key = authority.issuing.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert identifier == issuer_key.digest
    first, second = crl
    assert (first.serial_number, second.serial_number) == (SERIAL, 7)
    assert first.revocation_date_utc == now - timedelta(days=2, seconds=1)
    assert first.extensions.get_extension_for_class(x509.CRLReason).value.reason.value == "keyCompromise"
    # RFC 5280 section 5.3.1: unspecified is left out.
    assert len(second.extensions) == 0


def test_chain_and_root_are_exported_apart(authority: Authority) -> None:
    chain = x509.load_pem_x509_certificates(authority.chain_pem())

    assert chain == [authority.issuing, authority.root]
    assert x509.load_pem_x509_certificates(authority.root_pem()) == [authority.root]
    assert authority.chain_der() == (authority.issuing.public_bytes(Encoding.DER),)


def _bare_files(folder: Path, now: datetime, *, ca: bool) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "my own CA")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(*[False] * 5, True, True, False, False), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "k.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    (folder / "c.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    return folder / "k.pem", folder / "c.pem"


def test_a_self_signed_authority_of_two_files_can_issue(
    tmp_path: Path, profile: Profile, key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    authority = Authority.from_files(*_bare_files(tmp_path, now, ca=True))

    der = authority.build(key.public_key(), "dev-1", profile, serial_number=9, now=now)

    x509.load_der_x509_certificate(der).verify_directly_issued_by(authority.root)
    assert authority.chain_der() == ()
    assert authority.chain_pem() == authority.root_pem()


def test_a_certificate_that_is_no_authority_cannot_issue(tmp_path: Path, now: datetime) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Authority.from_files(*_bare_files(tmp_path, now, ca=False))

    assert refused.value.code == "ca-broken"


def test_a_plain_key_with_a_passphrase_is_a_mistake(tmp_path: Path, now: datetime) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Authority.from_files(*_bare_files(tmp_path, now, ca=True), passphrase=b"x")

    assert refused.value.code == "wrong-passphrase"

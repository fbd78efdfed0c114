"""Profiles for a purpose say what their standards want, and refuse what no certificate should say."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from hri.ca.authority import Authority
from hri.ca.hardware_name import hardware_module_name
from hri.ca.issuance import Issuer, IssueRequest
from hri.ca.keys import open_key
from hri.ca.profiles import Profile
from hri.config import Config, load
from hri.errors import ConfigurationError, PolicyRefusal
from hri.registry import Device, Registry

DOCUMENT = """
identity:
  certificate_authority: {crl_url: "http://ca.example/issuing.crl"}
  profiles:
    idevid: {type: idevid, hardware_type: 1.3.6.1.4.1.99999.2, subject: {O: Example}}
    ldevid: {type: ldevid, policies: [1.3.6.1.4.1.99999.1], validity_days: 9999}
    client: {type: tls-client}
    server:
      type: tls-server
      validity_days: 90
      subject_alt_names: [{type: dns, value: "{device_id}.example.com"}]
      ocsp_url: http://ca.example/ocsp
      ca_issuers_url: http://ca.example/issuing.cer
      crl_url: http://ca.example/server.crl
    attestation: {type: attestation-key}
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return _config(tmp_path, DOCUMENT)


def _config(folder: Path, text: str) -> Config:
    path = folder / "config.yaml"
    path.write_text(text)
    return load(path, {})


def _leaf(authority: Authority, profile: Profile, now: datetime) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    der = authority.build(key, "dev-1", profile, serial_number=9, now=now, element_serial=b"\x01\x23\xab")
    return x509.load_der_x509_certificate(der)


def _extension(leaf: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.ExtensionType:
    return leaf.extensions.get_extension_for_class(kind).value


def test_an_idevid_has_no_end_and_names_its_device_and_chip(
    authority: Authority, config: Config, now: datetime
) -> None:
    leaf = _leaf(authority, config.profile("idevid"), now)

    assert leaf.not_valid_after_utc.isoformat() == "9999-12-31T23:59:59+00:00"
    assert leaf.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)[0].value == "dev-1"
    (name,) = _extension(leaf, x509.SubjectAlternativeName).get_values_for_type(x509.OtherName)
    assert name.type_id.dotted_string == "1.3.6.1.5.5.7.8.4"
    assert name.value.hex() == "30100609" + "2b06010401868d1f02" + "0403" + "0123ab"


def test_the_others_say_what_they_are_for(authority: Authority, config: Config, now: datetime) -> None:
    usages = {
        name: [
            usage.dotted_string
            for usage in _extension(_leaf(authority, config.profile(name), now), x509.ExtendedKeyUsage)
        ]
        for name in ("idevid", "ldevid", "client", "server", "attestation")
    }

    client, server = "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"
    assert usages == {
        "idevid": [client],
        "ldevid": [client],
        "client": [client],
        "server": [server],
        "attestation": ["2.23.133.8.3"],
    }


def test_addresses_and_policies_are_the_profiles_own(
    authority: Authority, config: Config, now: datetime
) -> None:
    server, ldevid = (_leaf(authority, config.profile(name), now) for name in ("server", "ldevid"))

    access = {
        item.access_method: item.access_location.value
        for item in _extension(server, x509.AuthorityInformationAccess)
    }
    assert access == {
        AuthorityInformationAccessOID.OCSP: "http://ca.example/ocsp",
        AuthorityInformationAccessOID.CA_ISSUERS: "http://ca.example/issuing.cer",
    }
    points = [_extension(leaf, x509.CRLDistributionPoints)[0].full_name[0].value for leaf in (server, ldevid)]
    assert points == ["http://ca.example/server.crl", "http://ca.example/issuing.crl"]
    policies = [item.policy_identifier.dotted_string for item in _extension(ldevid, x509.CertificatePolicies)]
    assert policies == ["1.3.6.1.4.1.99999.1"]


def test_what_rotates_is_cut(config: Config) -> None:
    assert config.profile("ldevid").validity == timedelta(days=365)
    assert config.profile("server").validity == timedelta(days=90)


@pytest.mark.parametrize(
    ("profile", "word"),
    [
        ("{type: router}", "is not one of"),
        ("{}", "profiles.p.type"),
        ("{type: tls-server}", "no dns or ip name"),
        ("{type: ldevid, policies: [one]}", "no OID"),
        ("{type: idevid, hardware_type: 9.9.1}", "no OID"),
        ("{type: ldevid, ocsp_url: 'ftp://x'}", "ocsp_url"),
        ("{type: ldevid, key_usage: [key_cert_sign]}", "certification authority of the device"),
        ("{type: attestation-key, extended_key_usage: [attestation_key, client_auth]}", "stands alone"),
        ("{type: tls-server, subject_alt_names: [{type: dns, value: LocalHost.}]}", "own name"),
        ("{type: tls-server, subject_alt_names: [{type: ip, value: 127.0.0.1}]}", "own name"),
        ("{type: ldevid, basic_constraints: true}", "is not a key that exists"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused_when_read(tmp_path: Path, profile: str, word: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        _config(tmp_path, f"identity: {{profiles: {{p: {profile}}}}}")

    assert word in refused.value.message


@pytest.mark.parametrize("name", ["default", "A", "a b", ""])
def test_a_profile_has_a_name_of_its_own(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError):
        _config(tmp_path, f"identity: {{profiles: {{'{name}': {{type: ldevid}}}}}}")


def test_a_name_that_all_devices_share_is_warned_about(tmp_path: Path) -> None:
    config = _config(
        tmp_path,
        "identity: {profiles: {p: {type: tls-server, subject_alt_names: [{type: dns, value: a.example}]}}}",
    )

    assert any(one.startswith("profiles.p.subject_alt_names: every device") for one in config.warnings)


def test_an_unknown_profile_names_those_there_are(config: Config) -> None:
    with pytest.raises(ConfigurationError) as refused:
        config.profile("router")

    assert "default, idevid, ldevid" in refused.value.hint


@pytest.mark.parametrize(
    "arcs", ["0.0", "1.39.0", "2.5.29.32", "2.999.3", "1.2.840.113549", "2.47.16383.16384"]
)
def test_object_identifiers_are_encoded_as_the_library_encodes_them(arcs: str) -> None:
    identifier = x509.ObjectIdentifier(arcs)
    # The library shows its own encoding where an OID is a value: in a certificate policy.
    der = x509.CertificatePolicies([x509.PolicyInformation(identifier, None)]).public_bytes()

    assert der[4:] in hardware_module_name(identifier, b"\x01").value
    assert hardware_module_name(identifier, bytes(64)).value[:2] == b"\x30" + bytes((4 + len(der[6:]) + 64,))


def _issue(issuer: Issuer, csr: bytes, now: datetime, profile: Profile, device_id: str = "dev-1") -> None:
    issuer.issue(IssueRequest(csr, device_id, profile, unattested="a test"), now)


def test_a_device_without_a_chip_gets_no_certificate_that_names_one(
    authority: Authority, registry: Registry, config: Config, make_csr, key, now: datetime
) -> None:
    registry.upsert_devices([Device("soft", "none", None, "provisioning", 0, now)])

    with pytest.raises(PolicyRefusal) as refused:
        _issue(Issuer(authority, registry), make_csr(key, "soft"), now, config.profile("idevid"), "soft")

    assert refused.value.code == "no-hardware-serial"


@pytest.mark.parametrize("scalar", [1, 2, 256])
@pytest.mark.parametrize("negative", [False, True])
def test_a_key_that_anybody_would_guess_is_refused(
    authority: Authority,
    registry: Registry,
    profile: Profile,
    make_csr,
    now: datetime,
    scalar: int,
    negative: bool,
) -> None:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    key = ec.derive_private_key(order - scalar if negative else scalar, ec.SECP256R1())

    with pytest.raises(PolicyRefusal) as refused:
        _issue(Issuer(authority, registry), make_csr(key), now, profile)

    assert refused.value.code == "csr-weak-key"


@pytest.mark.parametrize("name", ["factory-a", "FACTORY-A"])
def test_names_of_cas_are_no_devices(
    authority: Authority, registry: Registry, profile: Profile, make_csr, key, now: datetime, name: str
) -> None:
    issuer = Issuer(authority, registry, reserved=frozenset({"factory-a"}))

    with pytest.raises(PolicyRefusal) as refused:
        _issue(issuer, make_csr(key, name), now, profile, name)

    assert refused.value.code == "reserved-name"


def test_the_key_of_a_ca_is_no_devices(
    home: Path, authority: Authority, registry: Registry, profile: Profile, make_csr, now: datetime
) -> None:
    key = open_key(home / "ca" / "issuing.key", b"ca secret", "issuing CA")
    assert key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    with pytest.raises(PolicyRefusal) as refused:
        _issue(Issuer(authority, registry), make_csr(key), now, profile)

    assert refused.value.code == "csr-key-of-ca"


def test_one_key_is_not_two_devices(
    authority: Authority, registry: Registry, profile: Profile, make_csr, key, now: datetime
) -> None:
    issuer = Issuer(authority, registry)
    _issue(issuer, make_csr(key), now, profile)

    with pytest.raises(PolicyRefusal) as refused:
        _issue(issuer, make_csr(key, "dev-2"), now, profile, "dev-2")

    assert refused.value.code == "csr-key-known"
    assert registry.certificates("dev-2") == ()


def test_one_key_is_not_two_devices_in_one_batch_either(
    authority: Authority, registry: Registry, profile: Profile, make_csr, key, now: datetime
) -> None:
    wanted = [IssueRequest(make_csr(key, name), name, profile, unattested="x") for name in ("dev-1", "dev-2")]

    first, second = Issuer(authority, registry).issue_many(wanted, now)

    assert first.device_id == "dev-1"
    assert second.code == "csr-key-known"


def test_a_known_key_holds_up_nobody_else(
    authority: Authority, registry: Registry, profile: Profile, make_csr, key, now: datetime
) -> None:
    issuer, other = Issuer(authority, registry), ec.generate_private_key(ec.SECP256R1())
    _issue(issuer, make_csr(key), now, profile)
    registry.upsert_devices([Device("dev-3", "none", None, "provisioning", 0, now)])
    wanted = [
        IssueRequest(make_csr(key, "dev-2"), "dev-2", profile, unattested="x"),
        IssueRequest(make_csr(other, "dev-3"), "dev-3", profile, unattested="x"),
    ]

    refused, issued = issuer.issue_many(wanted, now)

    assert refused.code == "csr-key-known"
    assert registry.certificate(issued.serial_number) is not None

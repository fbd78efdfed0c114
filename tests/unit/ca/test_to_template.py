"""Issuing to a template: what is released comes back from 72 bytes, and nothing else is released."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hri.ca.authority import Authority
from hri.ca.issuance import Issuer, IssueRequest
from hri.ca.profiles import Profile
from hri.ca.to_template import issue_to_template, with_issuer
from hri.compressed import CompressedCertificate, CompressedError, Sources, Validity, load_template, rebuild
from hri.compressed.template import parse_template
from hri.errors import ConfigurationError, PolicyRefusal
from hri.registry import Device
from hri.verify.path import verify_certificate

SERIAL = bytes.fromhex("0123aabbccddee01ee")


@pytest.fixture(scope="module")
def to_key():
    return Profile.to_template("default", load_template("hri-device"), years=1)


@pytest.fixture(scope="module")
def to_element():
    return Profile.to_template("default", load_template("hri-element"), years=1)


@pytest.fixture
def device_key():
    return ec.generate_private_key(ec.SECP256R1())


def point(key):
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


def derived(key):
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


def test_what_is_issued_comes_back_from_its_72_bytes(authority, to_key, device_key, now):
    made = authority.build_to_template(
        device_key.public_key(), derived(device_key), to_key, now=now, element_serial=None
    )
    template = load_template("hri-device")
    sources = with_issuer(template, Sources(point(device_key)), authority.issuing)
    assert len(made.compressed) == 72
    assert rebuild(template, made.compressed, sources) == made.der
    assert CompressedCertificate.from_bytes(made.compressed).signer_id == authority.signer_id


def test_it_is_a_certificate_that_the_verifier_accepts(authority, to_key, device_key, now):
    made = authority.build_to_template(
        device_key.public_key(), derived(device_key), to_key, now=now, element_serial=None
    )
    root = authority.root.public_bytes(Encoding.DER)
    decision = verify_certificate(made.der, authority.chain_der(), [root], at=now + timedelta(days=1))
    assert [reason.code for reason in decision.reasons] == ["revocation-unknown"]
    assert decision.device_id == derived(device_key)


def test_it_begins_with_a_whole_hour_and_ends_years_later(authority, to_key, device_key, now):
    made = authority.build_to_template(
        device_key.public_key(),
        derived(device_key),
        to_key,
        now=now + timedelta(days=1),
        element_serial=None,
    )
    # 03:02:01 less five minutes is in the hour before.
    assert made.not_before == now.replace(day=5, hour=2, minute=0, second=0)
    assert made.not_after == made.not_before.replace(year=2027)


def test_a_device_id_that_the_template_does_not_give_is_refused(authority, to_key, device_key, now):
    with pytest.raises(PolicyRefusal) as refused:
        authority.build_to_template(device_key.public_key(), "dev-1", to_key, now=now, element_serial=None)
    assert refused.value.code == "device-id-not-to-template"


def test_named_by_the_chip_the_certificate_needs_its_serial_number(authority, to_element, device_key, now):
    with pytest.raises(CompressedError, match="needs the chip's serial number"):
        authority.build_to_template(
            device_key.public_key(), SERIAL.hex(), to_element, now=now, element_serial=None
        )


def test_one_that_outlives_the_authority_is_refused(authority, device_key, now):
    long = Profile.to_template("default", load_template("hri-device"), years=11)
    with pytest.raises(ConfigurationError) as refused:
        authority.build_to_template(
            device_key.public_key(), derived(device_key), long, now=now, element_serial=None
        )
    assert refused.value.code == "outlives-authority"


def test_without_an_end_it_says_so(authority, device_key, now):
    endless = Profile.to_template("default", load_template("hri-device"), years=0)
    made = authority.build_to_template(
        device_key.public_key(), derived(device_key), endless, now=now, element_serial=None
    )
    assert made.not_after.isoformat() == "2049-12-31T23:59:59+00:00"


@pytest.mark.parametrize("name", ["tngtls-device", "tflxtls-device", "hri-signer"])
def test_no_device_certificate_is_issued_to_a_template_of_somebody_elses(name):
    with pytest.raises(ConfigurationError, match="not one for certificates of devices"):
        Profile.to_template("default", load_template(name), years=1)


def test_a_reading_template_cannot_be_signed_to(authority, device_key):
    with pytest.raises(ConfigurationError) as refused:
        issue_to_template(
            load_template("tngtls-signer"),
            issuer=authority.issuing,
            key=device_key,
            sources=Sources(point(device_key)),
            validity=Validity(authority.issuing.not_valid_before_utc.replace(minute=0, second=0), 1),
            signer_id=b"\0\0",
        )
    assert refused.value.code == "template-not-issuable"


def test_a_key_that_is_not_the_issuers_is_noticed_before_anything_is_released(authority, device_key, now):
    with pytest.raises(CompressedError) as refused:
        issue_to_template(
            load_template("hri-device"),
            issuer=authority.issuing,
            key=device_key,
            sources=Sources(point(device_key)),
            validity=Validity(now.replace(minute=0, second=0), 1),
            signer_id=b"\0\0",
        )
    assert refused.value.code == "template-unusable"


WRONG_DER = """
name: wrong
version: 1
source: A
issuable: true
template_id: 5
chain_id: 15
serial_number: {source: key-hash}
issuer: authority
subject: [{CN: "{key_sha256}"}]
not_before: utc
not_after: generalized
validity_years: 1
extensions: [authority_key_identifier]
"""


def test_two_encoders_that_disagree_release_nothing(home, device_key, now):
    # GeneralizedTime before 2050: RFC 5280 forbids it, so the library writes UTCTime.
    authority = Authority.open(home, b"ca secret")
    with pytest.raises(CompressedError, match=r"not to the template wrong: what differs is \d+ octets"):
        issue_to_template(
            parse_template(WRONG_DER.encode(), "wrong"),
            issuer=authority.issuing,
            key=authority._signing_key(),
            sources=Sources(point(device_key)),
            validity=Validity(now.replace(minute=0, second=0), 1),
            signer_id=b"\0\0",
        )


def request(key, device_id, profile, make_csr, **more):
    return IssueRequest(make_csr(key, device_id), device_id, profile, unattested="test", **more)


def test_a_profile_to_a_template_is_not_issued_past_it(authority, to_key, device_key, now):
    with pytest.raises(ConfigurationError) as refused:
        authority.build(device_key.public_key(), derived(device_key), to_key, serial_number=1, now=now)
    assert refused.value.code == "template-profile"


def test_the_registry_has_it_before_it_is_released(authority, registry, to_key, device_key, make_csr, now):
    name = derived(device_key)
    registry.upsert_device(Device(name, "atecc608b", SERIAL.hex(), "provisioning", 0, now))
    issued = Issuer(authority, registry).issue(request(device_key, name, to_key, make_csr), now)
    recorded = registry.certificate(issued.serial_number)
    assert recorded is not None
    assert recorded.der == issued.der
    assert x509.load_der_x509_certificate(issued.der).not_valid_after_utc == recorded.not_after


def test_the_chips_serial_number_comes_from_the_registry(
    authority, registry, to_element, device_key, make_csr, now
):
    name = SERIAL.hex()
    registry.upsert_device(Device(name, "atecc608b", name, "provisioning", 0, now))
    issued = Issuer(authority, registry).issue(request(device_key, name, to_element, make_csr), now)
    assert issued.device_id == name


def test_a_second_one_in_the_same_hour_would_be_the_same_and_is_refused(
    authority, registry, to_key, device_key, make_csr, now
):
    name = derived(device_key)
    registry.upsert_device(Device(name, "atecc608b", SERIAL.hex(), "provisioning", 0, now))
    issuer = Issuer(authority, registry)
    first = issuer.issue(request(device_key, name, to_key, make_csr), now)
    registry.activate(first.serial_number, now=now)
    again = request(device_key, name, to_key, make_csr, replaces=first.serial_number)
    with pytest.raises(PolicyRefusal) as refused:
        issuer.issue(again, now + timedelta(minutes=1))
    assert refused.value.code == "same-certificate"
    assert issuer.issue(again, now + timedelta(hours=2)).serial_number != first.serial_number


def test_an_issuer_with_another_key_identifier_is_refused(device_key, now):
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "other")])
    other = (
        x509.CertificateBuilder(name, name, device_key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier(b"\x01" * 20), critical=False)
        .sign(device_key, hashes.SHA256())
    )
    with pytest.raises(ConfigurationError, match="not the SHA-1 of its key"):
        with_issuer(load_template("hri-device"), Sources(point(device_key)), other)


def test_a_signer_to_its_template_can_itself_be_an_authority(authority, device_key, now):
    template = replace(load_template("hri-signer"), validity_years=5)
    # Any authority will do as the one above.
    made = issue_to_template(
        template,
        issuer=authority.issuing,
        key=authority._signing_key(),
        sources=Sources(point(device_key)),
        validity=Validity(now.replace(minute=0, second=0), 5),
        signer_id=b"\xab\xcd",
    )
    certificate = x509.load_der_x509_certificate(made.der)
    assert certificate.subject.rfc4514_string() == "CN=HRI issuing ABCD,O=Hardware Rooted Identity"
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0

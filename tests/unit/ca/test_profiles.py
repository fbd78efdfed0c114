"""A profile is checked when it is made, and says what it dropped."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hri.ca.device_id import RESERVED, check_device_id
from hri.ca.profiles import Profile, SanTemplate
from hri.errors import ConfigurationError, PolicyRefusal

YEAR = timedelta(days=365)


def test_key_encipherment_is_dropped_with_a_warning() -> None:
    profile = Profile.checked("p", validity=YEAR, key_usage=["digital_signature", "key_encipherment"])

    assert profile.key_usage == {"digital_signature"}
    assert len(profile.warnings) == 1
    assert "RFC 8813" in profile.warnings[0]


def test_a_plain_profile_has_no_warnings() -> None:
    assert Profile.checked("p", validity=YEAR).warnings == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"key_usage": ["key_cert_sign", "digital_signature"]}, "certification authority"),
        ({"key_usage": ["digital_singature"]}, "unknown"),
        ({"key_usage": ["key_encipherment"]}, "lacks digital_signature"),
        ({"key_usage": ["digital_signature", "encipher_only"]}, "key_agreement"),
        ({"extended_key_usage": []}, "empty"),
        ({"extended_key_usage": ["ocsp_signing"]}, "ocsp_signing"),
        ({"subject": [("C", "usa")]}, "1 to 2"),
        ({"subject": [("C", "us")]}, "capital"),
        ({"subject": [("O", " ")]}, "O has 1 to 64"),
        ({"subject": [("O", "x" * 65)]}, "O has 1 to 64"),
        ({"subject": [("CN", "device")]}, "'CN' is unknown"),
        ({"subject": [("O", "a\nb")]}, "printable"),
        ({"sans": [SanTemplate("x400", "a")]}, "x400"),
        ({"sans": [SanTemplate("dns", "-a.example")]}, "not a valid dns"),
        ({"sans": [SanTemplate("ip", "10.0.0")]}, "not a valid ip"),
        ({"sans": [SanTemplate("uri", "no scheme")]}, "not a valid uri"),
        ({"sans": [SanTemplate("email", "nobody")]}, "not a valid email"),
        ({"validity": timedelta(seconds=59)}, "shorter"),
        ({"crl_url": "nowhere"}, "not a URL"),
    ],
)
def test_what_no_certificate_can_have_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Profile.checked("p", **{"validity": YEAR, **change})

    assert says in refused.value.message


@pytest.mark.parametrize(
    ("template", "device_id", "name"),
    [
        (SanTemplate("dns", "{device_id}.example.com"), "dev-1", x509.DNSName("dev-1.example.com")),
        (SanTemplate("dns", "*.{device_id}.example"), "a", x509.DNSName("*.a.example")),
        (SanTemplate("uri", "https://x/{device_id}"), "a", x509.UniformResourceIdentifier("https://x/a")),
        (SanTemplate("email", "{device_id}@x.org"), "a", x509.RFC822Name("a@x.org")),
    ],
)
def test_templates_name_the_device(template: SanTemplate, device_id: str, name: x509.GeneralName) -> None:
    assert template.general_name(device_id) == name


@pytest.mark.parametrize("device_id", ["a_b", "a:b", "x" * 64])
def test_a_device_id_that_breaks_a_dns_name_is_refused(device_id: str) -> None:
    with pytest.raises(PolicyRefusal) as refused:
        SanTemplate("dns", "{device_id}.example.com").general_name(device_id)

    assert refused.value.code == "bad-subject-alt-name"


def test_the_same_name_for_every_device_is_warned_about() -> None:
    profile = Profile.checked("p", validity=YEAR, sans=[SanTemplate("dns", "device.example.com")])

    assert "every device gets the same name 'device.example.com'" in profile.warnings[0]


def test_a_template_that_no_derived_id_fits_is_warned_about() -> None:
    profile = Profile.checked("p", validity=YEAR, sans=[SanTemplate("dns", "{device_id}.example.com")])

    assert "too long for a derived device id" in profile.warnings[0]


def test_the_common_name_comes_last_and_is_the_device_id() -> None:
    profile = Profile.checked("p", validity=YEAR, subject=[("C", "US"), ("O", "Example Corp")])

    name = profile.subject_name("dev-1")

    assert name.rfc4514_string() == "CN=dev-1,O=Example Corp,C=US"
    assert [item.oid for item in name] == [
        NameOID.COUNTRY_NAME,
        NameOID.ORGANIZATION_NAME,
        NameOID.COMMON_NAME,
    ]


def test_the_urn_is_always_the_first_alternative_name() -> None:
    profile = Profile.checked("p", validity=YEAR, sans=[SanTemplate("ip", "10.1.2.3")])

    names = list(profile.alternative_names("dev-1"))

    assert names[0] == x509.UniformResourceIdentifier("urn:hri:device:dev-1")
    assert names[1].value.compressed == "10.1.2.3"


@pytest.mark.parametrize("good", ["a", "0" * 64, "A.b_c:d-e", "_x", ":1", "device-001"])
def test_device_ids_that_are_fine(good: str) -> None:
    assert check_device_id(good) == good


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "0" * 65,
        ".hidden",
        "..",
        "-x",
        "a b",
        "a/b",
        "a\n",
        "ä",
        "a\x00",
        "${X}",
        *sorted(RESERVED),
        "Root",
    ],
)
def test_device_ids_that_are_refused(bad: str) -> None:
    with pytest.raises(ConfigurationError):
        check_device_id(bad)

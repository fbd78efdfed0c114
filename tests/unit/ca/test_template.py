"""Every byte that the template makes is the byte that the certificate builder of `cryptography` makes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hri.ca.profiles import Profile, SanTemplate
from hri.ca.template import CertificateTemplate, encoded_validity, signed
from hypothesis import given, settings
from hypothesis import strategies as st

KEY = ec.derive_private_key(0xC0FFEE, ec.SECP256R1())
ISSUER = x509.Name.from_rfc4514_string("CN=HRI issuing,O=Ex\u00e4mple Corp")
FIXED: list[tuple[bool, x509.ExtensionType]] = [
    (True, x509.BasicConstraints(ca=False, path_length=None)),
    (False, x509.AuthorityKeyIdentifier(b"\x07" * 20, None, None)),
]

seconds = st.datetimes(datetime(1971, 1, 1), datetime(2120, 1, 1)).map(  # noqa: DTZ001 - the zone follows
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
device_ids = st.from_regex(r"[A-Za-z0-9_:][A-Za-z0-9._:-]{0,63}", fullmatch=True)
attributes = st.sampled_from(
    [(), (("C", "US"), ("O", "Example Corp")), (("ST", "\u00d6sterreich" * 10), ("OU", "x" * 64))]
)
templates = st.lists(st.sampled_from(["https://x.example/{device_id}", "urn:x:" + "y" * 120]), max_size=4)


def _ours(
    fixed: list[tuple[bool, x509.ExtensionType]],
    profile: Profile,
    name: str,
    serial: int,
    times: list[datetime],
) -> bytes:
    point = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    return CertificateTemplate(ISSUER, fixed).to_be_signed(
        serial_number=serial,
        validity=encoded_validity(*times),
        subject=profile.subject_name(name),
        point=point,
        names=profile.alternative_names(name),
    )


def _theirs(
    fixed: list[tuple[bool, x509.ExtensionType]],
    profile: Profile,
    name: str,
    serial: int,
    times: list[datetime],
) -> x509.Certificate:
    builder = x509.CertificateBuilder(ISSUER, profile.subject_name(name), KEY.public_key(), serial)
    builder = builder.not_valid_before(times[0]).not_valid_after(times[1])
    for critical, value in fixed:
        builder = builder.add_extension(value, critical)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(KEY.public_key()), False)
    builder = builder.add_extension(profile.alternative_names(name), False)
    return builder.sign(KEY, hashes.SHA256())


@settings(max_examples=200)
@given(
    name=device_ids,
    serial=st.integers(1, (1 << 159) - 1),
    times=st.lists(seconds, min_size=2, max_size=2).map(sorted),
    subject=attributes,
    sans=templates,
)
def test_any_certificate_is_byte_for_byte_the_builders(
    name: str, serial: int, times: list[datetime], subject: tuple[tuple[str, str], ...], sans: list[str]
) -> None:
    profile = Profile.checked(
        "p",
        validity=timedelta(days=1),
        subject=subject,
        sans=[SanTemplate("uri", value) for value in dict.fromkeys(sans)],
    )

    assert (
        _ours(FIXED, profile, name, serial, times)
        == _theirs(FIXED, profile, name, serial, times).tbs_certificate_bytes
    )


@pytest.mark.parametrize("serial", [1, 0x7F, 0x80, 0xFF, 0x100, 1 << 151, (1 << 152) - 1, (1 << 159) - 1])
@pytest.mark.parametrize("year", [2049, 2050])
def test_edges_of_the_encoding(serial: int, year: int) -> None:
    profile = Profile.checked("p", validity=timedelta(days=1))
    times = [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)]

    expected = _theirs(FIXED, profile, "dev-1", serial, times)

    assert _ours(FIXED, profile, "dev-1", serial, times) == expected.tbs_certificate_bytes


@pytest.mark.parametrize("length", [0, 40, 41, 42, 90, 91, 92, 93, 150, 300, 40_000])
def test_lengths_of_every_form(length: int) -> None:
    url = x509.UniformResourceIdentifier("http://" + "a" * length)
    value = x509.CRLDistributionPoints([x509.DistributionPoint([url], None, None, None)])
    fixed = [*FIXED, (False, value)]
    profile = Profile.checked("p", validity=timedelta(days=1))
    times = [datetime(2026, 1, 2, tzinfo=UTC), datetime(2027, 1, 2, tzinfo=UTC)]

    expected = _theirs(fixed, profile, "dev-1", 5, times)

    assert _ours(fixed, profile, "dev-1", 5, times) == expected.tbs_certificate_bytes


def test_a_signature_is_wrapped_as_the_builder_does() -> None:
    profile = Profile.checked("p", validity=timedelta(days=1))
    times = [datetime(2026, 1, 2, tzinfo=UTC), datetime(2027, 1, 2, tzinfo=UTC)]
    theirs = _theirs(FIXED, profile, "dev-1", 5, times)

    assert signed(theirs.tbs_certificate_bytes, theirs.signature) == theirs.public_bytes(Encoding.DER)


def test_what_is_too_long_is_an_error_and_not_a_wrong_length() -> None:
    with pytest.raises(OverflowError):
        signed(bytes(1 << 16), b"")

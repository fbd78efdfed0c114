"""Over all dates and keys: what can be compressed comes back, and the rest is refused."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hri.compressed import (
    CompressedCertificate,
    CompressedError,
    SerialSource,
    Sources,
    Validity,
    compress,
    load_template,
    rebuild,
)
from hri.compressed.conversion import rebuild_tbs
from hri.compressed.template import parse_template
from hypothesis import example, given
from hypothesis import strategies as st
from unit.compressed.vectors import CASES
from unit.compressed.vectors import sources as vector_sources

AUTHORITY = ec.derive_private_key(7, ec.SECP256R1())
ISSUER = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "Test issuing")]).public_bytes()
SERIAL = bytes.fromhex("0123aabbccddee01ee")
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

hours = st.integers(0, 128 * 8766 - 1).map(lambda n: _EARLIEST + timedelta(hours=n))
keys = st.integers(1, 2**200).map(lambda n: ec.derive_private_key(n, ec.SECP256R1()))
templates = st.sampled_from(["tflxtls-device", "tngtls-device", "tngtls-device-2", "tngtls-signer"])
formats = st.sampled_from([0, 1, 2])


def point(key):
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


def sources(key):
    return Sources(point(key), point(AUTHORITY), None, ISSUER, SERIAL, b"001122AABBCC")


def representable(start, years, version):
    if start.year > (2031 if version == 0 else 2127) or years > (31 if version == 0 else 127):
        return False
    if start.year > 2049:
        return False  # All of these templates write notBefore as UTCTime.
    return not (years and start.month == 2 and start.day == 29 and _not_leap(start.year + years))


def _not_leap(year):
    return bool(year % 4) or (year % 100 == 0 and year % 400 != 0)


@given(key=keys, start=hours, years=st.integers(0, 140), name=templates, version=formats)
def test_what_the_format_holds_comes_back(key, start, years, name, version):
    template = load_template(name)
    unsigned = b"\x01" * 64

    def compressed(signature):
        return CompressedCertificate(
            signature,
            Validity(start, years),
            b"\xab\xcd",
            template.template_id,
            template.chain_id,
            template.serial_source,
            version,
        )

    if not representable(start, years, version):
        with pytest.raises(CompressedError) as refused:
            rebuild_tbs(template, compressed(unsigned), sources(key))
        assert refused.value.code == "date-not-representable"
        return
    tbs = rebuild_tbs(template, compressed(unsigned), sources(key))
    r, s = decode_dss_signature(AUTHORITY.sign(tbs, ec.ECDSA(hashes.SHA256())))
    data = compressed(r.to_bytes(32, "big") + s.to_bytes(32, "big")).to_bytes()

    der = rebuild(template, data, sources(key))

    read = x509.load_der_x509_certificate(der)
    AUTHORITY.public_key().verify(read.signature, read.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
    assert read.not_valid_before_utc == start
    assert compress(template, der, sources(key), signer_id=b"\xab\xcd", format_version=version) == data
    assert CompressedCertificate.from_bytes(data).to_bytes() == data


@given(st.binary(min_size=72, max_size=72))
def test_any_bytes_are_read_to_the_last_bit_or_refused(data):
    try:
        read = CompressedCertificate.from_bytes(data)
    except CompressedError:
        return
    assert read.to_bytes() == data


@given(st.binary(max_size=700))
def test_any_certificate_is_compressed_or_refused(data):
    with pytest.raises(CompressedError):
        compress(load_template("tngtls-signer"), data, sources(AUTHORITY))


@given(st.sampled_from(CASES), st.integers(0, 8 * 600 - 1))
@example(next(case for case in CASES if case["name"] == "a signer"), 1576)
def test_a_flipped_bit_is_refused_or_kept(case, bit):
    certificate = bytearray.fromhex(case["certificate"])
    certificate[bit // 8 % len(certificate)] ^= 1 << bit % 8
    compressed = bytes.fromhex(case["compressed"])
    template = load_template(case["template"])
    try:
        other = compress(template, bytes(certificate), vector_sources(case), signer_id=compressed[67:69])
    except CompressedError:
        return
    # In the signature, or in the signer's number, of which every digit is as good as another. That it does
    # not verify is for whoever trusts the authority to find.
    assert other != compressed
    assert rebuild(template, other, vector_sources(case)) == certificate


@pytest.mark.parametrize("place", ["1 2 ", "    ", "zzzz", "-1 1", "+001"])
def test_a_signer_id_that_is_none_is_refused(place):
    case = next(one for one in CASES if one["template"] == "tngtls-signer")
    certificate = bytes.fromhex(case["certificate"]).replace(b"2C60", place.encode())
    with pytest.raises(CompressedError):
        compress(load_template("tngtls-signer"), certificate, vector_sources(case))


@pytest.mark.parametrize("minutes", [timedelta(minutes=1), timedelta(seconds=1), timedelta(microseconds=1)])
def test_a_date_that_is_no_whole_hour_is_refused(minutes):
    with pytest.raises(CompressedError, match="not a whole hour"):
        Validity(_EARLIEST + minutes, 1)


def template_with(source, length):
    return parse_template(
        f"""
name: test
version: 1
source: A
issuable: true
template_id: 4
chain_id: 15
serial_number: {{source: {source.word}, length: {length}}}
issuer: [{{CN: Test issuing}}]
subject: [{{CN: "signed by {{signer_id}}"}}]
not_before: utc
not_after: generalized
validity_years: 0
extensions: [subject_key_identifier]
""".encode(),
        "test",
    )


def compressed_for(source, signature=b"\x01" * 64):
    return CompressedCertificate(
        signature, Validity(datetime(2026, 1, 1, tzinfo=UTC), 0), b"\x12\x34", 4, 15, source
    )


# The hash of key or serial number and dates, first byte marked as the source has it (H).
@pytest.mark.parametrize(
    ("source", "number"),
    [
        (SerialSource.ELEMENT_SERIAL, "400123aabbccddee01ee"),
        (SerialSource.SIGNER_ID, "401234"),
        (SerialSource.STORED, "0badc0de"),
        (SerialSource.STORED_DYNAMIC, "0badc0de"),
    ],
)
def test_serial_numbers_that_are_no_hash(source, number):
    length = len(number) // 2
    given = Sources(point(AUTHORITY), element_serial=SERIAL, stored_serial=bytes.fromhex("0badc0de"))
    der = rebuild(template_with(source, length), compressed_for(source).to_bytes(), given)
    assert x509.load_der_x509_certificate(der).serial_number == int(number, 16)


@pytest.mark.parametrize("source", [one for one in SerialSource if one >= SerialSource.KEY_HASH])
def test_serial_numbers_by_hash_are_marked_or_refused(source):
    seen: dict[str, int] = {}
    for private in range(1, 40):
        key = ec.derive_private_key(private, ec.SECP256R1())
        serial = private.to_bytes(9, "big")
        given = Sources(point(key), element_serial=serial)
        try:
            der = rebuild(template_with(source, 16), compressed_for(source).to_bytes(), given)
        except CompressedError as refused:
            seen[refused.code] = seen.get(refused.code, 0) + 1
            continue
        seen["given"] = seen.get("given", 0) + 1
        number = x509.load_der_x509_certificate(der).serial_number
        assert number < 1 << 127
        assert number >> 126 == 1 or source > SerialSource.ELEMENT_SERIAL_HASH
    # The raw hash is negative half of the time; the marked ones can always be written.
    refused = {"serial-number-not-representable"} if source >= SerialSource.KEY_HASH_RAW else set()
    assert seen.keys() == {"given"} | refused


def test_a_stored_serial_number_that_was_not_given_is_refused():
    with pytest.raises(CompressedError, match="needs the stored serial number"):
        rebuild(
            template_with(SerialSource.STORED, 4),
            compressed_for(SerialSource.STORED).to_bytes(),
            Sources(point(AUTHORITY)),
        )

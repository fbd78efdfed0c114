"""A manifest is believed entry by entry, or refused with the reason."""

import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hri.errors import ConfigurationError
from hri.manifest import ManifestError, SignerValidity, TrustedSigners, read_manifest, sign_manifest
from hri.manifest import element as element_module
from hri.manifest import file as file_module
from hypothesis import given
from hypothesis import strategies as st
from unit.manifest.conftest import NOW, SERIAL, Signer, b64, element, jwk, manifest, point


def refusal(data, signer, **more):
    with pytest.raises(ManifestError) as refused:
        read_manifest(data, signer.trusted, now=NOW, **more)
    return refused.value.code


def test_gives_the_chips_and_their_keys(signer, key):
    other = ec.derive_private_key(5, ec.SECP256R1())
    data = manifest(signer.entry(element(jwk(0, key, x5c=["MAA="]), jwk(1, other))))
    (chip,) = read_manifest(data, signer.trusted, now=NOW)
    assert chip.element_serial == SERIAL
    assert chip.key_in(0) == point(key)
    assert chip.key_in(1) == point(other)
    assert chip.key_in(2) is None
    assert chip.keys[0].certificates == (b"\x30\x00",)
    assert chip.provisioned_at.isoformat() == "2026-06-01T10:00:00+00:00"


def test_the_unsigned_header_may_be_left_out(signer, key):
    entry = signer.entry(element(jwk(1, key)))
    del entry["header"]
    assert read_manifest(manifest(entry), signer.trusted, now=NOW)


def test_the_unsigned_header_must_name_the_chip_that_is_signed(signer, key):
    entry = signer.entry(element(jwk(1, key)), header={"uniqueId": "0123aabbccddee02ee"})
    assert refusal(manifest(entry), signer) == "unique-id-differs"


def test_an_entry_that_somebody_else_signed_is_refused(signer, key):
    forged = Signer().entry(element(jwk(1, key)), signer.protected())
    assert refusal(manifest(forged), signer) == "signature-invalid"


def test_an_unknown_signer_is_refused(signer, key):
    assert refusal(manifest(Signer().entry(element(jwk(1, key)))), signer) == "unknown-signer"


def test_one_forged_entry_refuses_the_file(signer, key):
    good = signer.entry(element(jwk(1, key)))
    forged = Signer().entry(element(jwk(1, key), serial="0123aabbccddee02ee"), signer.protected())
    with pytest.raises(ManifestError, match="entry 1: "):
        read_manifest(manifest(good, forged), signer.trusted, now=NOW)


@pytest.mark.parametrize("alg", ["none", "HS256", "ES384", "RS256", "", None, "es256"])
def test_no_other_algorithm_is_accepted(signer, key, alg):
    entry = signer.entry(element(jwk(1, key)), signer.protected(alg=alg))
    assert refusal(manifest(entry), signer) == "algorithm-refused"


def test_the_signers_public_key_is_no_hmac_key(signer, key):
    import hashlib
    import hmac

    entry = signer.entry(element(jwk(1, key)), signer.protected(alg="HS256"))
    mac = hmac.new(signer.pem, f"{entry['protected']}.{entry['payload']}".encode(), hashlib.sha256).digest()
    assert refusal(manifest(entry | {"signature": b64(mac)}), signer) == "algorithm-refused"


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c", "crit", "b64"])
def test_a_header_that_brings_its_own_key_or_rules_is_refused(signer, key, name):
    entry = signer.entry(element(jwk(1, key)), signer.protected(**{name: "anything"}))
    assert refusal(manifest(entry), signer) == "manifest-malformed"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (lambda key: element(jwk(1, key), jwk(1, key)), "duplicate-key"),
        (lambda key: element(jwk(1, key, crv="P-384")), "wrong-curve"),
        (lambda key: element(jwk(1, key, crv="secp256k1")), "wrong-curve"),
        (lambda key: element(jwk(1, key, kty="oct")), "wrong-curve"),
        (lambda key: element(jwk(1, key, y=b64(bytes(32)))), "wrong-curve"),
        (lambda key: element(jwk(1, key, d=b64(bytes(32)))), "private-key"),
        (lambda key: element(jwk(1, key, x=b64(bytes(31)))), "manifest-malformed"),
        (lambda key: element(jwk(1, key, x="A" * 42 + "!")), "manifest-malformed"),
        (lambda key: element(jwk(1, key, x=b64(point(key)[:32]) + "=")), "manifest-malformed"),
        (lambda key: element(jwk(1, key, kid="16")), "manifest-malformed"),
        (lambda key: element(jwk(1, key, kid="01")), "manifest-malformed"),
        (lambda key: element(jwk(1, key, kid=1)), "manifest-malformed"),
        (lambda key: element(jwk(1, key, x5c=["?"])), "manifest-malformed"),
        (lambda key: element(jwk(1, key, x5c="MAA=")), "manifest-malformed"),
        (lambda key: element(jwk(1, key, x5c=["MAA="] * 9)), "manifest-malformed"),
        (lambda _: element("key"), "manifest-malformed"),
        (lambda _: element(publicKeySet=[]), "manifest-malformed"),
        (lambda _: element(serial="0123AABBCCDDEE01EE"), "manifest-malformed"),
        (lambda _: element(serial="0123aabbccddee01"), "manifest-malformed"),
        (lambda _: element(uniqueId=7), "manifest-malformed"),
        (lambda _: element(version=4), "manifest-malformed"),
        (lambda _: element(version=True), "manifest-malformed"),
        (lambda _: element(provisioningTimestamp="yesterday"), "manifest-malformed"),
        (lambda _: element(provisioningTimestamp="2026-06-01T10:00:00"), "manifest-malformed"),
        (lambda _: element(provisioningTimestamp=5), "manifest-malformed"),
    ],
)
def test_a_signed_payload_that_makes_no_sense_is_refused(signer, key, document, code):
    value = document(key)
    entry = signer.entry(value, header={"uniqueId": value["uniqueId"]})
    assert refusal(manifest(entry), signer) == code


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[",
        b"[]",
        b"{}",
        b"null",
        b"[1]",
        b"[{}]",
        b"\xff\xfe",
        b"[NaN]",
        b"[" * 100_000,
        b'[{"payload": "", "payload": ""}]',
    ],
)
def test_what_is_not_a_manifest_is_refused(signer, data):
    assert refusal(data, signer) == "manifest-malformed"


@pytest.mark.parametrize("member", ["payload", "protected", "signature"])
@pytest.mark.parametrize("value", [None, 5, "a=", "a", "+/", "YWJj\n", "YR", [], {}])
def test_bad_base64url_is_refused(signer, key, member, value):
    entry = signer.entry(element(jwk(1, key))) | {member: value}
    assert refusal(manifest(entry), signer) == "manifest-malformed"


def test_a_key_given_twice_in_the_payload_is_refused(signer, key):
    text = json.dumps(element(jwk(1, key)))
    twice = text[:-1] + ', "uniqueId": "0123aabbccddee02ee"}'
    assert refusal(manifest(signer.entry(twice.encode())), signer) == "manifest-malformed"


def test_an_entry_with_more_members_is_refused(signer, key):
    entry = signer.entry(element(jwk(1, key)), signatures=[])
    assert refusal(manifest(entry), signer) == "manifest-malformed"


def test_a_chip_with_two_entries_is_refused(signer, key):
    entry = signer.entry(element(jwk(1, key)))
    assert refusal(manifest(entry, entry), signer) == "duplicate-element"


def test_a_huge_file_is_refused_unread(signer, monkeypatch):
    monkeypatch.setattr(file_module, "LARGEST", 100)
    assert refusal(b"[" + b" " * 100 + b"]", signer) == "manifest-malformed"


def test_a_huge_payload_is_refused(signer, key):
    entry = signer.entry(element(jwk(1, key), partNumber="x" * 300_000))
    assert refusal(manifest(entry), signer) == "manifest-malformed"


def test_the_signer_must_have_been_valid_when_it_says_that_it_signed(signer, key):
    old = signer.entry(element(jwk(1, key), provisioningTimestamp="2020-01-01T00:00:00Z"))
    assert refusal(manifest(old), signer) == "signer-not-valid"
    with pytest.raises(ManifestError) as refused:
        read_manifest(
            manifest(signer.entry(element(jwk(1, key)))),
            signer.trusted,
            now=NOW + timedelta(days=200),
            validity=SignerValidity.NOW,
        )
    assert refused.value.code == "signer-not-valid"


def test_a_signer_that_expired_since_counts_for_what_it_signed_before(signer, key):
    data = manifest(signer.entry(element(jwk(1, key))))
    assert read_manifest(data, signer.trusted, now=NOW + timedelta(days=200))


def test_an_entry_from_the_future_or_of_no_time_is_refused(signer, key):
    future = signer.entry(element(jwk(1, key), provisioningTimestamp="2026-08-01T00:00:00Z"))
    assert refusal(manifest(future), signer) == "not-yet"
    timeless = element(jwk(1, key))
    del timeless["provisioningTimestamp"]
    assert refusal(manifest(signer.entry(timeless)), signer) == "no-timestamp"
    assert read_manifest(
        manifest(signer.entry(timeless)), signer.trusted, now=NOW, validity=SignerValidity.NOW
    )


def test_a_certificate_that_is_not_for_signatures_is_no_signer(signer):
    with pytest.raises(ConfigurationError, match="not for signatures"):
        TrustedSigners.from_pem(Signer(usage="key_cert_sign").pem)
    with pytest.raises(ConfigurationError, match="not a P-256 key"):
        TrustedSigners.from_pem(Signer(ec.generate_private_key(ec.SECP384R1())).pem)
    for pem in (b"", b"nothing", signer.pem[:-40]):
        with pytest.raises(ConfigurationError):
            TrustedSigners.from_pem(pem)


def test_what_is_written_is_what_is_read(signer, key):
    (chip,) = read_manifest(
        manifest(signer.entry(element(jwk(0, key, x5c=["MAA="])))), signer.trusted, now=NOW
    )
    data = sign_manifest([chip], signer.certificate, signer.key)
    assert read_manifest(data, signer.trusted, now=NOW) == (chip,)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(at, change):
    signer, key = _SIGNER, ec.derive_private_key(99, ec.SECP256R1())
    data = bytearray(_DATA)
    data[at % len(data)] ^= change
    try:
        chips = read_manifest(bytes(data), signer.trusted, now=NOW)
    except ManifestError:
        return
    # White space, or the same text in other words; what was signed is what was read.
    assert [chip.key_in(1) for chip in chips] == [point(key)]
    assert chips[0].element_serial == SERIAL


_SIGNER = Signer()
_DATA = manifest(_SIGNER.entry(element(jwk(1, ec.derive_private_key(99, ec.SECP256R1())))))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_any_json_is_read_or_refused(value):
    with pytest.raises(ManifestError):
        element_module.ManifestElement.from_payload(json.dumps(value).encode())

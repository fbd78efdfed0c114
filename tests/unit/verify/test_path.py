"""Certificates: the one of this device, for this purpose, valid and not revoked; every other is refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from hri.verify.cose import MalformedError
from hri.verify.decision import Decision, ReasonCode
from hri.verify.path import Purpose, TrustStore, check_certificate, verify_certificate
from hri.verify.revocation import RevocationPolicy
from unit.verify.chains import CLIENT, DAY, DEVICE_ID, ISSUING, NOW, ROOT, SERVER, Ca, Leaf, usage

CODE = ReasonCode
CRL = ISSUING.crl()


def verify(
    leaf: Leaf | bytes,
    *,
    chain: Sequence[bytes] = (ISSUING.der,),
    crls: Sequence[bytes] = (CRL,),
    **changes: Any,
) -> Decision:
    arguments: dict[str, Any] = {"anchors": (ROOT.der,), "at": NOW, "device_id": DEVICE_ID}
    der = leaf.der if isinstance(leaf, Leaf) else leaf
    return verify_certificate(der, chain, crls=crls, **(arguments | changes))


def test_good_certificate_is_trusted() -> None:
    decision = verify(Leaf())

    assert decision.trusted
    assert decision.device_id == DEVICE_ID
    assert decision.evidence["certificate_serial_number"] == "1f"


def test_device_id_is_taken_from_the_certificate_where_none_is_expected() -> None:
    assert verify(Leaf(), device_id=None).device_id == DEVICE_ID


def test_issuing_ca_may_itself_be_the_anchor() -> None:
    assert verify(Leaf(), chain=(), anchors=(ISSUING.der,))


@pytest.mark.parametrize("at", [Leaf().not_before, Leaf().not_after])
def test_both_ends_of_the_validity_are_included(at: Any) -> None:
    assert verify(Leaf(), at=at, revocation=RevocationPolicy.FAIL_OPEN)


@pytest.mark.parametrize(
    ("leaf", "code"),
    [
        pytest.param(Leaf(usages=None), CODE.WRONG_PURPOSE, id="no extended key usage"),
        pytest.param(Leaf(usages=(SERVER,)), CODE.WRONG_PURPOSE, id="for servers only"),
        pytest.param(
            Leaf(usages=(x509.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)),
            CODE.WRONG_PURPOSE,
            id="for anything",
        ),
        pytest.param(Leaf(key_usage=usage(key_agreement=True)), CODE.WRONG_PURPOSE, id="key may not sign"),
        pytest.param(Leaf(not_after=NOW - timedelta(seconds=1)), CODE.EXPIRED, id="expired"),
        pytest.param(Leaf(not_before=NOW + timedelta(seconds=1)), CODE.NOT_YET_VALID, id="not yet valid"),
        pytest.param(Leaf(signed_by="nobody"), CODE.CHAIN_INVALID, id="issuer's name, another key"),
        pytest.param(Leaf(issuer=Ca("elsewhere")), CODE.CHAIN_INVALID, id="another issuer"),
        pytest.param(Leaf(self_signed=True), CODE.CHAIN_INVALID, id="self-signed"),
        pytest.param(Leaf(ca=True), CODE.CHAIN_INVALID, id="a CA certificate"),
        pytest.param(
            Leaf(extra=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),)),
            CODE.CHAIN_INVALID,
            id="a critical extension nobody knows",
        ),
        pytest.param(Leaf(curve="secp384r1"), CODE.KEY_UNSUPPORTED, id="P-384"),
        pytest.param(Leaf(curve="rsa"), CODE.KEY_UNSUPPORTED, id="RSA"),
        pytest.param(
            Leaf(common_name="device-2", uris=("urn:hri:device:device-2",)),
            CODE.DEVICE_ID_MISMATCH,
            id="another device",
        ),
        pytest.param(Leaf(common_name="device-2"), CODE.DEVICE_ID_MISMATCH, id="another common name"),
        pytest.param(Leaf(uris=("urn:hri:device:device-2",)), CODE.DEVICE_ID_MISMATCH, id="another URI"),
        pytest.param(
            Leaf(uris=("urn:hri:device:device-1", "urn:hri:device:device-2")),
            CODE.DEVICE_ID_MISMATCH,
            id="two devices",
        ),
        pytest.param(
            Leaf(uris=("https://example.com/device-1",)), CODE.DEVICE_ID_MISMATCH, id="no device URI"
        ),
    ],
)
def test_certificate_refused_for_its_own_reason(leaf: Leaf, code: ReasonCode) -> None:
    assert verify(leaf).codes == (code,)


def test_certificate_without_alternative_names() -> None:
    assert verify(Leaf(uris=())).codes == (CODE.DEVICE_ID_MISMATCH,)


@pytest.mark.parametrize("device_id", ["device-2", "", "DEVICE-1"])
def test_name_must_be_exactly_the_one_expected(device_id: str) -> None:
    assert verify(Leaf(), device_id=device_id).codes == (CODE.DEVICE_ID_MISMATCH,)


def test_certificate_that_names_no_device_names_none() -> None:
    decision = verify(Leaf(uris=("urn:hri:device:device-2",)), device_id=None)
    assert decision.device_id is None
    assert decision.codes == (CODE.DEVICE_ID_MISMATCH,)


def test_purpose_is_enforced_both_ways() -> None:
    for_servers = Leaf(usages=(SERVER,))
    assert verify(for_servers, purpose=Purpose.SERVER)
    assert verify(Leaf(usages=(CLIENT,)), purpose=Purpose.SERVER).codes == (CODE.WRONG_PURPOSE,)


def test_usages_of_a_ca_constrain_its_leaves() -> None:
    issuing = Ca("issuing", ROOT, extra=(x509.ExtendedKeyUsage([SERVER]),))
    assert verify(Leaf(issuer=issuing), chain=(issuing.der,)).codes == (CODE.CHAIN_INVALID,)
    assert verify(Leaf(issuer=issuing), chain=(issuing.der,), purpose=Purpose.SERVER)


def test_intermediate_missing() -> None:
    assert verify(Leaf(), chain=(), anchors=(ROOT.der,)).codes == (CODE.CHAIN_INVALID,)


@pytest.mark.parametrize(
    "ca",
    [
        Ca("issuing", ROOT, not_after=NOW - DAY),
        Ca("issuing", ROOT, not_before=NOW + DAY),
        Ca("issuing", Ca("another root")),
        Ca("issuing"),
    ],
    ids=["expired", "not yet valid", "of another root", "self-signed"],
)
def test_intermediate_that_does_not_count(ca: Ca) -> None:
    assert verify(Leaf(issuer=ca), chain=(ca.der,)).codes == (CODE.CHAIN_INVALID,)


def test_leaf_cannot_issue() -> None:
    device = Leaf(common_name="issuing", uris=("urn:hri:device:issuing",))
    below = Leaf(issuer=Ca("issuing", key_name="leaf secp256r1"))
    assert verify(below, chain=(device.der, ISSUING.der)).codes == (CODE.CHAIN_INVALID,)


def test_expired_and_revoked_and_misused_are_all_told() -> None:
    leaf = Leaf(not_after=NOW - DAY, usages=(SERVER,))
    assert verify(leaf, crls=(ISSUING.crl(0x1F),)).codes == (CODE.EXPIRED, CODE.WRONG_PURPOSE, CODE.REVOKED)


def test_revoked() -> None:
    assert verify(Leaf(), crls=(ISSUING.crl(5, 0x1F, 7),)).codes == (CODE.REVOKED,)


def test_others_revoked() -> None:
    assert verify(Leaf(), crls=(ISSUING.crl(5, 7),))


SCOPE = x509.IssuingDistributionPoint
HERE = x509.UniformResourceIdentifier("http://crl.example/issuing.crl")
THERE = x509.UniformResourceIdentifier("http://crl.example/other.crl")


def scope(**given: Any) -> Sequence[tuple[x509.ExtensionType, bool]]:
    values: dict[str, Any] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return ((SCOPE(**(values | given)), True),)


@pytest.mark.parametrize(
    "crls",
    [
        pytest.param((), id="none"),
        pytest.param((ISSUING.crl(since=NOW - 2 * DAY, until=NOW),), id="out of date"),
        pytest.param((ISSUING.crl(since=NOW + timedelta(seconds=1)),), id="from the future"),
        pytest.param((Ca("elsewhere").crl(),), id="of another issuer"),
        pytest.param((ISSUING.crl(signed_by="nobody"),), id="signed by nobody"),
        pytest.param((ROOT.crl(),), id="of the root only"),
        pytest.param((ISSUING.crl(extensions=((x509.DeltaCRLIndicator(1), True),)),), id="a delta"),
        pytest.param((ISSUING.crl(extensions=scope(only_contains_ca_certs=True)),), id="for CAs only"),
        pytest.param((ISSUING.crl(extensions=scope(full_name=[THERE])),), id="another distribution point"),
        pytest.param(
            (ISSUING.crl(extensions=scope(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise}))),),
            id="for some reasons only",
        ),
        pytest.param((ISSUING.crl(extensions=scope(indirect_crl=True)),), id="indirect"),
    ],
)
def test_revocation_unknown_is_refused_unless_policy_fails_open(crls: tuple[bytes, ...]) -> None:
    assert verify(Leaf(), crls=crls).codes == (CODE.REVOCATION_UNKNOWN,)
    assert verify(Leaf(), crls=crls, revocation=RevocationPolicy.FAIL_OPEN)


@pytest.mark.parametrize(
    "crl",
    [
        pytest.param(ISSUING.crl(0x1F, since=NOW - 2 * DAY, until=NOW - DAY), id="out of date"),
        pytest.param(ISSUING.crl(0x1F, extensions=scope(only_contains_user_certs=True)), id="for users"),
        pytest.param(ISSUING.crl(0x1F, extensions=scope(full_name=[HERE])), id="this distribution point"),
    ],
)
def test_an_authentic_list_that_names_the_certificate_counts_always(crl: bytes) -> None:
    points = x509.CRLDistributionPoints([x509.DistributionPoint([HERE], None, None, None)])
    leaf = Leaf(extra=((points, False),))
    assert verify(leaf, crls=(crl, CRL), revocation=RevocationPolicy.FAIL_OPEN).codes == (CODE.REVOKED,)


@pytest.mark.parametrize("forged", [ISSUING.crl(0x1F, signed_by="nobody"), Ca("elsewhere").crl(0x1F)])
def test_nobody_else_can_revoke(forged: bytes) -> None:
    assert verify(Leaf(), crls=(forged, CRL))


def test_list_by_a_ca_that_may_not_sign_lists() -> None:
    issuing = Ca("issuing", ROOT, signs_crls=False)
    assert verify(Leaf(), chain=(issuing.der,)).codes == (CODE.REVOCATION_UNKNOWN,)


def test_list_by_an_impostor_of_the_same_name() -> None:
    # The attacker sends along a CA certificate of the issuing CA's name with a key of their own.
    impostor = Ca("issuing", key_name="impostor")
    chain = (impostor.der, ISSUING.der)
    assert verify(Leaf(), chain=chain, crls=(impostor.crl(),)).codes == (CODE.REVOCATION_UNKNOWN,)


def test_issuing_ca_revoked_by_its_root() -> None:
    number = ISSUING.certificate.serial_number
    assert verify(Leaf(), crls=(CRL, ROOT.crl(number))).codes == (CODE.REVOKED,)


def test_list_of_the_root_out_of_date() -> None:
    stale = ROOT.crl(since=NOW - 2 * DAY, until=NOW - DAY)
    assert verify(Leaf(), crls=(CRL, stale)).codes == (CODE.REVOCATION_UNKNOWN,)


@pytest.mark.parametrize(
    ("leaf", "chain"),
    [
        (b"", (ISSUING.der,)),
        (b"\x30\x00", (ISSUING.der,)),
        (Leaf().der[:-1], (ISSUING.der,)),
        (bytes(20_000), (ISSUING.der,)),
        (Leaf().der, (b"\x30\x00",)),
        (Leaf().der, (ISSUING.der,) * 9),
    ],
)
def test_what_cannot_be_read_is_malformed(leaf: bytes, chain: tuple[bytes, ...]) -> None:
    assert verify(leaf, chain=chain).codes == (CODE.MALFORMED,)


def test_our_own_files_damaged_is_an_error_and_no_decision() -> None:
    with pytest.raises(MalformedError):
        verify(Leaf(), crls=(b"\x30\x00",))
    # Version 6 (RFC 5280 knows 2, written 1), and an issuer that is no name: both are read lazily.
    version = CRL.replace(b"\x02\x01\x01", b"\x02\x01\x05", 1)
    issuer = CRL.replace(b"\x06\x03\x55\x04", b"\x04\x03\x55\x04", 1)
    assert CRL not in (version, issuer)
    for damaged in (version, issuer):
        with pytest.raises(MalformedError):
            verify(Leaf(), crls=(damaged,))
    with pytest.raises(MalformedError):
        verify(Leaf(), anchors=(b"\x30\x00",))


def test_trust_store_without_anchors_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="without an anchor"):
        TrustStore.from_der(())


def test_time_must_be_aware() -> None:
    with pytest.raises(ValueError, match="aware"):
        verify(Leaf(), at=NOW.replace(tzinfo=None))


def test_prepared_trust_store_decides_the_same() -> None:
    trust = TrustStore.from_der((ROOT.der,), intermediates=(ISSUING.der,), crls=(ISSUING.crl(0x2F),))
    good = check_certificate(Leaf().der, (), trust, at=NOW, device_id=DEVICE_ID)
    revoked = check_certificate(Leaf(serial_number=0x2F).der, (), trust, at=NOW, device_id=DEVICE_ID)
    assert good.reasons == ()
    assert [reason.code for reason in revoked.reasons] == [CODE.REVOKED]

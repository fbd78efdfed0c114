"""A trust store made beforehand decides exactly what a path built from nothing would."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from cryptography import x509
from hri.verify.decision import ReasonCode
from hri.verify.path import Purpose, check_certificate, verify_certificate
from hri.verify.revocation import RevocationPolicy
from hri.verify.trust import TrustStore
from unit.verify.chains import DAY, DEVICE_ID, ISSUING, NOW, ROOT, SERVER, Ca, Leaf

OPEN = RevocationPolicy.FAIL_OPEN


def both(
    leaf: Leaf, *, root: Ca, issuing: Ca, crls: Sequence[bytes] = (), purpose: Purpose = Purpose.CLIENT
) -> tuple[ReasonCode, ...]:
    """The reasons that both ways give; they must be the same."""
    anchors, chain, der = [root.der], [issuing.der], leaf.der
    slow = verify_certificate(
        der, chain, anchors, at=NOW, device_id=DEVICE_ID, crls=crls, revocation=OPEN, purpose=purpose
    )
    trust = TrustStore.from_der(anchors, intermediates=chain, crls=crls)
    fast = check_certificate(der, (), trust, at=NOW, device_id=DEVICE_ID, revocation=OPEN, purpose=purpose)
    assert tuple(reason.code for reason in fast.reasons) == slow.codes
    return slow.codes


def is_vouched(root: Ca, issuing: Ca) -> bool:
    return bool(TrustStore.from_der([root.der], intermediates=[issuing.der]).vouched)


def test_issuing_ca_of_a_plain_root_is_vouched_for_once() -> None:
    assert is_vouched(ROOT, ISSUING)
    assert both(Leaf(), root=ROOT, issuing=ISSUING) == ()


@pytest.mark.parametrize(
    "change",
    [{"not_after": NOW - DAY}, {"not_before": NOW + timedelta(seconds=1)}],
    ids=["expired", "not yet valid"],
)
def test_validity_of_root_and_issuing_ca_is_checked_every_time(change: dict[str, object]) -> None:
    root = Ca(**change)  # type: ignore[arg-type]
    issuing = Ca("issuing", ROOT, **change)  # type: ignore[arg-type]
    assert is_vouched(root, ISSUING)
    assert both(Leaf(), root=root, issuing=ISSUING) == (ReasonCode.CHAIN_INVALID,)
    assert both(Leaf(issuer=issuing), root=ROOT, issuing=issuing) == (ReasonCode.CHAIN_INVALID,)


def test_issuing_ca_revoked_by_its_root() -> None:
    lists = [ROOT.crl(ISSUING.certificate.serial_number)]
    assert both(Leaf(), root=ROOT, issuing=ISSUING, crls=lists) == (ReasonCode.REVOKED,)


@pytest.mark.parametrize(
    "issuing",
    [Ca("issuing", Ca("another root")), Ca("issuing", Ca(key_name="impostor")), Ca("issuing")],
    ids=["of another root", "of an impostor", "self-signed"],
)
def test_issuing_ca_that_the_root_did_not_issue_is_not_vouched_for(issuing: Ca) -> None:
    assert not is_vouched(ROOT, issuing)
    assert both(Leaf(issuer=issuing), root=ROOT, issuing=issuing) == (ReasonCode.CHAIN_INVALID,)


def test_a_device_certificate_is_no_issuing_ca() -> None:
    device = Leaf(common_name="issuing", uris=("urn:hri:device:issuing",), issuer=ROOT)
    assert not TrustStore.from_der([ROOT.der], intermediates=[device.der]).vouched


@pytest.mark.parametrize(
    "root",
    [
        Ca(extra=(x509.ExtendedKeyUsage([SERVER]),)),
        Ca(extra=(x509.NameConstraints(None, [x509.UniformResourceIdentifier("example.com")]),)),
        Ca(path_length=0),
    ],
    ids=["usages", "name constraints", "no CA below"],
)
def test_a_root_that_constrains_its_paths_vouches_for_nobody(root: Ca) -> None:
    assert not is_vouched(root, ISSUING)
    assert both(Leaf(), root=root, issuing=ISSUING) == (ReasonCode.CHAIN_INVALID,)


def test_of_a_root_and_its_renewal_the_younger_vouches() -> None:
    old = Ca(not_after=NOW - DAY)
    for anchors in ([old.der, ROOT.der], [ROOT.der, old.der]):
        trust = TrustStore.from_der(anchors, intermediates=[ISSUING.der])
        assert check_certificate(Leaf().der, (), trust, at=NOW, revocation=OPEN).reasons == ()


def test_a_chain_sent_along_is_used_where_the_store_knows_no_issuing_ca() -> None:
    trust = TrustStore.from_der([ROOT.der])
    assert check_certificate(Leaf().der, [ISSUING.der], trust, at=NOW, revocation=OPEN).reasons == ()
    lone = check_certificate(Leaf().der, [], trust, at=NOW, revocation=OPEN)
    assert [reason.code for reason in lone.reasons] == [ReasonCode.CHAIN_INVALID]

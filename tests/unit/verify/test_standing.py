"""Standing: what lists and responses say together, how fresh they are, and what a decision cites of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from conformance.mutated_chains.drafts import AT, DAY, ListDraft
from conformance.mutated_chains.world import SHARD, World, chance, good_world, responder, scope
from cryptography import x509
from cryptography.x509 import ocsp as x509_ocsp
from hri.serial_numbers import serial_text
from hri.verify.decision import Decision, ReasonCode
from hri.verify.path import RevocationPolicy, verify_certificate

CODE = ReasonCode
HOLD = x509.ReasonFlags.certificate_hold
HOUR = timedelta(hours=1)


def world(evidence: str, **given: Any) -> World:
    return good_world(chance("standing"), evidence=evidence, depth=1, kinds=["p256"], **given)


def decide(given: World, **changes: Any) -> Decision:
    shown = given.present()
    arguments: dict[str, Any] = {"at": AT, "crls": shown.crls, "ocsp": shown.ocsp, "device_id": "device-1"}
    return verify_certificate(shown.leaf, shown.chain, shown.anchors, **(arguments | changes))


def holds(given: World, *, since: timedelta, until: timedelta) -> ListDraft:
    """A list on which the device is on hold, from AT - `since` to AT + `until`."""
    entry = (given.leaf.serial, x509.CRLReason(HOLD))
    return ListDraft(given.issuing.subject, given.issuing.key, [entry], AT - since, AT + until)


def test_the_decision_cites_the_list_and_its_age() -> None:
    given = world("crl")

    of_leaf, of_issuing = decide(given).evidence["standing"]

    assert of_leaf == {
        "certificate_serial_number": serial_text(given.leaf.serial),
        "source": "crl",
        "issuer": "CN=authority 1,O=Example Corp",
        "crl_number": 7,
        "status": "good",
        "this_update": (AT - DAY).isoformat(),
        "next_update": (AT + DAY).isoformat(),
        "age_seconds": 86400,
    }
    assert of_issuing["certificate_serial_number"] == serial_text(given.issuing.serial)


def test_the_decision_cites_the_response_and_its_responder() -> None:
    of_leaf = decide(world("delegated")).evidence["standing"][0]

    assert of_leaf["source"] == "ocsp"
    assert of_leaf["responder"] == "CN=responder,O=Example Corp"
    assert of_leaf["age_seconds"] == 86400
    assert "produced_at" in of_leaf


def test_a_refusal_cites_what_it_rests_on() -> None:
    given = world("crl")
    given.list.revoked.append((given.leaf.serial, x509.CRLReason(x509.ReasonFlags.key_compromise)))

    decision = decide(given)

    assert decision.codes == (CODE.REVOKED,)
    assert decision.reasons[0].detail.endswith("keyCompromise")
    assert decision.evidence["standing"][0]["revocation_reason"] == "keyCompromise"


def test_the_freshest_of_what_says_good_is_cited() -> None:
    given = world("crl")
    given.lists.append(replace(given.list, this_update=AT - HOUR))

    assert decide(given).evidence["standing"][0]["age_seconds"] == 3600


@pytest.mark.parametrize("evidence", ["crl", "ocsp"])
def test_the_policy_says_how_old_evidence_may_be(evidence: str) -> None:
    given = world(evidence)

    assert decide(given, revocation=RevocationPolicy(max_age=DAY))
    refused = decide(given, revocation=RevocationPolicy(max_age=DAY - timedelta(seconds=1)))
    assert CODE.REVOCATION_UNKNOWN in refused.codes
    assert "older than the policy allows" in refused.reasons[0].detail


def test_a_maximal_age_of_nothing_is_no_policy() -> None:
    with pytest.raises(ValueError, match="maximal age"):
        RevocationPolicy(max_age=timedelta(0))


def test_fail_open_is_asked_for_and_still_refuses_the_revoked() -> None:
    given = world("ocsp")
    given.response.this_update, given.response.next_update = AT - 2 * DAY, AT - DAY
    assert not decide(given)
    assert decide(given, revocation=RevocationPolicy.FAIL_OPEN)

    given.response.status = x509_ocsp.OCSPCertStatus.REVOKED
    assert decide(given, revocation=RevocationPolicy.FAIL_OPEN).codes == (CODE.REVOKED,)


def test_every_authority_is_asked_where_the_policy_says_so() -> None:
    given = world("crl")
    del given.lists[0]

    assert decide(given)
    refused = decide(given, revocation=RevocationPolicy(every_authority=True))
    assert refused.codes == (CODE.REVOCATION_UNKNOWN,)
    assert serial_text(given.issuing.serial) in refused.reasons[0].detail


def test_a_hold_counts_while_it_is_in_force() -> None:
    given = world("crl")
    given.lists.append(holds(given, since=2 * DAY, until=HOUR))

    assert decide(given).codes == (CODE.REVOKED,)


def test_a_hold_that_is_out_of_date_is_lifted_by_a_newer_list() -> None:
    given = world("crl")
    given.lists.append(holds(given, since=2 * DAY, until=-HOUR))

    assert decide(given)


def test_a_hold_that_is_out_of_date_counts_where_nothing_newer_says_good() -> None:
    given = world("crl")
    del given.lists[-1]
    given.lists.append(holds(given, since=2 * DAY, until=-HOUR))

    assert decide(given, revocation=RevocationPolicy.FAIL_OPEN).codes == (CODE.REVOKED,)


def test_a_revocation_for_good_is_not_lifted_by_a_hold_on_the_same_list() -> None:
    given = world("crl")
    entries: list[tuple[int, x509.ExtensionType | None]] = [(given.leaf.serial, None)]
    entries.append((given.leaf.serial, x509.CRLReason(HOLD)))
    stale = ListDraft(given.issuing.subject, given.issuing.key, entries, AT - 3 * DAY, AT - 2 * DAY)
    given.lists.append(stale)

    assert decide(given).codes == (CODE.REVOKED,)


def test_a_delta_revokes_and_never_clears() -> None:
    given = world("crl")
    delta = replace(given.list, extensions=[(x509.DeltaCRLIndicator(7), True)])
    given.lists.append(delta)
    assert decide(given)

    delta.revoked = [(given.leaf.serial, None)]
    assert decide(given).codes == (CODE.REVOKED,)


def test_a_responder_without_nocheck_needs_a_current_list_that_clears_it() -> None:
    given = world("delegated")
    given.response.responder.drop(x509.OCSPNoCheck)
    # A shard that is the responder's and not the device's, so that it clears the one and not the other.
    point = x509.DistributionPoint([SHARD], None, None, None)
    given.response.responder.put(x509.CRLDistributionPoints([point]))
    shard = [(scope(full_name=[SHARD]), True)]
    given.lists.append(ListDraft(given.issuing.subject, given.issuing.key, extensions=shard))
    assert decide(given).evidence["standing"][0]["source"] == "ocsp"

    given.lists[-1].revoked.append((given.response.responder.serial, None))
    assert decide(given).codes == (CODE.REVOCATION_UNKNOWN,)


def test_a_responder_of_the_root_does_not_speak_for_the_issuing_ca() -> None:
    given = world("delegated")
    given.response.responder = responder(chance("root"), given.root)

    assert decide(given).codes == (CODE.REVOCATION_UNKNOWN,)


def test_without_a_nonce_asked_for_none_is_needed() -> None:
    given = world("ocsp")
    given.response.nonce = given.response.asked = None

    assert decide(given)


@pytest.mark.parametrize("octets", [b"", b"\x30\x00", bytes(40_000)])
def test_a_response_that_cannot_be_read_is_malformed(octets: bytes) -> None:
    given = world("ocsp")
    shown = given.present().ocsp[0]

    assert decide(given, ocsp=[replace(shown, der=octets)]).codes == (CODE.MALFORMED,)


def test_a_responder_that_had_no_answer_is_no_evidence() -> None:
    given = world("ocsp")
    given.response.refused = True

    assert decide(given).codes == (CODE.REVOCATION_UNKNOWN,)


def test_more_responses_than_certificates_are_not_looked_at() -> None:
    given = world("ocsp")

    assert decide(given, ocsp=list(given.present().ocsp) * 9).codes == (CODE.MALFORMED,)

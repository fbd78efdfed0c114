"""Good chains are trusted; with one thing changed they never are, and no input breaks the rules."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conformance.mutated_chains.differences import OPENSSL_ACCEPTS, openssl_is_stricter
from conformance.mutated_chains.garbling import garbled
from conformance.mutated_chains.mutations import MUTATIONS, Mutation
from conformance.mutated_chains.openssl_judge import openssl_refusal
from conformance.mutated_chains.tweaks import tweak
from conformance.mutated_chains.world import CA_KINDS, EVIDENCE, Presented, chance, good_world
from hri.verify.cose import MalformedError
from hri.verify.decision import ReasonCode

pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")

SEED = "rfc5280"
MUTANTS_OF_EACH = 12
GARBLED = 3000
TWEAKED = 200

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the openssl program is not installed"
)


def mutant(mutation: Mutation, number: int, *, evidence: str | None = None) -> Presented:
    random = chance(f"{SEED} {mutation.name} {number}")
    world = good_world(random, evidence=mutation.evidence or evidence, depth=mutation.depth)
    mutation.change(world, random)
    return world.present()


@pytest.mark.parametrize("evidence", EVIDENCE)
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("kind", CA_KINDS)
def test_a_good_chain_is_trusted_whatever_its_shape(evidence: str, depth: int, kind: str) -> None:
    decision = good_world(chance(SEED), evidence=evidence, depth=depth, kinds=[kind]).present().decide()

    assert decision.trusted, decision.reasons
    assert len(decision.evidence["standing"]) == depth + 1


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=lambda mutation: mutation.name)
def test_one_thing_wrong_is_refused(mutation: Mutation) -> None:
    for number in range(MUTANTS_OF_EACH):
        assert not mutant(mutation, number).decide(), f"mutant {number}"


@pytest.mark.parametrize(
    ("title", "code"),
    [
        ("leaf revoked", ReasonCode.REVOKED),
        ("leaf revoked in its shard", ReasonCode.REVOKED),
        ("issuing CA revoked", ReasonCode.REVOKED),
        ("response: revoked (delegated)", ReasonCode.REVOKED),
        ("response: revoked, and a list that says good", ReasonCode.REVOKED),
        ("response: good, and a list that says revoked", ReasonCode.REVOKED),
        ("list of another shard", ReasonCode.REVOCATION_UNKNOWN),
        ("delta list alone", ReasonCode.REVOCATION_UNKNOWN),
        ("response with another nonce", ReasonCode.REVOCATION_UNKNOWN),
        ("responder of another authority", ReasonCode.REVOCATION_UNKNOWN),
        ("leaf with an extension twice", ReasonCode.MALFORMED),
        ("its dNSName excluded", ReasonCode.CHAIN_INVALID),
    ],
)
def test_the_refusal_says_why(title: str, code: ReasonCode) -> None:
    assert mutant(MUTATIONS[title], 0).decide().codes == (code,)


def test_garbled_input_is_refused_and_raises_nothing_else() -> None:
    random = chance(SEED)
    unreadable = 0
    for number in range(GARBLED):
        if number % 20 == 0:
            good = good_world(random).present()
        try:
            assert not garbled(good, random).decide(), f"number {number}"
        except MalformedError:  # a list, which is the verifier's own
            unreadable += 1
    assert 0 < unreadable < GARBLED


@needs_openssl
@pytest.mark.parametrize("evidence", ["crl", "shard"])
def test_openssl_accepts_the_good_chains(evidence: str, tmp_path: Path) -> None:
    for kind in CA_KINDS:
        good = good_world(chance(SEED), evidence=evidence, depth=2, kinds=[kind]).present()
        assert openssl_refusal(good, tmp_path) is None


@needs_openssl
@pytest.mark.parametrize(
    "mutation",
    [one for one in MUTATIONS.values() if one.evidence not in ("ocsp", "delegated")],
    ids=lambda mutation: mutation.name,
)
def test_openssl_refuses_the_mutants_too_or_it_is_said_why_not(mutation: Mutation, tmp_path: Path) -> None:
    refusal = openssl_refusal(mutant(mutation, 0, evidence="crl"), tmp_path)

    assert (refusal is None) == (mutation.name in OPENSSL_ACCEPTS), refusal


@needs_openssl
def test_what_we_accept_of_doubtful_chains_openssl_accepts_or_it_is_said_why_not(tmp_path: Path) -> None:
    accepted = 0
    for number in range(TWEAKED):
        random = chance(f"{SEED} {number}")
        world = good_world(random, evidence=random.choice(("crl", "shard")))
        tweak(world, random)
        presented = world.present()
        if presented.decide():
            accepted += 1
            refusal = openssl_refusal(presented, tmp_path)
            assert refusal is None or openssl_is_stricter(refusal, world), f"number {number}: {refusal}"
    assert TWEAKED / 4 < accepted < TWEAKED

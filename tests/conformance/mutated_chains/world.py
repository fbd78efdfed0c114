"""A good hierarchy with a device below it, in one of the shapes that our authorities make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hri.verify.decision import Decision
from hri.verify.path import OcspEvidence, RevocationPolicy, verify_certificate

from .drafts import AT, Draft, Extensions, Key, ListDraft, ResponseDraft, key, name, usage

DEVICE = "device-1"
SHARD = x509.UniformResourceIdentifier("http://crl.example/issuing-3.crl")
ELSEWHERE = x509.UniformResourceIdentifier("http://crl.example/issuing-4.crl")
CA_KINDS = ("p256", "p384", "rsa3072")
# The CRL of the whole authority, a shard of it, a response by the authority or by one it has delegated to.
EVIDENCE = ("crl", "shard", "ocsp", "delegated")


@dataclass(frozen=True)
class Presented:
    """What a verifier gets, all of it DER."""

    leaf: bytes
    chain: Sequence[bytes]
    anchors: Sequence[bytes]
    crls: Sequence[bytes]
    ocsp: Sequence[OcspEvidence] = ()

    def decide(self, device_id: str | None = DEVICE) -> Decision:
        return verify_certificate(
            self.leaf,
            self.chain,
            self.anchors,
            at=AT,
            device_id=device_id,
            crls=self.crls,
            ocsp=self.ocsp,
            revocation=RevocationPolicy(every_authority=True),
        )


@dataclass
class World:
    """Authorities from the root down, the device below them, and what is said of them."""

    authorities: list[Draft]
    leaf: Draft
    lists: list[ListDraft]
    responses: list[ResponseDraft] = field(default_factory=list)
    anchors: list[Draft] = field(default_factory=list)
    order: str = "as issued"

    @property
    def root(self) -> Draft:
        return self.authorities[0]

    @property
    def issuing(self) -> Draft:
        return self.authorities[-1]

    @property
    def list(self) -> ListDraft:
        """The CRL that speaks of the leaf."""
        return self.lists[-1]

    @property
    def response(self) -> ResponseDraft:
        return self.responses[0]

    def sign_again(self) -> None:
        """Let what stands below an authority be signed by the key that it has now."""
        for above, below in zip(self.authorities, [*self.authorities[1:], self.leaf], strict=True):
            below.signer = above.key
        self.root.signer = self.root.key

    def present(self) -> Presented:
        leaf, chain = self.leaf.der, [one.der for one in reversed(self.authorities[1:])]
        if self.order == "exchanged":
            leaf, chain[0] = chain[0], leaf
        elif self.order == "without the issuing CA":
            chain = chain[1:]
        anchors = [one.der for one in self.anchors] or [self.root.der]
        responses = [OcspEvidence(one.der, one.asked) for one in self.responses]
        return Presented(leaf, chain, anchors, [one.der for one in self.lists], responses)


def good_world(
    random: Random, *, evidence: str | None = None, depth: int | None = None, kinds: Sequence[str] = CA_KINDS
) -> World:
    """A world that is trusted; `depth` is how many authorities stand between root and device."""
    evidence = evidence or random.choice(EVIDENCE)
    depth = depth or random.choice((1, 1, 2))
    authorities: list[Draft] = []
    for level in range(depth + 1):
        owner = f"authority {level}"
        own = key(owner, random.choice(kinds))
        above = authorities[-1] if authorities else None
        authorities.append(_authority(random, owner, own, above, depth - level))
    leaf = _leaf(random, authorities[-1], sharded=evidence == "shard")
    lists = [ListDraft(one.subject, one.key) for one in authorities]
    world = World(authorities, leaf, lists)
    if evidence == "shard":
        world.list.extensions.append((scope(full_name=[SHARD]), True))
    elif evidence in ("ocsp", "delegated"):
        # Without the issuing CA's own list: the response alone has to carry the decision.
        world.lists.pop()
        world.responses.append(_response(random, world, delegated=evidence == "delegated"))
    return world


def scope(**given: object) -> x509.IssuingDistributionPoint:
    values: dict[str, object] = dict.fromkeys(("full_name", "relative_name", "only_some_reasons"))
    flags = ("only_contains_user_certs", "only_contains_ca_certs", "indirect_crl")
    values |= dict.fromkeys((*flags, "only_contains_attribute_certs"), False)
    return x509.IssuingDistributionPoint(**(values | given))  # type: ignore[arg-type]


def chance(seed: str) -> Random:
    """The same choices for the same seed."""
    return Random(seed)  # noqa: S311 - repeatable input, no secret


def serial(random: Random) -> int:
    return random.getrandbits(158) | 1


def _authority(random: Random, owner: str, own: Key, above: Draft | None, below: int) -> Draft:
    signer = above.key if above is not None else own
    extensions: Extensions = {}
    length = None if above is None else below
    draft = Draft(
        name(owner), own, above.subject if above else name(owner), signer, serial(random), extensions
    )
    draft.put(x509.BasicConstraints(True, length), critical=True)
    draft.put(usage("key_cert_sign", "crl_sign"), critical=True)
    draft.put(x509.SubjectKeyIdentifier.from_public_key(own.public_key()))
    draft.put(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()))
    return draft


def _leaf(random: Random, issuer: Draft, *, sharded: bool) -> Draft:
    own = key("device")
    leaf = Draft(name(DEVICE), own, issuer.subject, issuer.key, serial(random), {})
    leaf.put(x509.BasicConstraints(False, None), critical=True)
    leaf.put(usage("digital_signature"), critical=True)
    leaf.put(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]))
    leaf.put(x509.SubjectKeyIdentifier.from_public_key(own.public_key()))
    leaf.put(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()))
    leaf.put(
        x509.SubjectAlternativeName(
            [
                x509.UniformResourceIdentifier(f"urn:hri:device:{DEVICE}"),
                x509.DNSName(f"{DEVICE}.devices.example"),
            ]
        )
    )
    if sharded:
        leaf.put(x509.CRLDistributionPoints([x509.DistributionPoint([SHARD], None, None, None)]))
    return leaf


def responder(random: Random, issuer: Draft) -> Draft:
    """The certificate of a responder that `issuer` has delegated to (RFC 6960 section 4.2.2.2)."""
    own = key("responder")
    draft = Draft(name("responder"), own, issuer.subject, issuer.key, serial(random), {})
    draft.put(usage("digital_signature"), critical=True)
    draft.put(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]))
    draft.put(x509.OCSPNoCheck())
    return draft


def _response(random: Random, world: World, *, delegated: bool) -> ResponseDraft:
    by = responder(random, world.issuing) if delegated else world.issuing
    asked = random.randbytes(32)
    return ResponseDraft(
        world.leaf,
        world.issuing,
        by.key,
        by,
        nonce=asked,
        asked=asked,
        send_responder=delegated,
        by_name=random.random() < 0.5,
    )

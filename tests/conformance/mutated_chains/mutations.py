"""One thing changed in a good world, after which nobody may trust it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.x509.oid import CertificatePoliciesOID, ExtendedKeyUsageOID

from .drafts import AT, DAY, Draft, ListDraft, key, name, usage
from .world import DEVICE, ELSEWHERE, SHARD, World, responder, scope, serial

Change = Callable[[World, Random], None]
_CLIENT, _SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
_NOBODY_KNOWS = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")
_INVALIDITY_UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.2"), b"\x05\x00")


@dataclass(frozen=True)
class Mutation:
    """`evidence`: what kind of world it needs, None for any; `depth`: how many authorities below the root."""

    name: str
    change: Change
    evidence: str | None = None
    depth: int | None = None


MUTATIONS: dict[str, Mutation] = {}


def _mutation(
    title: str, *, evidence: str | None = None, depth: int | None = None
) -> Callable[[Change], Change]:
    def note(change: Change) -> Change:
        MUTATIONS[title] = Mutation(title, change, evidence, depth)
        return change

    return note


def _note(title: str, change: Change, *, evidence: str | None = None, depth: int | None = None) -> None:
    MUTATIONS[title] = Mutation(title, change, evidence, depth)


def _some(random: Random) -> int:
    return random.randrange(1, 1000)


# Dates


def _expire(draft: Draft, random: Random) -> None:
    draft.not_after = AT - DAY * random.random()


def _postpone(draft: Draft, random: Random) -> None:
    draft.not_before = AT + DAY * (0.01 + random.random())


_note("leaf expired", lambda world, random: _expire(world.leaf, random))
_note("leaf not yet valid", lambda world, random: _postpone(world.leaf, random))
_note("issuing CA expired", lambda world, random: _expire(world.issuing, random))
_note("issuing CA not yet valid", lambda world, random: _postpone(world.issuing, random))
_note("root expired", lambda world, random: _expire(world.root, random))
_note("root not yet valid", lambda world, random: _postpone(world.root, random))


# Signatures and keys


@_mutation("leaf signed by another key")
def _(world: World, random: Random) -> None:
    world.leaf.signer = key(f"nobody {_some(random)}")


@_mutation("issuing CA signed by another key")
def _(world: World, random: Random) -> None:
    world.issuing.signer = key(f"nobody {_some(random)}")


@_mutation("leaf self-signed")
def _(world: World, _random: Random) -> None:
    world.leaf.signer, world.leaf.issuer = world.leaf.key, world.leaf.subject


@_mutation("leaf self-signed under its issuer's name")
def _(world: World, _random: Random) -> None:
    world.leaf.signer = world.leaf.key


@_mutation("issuing CA self-signed")
def _(world: World, _random: Random) -> None:
    world.issuing.signer, world.issuing.issuer = world.issuing.key, world.issuing.subject


@_mutation("another root of the same name")
def _(world: World, _random: Random) -> None:
    other = Draft(world.root.subject, key("impostor"), world.root.subject, key("impostor"), 5, {})
    other.extensions = dict(world.root.extensions)
    world.anchors = [other]


@_mutation("another root of another name")
def _(world: World, _random: Random) -> None:
    other = Draft(name("elsewhere"), key("elsewhere"), name("elsewhere"), key("elsewhere"), 5, {})
    other.extensions = dict(world.root.extensions)
    world.anchors = [other]


def _weak(draft: Draft) -> None:
    draft.weak = True


_note("leaf signed with a weak digest", lambda world, _: _weak(world.leaf))
_note("issuing CA signed with a weak digest", lambda world, _: _weak(world.issuing))


def _rekey(draft: Draft, kind: str, world: World) -> None:
    draft.key = key("device", kind)
    draft.put(x509.SubjectKeyIdentifier.from_public_key(draft.key.public_key()))
    if draft is not world.leaf:
        for one in world.lists:
            one.signer = draft.key if one.issuer == draft.subject else one.signer
        for answer in world.responses:
            answer.signer = draft.key if answer.responder is draft else answer.signer
        below = world.leaf
        below.put(x509.AuthorityKeyIdentifier.from_issuer_public_key(draft.key.public_key()))
        world.sign_again()


for _kind in ("p384", "k256", "p224", "rsa2048"):
    _note(f"leaf with a key of kind {_kind}", lambda world, _, kind=_kind: _rekey(world.leaf, kind, world))
for _kind in ("k256", "p224", "rsa1024"):
    _note(
        f"issuing CA with a key of kind {_kind}",
        lambda world, _, kind=_kind: _rekey(world.issuing, kind, world),
        evidence="crl",
    )


# Names and order


@_mutation("leaf of another issuer's name")
def _(world: World, _random: Random) -> None:
    world.leaf.issuer = name("elsewhere")


@_mutation("issuer's name in another encoding of letters")
def _(world: World, _random: Random) -> None:
    world.leaf.issuer = name("AUTHORITY 1" if world.issuing.subject == name("authority 1") else "AUTHORITY 2")


@_mutation("leaf and issuing CA exchanged")
def _(world: World, _random: Random) -> None:
    world.order = "exchanged"


@_mutation("issuing CA left out")
def _(world: World, _random: Random) -> None:
    world.order = "without the issuing CA"


@_mutation("device of another name")
def _(world: World, random: Random) -> None:
    other = f"device-{_some(random) + 1}"
    world.leaf.subject = name(other)
    uri = x509.UniformResourceIdentifier(f"urn:hri:device:{other}")
    world.leaf.put(x509.SubjectAlternativeName([uri]))


@_mutation("common name of another device than the URI")
def _(world: World, random: Random) -> None:
    world.leaf.subject = name(f"device-{_some(random) + 1}")


@_mutation("two devices named")
def _(world: World, random: Random) -> None:
    uris = [f"urn:hri:device:{DEVICE}", f"urn:hri:device:device-{_some(random) + 1}"]
    world.leaf.put(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris]))


@_mutation("no subjectAltName")
def _(world: World, _random: Random) -> None:
    world.leaf.drop(x509.SubjectAlternativeName)


# Extensions of the leaf


@_mutation("leaf with cA")
def _(world: World, random: Random) -> None:
    world.leaf.put(x509.BasicConstraints(True, random.choice((None, 0))), critical=True)


@_mutation("leaf with keyCertSign")
def _(world: World, _random: Random) -> None:
    world.leaf.put(usage("digital_signature", "key_cert_sign"), critical=True)


@_mutation("leaf with cRLSign")
def _(world: World, _random: Random) -> None:
    world.leaf.put(usage("digital_signature", "crl_sign"), critical=True)


@_mutation("leaf without digitalSignature")
def _(world: World, random: Random) -> None:
    world.leaf.put(usage(random.choice(("key_agreement", "content_commitment"))), critical=True)


@_mutation("leaf without extended key usage")
def _(world: World, _random: Random) -> None:
    world.leaf.drop(x509.ExtendedKeyUsage)


@_mutation("leaf for servers")
def _(world: World, _random: Random) -> None:
    world.leaf.put(x509.ExtendedKeyUsage([_SERVER]))


@_mutation("leaf for any usage")
def _(world: World, _random: Random) -> None:
    world.leaf.put(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]))


@_mutation("leaf with name constraints")
def _(world: World, _random: Random) -> None:
    world.leaf.put(x509.NameConstraints([x509.DNSName("example")], None), critical=True)


@_mutation("leaf that names another key of its issuer")
def _(world: World, _random: Random) -> None:
    other = x509.AuthorityKeyIdentifier.from_issuer_public_key(key("another").public_key())
    world.leaf.put(other)


@_mutation("leaf that names another certificate of its issuer")
def _(world: World, random: Random) -> None:
    identifier = x509.SubjectKeyIdentifier.from_public_key(world.issuing.key.public_key()).digest
    above = [x509.DirectoryName(world.issuing.issuer)]
    world.leaf.put(x509.AuthorityKeyIdentifier(identifier, above, serial(random)))


@_mutation("leaf that names no key of its issuer")
def _(world: World, _random: Random) -> None:
    world.leaf.drop(x509.AuthorityKeyIdentifier)


def _duplicate(draft: Draft, random: Random) -> None:
    draft.more.append(random.choice(list(draft.extensions.values())))


_note("leaf with an extension twice", lambda world, random: _duplicate(world.leaf, random))
_note("issuing CA with an extension twice", lambda world, random: _duplicate(world.issuing, random))
_note(
    "leaf with an unknown critical extension", lambda world, _: world.leaf.put(_NOBODY_KNOWS, critical=True)
)
_note(
    "issuing CA with an unknown critical extension",
    lambda world, _: world.issuing.put(_NOBODY_KNOWS, critical=True),
)


def _negative(draft: Draft, random: Random) -> None:
    """A serial number of 20 octets whose first bit makes it negative (RFC 5280 section 4.1.2.2)."""
    draft.serial = random.getrandbits(158) | 1 << 158
    old = draft.serial.to_bytes(20, "big")
    draft.patches.append((b"\x02\x14" + old, b"\x02\x14" + bytes([old[0] | 0x80]) + old[1:]))


_note(
    "leaf with a negative serial number", lambda world, random: _negative(world.leaf, random), evidence="crl"
)


# Extensions of the authorities


@_mutation("issuing CA without basicConstraints")
def _(world: World, _random: Random) -> None:
    world.issuing.drop(x509.BasicConstraints)


@_mutation("issuing CA without cA")
def _(world: World, _random: Random) -> None:
    world.issuing.put(x509.BasicConstraints(False, None), critical=True)


@_mutation("issuing CA with basicConstraints not critical")
def _(world: World, _random: Random) -> None:
    world.issuing.put(x509.BasicConstraints(True, 0), critical=False)


@_mutation("issuing CA without keyCertSign")
def _(world: World, _random: Random) -> None:
    world.issuing.put(usage("crl_sign", "digital_signature"), critical=True)


@_mutation("issuing CA without keyUsage")
def _(world: World, _random: Random) -> None:
    world.issuing.drop(x509.KeyUsage)


@_mutation("issuing CA without cRLSign", evidence="crl")
def _(world: World, _random: Random) -> None:
    world.issuing.put(usage("key_cert_sign"), critical=True)


@_mutation("path longer than an authority allows", depth=2)
def _(world: World, _random: Random) -> None:
    world.authorities[1].put(x509.BasicConstraints(True, 0), critical=True)


@_mutation("path longer than the root allows", depth=2)
def _(world: World, random: Random) -> None:
    world.root.put(x509.BasicConstraints(True, random.choice((0,))), critical=True)


@_mutation("issuing CA for servers only")
def _(world: World, _random: Random) -> None:
    world.issuing.put(x509.ExtendedKeyUsage([_SERVER]))


@_mutation("issuing CA with another key identifier")
def _(world: World, random: Random) -> None:
    world.issuing.put(x509.SubjectKeyIdentifier(random.randbytes(20)))


@_mutation("issuing CA that names another key of the root")
def _(world: World, random: Random) -> None:
    world.issuing.put(x509.AuthorityKeyIdentifier(random.randbytes(20), None, None))


def _constrain(
    title: str, permitted: x509.GeneralName | None, excluded: x509.GeneralName | None, critical: bool
) -> None:
    def change(world: World, random: Random) -> None:
        constraints = x509.NameConstraints(
            [permitted] if permitted is not None else None, [excluded] if excluded is not None else None
        )
        random.choice(world.authorities[1:]).put(constraints, critical=critical)

    _note(title, change)


_uri = x509.UniformResourceIdentifier
_constrain("other dNSName permitted", x509.DNSName("factory.example"), None, True)
_constrain("its dNSName excluded", None, x509.DNSName("devices.example"), True)
_constrain("a URI's host permitted", _uri("devices.example"), None, True)
_constrain("a URI's host excluded", None, _uri("devices.example"), True)
_constrain(
    "other directoryName permitted, not critical", x509.DirectoryName(name("x", "Other Inc")), None, False
)
_constrain(
    "its directoryName excluded in other letters, not critical",
    None,
    x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "EXAMPLE  corp")])),
    False,
)
_constrain("other directoryName permitted, critical", x509.DirectoryName(name("x", "Other Inc")), None, True)


@_mutation("policy mappings")
def _(world: World, random: Random) -> None:
    # 2.5.29.33: one mapping of 1.2.3 to 1.2.4.
    mapping = bytes.fromhex("300a3008") + bytes.fromhex("06022a0306022a04")
    value = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.33"), mapping)
    world.issuing.put(value, critical=random.random() < 0.5)


@_mutation("an explicit policy required and none given")
def _(world: World, random: Random) -> None:
    world.issuing.put(x509.PolicyConstraints(0, None), critical=random.random() < 0.5)


@_mutation("an explicit policy required and another given")
def _(world: World, _random: Random) -> None:
    world.issuing.put(x509.PolicyConstraints(0, None))
    for draft, policy in ((world.issuing, "1.2.3"), (world.leaf, "1.2.4")):
        given = x509.PolicyInformation(x509.ObjectIdentifier(policy), None)
        draft.put(x509.CertificatePolicies([given]))


@_mutation("anyPolicy inhibited")
def _(world: World, random: Random) -> None:
    world.issuing.put(x509.InhibitAnyPolicy(0), critical=random.random() < 0.5)
    given = x509.PolicyInformation(CertificatePoliciesOID.ANY_POLICY, None)
    world.leaf.put(x509.CertificatePolicies([given]))


# Revocation lists


@_mutation("leaf revoked", evidence="crl")
def _(world: World, random: Random) -> None:
    world.list.revoked += [(serial(random), None), (world.leaf.serial, None), (serial(random), None)]


@_mutation("leaf revoked in its shard", evidence="shard")
def _(world: World, _random: Random) -> None:
    world.list.revoked.append((world.leaf.serial, None))


@_mutation("serial number of a revoked certificate used again", evidence="crl")
def _(world: World, random: Random) -> None:
    world.leaf.serial = serial(random)
    world.list.revoked.append((world.leaf.serial, None))


@_mutation("issuing CA revoked")
def _(world: World, _random: Random) -> None:
    above = world.authorities[-2].subject
    next(one for one in world.lists if one.issuer == above).revoked.append((world.issuing.serial, None))


@_mutation("no list of the leaf's issuer", evidence="crl")
def _(world: World, _random: Random) -> None:
    world.lists.pop()


@_mutation("no list of the root")
def _(world: World, _random: Random) -> None:
    world.lists.pop(0)


@_mutation("list of another issuer", evidence="crl")
def _(world: World, _random: Random) -> None:
    world.list.issuer, world.list.signer = name("elsewhere"), key("elsewhere")


@_mutation("list of another issuer's name, signed by the issuer", evidence="crl")
def _(world: World, _random: Random) -> None:
    world.list.issuer = name("elsewhere")


@_mutation("list signed by another key", evidence="crl")
def _(world: World, random: Random) -> None:
    world.list.signer = key(f"nobody {_some(random)}")


@_mutation("list signed by the device", evidence="crl")
def _(world: World, _random: Random) -> None:
    world.list.signer = world.leaf.key


@_mutation("list out of date", evidence="crl")
def _(world: World, random: Random) -> None:
    world.list.this_update, world.list.next_update = AT - 2 * DAY, AT - DAY * random.random()


@_mutation("list from the future", evidence="crl")
def _(world: World, random: Random) -> None:
    world.list.this_update, world.list.next_update = AT + DAY * (0.01 + random.random()), AT + 3 * DAY


@_mutation("list without an end", evidence="crl")
def _(world: World, _random: Random) -> None:
    world.list.without_end = True


@_mutation("list signed with a weak digest", evidence="crl")
def _(world: World, _random: Random) -> None:
    world.list.weak = True


def _scoped(title: str, *, evidence: str = "crl", **given: object) -> None:
    def change(world: World, _random: Random) -> None:
        world.list.extensions = [(scope(**given), True)]

    _note(title, change, evidence=evidence)


_scoped("list of another distribution point", full_name=[ELSEWHERE])
_scoped("list of another shard", evidence="shard", full_name=[ELSEWHERE])
_scoped("list of a distribution point that the leaf does not name", full_name=[SHARD])
_scoped("list of authorities only", only_contains_ca_certs=True)
_scoped("list of attribute certificates only", only_contains_attribute_certs=True)
_scoped("indirect list", indirect_crl=True)
_scoped("list by some reasons", only_some_reasons=frozenset({x509.ReasonFlags.key_compromise}))
_scoped("indirect shard", evidence="shard", full_name=[SHARD], indirect_crl=True)


@_mutation("delta list alone", evidence="crl")
def _(world: World, random: Random) -> None:
    world.list.extensions.append((x509.DeltaCRLIndicator(_some(random)), True))


@_mutation("list with an unknown critical extension", evidence="crl")
def _(world: World, _random: Random) -> None:
    world.list.extensions.append((_NOBODY_KNOWS, True))


@_mutation("list with an unknown critical extension in an entry", evidence="crl")
def _(world: World, random: Random) -> None:
    world.list.revoked.append((serial(random), _INVALIDITY_UNKNOWN))


@_mutation("list with an entry of another issuer", evidence="crl")
def _(world: World, random: Random) -> None:
    other = x509.CertificateIssuer([x509.DirectoryName(name("elsewhere"))])
    world.list.revoked.append((serial(random), other))


# OCSP responses


def _response_status(title: str, status: ocsp.OCSPCertStatus) -> None:
    for kind in ("ocsp", "delegated"):

        def change(world: World, _random: Random) -> None:
            world.response.status = status

        _note(f"{title} ({kind})", change, evidence=kind)


_response_status("response: revoked", ocsp.OCSPCertStatus.REVOKED)
_response_status("response: unknown", ocsp.OCSPCertStatus.UNKNOWN)


@_mutation("response: revoked, and a list that says good", evidence="ocsp")
def _(world: World, _random: Random) -> None:

    world.response.status = ocsp.OCSPCertStatus.REVOKED
    world.lists.append(ListDraft(world.issuing.subject, world.issuing.key))


@_mutation("response: good, and a list that says revoked", evidence="ocsp")
def _(world: World, _random: Random) -> None:

    world.lists.append(ListDraft(world.issuing.subject, world.issuing.key, [(world.leaf.serial, None)]))


@_mutation("no response", evidence="ocsp")
def _(world: World, _random: Random) -> None:
    world.responses.clear()


@_mutation("response: the responder refused", evidence="ocsp")
def _(world: World, _random: Random) -> None:
    world.response.refused = True


@_mutation("response out of date", evidence="ocsp")
def _(world: World, random: Random) -> None:
    world.response.this_update, world.response.next_update = AT - 2 * DAY, AT - DAY * random.random()


@_mutation("response from the future", evidence="ocsp")
def _(world: World, random: Random) -> None:
    world.response.this_update, world.response.next_update = AT + DAY * (0.01 + random.random()), AT + 3 * DAY


@_mutation("response without an end", evidence="ocsp")
def _(world: World, _random: Random) -> None:
    world.response.next_update = None


@_mutation("response without the nonce", evidence="ocsp")
def _(world: World, _random: Random) -> None:
    world.response.nonce = None


@_mutation("response with another nonce", evidence="delegated")
def _(world: World, random: Random) -> None:
    world.response.nonce = random.randbytes(32)


@_mutation("response about another certificate", evidence="ocsp")
def _(world: World, random: Random) -> None:

    world.response.subject = replace(world.leaf, serial=serial(random))


@_mutation("response about the same number of another issuer", evidence="ocsp")
def _(world: World, _random: Random) -> None:

    world.response.subject = replace(world.leaf, issuer=name("elsewhere"))


@_mutation("response about the same number of another key of the issuer", evidence="ocsp")
def _(world: World, _random: Random) -> None:

    world.response.issuer = replace(world.issuing, key=key("another"))


@_mutation("response signed by another key", evidence="ocsp")
def _(world: World, random: Random) -> None:
    other = key(f"nobody {_some(random)}")
    world.response.signer, world.response.responder = other, replace(world.issuing, key=other)
    world.response.by_name = True


@_mutation("response signed by the device", evidence="ocsp")
def _(world: World, _random: Random) -> None:
    world.response.signer, world.response.responder = world.leaf.key, world.leaf
    world.response.send_responder = True


@_mutation("responder without OCSPSigning", evidence="delegated")
def _(world: World, _random: Random) -> None:
    other = (_CLIENT, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    world.response.responder.put(x509.ExtendedKeyUsage(other))


@_mutation("responder without digitalSignature", evidence="delegated")
def _(world: World, _random: Random) -> None:
    world.response.responder.put(usage("key_agreement"), critical=True)


@_mutation("responder of another authority", evidence="delegated")
def _(world: World, random: Random) -> None:
    elsewhere = Draft(name("elsewhere"), key("elsewhere"), name("elsewhere"), key("elsewhere"), 5, {})
    world.response.responder = responder(random, elsewhere)


@_mutation("responder of the root", evidence="delegated")
def _(world: World, random: Random) -> None:
    world.response.responder = responder(random, world.root)


@_mutation("responder that certified itself", evidence="delegated")
def _(world: World, _random: Random) -> None:
    world.response.responder.signer = world.response.responder.key


_note(
    "responder expired", lambda world, random: _expire(world.response.responder, random), evidence="delegated"
)
_note(
    "responder not yet valid",
    lambda world, random: _postpone(world.response.responder, random),
    evidence="delegated",
)
_note("responder with a weak digest", lambda world, _: _weak(world.response.responder), evidence="delegated")
_note(
    "responder with an unknown critical extension",
    lambda world, _: world.response.responder.put(_NOBODY_KNOWS, critical=True),
    evidence="delegated",
)


@_mutation("responder whose standing nobody knows", evidence="delegated")
def _(world: World, _random: Random) -> None:
    world.response.responder.drop(x509.OCSPNoCheck)


@_mutation("responder revoked", evidence="delegated")
def _(world: World, _random: Random) -> None:

    number = world.response.responder.serial
    # The list is out of date, so that it clears nobody; what stands in it is revoked all the same.
    world.lists.append(
        ListDraft(world.issuing.subject, world.issuing.key, [(number, None)], AT - 3 * DAY, AT - 2 * DAY)
    )


@_mutation("responder's certificate not sent", evidence="delegated")
def _(world: World, _random: Random) -> None:
    world.response.send_responder = False

"""Changes that may be right or wrong, in combination: we must not be alone in accepting the result."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from random import Random

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, CertificatePoliciesOID, ExtendedKeyUsageOID

from .drafts import AT, DAY, Draft, name, usage
from .world import DEVICE, World, scope

_PRIVATE = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.9"), b"\x0c\x02hi")
_KINDS = ("digital_signature", "key_agreement", "content_commitment", "key_cert_sign", "crl_sign")
_USAGES = (
    *(ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.OCSP_SIGNING),
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
)


def _any_draft(world: World, random: Random) -> Draft:
    return random.choice([*world.authorities, world.leaf])


def _private_extension(world: World, random: Random) -> None:
    _any_draft(world, random).put(_PRIVATE)


def _key_usage(world: World, random: Random) -> None:
    given = usage(*random.sample(_KINDS, random.randint(1, len(_KINDS))))
    _any_draft(world, random).put(given, critical=random.random() < 0.7)


def _extended_key_usage(world: World, random: Random) -> None:
    given = x509.ExtendedKeyUsage(random.sample(_USAGES, random.randint(1, 3)))
    _any_draft(world, random).put(given, critical=random.random() < 0.3)


def _path_length(world: World, random: Random) -> None:
    length = random.choice((None, 0, 1, 2))
    random.choice(world.authorities).put(x509.BasicConstraints(True, length), critical=random.random() < 0.8)


def _end_entity(world: World, random: Random) -> None:
    if random.random() < 0.5:
        world.leaf.drop(x509.BasicConstraints)
    else:
        world.leaf.put(x509.BasicConstraints(False, None))


def _key_identifiers(world: World, random: Random) -> None:
    draft = _any_draft(world, random)
    kind = random.choice((x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier))
    if kind in draft.extensions:
        draft.drop(kind)


def _issuer_by_number(world: World, random: Random) -> None:
    issuing = world.issuing
    number = issuing.serial if random.random() < 0.7 else issuing.serial + 2
    identifier = x509.SubjectKeyIdentifier.from_public_key(issuing.key.public_key()).digest
    world.leaf.put(x509.AuthorityKeyIdentifier(identifier, [x509.DirectoryName(issuing.issuer)], number))


def _alternative_names(world: World, random: Random) -> None:
    more = (
        x509.DNSName(random.choice(("device-1.devices.example", "*.devices.example", "factory.example"))),
        x509.IPAddress(ipaddress.ip_address("192.0.2.7")),
        x509.RFC822Name("device-1@devices.example"),
        x509.DirectoryName(name("alias", random.choice(("Example Corp", "Other Inc")))),
    )
    uri = x509.UniformResourceIdentifier(f"urn:hri:device:{DEVICE}")
    names = [uri, *random.sample(more, random.randint(0, len(more)))]
    world.leaf.put(x509.SubjectAlternativeName(names), critical=random.random() < 0.2)


def _name_constraints(world: World, random: Random) -> None:
    bases = (
        x509.DNSName(random.choice(("devices.example", "example", "factory.example"))),
        x509.IPAddress(ipaddress.ip_network(random.choice(("192.0.2.0/24", "198.51.100.0/24")))),
        x509.RFC822Name(random.choice(("devices.example", ".example", "factory.example"))),
        x509.DirectoryName(x509.Name(list(name("x", random.choice(("Example Corp", "Other Inc"))))[:1])),
    )
    chosen = random.sample(bases, random.randint(1, 3))
    permitted, excluded = (chosen, None) if random.random() < 0.6 else (None, chosen)
    draft = random.choice(world.authorities[1:])
    draft.put(x509.NameConstraints(permitted, excluded), critical=random.random() < 0.5)


def _policies(world: World, random: Random) -> None:
    for draft in [*world.authorities[1:], world.leaf]:
        policy = random.choice((CertificatePoliciesOID.ANY_POLICY, x509.ObjectIdentifier("1.2.3")))
        draft.put(x509.CertificatePolicies([x509.PolicyInformation(policy, None)]))
    if random.random() < 0.4:
        world.issuing.put(x509.PolicyConstraints(random.choice((0, 1)), None))


def _dates(world: World, random: Random) -> None:
    draft = _any_draft(world, random)
    draft.not_before, draft.not_after = (
        AT - DAY * random.choice((0.1, 1, 30)),
        AT + DAY * random.choice((0.1, 1, 30)),
    )


def _small_serial(world: World, random: Random) -> None:
    _any_draft(world, random).serial = random.choice((1, 127, 128, 255, 256))


def _scope_of_list(world: World, random: Random) -> None:
    given = random.choice(("only_contains_user_certs", "only_contains_ca_certs"))
    world.list.extensions = [(scope(**{given: True}), random.random() < 0.8)]


def _dates_of_list(world: World, random: Random) -> None:
    world.list.this_update = AT - DAY * random.choice((0, 1, 3))
    world.list.next_update = AT + DAY * random.choice((-0.5, 0.01, 1))


def _entries_of_list(world: World, random: Random) -> None:
    near = (world.leaf.serial, world.leaf.serial + 2, world.leaf.serial >> 8, world.issuing.serial)
    world.list.revoked += [(number, None) for number in random.sample(near, random.randint(1, 3))]


def _information_access(world: World, random: Random) -> None:
    where = x509.UniformResourceIdentifier("http://ocsp.example/")
    access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, where)
    value = x509.AuthorityInformationAccess([access])
    _any_draft(world, random).put(value, critical=random.random() < 0.2)


TWEAKS: tuple[Callable[[World, Random], None], ...] = (
    *(_private_extension, _key_usage, _extended_key_usage, _path_length, _end_entity, _key_identifiers),
    *(_issuer_by_number, _alternative_names, _name_constraints, _policies, _dates, _small_serial),
    *(_scope_of_list, _dates_of_list, _entries_of_list, _information_access),
)


def tweak(world: World, random: Random) -> None:
    """Make one to three changes."""
    for change in random.sample(TWEAKS, random.randint(1, 3)):
        change(world, random)

"""Name constraints on subjects: what cryptography's verifier leaves open."""

from __future__ import annotations

import pytest
from conformance.mutated_chains.world import World, chance, good_world
from cryptography import x509
from cryptography.x509.oid import NameOID
from hri.verify.name_constraints import names_are_allowed

ORGANISATION = NameOID.ORGANIZATION_NAME


def directory(*organisations: str) -> x509.DirectoryName:
    return x509.DirectoryName(x509.Name([x509.NameAttribute(ORGANISATION, one) for one in organisations]))


def allowed(
    *,
    permitted: list[x509.GeneralName] | None = None,
    excluded: list[x509.GeneralName] | None = None,
    subject: list[x509.NameAttribute[str]] | None = None,
) -> bool:
    world: World = good_world(chance("names"), evidence="crl", depth=2)
    world.authorities[1].put(x509.NameConstraints(permitted, excluded))
    if subject is not None:
        world.leaf.subject = x509.Name(subject)
    path = [world.leaf.certificate, *(one.certificate for one in reversed(world.authorities))]
    return names_are_allowed(path) is None


def test_subject_within_a_permitted_subtree() -> None:
    assert allowed(permitted=[directory("Example Corp")])
    assert allowed(permitted=[directory("Other Inc"), directory("Example Corp")])


def test_subject_outside_the_permitted_subtrees() -> None:
    assert not allowed(permitted=[directory("Other Inc")])
    assert not allowed(permitted=[directory("Example Corp", "Factory 1")])


def test_subject_within_an_excluded_subtree() -> None:
    assert not allowed(excluded=[directory("Example Corp")])
    assert allowed(excluded=[directory("Other Inc")])


@pytest.mark.parametrize(
    "written", ["EXAMPLE CORP", " example  corp ", "Ｅxample Corp", "Exam\u00adple Corp"]
)
def test_an_excluded_name_does_not_get_by_in_another_writing(written: str) -> None:
    organisation = x509.NameAttribute(ORGANISATION, written)
    subject = [organisation, x509.NameAttribute(NameOID.COMMON_NAME, "device-1")]

    assert not allowed(excluded=[directory("Example Corp")], subject=subject)


@pytest.mark.parametrize(
    ("base", "within"),
    [
        ("devices.example", True),
        ("example", False),
        (".example", True),
        ("device-1@devices.example", True),
        ("device-2@devices.example", False),
        ("DEVICES.EXAMPLE", True),
    ],
)
def test_mailbox_in_the_subject(base: str, within: bool) -> None:
    subject = [x509.NameAttribute(NameOID.EMAIL_ADDRESS, "device-1@devices.example")]

    assert allowed(permitted=[x509.RFC822Name(base)], subject=subject) is within
    assert allowed(excluded=[x509.RFC822Name(base)], subject=subject) is not within


def test_constraints_of_another_kind_leave_subjects_alone() -> None:
    assert allowed(permitted=[x509.DNSName("example")])

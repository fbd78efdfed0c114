"""A signature with unused bits is another encoding that anybody can make, and is not taken for good."""

from __future__ import annotations

from collections.abc import Callable

from conformance.mutated_chains.world import Presented, World, chance, good_world
from cryptography import x509
from cryptography.x509 import ocsp
from hri.verify.cose import MalformedError
from hri.verify.crl import RevocationList
from hri.verify.leaf import load_certificate
from hri.verify.ocsp import OcspEvidence, OcspResponse


def shown_where(wanted: Callable[[Presented], bytes]) -> tuple[World, Presented]:
    """A world of which that signature ends with a bit of 0, which alone may be left unused in DER."""
    for number in range(200):
        world = good_world(chance(f"octets {number}"), evidence="ocsp", kinds=["p256"])
        shown = world.present()
        if wanted(shown)[-1] & 1 == 0:
            return world, shown
    raise AssertionError("two hundred signatures end with a bit of 1")


def with_unused_bit(der: bytes, signature: bytes) -> bytes:
    start = der.rindex(signature)
    return der[: start - 1] + b"\x01" + der[start:]


def refuses(read: Callable[[], object]) -> bool:
    try:
        return read() is None
    except MalformedError:
        return True


def signature_of(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).signature


def test_certificate() -> None:
    _, shown = shown_where(lambda shown: signature_of(shown.leaf))
    twin = with_unused_bit(shown.leaf, signature_of(shown.leaf))

    assert not refuses(lambda: load_certificate(shown.leaf))
    assert x509.load_der_x509_certificate(twin).signature == signature_of(shown.leaf)
    assert refuses(lambda: load_certificate(twin))


def test_list() -> None:
    world, shown = shown_where(lambda shown: x509.load_der_x509_crl(shown.crls[0]).signature)
    der = shown.crls[0]
    twin = with_unused_bit(der, x509.load_der_x509_crl(der).signature)
    issuers = [one.certificate for one in world.authorities]

    assert not refuses(lambda: RevocationList.authentic(der, issuers))
    assert refuses(lambda: RevocationList.authentic(twin, issuers))


def test_response() -> None:
    _, shown = shown_where(lambda shown: ocsp.load_der_ocsp_response(shown.ocsp[0].der).signature)
    der = shown.ocsp[0].der
    twin = with_unused_bit(der, ocsp.load_der_ocsp_response(der).signature)

    assert not refuses(lambda: OcspResponse.from_evidence(OcspEvidence(der)))
    assert refuses(lambda: OcspResponse.from_evidence(OcspEvidence(twin)))

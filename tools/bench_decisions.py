"""Decisions with a CRL and with OCSP, each beside the same calls of cryptography alone; look-ups in a CRL."""

import secrets
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bench_entry import Entry, multiple_of_time, reported, share_of_rate
from bench_host import best_rates
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store
from hri.verify.crl import RevocationList
from hri.verify.path import OcspEvidence, TrustStore, check_certificate

_NOW = datetime.now(UTC).replace(microsecond=0)
_DAY = timedelta(days=1)
_SHA256 = hashes.SHA256()
_DECISIONS = 1000
_LOOK_UPS = 20_000
_LONG, _SHORT = 1_000_000, 1_000


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False)


class _Party:
    """A certificate and its key; `kind` is what it may do."""

    def __init__(self, name: str, above: "_Party | None", kind: str) -> None:
        self.name, self.key = _name(name), ec.generate_private_key(ec.SECP256R1())
        issuer = above or self
        authority = kind == "authority"
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(authority, None), True),
            (_usage(authority=authority), True),
            (x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), False),
        ]
        if kind == "device":
            uri = x509.UniformResourceIdentifier(f"urn:hri:device:{name}")
            extensions.append((x509.SubjectAlternativeName([uri]), False))
            extensions.append((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False))
        elif kind == "responder":
            extensions.append((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False))
            extensions.append((x509.OCSPNoCheck(), False))
        builder = x509.CertificateBuilder(
            issuer.name, self.name, self.key.public_key(), x509.random_serial_number(), *_around(_NOW, 30)
        )
        for value, critical in extensions:
            builder = builder.add_extension(value, critical)
        self.certificate = builder.sign(issuer.key, _SHA256)
        self.der = self.certificate.public_bytes(Encoding.DER)


def _around(moment: datetime, days: int) -> tuple[datetime, datetime]:
    naive = moment.replace(tzinfo=None)
    return naive - days * _DAY, naive + days * _DAY


def _list(issuer: _Party, entries: int) -> bytes:
    since, until = _around(_NOW, 1)
    because = x509.CRLReason(x509.ReasonFlags.key_compromise)
    reason: list[x509.Extension[x509.ExtensionType]] = [x509.Extension(because.oid, False, because)]
    revoked = [
        x509.RevokedCertificateBuilder(secrets.randbits(158) | 1, since, reason if number % 2 else []).build()
        for number in range(entries)
    ]
    builder = x509.CertificateRevocationListBuilder(issuer.name, since, until, [], revoked)
    return builder.sign(issuer.key, _SHA256).public_bytes(Encoding.DER)


def _response(leaf: _Party, issuer: _Party, responder: _Party) -> bytes:
    builder = ocsp.OCSPResponseBuilder().add_response(
        leaf.certificate,
        issuer.certificate,
        hashes.SHA1(),  # noqa: S303 - how certificates are named (RFC 5019 section 2.1.1)
        ocsp.OCSPCertStatus.GOOD,
        _NOW - _DAY,
        _NOW + _DAY,
        None,
        None,
    )
    signed = (
        builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
        .certificates([responder.certificate])
        .sign(responder.key, _SHA256)
    )
    return signed.public_bytes(Encoding.DER)


def _ours(leaf: _Party, trust: TrustStore, responses: list[OcspEvidence]) -> Callable[[], None]:
    def work() -> None:
        for _ in range(_DECISIONS):
            checked = check_certificate(leaf.der, (), trust, at=_NOW, ocsp=responses)
            if checked.reasons:
                raise ValueError(f"the bench was refused: {checked.reasons}")

    return work


def _bare(
    leaf: _Party, issuing: _Party, root: _Party, standing: Callable[[x509.Certificate], None]
) -> Callable[[], None]:
    store = Store([root.certificate])

    def work() -> None:
        verifier = PolicyBuilder().store(store).time(_NOW.replace(tzinfo=None)).build_client_verifier()
        for _ in range(_DECISIONS):
            certificate = x509.load_der_x509_certificate(leaf.der)
            verifier.verify(certificate, [x509.load_der_x509_certificate(issuing.der)])
            standing(certificate)

    return work


def _decisions() -> dict[str, Entry]:
    root = _Party("root", None, "authority")
    issuing = _Party("issuing", root, "authority")
    leaf, responder = _Party("device-1", issuing, "device"), _Party("responder", issuing, "responder")
    list_der, response_der = _list(issuing, 10), _response(leaf, issuing, responder)
    crl = x509.load_der_x509_crl(list_der)

    def by_list(certificate: x509.Certificate) -> None:
        if crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
            raise ValueError("the bench was refused")

    def by_response(certificate: x509.Certificate) -> None:
        response = ocsp.load_der_ocsp_response(response_der)
        signer = response.certificates[0]
        signer.verify_directly_issued_by(issuing.certificate)
        signer.public_key().verify(
            response.signature, response.tbs_response_bytes, ec.ECDSA(response.signature_hash_algorithm)
        )
        asked = ocsp.OCSPRequestBuilder().add_certificate(
            certificate, issuing.certificate, response.hash_algorithm
        )
        if asked.build().issuer_key_hash != response.issuer_key_hash:
            raise ValueError("the bench was refused")

    entries = {}
    for name, crls, responses, standing in (
        ("crl", [list_der], [], by_list),
        ("ocsp", [], [OcspEvidence(response_der)], by_response),
    ):
        trust = TrustStore.from_der([root.der], intermediates=[issuing.der], crls=crls)
        limit, rate = best_rates(
            _DECISIONS, _bare(leaf, issuing, root, standing), _ours(leaf, trust, responses)
        )
        entries[f"host.decide_{name}"] = share_of_rate(
            rate, limit, f"decisions a second, with {name.upper()}", 0.8
        )
    return entries


def _nanoseconds(read: RevocationList, issuing: _Party, leaf: _Party) -> float:
    best = float("inf")
    for _ in range(5):
        begun = time.perf_counter()
        for _ in range(_LOOK_UPS):
            read.finding(leaf.certificate, issuing.certificate)
        best = min(best, time.perf_counter() - begun)
    return best / _LOOK_UPS * 1e9


def _look_ups() -> dict[str, Entry]:
    issuing = _Party("issuing", None, "authority")
    leaf = _Party("device-1", issuing, "device")
    short = RevocationList.authentic(_list(issuing, _SHORT), [issuing.certificate])
    der = _list(issuing, _LONG)
    begun = time.perf_counter()
    long = RevocationList.authentic(der, [issuing.certificate])
    took = time.perf_counter() - begun
    if short is None or long is None:
        raise ValueError("the bench's own list was not authentic")
    held = len(der) + sys.getsizeof(long.entries) + sum(map(sys.getsizeof, long.entries))
    values = [_nanoseconds(one, issuing, leaf) for one in (long, short)]
    return {
        "host.crl_million.look_up": multiple_of_time(
            *values, "ns a look-up in a list of a million, beside one of a thousand", 2
        ),
        "host.crl_million.read": reported(
            round(took, 2), "s to read a list of a million once", "there is nothing to compare it with"
        ),
        "host.crl_million.memory": reported(
            round(held / 2**20), "MiB held for a list of a million", "there is nothing to compare it with"
        ),
    }


def measure() -> dict[str, Entry]:
    """Return the rates of decisions and the times of look-ups."""
    return {**_decisions(), **_look_ups()}

"""What publishing revocation costs: OCSP answers and a list of a million, beside bare cryptography."""

import datetime
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

from bench_entry import Entry, at_most, multiple_of_time, reported, share_of_rate
from bench_host import authority_in, best_rates
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hri.ca.authority import Authority
from hri.ca.issuance import Issuer, IssueRequest
from hri.ca.ocsp import Responder, issuer_hashes
from hri.ca.ocsp_delegate import Delegate, open_delegate
from hri.ca.ocsp_messages import Standing
from hri.ca.ocsp_source import RegistrySource
from hri.ca.profiles import Profile
from hri.registry import Device, Registry, RevokedEntry
from hri.verify.crl import RevocationList
from hri.verify.finding import Status

_ANSWERS = 2000
_CERTIFICATES = 512
_MILLION = 1_000_000
_LOOK_UPS = 2000
_DEADLINE = 900
_SHA1 = hashes.SHA1()  # noqa: S303 - as clients name the issuer
_SHA256 = hashes.SHA256()


def _requests(issuing: x509.Certificate, serial_numbers: list[int]) -> list[bytes]:
    name, key = issuer_hashes(issuing, _SHA1)
    nonce = x509.OCSPNonce(bytes(32))
    return [
        ocsp.OCSPRequestBuilder()
        .add_certificate_by_hash(name, key, serial_number, _SHA1)
        .add_extension(nonce, critical=False)
        .build()
        .public_bytes(Encoding.DER)
        for serial_number in serial_numbers
    ]


def _answering(scratch: Path, now: datetime.datetime) -> dict[str, Entry]:
    authority = authority_in(scratch, now)
    delegate = open_delegate(authority, scratch / "ocsp", b"bench passphrase", now=now)
    standings = {
        number: Standing(now, "keyCompromise") if number % 10 == 0 else Standing()
        for number in range(1, _ANSWERS + 1)
    }
    requests = _requests(authority.issuing, list(standings))
    responder = Responder(
        authority.issuing,
        lambda numbers: {number: standings[number] for number in numbers},
        lambda _now: delegate,
    )
    until = now + datetime.timedelta(hours=24)

    def bare() -> None:
        for der in requests:
            _bare_answer(der, standings, delegate, now, until)

    def ours() -> None:
        for der in requests:
            responder.answer(der, now)

    limit, rate = best_rates(_ANSWERS, bare, ours)
    with Registry.open(scratch / "bench.db") as registry:
        numbers = _issued(authority, registry, now)
        durable = Responder(
            authority.issuing,
            RegistrySource(registry, authority.issuing).standing_of,
            lambda _now: delegate,
        )
        asked = _requests(authority.issuing, numbers)

        def looked_up() -> None:
            for der in asked:
                durable.answer(der, now)

        (from_registry,) = best_rates(len(asked), looked_up)
    return {
        "standing.ocsp": share_of_rate(rate, limit, "OCSP answers a second, with nonce", 0.85),
        "standing.ocsp.from_registry": reported(
            round(from_registry), "OCSP answers a second", "each looked up in SQLite"
        ),
    }


def _bare_answer(
    der: bytes,
    standings: dict[int, Standing],
    delegate: Delegate,
    now: datetime.datetime,
    until: datetime.datetime,
) -> bytes:
    request = ocsp.load_der_ocsp_request(der)
    standing = standings[request.serial_number]
    revoked = standing.revoked_at is not None
    builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
        request.issuer_name_hash,
        request.issuer_key_hash,
        request.serial_number,
        _SHA1,
        ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
        now,
        until,
        standing.revoked_at,
        x509.ReasonFlags.key_compromise if revoked else None,
    )
    for extension in request.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, delegate.certificate)
    return builder.certificates([delegate.certificate]).sign(delegate.key, _SHA256).public_bytes(Encoding.DER)


def _issued(authority: Authority, registry: Registry, now: datetime.datetime) -> list[int]:
    """Issue some certificates and return their serial numbers."""
    profile = Profile.checked("default", validity=datetime.timedelta(days=365))
    issuer = Issuer(authority, registry, require_attestation=False)
    names = [f"device-{number}" for number in range(_CERTIFICATES)]
    registry.upsert_devices([Device(name, "atecc608b", None, "provisioning", 0, now) for name in names])
    numbers = []
    for name in names:
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        csr = x509.CertificateSigningRequestBuilder(subject).sign(
            ec.generate_private_key(ec.SECP256R1()), _SHA256
        )
        request = IssueRequest(csr.public_bytes(Encoding.DER), name, profile, unattested="bench")
        numbers.append(issuer.issue(request, now).serial_number)
    return numbers


def _large_list(folder: str, count: int, results: "multiprocessing.SimpleQueue[dict[str, float]]") -> None:
    """In a process of its own, whose memory is that of the list alone: sign a list and read it again."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    authority = authority_in(Path(folder), now)
    entries = [
        RevokedEntry(0x4000 << 144 | number * 0x9E3779B97F4A7C15 % (1 << 144), now, "superseded")
        for number in range(1, count + 1)
    ]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    der = authority.crl(entries, number=1, now=now, next_update=now + datetime.timedelta(days=7))
    signed = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read = time.perf_counter()
    crl = x509.load_der_x509_crl(der)
    last = crl[count - 1].serial_number
    parsed = time.perf_counter()
    if last != entries[-1].serial_number:
        raise ValueError("the bench read another list than it wrote")
    listed = RevocationList.authentic(der, [authority.issuing])
    indexed = time.perf_counter()
    results.put(
        {
            "sign": signed - begun,
            "bare": _bare_list(entries, authority, now),
            "read": parsed - read,
            "megabytes": len(der) / 1e6,
            "memory": (peak - before) / 1024,
            "index": indexed - parsed,
            "look_up": _look_up(listed, authority),
            "look_up_small": _look_up(_indexed(authority, entries[:100], now), authority),
        }
    )


def _indexed(
    authority: Authority, entries: list[RevokedEntry], now: datetime.datetime
) -> RevocationList | None:
    der = authority.crl(entries, number=1, now=now, next_update=now + datetime.timedelta(days=7))
    return RevocationList.authentic(der, [authority.issuing])


def _look_up(listed: RevocationList | None, authority: Authority) -> float:
    """Return the microseconds in which a verifier finds out what a list says of a certificate."""
    certificate = authority.issuing
    if listed is None or (finding := listed.finding(certificate, authority.issuing)) is None:
        raise ValueError("the bench's list says nothing")
    if finding.status is not Status.GOOD:
        raise ValueError("the bench's list says something else")
    begun = time.perf_counter()
    for _ in range(_LOOK_UPS):
        listed.finding(certificate, authority.issuing)
    return (time.perf_counter() - begun) / _LOOK_UPS * 1e6


def _bare_list(entries: list[RevokedEntry], authority: Authority, now: datetime.datetime) -> float:
    """Return the seconds that cryptography alone takes for the same entries."""
    naive = now.replace(tzinfo=None)
    begun = time.perf_counter()
    revoked = [
        x509.RevokedCertificateBuilder(
            entry.serial_number,
            naive,
            [x509.Extension(x509.CRLReason.oid, False, x509.CRLReason(x509.ReasonFlags.superseded))],
        ).build()
        for entry in entries
    ]
    x509.CertificateRevocationListBuilder(
        authority.issuing.subject, naive, naive + datetime.timedelta(days=7), [], revoked
    ).sign(ec.generate_private_key(ec.SECP256R1()), _SHA256).public_bytes(Encoding.DER)
    return time.perf_counter() - begun


def _million() -> dict[str, Entry]:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.SimpleQueue[dict[str, float]] = context.SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        process = context.Process(target=_large_list, args=(folder, _MILLION, results))
        process.start()
        process.join(_DEADLINE)
        if process.is_alive():
            process.kill()
            process.join()
        if process.exitcode != 0:
            raise ValueError(f"the process that signs a large list ended with {process.exitcode}")
    found = results.get()
    return {
        "standing.crl_million.sign": multiple_of_time(
            found["sign"], found["bare"], "s for a list of a million entries", 1.25
        ),
        "standing.crl_million.read": reported(round(found["read"], 3), "s", "to the last entry"),
        "standing.crl_million.index": reported(
            round(found["index"], 3),
            "s",
            "once, by a verifier: signature and entries",
        ),
        "standing.crl_million.look_up": multiple_of_time(
            found["look_up"], found["look_up_small"], "us, in a list of a million; the limit: of a hundred", 2
        ),
        "standing.crl_million.size": reported(round(found["megabytes"], 1), "MB", "as DER"),
        "standing.crl_million.memory": at_most(round(found["memory"]), "MB more while it is signed", 1500),
    }


def measure() -> dict[str, Entry]:
    """Return the rates and times of what is published."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    with tempfile.TemporaryDirectory() as scratch:
        return _answering(Path(scratch), now) | _million()

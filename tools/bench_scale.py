"""How long an issue, a look-up and a decision take with ten thousand devices, and with a million.

`python tools/bench_scale.py --devices 10000000 --plot docs/scale.svg` measures more, and draws it.
"""

import argparse
import datetime
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psycopg
from bench_entry import Entry
from bench_host import answer_to, authority_in, log_keys
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hri.acts import begin_logs
from hri.audit.recorder import LogKeys, Recorder
from hri.authentication import check_answer
from hri.ca.authority import Authority
from hri.ca.issuance import Issuer, IssueRequest
from hri.config import load
from hri.context import Context
from hri.elements.board import IdentityAnswer
from hri.registry import CertificateRecord, Device, Registry

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from postgres_server import PostgresServer

_WIDTH, _HEIGHT, _MARGIN = 720, 360, 60
_COLOURS = {"issue": "#8a1c1c", "lookup": "#1c5c8a", "decision": "#2c7a2c"}
SIZES = (10_000, 100_000, 1_000_000)
_TIMES = 400
_YEAR = datetime.timedelta(days=365)
# A gigabyte's worth of devices differ in what the database finds them by; what it stores of each is alike.
_DEVICE = "device_id, element_type, element_serial, status, slot, created_at"
_CERTIFICATE = (
    "serial_number, device_id, der, public_key_sha256, state, issued_at, not_before, not_after, slot, "
    "evidence, before_log, issuer"
)


Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Latencies:
    """Milliseconds of one issue, one look-up and one decision, each the median of many, at a size."""

    devices: int
    issue: float
    lookup: float
    decision: float


class _Bench:
    """A registry that grows, and one device in it that can answer."""

    def __init__(self, registry: Registry, url: str, authority: Authority, keys: LogKeys) -> None:
        self._registry = registry
        self._url = url
        self._authority = authority
        self._keys = keys
        self._now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        self._config = load(None)
        self._profile = self._config.profile()
        self._recorder = Recorder("bench", keys)
        self._issuer = Issuer(authority, registry, require_attestation=False, recorder=self._recorder)
        self._grown = 0
        self._key, certificate = self._issued("answering")
        registry.activate(certificate.serial_number, self._now)
        self._certificate = registry.certificate(certificate.serial_number)

    def grow(self, devices: int) -> None:
        """Load devices with a certificate each, log them, and let the database take stock of them."""
        with psycopg.connect(self._url) as connection, connection.cursor() as cursor:
            with cursor.copy(f"COPY device ({_DEVICE}) FROM STDIN") as copy:
                for row in self._device_rows(self._grown, devices):
                    copy.write_row(row)
            with cursor.copy(f"COPY certificate ({_CERTIFICATE}) FROM STDIN") as copy:
                for row in self._certificate_rows(self._grown, devices):
                    copy.write_row(row)
        self._grown = devices
        self._registry.sequence(self._keys.certificates)
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")

    def measure(self) -> Latencies:
        """Return the latencies at the present size."""
        names = [f"device-{secrets.randbelow(self._grown):08d}" for _ in range(_TIMES)]
        requests = [self._request(f"new-{secrets.token_hex(8)}") for _ in range(_TIMES)]
        context = Context(self._config, self._registry, self._authority, None, "bench")
        return Latencies(
            self._grown,
            _median(lambda request: self._issuer.issue(request, self._now), requests),
            _median(self._look_up, names),
            _median(lambda _: self._decide(context), names),
        )

    def _look_up(self, name: str) -> None:
        """Find a device by its name, by its chip, and its certificate by its key."""
        device = self._registry.device(name)
        if device is None or self._registry.device_by_element(device.element_serial or "") != device:
            raise ValueError(f"the bench lost the device {name}")
        if self._registry.live_certificate(name) is None:
            raise ValueError(f"the bench lost the certificate of {name}")

    def _decide(self, context: Context) -> None:
        """Challenge the device that can answer, and decide; the challenge is spent in the database."""
        challenge = self._registry.new_challenge(
            "authenticate", "answering", context.verifier, now=context.now(), ttl=context.challenge_ttl
        )
        answer = answer_to(self._key, context.verifier, "answering", challenge)
        certificate = self._certificate
        if certificate is None:
            raise ValueError("the bench lost its certificate")
        decision = check_answer(
            context, IdentityAnswer(answer, "answering", certificate.der), challenge, device_id="answering"
        )
        if not decision.trusted:
            raise ValueError(f"the bench was refused: {decision.reasons}")

    def _request(self, name: str) -> IssueRequest:
        self._registry.upsert_device(Device(name, "none", None, "provisioning", None, self._now))
        _, der = _csr(name)
        return IssueRequest(der, name, self._profile, unattested="bench")

    def _issued(self, name: str) -> tuple[ec.EllipticCurvePrivateKey, CertificateRecord]:
        self._registry.upsert_device(Device(name, "none", None, "provisioning", None, self._now))
        key, der = _csr(name)
        issued = self._issuer.issue(IssueRequest(der, name, self._profile, unattested="bench"), self._now)
        record = self._registry.certificate(issued.serial_number)
        if record is None:
            raise ValueError("the bench lost its certificate")
        return key, record

    def _device_rows(self, first: int, end: int) -> Iterator[tuple[object, ...]]:
        micros = int(self._now.timestamp()) * 1_000_000
        for number in range(first, end):
            yield f"device-{number:08d}", "atecc608b", f"01{number:014x}ee", "active", 0, micros

    def _certificate_rows(self, first: int, end: int) -> Iterator[tuple[object, ...]]:
        der = self._certificate.der if self._certificate else b""
        begin, until = (int(at.timestamp()) * 1_000_000 for at in (self._now, self._now + _YEAR))
        issuer = self._authority.key_identifier
        for number in range(first, end):
            serial_number, hashed = f"{secrets.randbits(159):040x}", secrets.token_hex(32)
            name = f"device-{number:08d}"
            yield serial_number, name, der, hashed, "active", begin, begin, until, 0, "", False, issuer


def _csr(name: str) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return key, csr.public_bytes(Encoding.DER)


def _median(work: Callable[[Thing], object], things: Sequence[Thing]) -> float:
    times = []
    for thing in things:
        begun = time.perf_counter()
        work(thing)
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1000


def latencies(sizes: Sequence[int]) -> list[Latencies]:
    """Return what was measured at each size, the smallest first, on a PostgreSQL of the bench's own."""
    now = datetime.datetime.now(datetime.UTC)
    server = PostgresServer(durable=True)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            server.start()
            url = server.url()
            authority, keys = authority_in(Path(scratch), now), log_keys()
            with Registry.open(url) as registry:
                begin_logs(registry, keys)
                bench = _Bench(registry, url, authority, keys)
                found = []
                for size in sorted(sizes):
                    bench.grow(size)
                    bench.measure()
                    found.append(bench.measure())
                return found
        finally:
            server.stop()


def entries(found: Sequence[Latencies]) -> dict[str, Entry]:
    """Return the latencies of the largest size, each beside that of the smallest."""
    small, large = found[0], found[-1]
    result = {}
    for what in ("issue", "lookup", "decision"):
        value, limit = getattr(large, what), getattr(small, what)
        ratio = round(value / limit, 3)
        result[f"scale.{what}"] = Entry(
            round(value, 2),
            f"ms, with {large.devices:,} devices on PostgreSQL",
            f"at most 1.5 times that with {small.devices:,}",
            ratio <= 1.5,
            round(limit, 2),
            ratio,
        )
    return result


def plot(found: Sequence[Latencies]) -> str:
    """Return the latencies over the number of devices as an SVG picture."""
    most = 1.2 * max(max(one.issue, one.lookup, one.decision) for one in found)
    step = (_WIDTH - 2 * _MARGIN) / max(1, len(found) - 1)
    places = [_MARGIN + number * step for number in range(len(found))]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_MARGIN}" y="20">Latency in ms (median of {_TIMES}) on PostgreSQL, by devices</text>',
    ]
    for place, one in zip(places, found, strict=True):
        parts.append(f'<text x="{place:.0f}" y="{_HEIGHT - 14}" text-anchor="middle">{one.devices:,}</text>')
    for what, colour in _COLOURS.items():
        values = [getattr(one, what) for one in found]
        heights = [_HEIGHT - _MARGIN - value / most * (_HEIGHT - 2 * _MARGIN) for value in values]
        points = " ".join(f"{x:.0f},{y:.1f}" for x, y in zip(places, heights, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, y, value in zip(places, heights, values, strict=True):
            parts.append(f'<circle cx="{x:.0f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
            label = f"{what} {value:.2f}"
            parts.append(
                f'<text x="{x:.0f}" y="{y - 8:.1f}" fill="{colour}" text-anchor="middle">{label}</text>'
            )
    return "\n".join([*parts, "</svg>", ""])


def measure() -> dict[str, Entry]:
    """Return the latencies at a million devices beside those at ten thousand."""
    return entries(latencies(SIZES))


def main() -> None:
    """Measure at the usual sizes and at one more, and draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, help="one more size, such as 10000000")
    parser.add_argument("--plot", type=Path, help="file for an SVG picture")
    options = parser.parse_args()
    found = latencies((*SIZES, options.devices) if options.devices else SIZES)
    for one in found:
        print(
            f"{one.devices:>10,} devices: issue {one.issue:.2f} ms, look-up {one.lookup:.2f} ms, "
            f"decision {one.decision:.2f} ms"
        )
    if options.plot:
        options.plot.write_text(plot(found))


if __name__ == "__main__":
    main()

"""Issuing without its database, in one process and in two, and with PostgreSQL on the same two cores."""

import datetime
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path

from bench_entry import Entry, reported, share_of_rate
from bench_host import GROUP, Requests, authority_in, bare_issues, best_rates, log_keys
from cryptography.hazmat.primitives.serialization import Encoding
from hri.acts import begin_logs
from hri.audit.recorder import NOBODY, Recorder
from hri.ca.authority import Authority
from hri.ca.issuance import Issuer, IssueRequest
from hri.registry import CertificateRecord, Device, IssuanceState, Registry

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from postgres_server import PostgresServer

_GROUPS = 24
_COUNT = GROUP * _GROUPS
# Long enough that the start of a process, and what else the machine does, do not count.
_ROUNDS_APART = 6
_DEADLINE_S = 300


class _Unstored(Registry):
    """A registry whose devices are all known and have nothing, and which keeps nothing."""

    def issuance_state(self, device_ids: object) -> dict[str, IssuanceState]:
        """Say that every device is being provisioned."""
        return {name: IssuanceState("provisioning", None, ()) for name in device_ids}  # type: ignore[attr-defined]

    def record_certificates(
        self,
        batch: Sequence[CertificateRecord],
        *,
        expected: dict[str, IssuanceState] | None = None,
        retired: Sequence[int] = (),
        recorder: Recorder = NOBODY,
    ) -> None:
        """Keep nothing."""


def _issue_all(issuer: Issuer, batches: Sequence[Sequence[IssueRequest]], now: datetime.datetime) -> None:
    for batch in batches:
        for outcome in issuer.issue_many(batch, now):
            if isinstance(outcome, Exception):
                raise outcome


def _computing(authority: Authority, requests: Requests, now: datetime.datetime) -> Entry:
    with _Unstored.open(":memory:") as registry:
        issuer = Issuer(authority, registry, require_attestation=False)
        limit, rate = best_rates(
            _COUNT,
            bare_issues(authority, requests, now),
            lambda: _issue_all(issuer, requests.batches(), now),
        )
    return share_of_rate(rate, limit, "certificates a second, checked, decided and signed", 0.85)


def _process(
    chain: bytes, key_folder: str, requests: Requests, now: datetime.datetime, start: Barrier, took: object
) -> None:
    authority = Authority.open(Path(key_folder), b"bench passphrase")
    if authority.issuing.public_bytes(Encoding.DER) != chain:
        raise ValueError("the bench opened another authority")
    batches = requests.batches()
    with _Unstored.open(":memory:") as registry:
        issuer = Issuer(authority, registry, require_attestation=False)
        _issue_all(issuer, batches, now)
        start.wait(_DEADLINE_S)
        begun = time.perf_counter()
        for _ in range(_ROUNDS_APART):
            _issue_all(issuer, batches, now)
        took.put(time.perf_counter() - begun)  # type: ignore[attr-defined]


def _rate_of(number: int, folder: Path, chain: bytes, requests: Requests, now: datetime.datetime) -> float:
    """Return the rate of some processes together, each with all the requests."""
    spawn = multiprocessing.get_context("spawn")
    start, took = spawn.Barrier(number), spawn.Queue()
    processes = [
        spawn.Process(target=_process, args=(chain, str(folder), requests, now, start, took), daemon=True)
        for _ in range(number)
    ]
    for process in processes:
        process.start()
    times = [took.get(timeout=_DEADLINE_S) for _ in processes]
    for process in processes:
        process.join(_DEADLINE_S)
    return number * _ROUNDS_APART * _COUNT / max(times)


def _together(folder: Path, authority: Authority, requests: Requests, now: datetime.datetime) -> Entry:
    chain = authority.issuing.public_bytes(Encoding.DER)
    alone = max(_rate_of(1, folder, chain, requests, now) for _ in range(2))
    both = max(_rate_of(2, folder, chain, requests, now) for _ in range(2))
    ratio = round(both / alone, 3)
    return Entry(
        round(both),
        "certificates a second, two processes",
        "at least 1.8 times one process",
        ratio >= 1.8,
        round(alone),
        ratio,
    )


def _on_postgresql(authority: Authority, requests: Requests, now: datetime.datetime) -> Entry:
    keys = log_keys()
    recorder = Recorder("bench", keys)
    server = PostgresServer(durable=True)
    try:
        server.start()
        rates = []
        for _ in range(3):
            with Registry.open(server.url()) as registry:
                registry.upsert_devices(
                    [Device(name, "none", None, "provisioning", None, now) for name in requests.names]
                )
                begin_logs(registry, keys)
                issuer = Issuer(authority, registry, require_attestation=False, recorder=recorder)
                begun = time.perf_counter()
                _issue_all(issuer, requests.batches(), now)
                rates.append(_COUNT / (time.perf_counter() - begun))
    finally:
        server.stop()
    return reported(
        round(max(rates)),
        "certificates a second, durable, both logs written, 64 to a commit, PostgreSQL",
        "the server is on the same two cores",
    )


def measure() -> dict[str, Entry]:
    """Return the rates of issuing."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        authority = authority_in(folder, now)
        requests = Requests.made(_COUNT)
        return {
            "issue.computing": _computing(authority, requests, now),
            "issue.two_processes": _together(folder, authority, requests, now),
            "issue.postgresql": _on_postgresql(authority, requests, now),
        }

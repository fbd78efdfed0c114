"""Several processes on one PostgreSQL, any of which may die, and a database that goes and comes back."""

import base64
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from postgres_server import PostgresServer, find
from system.server.conftest import provisioned
from system.server.processes import ServedHome, ServerProcess, serving
from unit.server.serving import attested_csr, b64, basic, bearer, make_csr, state_of

DEVICE = "device-1"
_DEADLINE_S = 60
_ROUNDS = 12
_KILLS = 3
_LIMITS = {"requests_per_second": 100_000.0, "burst": 100_000, "answer_timeout": 5.0}
_EST = "/.well-known/est"
_HEADERS = basic("registration-authority") | {"Content-Type": "application/pkcs10"}


@pytest.fixture(scope="module")
def shared(postgres, tmp_path_factory) -> ServedHome:
    return ServedHome(tmp_path_factory.mktemp("shared") / "home", postgres.url())


@pytest.fixture(scope="module")
def board(shared):
    return provisioned(shared, DEVICE, bytes.fromhex("0123aabbccddee02ee"))


@pytest.fixture(scope="module")
def pair(shared) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    with serving(shared) as one, serving(shared) as other:
        yield one, other


def challenge(client, purpose, device=DEVICE):
    asked = {"device_id": device, "purpose": purpose}
    answer = client.post("/v1/challenges", headers=bearer("operator"), json=asked)
    assert answer.status_code == 201, answer.text
    return base64.b64decode(answer.json()["challenge"]), answer.json()["verifier"]


def answered(client, board):
    drawn, verifier = challenge(client, "authenticate")
    answer = board.call("identity.answer", {"challenge": drawn, "verifier": verifier})
    return {
        "device_id": DEVICE,
        "challenge": b64(drawn),
        "answer": b64(answer["answer"]),
        "certificate": b64(answer["certificate"]),
    }


def verify(client, body):
    answer = client.post("/v1/verify", headers=bearer("operator"), json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def at_once(*acts):
    """Do all acts at the same moment and return what came of them."""
    gate = threading.Barrier(len(acts))

    def run(act):
        gate.wait(_DEADLINE_S)
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts, timeout=_DEADLINE_S))


def test_a_replay_is_caught_by_another_process(pair, board):
    with pair[0].client() as one, pair[1].client() as other:
        body = answered(one, board)

        first, second = verify(one, body), verify(other, body)

    assert first["trusted"]
    assert [reason["code"] for reason in second["reasons"]] == ["challenge-used"]


def test_of_two_processes_with_one_answer_exactly_one_trusts_it(pair, board):
    with pair[0].client() as one, pair[1].client() as other:
        for _ in range(_ROUNDS):
            body = answered(one, board)

            decisions = at_once(lambda body=body: verify(one, body), lambda body=body: verify(other, body))

            assert sorted(decision["trusted"] for decision in decisions) == [False, True]


def enroll(client, csr, headers=_HEADERS):
    return client.post(f"{_EST}/simpleenroll", headers=headers, content=base64.b64encode(csr))


def serial_of(answer):
    assert answer.status_code == 200, answer.text
    return pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer.content))[0].serial_number


def test_a_request_that_meets_two_processes_is_issued_once(pair, board, shared):
    with shared.context() as context:
        live = context.registry.live_certificate(DEVICE)
        context.registry.revoke(live.serial_number, "superseded", context.now())
        before = len(context.registry.certificates(DEVICE))
        with pair[0].client() as one, pair[1].client() as other:
            drawn, verifier = challenge(one, "state")
            csr = attested_csr(board.keys[0], DEVICE, state_of(board, drawn, verifier, DEVICE))

            answers = at_once(lambda: enroll(one, csr), lambda: enroll(other, csr))

            # One may have found the challenge spent by the other; asked again, both get the one certificate.
            assert {answer.status_code for answer in answers} <= {200, 403}
            assert serial_of(enroll(one, csr)) == serial_of(enroll(other, csr))
        board.record = {**board.record, "certificate": context.registry.live_certificate(DEVICE).der}
        assert len(context.registry.certificates(DEVICE)) == before + 1


def test_a_revocation_by_one_process_shows_in_the_list_of_the_other(pair):
    soft = ec.generate_private_key(ec.SECP256R1())
    with pair[0].client() as one, pair[1].client() as other:
        body = {"csr": b64(make_csr(soft, "short-lived")), "unattested": "a test"}
        issued = one.post("/v1/certificates", headers=bearer("admin"), json=body).json()
        other.get("/crl/issuing.crl")
        one.post("/v1/devices/short-lived/revoke", headers=bearer("admin"), json={"reason": "keyCompromise"})

        end = time.monotonic() + _DEADLINE_S
        wanted = bytes.fromhex(issued["serial_number"])
        while wanted not in (crl := other.get("/crl/issuing.crl").content) and time.monotonic() < end:
            time.sleep(0.2)

    assert wanted in crl


def test_whatever_is_killed_every_certificate_handed_out_is_on_record_once(shared, board):
    del board
    handed_out: dict[str, set[int]] = {}
    requests = {
        f"soft-{number}": make_csr(ec.generate_private_key(ec.SECP256R1()), f"soft-{number}")
        for number in range(120)
    }
    chance, cut_off = random.Random(5), 0  # noqa: S311 - only when to kill
    for _ in range(_KILLS):
        with serving(shared) as server, ThreadPoolExecutor(4) as pool, server.client() as client:
            work = [pool.submit(issue_unattested, client, name, csr) for name, csr in requests.items()]
            time.sleep(chance.uniform(0.2, 0.8))
            os.killpg(server.process.pid, signal.SIGKILL)
            for future in work:
                if (found := future.result(_DEADLINE_S)) is None:
                    cut_off += 1
                else:
                    handed_out.setdefault(found[0], set()).add(found[1])

    with serving(shared) as server, server.client() as client:
        for name, csr in requests.items():
            _, serial = issue_unattested(client, name, csr)
            handed_out.setdefault(name, set()).add(serial)

    assert cut_off, "no request was under way when the server was killed"
    with shared.context() as context:
        for name, serials in handed_out.items():
            records = context.registry.certificates(name)
            assert len(serials) == 1
            assert [(record.serial_number, record.state) for record in records] == [(*serials, "active")]


def issue_unattested(client, name, csr):
    """The serial number that was handed out, None if the server was killed meanwhile."""
    body = {"csr": b64(csr), "unattested": "a load test"}
    try:
        answer = client.post("/v1/certificates", headers=bearer("admin"), json=body)
    except httpx.TransportError:
        return None
    assert answer.status_code == 200, answer.text
    return name, int(answer.json()["serial_number"], 16)


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    if find("initdb") is None:
        pytest.skip("no PostgreSQL server on this machine; apt-get install postgresql")
    database = PostgresServer()
    try:
        database.start()
        yield database
    finally:
        database.stop()


def until(client, status):
    """Ask for health until it has this status; every answer on the way is one of the two that make sense."""
    end = time.monotonic() + _DEADLINE_S
    while (answer := client.get("/healthz")).status_code != status:
        assert answer.status_code in (200, 503)
        assert time.monotonic() < end, answer.text
        time.sleep(0.1)
    return answer


def test_a_database_that_is_gone_is_503_and_all_is_well_when_it_is_back(own_postgres, tmp_path):
    url = own_postgres.url()
    served = ServedHome(tmp_path / "home", url, limits=_LIMITS)
    folder = own_postgres._folder
    with serving(served) as server, server.client() as client:
        until(client, 200)
        with psycopg.connect(url, autocommit=True) as connection:
            (folder / ".s.PGSQL.5432").rename(folder / "gone")
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            )
        gone = until(client, 503)
        listed = client.get("/v1/devices", headers=bearer("auditor"))
        drawn = client.post(
            "/v1/challenges", headers=bearer("operator"), json={"device_id": "d", "purpose": "state"}
        )
        (folder / "gone").rename(folder / ".s.PGSQL.5432")
        until(client, 200)

        assert gone.headers["Retry-After"]
        assert [(answer.status_code, answer.json()["code"]) for answer in (listed, drawn)] == [
            (503, "database-unreachable")
        ] * 2
        assert client.get("/v1/devices", headers=bearer("auditor")).status_code == 200


def test_a_database_that_is_stuck_is_503_and_not_a_hang(own_postgres, tmp_path):
    url = own_postgres.url()
    served = ServedHome(tmp_path / "home", url, limits=_LIMITS)
    with serving(served) as server, server.client() as client:
        until(client, 200)
        with psycopg.connect(url) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' "
                "AND pid <> pg_backend_pid()"
            )
            stuck = [own_postgres._process.pid, *(pid for (pid,) in rows.fetchall())]
        try:
            for pid in stuck:
                os.kill(pid, signal.SIGSTOP)
            assert client.get("/v1/devices", headers=bearer("auditor")).status_code == 503
            assert client.get("/healthz/live").status_code == 200
        finally:
            for pid in stuck:
                os.kill(pid, signal.SIGCONT)
        until(client, 200)

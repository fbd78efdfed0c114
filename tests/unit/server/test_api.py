"""The API: the use cases of the command line, with the same words, over HTTP."""

import base64
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hri.errors import StorageError
from hri.serial_numbers import serial_text
from unit.server.serving import b64, bearer, make_csr, state_of

ADMIN = bearer("admin")
RA = bearer("registration-authority")
OPERATOR = bearer("operator")


def new_challenge(client, device, purpose="authenticate"):
    answer = client.post("/v1/challenges", headers=RA, json={"device_id": device, "purpose": purpose})
    assert answer.status_code == 201
    return base64.b64decode(answer.json()["challenge"]), answer.json()


def answered(client, board, device):
    challenge, said = new_challenge(client, device)
    answer = board.call("identity.answer", {"challenge": challenge, "verifier": said["verifier"]})
    return {
        "device_id": device,
        "challenge": b64(challenge),
        "answer": b64(answer["answer"]),
        "certificate": b64(answer["certificate"]),
    }


def decide(client, body):
    answer = client.post("/v1/verify", headers=OPERATOR, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def codes(decision):
    return [reason["code"] for reason in decision["reasons"]]


def test_a_challenge_names_whom_it_is_for_and_until_when(client, device, context):
    challenge, said = new_challenge(client, device)

    assert len(challenge) == 32
    assert (said["device_id"], said["verifier"], said["purpose"]) == (device, "hri", "authenticate")
    assert said["expires_at"] > context.now().isoformat()


def test_an_answer_is_trusted_once(client, board, device, context):
    body = answered(client, board, device)

    first, second = decide(client, body), decide(client, body)

    assert (first["trusted"], first["device_id"]) == (True, device)
    assert codes(second) == ["challenge-used"]
    assert context.registry.device(device).last_authenticated_at is not None


def test_a_certificate_may_be_given_as_pem(client, board, device):
    body = answered(client, board, device)
    der = base64.b64decode(body["certificate"])
    pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()

    assert decide(client, {**body, "certificate": pem})["trusted"]


def test_a_revoked_device_is_not_trusted_and_stands_on_the_list(client, board, device, context):
    before = client.get("/crl/issuing.crl")
    serial = context.registry.live_certificate(device).serial_number
    answer = client.post(f"/v1/devices/{device}/revoke", headers=OPERATOR, json={"reason": "key-compromise"})

    assert answer.json()["certificates"] == [serial_text(serial)]
    assert codes(decide(client, answered(client, board, device))) == ["revoked"]
    crl = x509.load_der_x509_crl(client.get("/crl/issuing.crl").content)
    assert before.headers["Content-Type"] == "application/pkix-crl"
    assert x509.load_der_x509_crl(before.content).get_revoked_certificate_by_serial_number(serial) is None
    assert crl.get_revoked_certificate_by_serial_number(serial) is not None


def test_the_first_trusted_answer_confirms_a_renewed_certificate(client, board, device, context):
    old = context.registry.live_certificate(device)
    csr = make_csr(board.keys[0], device)
    challenge, said = new_challenge(client, device, "state")
    body = {"csr": b64(csr), "evidence": b64(state_of(board, challenge, said["verifier"], device, csr))}

    renewed = client.post(f"/v1/certificates/{serial_text(old.serial_number)}/renew", headers=RA, json=body)

    assert renewed.status_code == 200, renewed.text
    new = int(renewed.json()["serial_number"], 16)
    assert context.registry.certificate(new).state == "issued"
    again = client.post(f"/v1/certificates/{serial_text(old.serial_number)}/renew", headers=RA, json=body)
    assert again.json()["serial_number"] == renewed.json()["serial_number"]
    board.record = {**board.record, "certificate": context.registry.certificate(new).der}
    assert decide(client, answered(client, board, device))["trusted"]
    assert context.registry.certificate(new).state == "active"
    assert context.registry.certificate(old.serial_number).state == "superseded"


def test_evidence_beside_a_request_counts_as_evidence_in_it_does(client, board, device, context):
    context.registry.revoke(
        context.registry.live_certificate(device).serial_number, "superseded", context.now()
    )
    challenge, said = new_challenge(client, device, "state")
    evidence = state_of(board, challenge, said["verifier"], device)

    issued = client.post(
        "/v1/certificates",
        headers=RA,
        json={"csr": b64(make_csr(board.keys[0], device)), "evidence": b64(evidence)},
    ).json()

    shown = client.get(f"/v1/certificates/{issued['serial_number']}", headers=bearer("auditor")).json()
    assert (shown["state"], shown["attested"], shown["device_id"]) == ("active", True, device)
    pem = client.get(f"/v1/certificates/{issued['serial_number']}/pem", headers=bearer("auditor"))
    assert pem.text == issued["certificate"] == shown["certificate"]


def test_only_an_admin_does_without_evidence_and_says_why(client):
    key = ec.generate_private_key(ec.SECP256R1())
    body = {"csr": b64(make_csr(key, "soft-1")), "unattested": "a test bench"}

    assert client.post("/v1/certificates", headers=RA, json=body).json()["code"] == "wrong-role"
    issued = client.post("/v1/certificates", headers=ADMIN, json=body).json()
    shown = client.get(f"/v1/certificates/{issued['serial_number']}", headers=ADMIN).json()
    assert (shown["attested"], shown["unattested"]) == (False, "a test bench")


def test_not_even_an_admin_does_without_the_proof_of_a_chip_that_is_there(client, device):
    body = {"csr": b64(make_csr(ec.generate_private_key(ec.SECP256R1()), device)), "unattested": "hurry"}

    answer = client.post("/v1/certificates", headers=ADMIN, json=body)

    assert (answer.status_code, answer.json()["code"]) == (403, "unattested")


def test_devices_come_in_pages(client, device, context):
    from hri.registration import register_device

    for number in range(2, 6):
        register_device(context, f"device-{number}")

    first = client.get("/v1/devices?limit=3", headers=OPERATOR).json()
    second = client.get(f"/v1/devices?limit=3&after={first['next']}", headers=OPERATOR).json()

    assert [item["device_id"] for item in first["devices"]] == ["device-1", "device-2", "device-3"]
    assert [item["device_id"] for item in second["devices"]] == ["device-4", "device-5"]
    assert second["next"] is None
    assert first["devices"][0]["device_id"] == device


def test_devices_are_found_by_what_is_known_of_them(client, device, context):
    from hri.registration import register_device

    for name in ("pump-1", "pump-2", "valve-1"):
        register_device(context, name)

    def found(**query):
        answer = client.get("/v1/devices", params=query, headers=OPERATOR).json()
        return [item["device_id"] for item in answer["devices"]]

    assert found(prefix="pump-") == ["pump-1", "pump-2"]
    assert found(status="active") == [device]
    assert found(status="registered", prefix="valve") == ["valve-1"]
    assert found(never_seen="true", prefix="pump") == ["pump-1", "pump-2"]
    assert found(expiring_within=36500) == [device]
    assert found(expiring_within=1) == []


@pytest.mark.parametrize(
    "query", ["status=lost", "expiring_within=-1", "element_prefix=zz", "limit=0", "owner=", "colour=red"]
)
def test_a_search_that_makes_no_sense_is_refused(client, query):
    assert client.get(f"/v1/devices?{query}", headers=OPERATOR).status_code == 422


def test_a_device_is_shown_with_its_births_appraised_again(client, device):
    shown = client.get(f"/v1/devices/{device}", headers=OPERATOR).json()

    assert (shown["status"], shown["births"][0]["reasons"]) == ("active", [])


def test_a_certificate_is_judged_at_a_time(client, device, context):
    record = context.registry.live_certificate(device)
    body = {"certificate": b64(record.der), "at": (record.not_after + timedelta(days=1)).isoformat()}

    now = client.post(
        "/v1/verify-certificate", headers=OPERATOR, json={"certificate": b64(record.der)}
    ).json()
    later = client.post("/v1/verify-certificate", headers=OPERATOR, json=body).json()

    assert now["trusted"]
    assert "expired" in codes(later)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/devices/nobody", "not-found"),
        ("/v1/certificates/00aa", "not-found"),
        ("/v1/certificates/00aa/pem", "not-found"),
        ("/crl/other.crl", "not-found"),
    ],
)
def test_what_is_not_there_is_not_found(client, path, code):
    answer = client.get(path, headers=ADMIN)

    assert (answer.status_code, answer.json()["code"]) == (404, code)
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "change",
    [
        {"challenge": "AAAA"},
        {"challenge": "not base64"},
        {"answer": 7},
        {"device_id": "../x"},
        {"device_id": "a" * 65},
        {"more": 1},
        {"certificate": None},
        {"certificate": "-----BEGIN CERTIFICATE-----\nx"},
    ],
)
def test_a_question_that_makes_no_sense_is_refused_without_its_values(client, board, device, change):
    answer = client.post("/v1/verify", headers=OPERATOR, json=answered(client, board, device) | change)

    assert (answer.status_code, answer.json()["code"]) == (422, "bad-request")


@pytest.mark.parametrize("name", ["answer", "certificate"])
@pytest.mark.parametrize("value", [b"", b"\x00", b"\x30\x80", b"\xff" * 2000])
def test_an_answer_of_garbage_is_a_decision_against_it(client, board, device, name, value):
    decision = decide(client, answered(client, board, device) | {name: b64(value)})

    assert not decision["trusted"]


def test_what_was_done_is_counted(client, board, device):
    decide(client, answered(client, board, device))
    decide(client, answered(client, board, device) | {"answer": b64(b"x")})

    text = client.get("/metrics", headers=bearer("auditor")).text

    assert 'hri_decisions_total{reason="trusted"} 1.0' in text
    assert 'hri_decisions_total{reason="malformed"} 1.0' in text
    assert 'hri_http_requests_total{method="POST",route="/v1/verify",status="200"} 2.0' in text
    assert "device-1" not in text


def test_health_says_what_does_not_work(client, context, monkeypatch):
    def gone():
        raise StorageError("database-unreachable", "it is gone", "wait")

    assert client.get("/healthz").json() == {"status": "ready", "database": "ok", "ca-key": "ok"}
    monkeypatch.setattr(context.registry, "log_head", gone)

    answer = client.get("/healthz")

    assert (answer.status_code, answer.json()["database"]) == (503, "database-unreachable")
    assert answer.headers["Retry-After"]
    assert client.get("/healthz/live").status_code == 200


def test_a_failing_database_is_503_with_a_time_to_come_back_and_is_counted(client, context, monkeypatch):
    def gone(*_args, **_more):
        raise StorageError("database-unreachable", "it is gone", "wait")

    monkeypatch.setattr(context.registry, "find_devices", gone)

    answer = client.get("/v1/devices", headers=OPERATOR)

    assert (answer.status_code, answer.json()["code"]) == (503, "database-unreachable")
    assert answer.headers["Retry-After"]
    text = client.get("/metrics", headers=ADMIN).text
    assert 'hri_storage_errors_total{code="database-unreachable"} 1.0' in text


def test_a_fault_of_ours_tells_a_client_nothing(client, context, monkeypatch):
    def broken(*_args, **_more):
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr(context.registry, "find_devices", broken)

    answer = client.get("/v1/devices", headers=OPERATOR)

    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "42" not in answer.text


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1600-01-01", "-5", "1e30", "NaN", 1e18]
)
def test_a_time_at_the_edge_of_time_is_a_decision_or_a_refusal(client, device, context, at):
    record = context.registry.live_certificate(device)

    answer = client.post(
        "/v1/verify-certificate", headers=OPERATOR, json={"certificate": b64(record.der), "at": at}
    )

    assert answer.status_code in (200, 422)
    assert answer.status_code == 422 or not answer.json()["trusted"]


@pytest.mark.parametrize(
    "body", [b"[" * 60_000, b'{"a":' * 10_000, b"\xff\xfe", b"", b"null", b'{"device_id": "\\ud800"}']
)
def test_json_that_is_hostile_is_refused(client, body):
    headers = {**OPERATOR, "Content-Type": "application/json"}

    answer = client.post("/v1/challenges", headers=headers, content=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "bad-request")


def test_no_changed_octet_of_a_certificate_is_a_fault_or_trusted(client, device, context):
    good = context.registry.live_certificate(device).der

    for at in range(0, len(good), 7):
        der = bytearray(good)
        der[at] ^= 0x81
        body = {"certificate": b64(bytes(der))}
        answer = client.post("/v1/verify-certificate", headers=OPERATOR, json=body)
        assert answer.status_code == 200, (at, answer.text)
        assert not answer.json()["trusted"], at

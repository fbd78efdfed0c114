"""A client that lost an answer asks again: what was done is told again, and never done twice.

The connection is a raw socket, reset (SO_LINGER 0) with the answer unread: a network that broke, not a client
that closes in order.
"""

import base64
import json
import random
import socket
import struct
import time
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from hri.audit.entry import Entry
from hri.serial_numbers import serial_text
from system.server.conftest import provisioned
from system.server.processes import ServedHome, serving
from unit.server.serving import attested_csr, b64, basic, bearer, make_csr, state_of

_DEADLINE_S = 60
_ROUNDS = 25
_ISSUE = "/v1/certificates"
_ADMIN = bearer("admin") | {"Content-Type": "application/json"}
_EST = basic("registration-authority") | {"Content-Type": "application/pkcs10"}
_LINGER_0 = struct.pack("ii", 1, 0)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    return ServedHome(tmp_path_factory.mktemp("lost") / "home", tls=None, clients=[])


@pytest.fixture(scope="module")
def server(served):
    with serving(served) as running:
        yield running


@pytest.fixture(scope="module")
def context(served):
    with served.context() as opened:
        yield opened


def lose(server, path, headers, body, *, when):
    """Post, wait until `when` says so, and break the connection without having read a byte."""
    where = urlsplit(server.url)
    head = {"Host": where.netloc, "Content-Length": str(len(body)), "Idempotency-Key": "k", **headers}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    with socket.create_connection((where.hostname, where.port), timeout=_DEADLINE_S) as connection:
        connection.sendall("\r\n".join(lines).encode() + body)
        end = time.monotonic() + _DEADLINE_S
        while not when():
            assert time.monotonic() < end, "the server never did it"
            time.sleep(0.005)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)


def again(server, path, headers, body):
    """Post the same once more, and get the answer."""
    answer = httpx.post(
        server.url + path, headers={"Idempotency-Key": "k", **headers}, content=body, timeout=_DEADLINE_S
    )
    assert answer.status_code == 200, answer.text
    return answer


def acts(context, kind, device):
    """How often the audit log tells of this act."""
    entries = [Entry.from_bytes(stored.entry).act for stored in context.registry.audit_entries()]
    return sum((act.act, act.subject, act.outcome) == (kind, device, "done") for act in entries)


def evidence_for(server, board, device):
    asked = {"device_id": device, "purpose": "state"}
    said = httpx.post(f"{server.url}/v1/challenges", headers=bearer("admin"), json=asked).json()
    return state_of(board, base64.b64decode(said["challenge"]), said["verifier"], device)


def unattested(device):
    csr = make_csr(ec.generate_private_key(ec.SECP256R1()), device)
    return json.dumps({"csr": b64(csr), "unattested": "a test"}).encode()


def test_a_certificate_is_issued_once_and_handed_out_again(server, context):
    body = unattested("lost-1")

    lose(server, _ISSUE, _ADMIN, body, when=lambda: len(context.registry.certificates("lost-1")) == 1)
    answer = again(server, _ISSUE, _ADMIN, body)

    [record] = context.registry.certificates("lost-1")
    assert (answer.json()["serial_number"], record.state) == (serial_text(record.serial_number), "active")
    assert acts(context, "issue", "lost-1") == 1


def test_a_renewal_is_issued_once_on_one_challenge(server, served, context):
    board = provisioned(served, "lost-2", bytes.fromhex("0123aabbccddee21ee"))
    [old] = context.registry.certificates("lost-2")
    csr = attested_csr(board.keys[0], "lost-2", evidence_for(server, board, "lost-2"))
    path = f"/v1/certificates/{serial_text(old.serial_number)}/renew"
    body = json.dumps({"csr": b64(csr)}).encode()

    lose(server, path, _ADMIN, body, when=lambda: len(context.registry.certificates("lost-2")) == 2)
    answer = again(server, path, _ADMIN, body)

    [new] = [record for record in context.registry.certificates("lost-2") if record != old]
    assert int(answer.json()["serial_number"], 16) == new.serial_number
    assert acts(context, "issue", "lost-2") == 2


def test_an_enrolment_over_est_is_issued_once_on_one_challenge(server, served, context):
    board = provisioned(served, "lost-3", bytes.fromhex("0123aabbccddee22ee"))
    [old] = context.registry.certificates("lost-3")
    context.registry.revoke(old.serial_number, "superseded", context.now())
    csr = attested_csr(board.keys[0], "lost-3", evidence_for(server, board, "lost-3"))
    path, body = "/.well-known/est/simpleenroll", b64(csr).encode()

    lose(server, path, _EST, body, when=lambda: len(context.registry.certificates("lost-3")) == 2)
    answer = again(server, path, _EST, body)

    [handed_out] = pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer.content))
    live = context.registry.live_certificate("lost-3")
    assert handed_out.serial_number == live.serial_number
    assert len(context.registry.certificates("lost-3")) == 2


def test_a_revocation_counts_from_the_first_time(server, context):
    again(server, _ISSUE, _ADMIN, unattested("lost-4"))
    path, body = "/v1/devices/lost-4/revoke", b'{"reason": "keyCompromise"}'

    lose(server, path, _ADMIN, body, when=lambda: context.registry.device("lost-4").status == "revoked")
    [before] = context.registry.certificates("lost-4")
    answer = again(server, path, _ADMIN, body)

    [after] = context.registry.certificates("lost-4")
    assert answer.json()["certificates"] == [serial_text(after.serial_number)]
    assert (after.revoked_at, after.reason) == (before.revoked_at, "keyCompromise")
    listed = [entry.serial_number for entry in context.registry.revoked()]
    assert listed.count(after.serial_number) == 1


def test_whenever_the_connection_breaks_the_device_has_one_certificate(server, context):
    chance = random.Random(7)  # noqa: S311 - only when to break
    for number in range(_ROUNDS):
        device, body = f"broken-{number}", unattested(f"broken-{number}")
        pause = chance.uniform(0, 0.03)

        lose(server, _ISSUE, _ADMIN, body, when=lambda pause=pause: time.sleep(pause) is None)
        answer = again(server, _ISSUE, _ADMIN, body)

        [record] = context.registry.certificates(device)
        assert int(answer.json()["serial_number"], 16) == record.serial_number
        assert acts(context, "issue", device) == 1

"""The process itself: TLS, slow and hostile clients, its end, and what it does not start without."""

import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import httpx
import pytest
from system.server.conftest import DEVICE, shown
from system.server.processes import ServedHome, serving
from unit.server.serving import bearer

_DEADLINE_S = 30


def connection(server, *, tls=True, maximum=None):
    where = urlsplit(server.url)
    raw = socket.create_connection((where.hostname, where.port), timeout=_DEADLINE_S)
    if not tls:
        return raw
    context = ssl.create_default_context(cafile=str(server.served.path / "server-ca.pem"))
    if maximum is not None:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = maximum
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context.wrap_socket(raw, server_hostname=where.hostname)


def drained(stream):
    """What is still to be read until the other side closes; b"" if it broke off."""
    data = b""
    try:
        while chunk := stream.recv(65_536):
            data += chunk
    except ConnectionError:
        return b""
    return data


def test_it_is_ready_over_tls(server):
    with server.client() as client:
        assert client.get("/healthz").json()["status"] == "ready"


def test_old_versions_of_tls_are_refused(server):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connection(server, maximum=ssl.TLSVersion.TLSv1_1)


def test_plain_http_on_the_tls_port_gets_no_answer(server):
    with connection(server, tls=False) as stream:
        stream.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")

        assert b"200" not in drained(stream)


def test_a_person_with_a_certificate_of_the_peoples_ca_has_a_role(server, served, tmp_path):
    files = tmp_path / "alice.pem", tmp_path / "alice.key"
    served.people.issue("alice", *files)

    with server.client(files) as client:
        assert client.get("/v1/devices").status_code == 200


def test_another_persons_certificate_has_none(server, served, tmp_path):
    files = tmp_path / "mallory.pem", tmp_path / "mallory.key"
    served.people.issue("mallory", *files)

    with server.client(files) as client:
        assert client.get("/v1/devices").status_code == 401


def test_a_certificate_of_an_unknown_ca_does_not_get_through_the_handshake(server, served, tmp_path):
    files = tmp_path / "alice.pem", tmp_path / "alice.key"
    served.server_ca.issue("alice", *files)

    with pytest.raises((httpx.TransportError, ssl.SSLError)), server.client(files) as client:
        client.get("/v1/devices")


def test_a_device_is_a_device_and_nothing_more(server, board, tmp_path):
    with server.client(shown(board, tmp_path)) as client:
        own = client.post("/v1/challenges", json={"device_id": DEVICE, "purpose": "state"})
        assert own.status_code == 201, own.text
        assert client.get("/v1/devices").json()["code"] == "wrong-role"


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00" * 1000,
        b"GET /healthz/live\r\n\r\n",
        b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["binary", "version", "negative-length", "two-lengths", "header", "path"],
)
def test_hostile_heads_are_refused_and_the_connection_is_closed(server, sent):
    with connection(server) as stream:
        stream.sendall(sent)

        answer = drained(stream)

    assert b" 200 " not in answer.partition(b"\r\n")[0]
    with server.client() as client:
        assert client.get("/healthz/live").status_code == 200


def test_an_endless_body_is_cut_off(server):
    def chunks():
        while True:
            yield b"x" * 16_384

    with server.client() as client:
        try:
            answer = client.post("/v1/verify", headers=bearer("operator"), content=chunks())
        except httpx.TransportError:
            return
        assert answer.status_code == 413


@pytest.fixture(scope="module")
def impatient(tmp_path_factory):
    limits = {"receive_timeout": 1.0, "connections": 40, "shutdown_timeout": 10}
    served = ServedHome(tmp_path_factory.mktemp("impatient") / "home", limits=limits)
    with serving(served) as running:
        yield running


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET /healthz HTT", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "],
    ids=["silent", "line", "header"],
)
def test_a_client_that_drips_its_head_is_dropped(impatient, begun):
    with connection(impatient) as stream:
        stream.sendall(begun)
        over = threading.Event()

        def drip():
            while not over.wait(0.2):
                try:
                    stream.sendall(b"a")
                except OSError:
                    return

        dripping = threading.Thread(target=drip, daemon=True)
        dripping.start()
        try:
            assert b" 200 " not in drained(stream)
        finally:
            over.set()
            dripping.join(_DEADLINE_S)


def test_a_client_that_drips_a_second_head_is_dropped_too(impatient):
    with connection(impatient) as stream:
        stream.sendall(b"GET /healthz/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in stream.recv(65_536)
        stream.sendall(b"GET /healthz/live HTTP/1.1\r\nX: ")

        assert drained(stream).count(b" 200 ") == 0


def test_a_body_that_does_not_come_is_given_up(impatient):
    with connection(impatient) as stream:
        head = b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
        stream.sendall(head)

        assert b" 408 " in drained(stream).partition(b"\r\n")[0]


def test_many_idle_connections_keep_nobody_out_for_long(impatient):
    idle = [connection(impatient) for _ in range(60)]
    try:
        end = time.monotonic() + _DEADLINE_S
        status = 0
        while status != 200 and time.monotonic() < end:
            try:
                with impatient.client() as client:
                    status = client.get("/healthz/live").status_code
            except httpx.TransportError:
                time.sleep(0.1)
        assert status == 200
    finally:
        for stream in idle:
            stream.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_status_0_when_asked_to(served, number):
    with serving(served) as running:
        running.process.send_signal(number)

        assert running.process.wait(_DEADLINE_S) == 0


def test_a_request_under_way_is_answered_before_the_end(served):
    with serving(served) as running, connection(running) as stream:
        body = b'{"device_id": "device-9", "purpose": "state"}'
        token = bearer("operator")["Authorization"].encode()
        head = (
            b"POST /v1/challenges HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Authorization: %s\r\nContent-Length: %d\r\n\r\n" % (token, len(body))
        )
        stream.sendall(head + body[:5])
        time.sleep(0.5)
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        stream.sendall(body[5:])

        answer = drained(stream)

        assert b" 201 " in answer.partition(b"\r\n")[0]
        assert running.process.wait(_DEADLINE_S) == 0


def cli(served, *arguments, **environ):
    return subprocess.run(
        [sys.executable, "-m", "hri.cli", "--json", "--home", str(served.path), *arguments],
        env={**served.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_DEADLINE_S,
        check=False,
    )


def error_of(ran):
    return ran.returncode, json.loads(ran.stderr.splitlines()[-1])["error"]["code"]


def test_it_does_not_start_without_the_passphrase(served):
    served_without = {"HRI_CA_PASSPHRASE": "wrong"}

    assert cli(served, "serve", "--listen", "127.0.0.1:0", **served_without).returncode == 2


def test_it_does_not_serve_plain_http_to_others(tmp_path):
    served = ServedHome(tmp_path / "home", tls=None, clients=[])

    assert error_of(cli(served, "serve", "--listen", "0.0.0.0:0")) == (2, "no-tls")


def test_plain_http_is_served_on_loopback(tmp_path):
    served = ServedHome(tmp_path / "home", tls=None, clients=[])

    with serving(served) as running:
        assert httpx.get(f"{running.url}/healthz", timeout=_DEADLINE_S).json()["status"] == "ready"


def test_an_address_in_use_and_a_bad_one_are_said_so(server, served):
    taken = urlsplit(server.url).netloc

    assert error_of(cli(served, "serve", "--listen", taken)) == (2, "cannot-listen")
    assert error_of(cli(served, "serve", "--listen", "nowhere")) == (2, "bad-address")


def test_a_token_that_was_made_is_let_in_and_only_its_digest_is_kept(tmp_path):
    served = ServedHome(tmp_path / "home", tokens=[], tls=None, clients=[])
    made = json.loads(cli(served, "serve", "token", "--name", "line-1", "--role", "auditor").stdout)
    config = served.path / "config.yaml"
    config.write_text(config.read_text().replace("tokens: []", "tokens:\n    " + made["yaml"]))

    with serving(served) as running:
        headers = {"Authorization": f"Bearer {made['token']}"}
        answer = httpx.get(f"{running.url}/v1/devices", headers=headers, timeout=_DEADLINE_S)

    assert answer.status_code == 200
    assert made["token"] not in config.read_text()
    assert made["token"] not in (served.path / "server.log").read_text()

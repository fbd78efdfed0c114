"""Every route has a rule, and every rule holds."""

import pytest
from hri.config import Config
from hri.context import Context
from hri.registry import Registry
from hri.server.app import all_routes, create_routes
from hri.server.peer import Peer
from hri.server.roles import ACCESS, EVERYBODY, Role
from unit.server.serving import ROLES, TOKENS, AppClient, basic, bearer

_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
_PATHS = {
    "device_id": "device-1",
    "serial_number": "00aa",
    "issuer": "issuing",
    "label": "default",
    "level": "0",
    "place": "000",
    "question": "MAA=",
}
_CLOSED = [rule for rule in ACCESS if ACCESS[rule] is not EVERYBODY]


@pytest.fixture(scope="module")
def empty(authority, tmp_path_factory):
    made, operator = authority
    with Registry.open(":memory:") as registry:
        context = Context(Config(), registry, made, operator, station="test")
        yield AppClient(context, tmp_path_factory.mktemp("crl"))


def path_of(template: str) -> str:
    return template.format(**_PATHS)


def test_every_route_of_the_application_has_a_rule_and_every_rule_a_route(client):
    routes = all_routes(create_routes(client.service))

    rules = {(method, route.path_format) for route in routes for method in route.methods}
    served = {rule for rule in rules if rule[0] in _METHODS}

    assert served == set(ACCESS)


def test_the_routes_at_the_door_are_those_of_the_published_interface(client):
    published = create_routes(client.service).openapi()["paths"]

    named = {(method.upper(), path) for path, operations in published.items() for method in operations}

    assert named | {("GET", "/openapi.json")} == set(ACCESS)


@pytest.mark.parametrize(("method", "template"), _CLOSED)
def test_without_credentials_no_closed_route_is_reached(empty, method, template):
    answer = empty.request(method, path_of(template))

    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthenticated"
    assert "Basic" in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("method", "template"), _CLOSED)
def test_a_role_reaches_what_the_table_says_and_nothing_else(empty, method, template, role):
    answer = empty.request(method, path_of(template), headers=bearer(role))

    refused = answer.status_code == 403 and answer.json()["code"] == "wrong-role"
    assert refused is (Role(role) not in ACCESS[method, template])


@pytest.mark.parametrize(
    "header",
    [
        "Bearer wrong",
        "Bearer",
        "Basic ???",
        "Basic YWJj",
        "Digest x",
        "",
        f"Bearer {TOKENS['admin']}x",
        "B\xe4r x",
    ],
)
def test_wrong_credentials_are_refused_even_with_a_good_certificate(client, device, context, header):
    record = context.registry.live_certificate(device)
    client.peer = Peer(record.der, "TLSv1.3", None)

    answer = client.get("/v1/devices", headers={"Authorization": header.encode("latin-1")})

    assert answer.status_code == 401


def test_a_token_counts_as_the_password_of_basic(client):
    assert client.get("/v1/devices", headers=basic("auditor")).status_code == 200


def test_an_unknown_route_and_a_wrong_method_are_problems_too(client):
    assert client.get("/v2/devices").json()["code"] == "no-such-route"
    assert client.request("DELETE", "/v1/devices").json()["code"] == "no-such-method"
    assert client.request("DELETE", "/v1/devices").status_code == 405


def test_the_rate_of_one_caller_is_limited_and_the_other_still_served(context, tmp_path):
    client = AppClient(context, tmp_path, config={"limits": {"requests_per_second": 0.001, "burst": 3}})

    statuses = [client.get("/v1/devices", headers=bearer("auditor")).status_code for _ in range(5)]

    assert statuses == [200, 200, 200, 429, 429]
    assert client.get("/v1/devices", headers=bearer("operator")).status_code == 200
    assert client.get("/v1/devices", headers=bearer("auditor")).headers["Retry-After"]
    assert client.get("/healthz").status_code == 200
    guesses = [client.get("/v1/devices", headers={"Authorization": "Bearer x"}).status_code for _ in range(5)]
    assert guesses == [401, 401, 401, 429, 429]


def test_a_body_that_is_too_large_is_not_read(client):
    answer = client.post("/v1/verify", headers=bearer("admin"), content=b"x" * 70_000)

    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert answer.headers["Connection"] == "close"

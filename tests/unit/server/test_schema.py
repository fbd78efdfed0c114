"""Whatever the published interface allows and forbids, in many shapes: never a fault of the server."""

import base64

import pytest
import schemathesis
from hri.acts import begin_logs
from hri.audit.recorder import Recorder
from hri.config import Config
from hri.context import Context
from hri.registry import Device, Registry
from hri.server.app import create_app
from hri.server.problems import MEDIA_TYPE
from hri.server.roles import ACCESS
from hri.server_config import LimitsConfig, ServerConfig
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from unit.logs.conftest import KEYS
from unit.server.serving import bearer, make_service, token_entries

_LIMITS = LimitsConfig(requests_per_second=1e6, burst=1_000_000)


@schemathesis.serializer("application/pkcs10")
def pkcs10(_context, value):
    return base64.b64encode(value if isinstance(value, bytes) else str(value).encode())


@schemathesis.serializer("application/ocsp-request")
def ocsp_request(_context, value):
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def interface(authority, tmp_path_factory):
    made, operator = authority
    with Registry.open(":memory:") as registry:
        begin_logs(registry, KEYS)
        recorder = Recorder("test@here", KEYS)
        context = Context(Config(), registry, made, operator, station="test", recorder=recorder)
        registry.upsert_device(Device("device-1", "none", None, "registered", None, context.now()))
        config = ServerConfig.model_validate({"tokens": token_entries()})
        service = make_service(context, config, tmp_path_factory.mktemp("served") / "crl")
        yield schemathesis.openapi.from_asgi("/openapi.json", create_app(service, _LIMITS))


@pytest.mark.parametrize(
    ("method", "path"),
    [rule for rule in ACCESS if "openapi" not in rule[1] and "serverkeygen" not in rule[1]],
)
def test_no_request_is_answered_with_a_fault(interface, method, path):
    @given(case=interface[path][method].as_strategy())
    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case):
        case.headers = {**(case.headers or {}), **bearer("admin")}
        answer = case.call()
        case.validate_response(answer, checks=[not_a_server_error])
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == [MEDIA_TYPE]

    ask()

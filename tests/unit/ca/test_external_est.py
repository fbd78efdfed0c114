"""A client of somebody else's EST server believes what fits, waits as told, and says what is wrong."""

import base64
from datetime import UTC, datetime

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from hri.ca.authority import Authority
from hri.ca.external_est import EstClient, EstServer, Patience
from hri.ca.external_issuer import ExternalIssuer
from hri.ca.issuance import IssueRequest
from hri.config import Config
from hri.context import utc_now
from hri.errors import ConfigurationError, PolicyRefusal, StorageError
from hri.external_authority import root_and_issuing
from hri.registry import Device, Registry
from unit.server.serving import make_csr

SERVER = EstServer("https://est.test/api", label="devices", api_key="the key")
PROFILE = Config().profile()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    home = tmp_path_factory.mktemp("other")
    return Authority.create(home, root_passphrase=b"r", ca_passphrase=b"c", now=utc_now())


def message(*certificates):
    return base64.encodebytes(pkcs7.serialize_certificates(list(certificates), Encoding.DER))


def answer(*certificates):
    headers = {"Content-Type": "application/pkcs7-mime; smime-type=certs-only"}
    return httpx.Response(200, headers=headers, content=message(*certificates))


class Scripted:
    """A server that gives these answers in turn, and remembers the requests and the waits."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.waits = []

    def __call__(self, request):
        self.requests.append(request)
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    def client(self, server=SERVER):
        def sleep(seconds):
            self.waits.append(seconds)

        return EstClient(
            server,
            Patience(retries=2, delay=7.0, pending=100.0),
            sleep=sleep,
            monotonic=lambda: sum(self.waits),
            transport=httpx.MockTransport(self),
        )


def test_it_asks_below_the_label_with_the_key_as_password(authority):
    script = Scripted(answer(authority.issuing))

    script.client().enroll(b"the request")

    [request] = script.requests
    assert str(request.url) == "https://est.test/api/.well-known/est/devices/simpleenroll"
    assert base64.b64decode(request.headers["Authorization"].partition(" ")[2]) == b"hri:the key"
    assert (request.headers["Content-Type"], base64.b64decode(request.content)) == (
        "application/pkcs10",
        b"the request",
    )


def test_the_name_that_goes_with_the_password_may_be_another(authority):
    script = Scripted(answer(authority.issuing))

    script.client(EstServer("https://est.test", user="line-1", api_key="the key")).enroll(b"the request")

    [request] = script.requests
    assert base64.b64decode(request.headers["Authorization"].partition(" ")[2]) == b"line-1:the key"


def test_a_request_is_sent_in_lines_because_openssl_reads_no_long_ones(authority):
    script = Scripted(answer(authority.issuing))

    script.client().enroll(bytes(700))

    [request] = script.requests
    assert max(len(line) for line in request.content.splitlines()) <= 76
    assert request.content.endswith(b"\n")


def test_only_https_is_spoken():
    with pytest.raises(ConfigurationError, match="https"):
        Scripted().client(EstServer("http://est.test"))


def test_a_pending_request_is_asked_for_again_when_the_server_says(authority):
    script = Scripted(
        httpx.Response(202, headers={"Retry-After": "20"}), httpx.Response(202), answer(authority.issuing)
    )

    assert script.client().enroll(b"x") == authority.issuing
    assert script.waits == [20.0, 5.0]
    assert len({request.content for request in script.requests}) == 1


def test_a_request_that_stays_pending_is_given_up():
    script = Scripted(*[httpx.Response(202, headers={"Retry-After": "40"})] * 9)

    with pytest.raises(StorageError) as given_up:
        script.client().enroll(b"x")

    assert (given_up.value.code, script.waits) == ("ca-pending", [40.0, 40.0])


@pytest.mark.parametrize(
    "passing", [httpx.Response(503), httpx.ConnectError("no"), httpx.ReadTimeout("late")]
)
def test_what_passes_is_tried_again_as_configured(authority, passing):
    script = Scripted(passing, passing, answer(authority.issuing))

    assert script.client().enroll(b"x") == authority.issuing
    assert script.waits == [7.0, 7.0]


@pytest.mark.parametrize("lasting", [httpx.Response(503), httpx.ConnectError("no")])
def test_what_does_not_pass_ends_after_the_configured_tries(lasting):
    script = Scripted(*[lasting] * 9)

    with pytest.raises(StorageError) as ended:
        script.client().enroll(b"x")

    assert (ended.value.code, len(script.requests)) == ("ca-unreachable", 3)


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 501])
def test_a_refusal_is_final_and_its_words_are_told_printably(status):
    script = Scripted(
        httpx.Response(status, content=b"not \x1b[31m you\n", headers={"Location": "https://x"})
    )

    with pytest.raises(PolicyRefusal) as refused:
        script.client().enroll(b"x")

    assert refused.value.code == "ca-refused"
    assert "not  [31m you".replace("  ", " ") in refused.value.message
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (httpx.Response(200, content=b"AAAA"), "instead of application/pkcs7-mime"),
        (
            httpx.Response(200, content=b"!", headers={"Content-Type": "application/pkcs7-mime"}),
            "no certs-only",
        ),
        (
            httpx.Response(200, content=b"AAAA", headers={"Content-Type": "application/pkcs7-mime"}),
            "no certs-only",
        ),
        (
            httpx.Response(200, content=b"A" * 300_000, headers={"Content-Type": "application/pkcs7-mime"}),
            "more than",
        ),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(said, words):
    with pytest.raises(StorageError, match=words) as refused:
        Scripted(said).client().enroll(b"x")

    assert refused.value.code == "ca-nonsense"


def test_two_certificates_are_not_one(authority):
    with pytest.raises(StorageError, match="2 certificates"):
        Scripted(answer(authority.issuing, authority.root)).client().enroll(b"x")


def test_root_and_issuing_are_told_apart_in_whatever_order(authority):
    for order in ((authority.root, authority.issuing), (authority.issuing, authority.root)):
        assert root_and_issuing(order) == (authority.root, authority.issuing)


def test_a_chain_without_its_root_is_unclear(authority):
    with pytest.raises(StorageError, match="0 roots"):
        root_and_issuing([authority.issuing])


class Desk:
    """An external authority that issues what a test wants."""

    def __init__(self, make):
        self.make = make
        self.asked = 0

    def enroll(self, csr_der):
        self.asked += 1
        return x509.load_der_x509_certificate(self.make(x509.load_der_x509_csr(csr_der).public_key()))


@pytest.fixture
def registry():
    with Registry.open(":memory:") as opened:
        opened.upsert_device(Device("d1", "none", None, "provisioning", None, utc_now()))
        yield opened


def issue(authority, registry, make):
    public = Authority(authority.root, authority.issuing, None)
    desk = Desk(make)
    request = IssueRequest(
        make_csr(ec.generate_private_key(ec.SECP256R1()), "d1"), "d1", PROFILE, unattested="a test"
    )
    return desk, ExternalIssuer(public, registry, desk).issue(request, utc_now())


def made(authority, name, *, key=None, serial=None):
    def make(public_key):
        return authority.build(
            key or public_key,
            name,
            PROFILE,
            serial_number=serial or x509.random_serial_number(),
            now=utc_now(),
        )

    return make


def test_a_certificate_that_fits_is_recorded_before_it_is_released(authority, registry):
    desk, issued = issue(authority, registry, made(authority, "d1"))

    assert registry.certificate(issued.serial_number).der == issued.der
    assert (desk.asked, registry.certificate(issued.serial_number).state) == (1, "issued")


def other_authority(tmp_path):
    return Authority.create(tmp_path, root_passphrase=b"r", ca_passphrase=b"c", now=utc_now())


@pytest.mark.parametrize("fault", ["name", "key", "issuer"])
def test_a_certificate_that_does_not_fit_is_refused_and_not_recorded(authority, registry, tmp_path, fault):
    make = {
        "name": lambda: made(authority, "d2"),
        "key": lambda: made(authority, "d1", key=ec.generate_private_key(ec.SECP256R1()).public_key()),
        "issuer": lambda: made(other_authority(tmp_path), "d1"),
    }[fault]()

    with pytest.raises(StorageError, match="of no use"):
        issue(authority, registry, make)

    assert registry.certificates("d1") == ()


def test_a_certificate_that_is_on_record_is_not_taken_for_a_new_one(authority, registry):
    _, issued = issue(authority, registry, made(authority, "d1", serial=77))
    registry.revoke(issued.serial_number, "superseded", datetime.now(UTC))

    with pytest.raises(PolicyRefusal) as refused:
        issue(authority, registry, made(authority, "d1", serial=77))

    assert refused.value.code == "same-certificate"

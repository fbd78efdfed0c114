"""What verifiers fetch: revocation lists, whole and in shards, and OCSP answers with the right headers."""

import base64
import dataclasses
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hri.config import Config
from hri.elements.board import BoardElement
from hri.errors import StorageError
from hri.provision import provision
from hri.server.remembered import OcspAnswer, Remembered
from unit.provision.soft_board import SoftBoard
from unit.server.serving import AppClient, bearer

_URL = "http://ca.example/crl/issuing-{shard}.crl"
_OCSP = {"Content-Type": "application/ocsp-request"}
_SHA1 = hashes.SHA1()  # noqa: S303 - names an issuer, proves nothing
GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN


def request_for(context, serial, nonce=None):
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(*issuer(context), serial, _SHA1)
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), False)
    return builder.build().public_bytes(Encoding.DER)


def issuer(context):
    issuing = context.authority.issuing
    asked = ocsp.OCSPRequestBuilder().add_certificate(issuing, issuing, _SHA1).build()
    name = hashes.Hash(_SHA1)
    name.update(issuing.subject.public_bytes())
    return name.finalize(), asked.issuer_key_hash


def get(client, request):
    return client.get("/ocsp/" + quote(base64.b64encode(request).decode(), safe=""))


def read(answer):
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/ocsp-response"
    return ocsp.load_der_ocsp_response(answer.content)


@pytest.fixture
def serial(context, device):
    return context.registry.live_certificate(device).serial_number


@pytest.fixture
def sharded(context, tmp_path):
    """A client of an authority with four shards, and the certificate of a device of it."""
    config = Config.model_validate({"certificate_authority": {"crl_url": _URL, "crl_shards": 4}})
    context = dataclasses.replace(context, config=config)
    element = BoardElement(SoftBoard(), authorise=context.authorise(), sleep=context.sleep)
    provision(lambda: element, context, device_id="device-1", lock=True)
    record = context.registry.live_certificate("device-1")
    return AppClient(context, tmp_path / "crl"), x509.load_der_x509_certificate(record.der)


def test_a_certificate_is_found_on_the_list_that_its_distribution_point_names(sharded):
    client, certificate = sharded
    points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    url = points[0].full_name[0].value
    path = url.removeprefix("http://ca.example")

    before = client.get(path)
    client.post("/v1/devices/device-1/revoke", headers=bearer("admin"), json={"reason": "keyCompromise"})
    after = x509.load_der_x509_crl(client.get(path).content)

    serial = certificate.serial_number
    assert x509.load_der_x509_crl(before.content).get_revoked_certificate_by_serial_number(serial) is None
    assert after.get_revoked_certificate_by_serial_number(serial) is not None
    named = after.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    assert [name.value for name in named.full_name] == [url]


@pytest.mark.parametrize("name", ["issuing-4-of-4", "issuing-0-of-5", "issuing-00-of-4", "other", "..%2Fx"])
def test_a_list_that_no_certificate_points_to_is_not_there(sharded, name):
    answer = sharded[0].get(f"/crl/{name}.crl")

    assert answer.status_code == 404


def test_who_has_the_list_in_force_is_told_so_and_gets_nothing(client):
    first = client.get("/crl/issuing.crl")

    again = client.get("/crl/issuing.crl", headers={"If-None-Match": f"W/{first.headers['ETag']}"})
    other = client.get("/crl/issuing.crl", headers={"If-None-Match": '"0"'})

    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert (other.status_code, other.content) == (200, first.content)


def test_a_list_that_has_ended_is_never_handed_out(client, context, tmp_path):
    old = x509.load_der_x509_crl(client.get("/crl/issuing.crl").content)
    later = dataclasses.replace(context, now=lambda: old.next_update_utc)

    new = x509.load_der_x509_crl(AppClient(later, tmp_path / "crl").get("/crl/issuing.crl").content)

    assert new.next_update_utc > old.next_update_utc
    assert number(new) == number(old) + 1


def number(crl):
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


@pytest.mark.parametrize("way", ["get", "post"])
def test_the_answer_says_what_the_registry_says(client, context, device, serial, way):
    def said(number):
        request = request_for(context, number)
        answer = (
            get(client, request) if way == "get" else client.post("/ocsp", headers=_OCSP, content=request)
        )
        return read(answer).certificate_status

    before = said(serial), said(serial + 1)
    client.post(f"/v1/devices/{device}/revoke", headers=bearer("admin"), json={"reason": "keyCompromise"})

    assert before == (GOOD, UNKNOWN)
    assert said(serial) is REVOKED


def test_an_answer_that_everybody_may_use_says_how_long_caches_may(client, context, serial):
    answer = get(client, request_for(context, serial))

    said = read(answer)
    parts = answer.headers["Cache-Control"].split(", ")
    seconds = int(parts[0].removeprefix("max-age="))
    assert parts[1:] == ["public", "no-transform", "must-revalidate"]
    assert 0 < seconds <= 3600
    assert parsedate_to_datetime(answer.headers["Expires"]) == said.next_update_utc
    assert parsedate_to_datetime(answer.headers["Last-Modified"]) == said.produced_at_utc
    assert answer.headers["ETag"].strip('"')


def test_a_cache_never_holds_an_answer_beyond_its_end(context, serial, tmp_path):
    config = Config.model_validate({"certificate_authority": {"ocsp_hours": 1}})
    client = AppClient(dataclasses.replace(context, config=config), tmp_path / "crl")

    answer = get(client, request_for(context, serial))

    seconds = int(answer.headers["Cache-Control"].split(",")[0].removeprefix("max-age="))
    assert datetime.now(UTC) + timedelta(seconds=seconds) < read(answer).next_update_utc


def test_an_answer_to_one_asker_is_not_for_caches(client, context, serial):
    nonced = get(client, request_for(context, serial, b"n" * 16))
    posted = client.post("/ocsp", headers=_OCSP, content=request_for(context, serial))

    assert read(nonced).extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * 16
    assert nonced.headers["Cache-Control"] == posted.headers["Cache-Control"] == "no-store"
    assert "Expires" not in nonced.headers


@pytest.mark.parametrize("path", ["/ocsp/", "/ocsp/!!", "/ocsp/MAA=", "/ocsp/%00", "/ocsp/AAAA"])
def test_what_is_no_request_gets_an_answer_that_says_so_and_that_nobody_keeps(client, path):
    answer = client.get(path)

    assert read(answer).response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_answer_without_a_nonce_is_remembered_a_moment_and_not_longer(context, serial, tmp_path):
    moment = [context.now()]
    client = AppClient(dataclasses.replace(context, now=lambda: moment[0]), tmp_path / "crl")
    request, said = request_for(context, serial), []

    for seconds in (0, 4, 2):
        moment[0] += timedelta(seconds=seconds)
        said.append(get(client, request).content)

    assert said[0] == said[1]
    assert said[1] != said[2]


def watched(context, monkeypatch):
    """Return the list that the serial numbers looked up from now on come into."""
    looked_up = []
    lookup = context.registry.certificate_statuses

    def watching(numbers):
        looked_up.append(numbers)
        return lookup(numbers)

    monkeypatch.setattr(context.registry, "certificate_statuses", watching)
    return looked_up


def test_a_standing_is_remembered_a_moment_and_every_nonce_gets_an_answer_of_its_own(
    context, serial, tmp_path, monkeypatch
):
    moment, looked_up, said = [context.now()], [], []
    lookup = context.registry.certificate_statuses
    monkeypatch.setattr(
        context.registry,
        "certificate_statuses",
        lambda numbers: (looked_up.append(numbers), lookup(numbers))[1],
    )
    client = AppClient(dataclasses.replace(context, now=lambda: moment[0]), tmp_path / "crl")

    for seconds, nonce in ((0, b"a" * 16), (4, b"b" * 16), (2, b"c" * 16)):
        moment[0] += timedelta(seconds=seconds)
        said.append(read(client.post("/ocsp", headers=_OCSP, content=request_for(context, serial, nonce))))

    nonces = [one.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce for one in said]
    assert nonces == [b"a" * 16, b"b" * 16, b"c" * 16]
    assert [len(numbers) for numbers in looked_up] == [1, 1]


def test_a_revocation_here_shows_in_the_next_answer_with_a_nonce(client, context, device, serial):
    def status():
        asked = request_for(context, serial, b"n" * 16)
        return read(client.post("/ocsp", headers=_OCSP, content=asked)).certificate_status

    before = status()
    client.post(f"/v1/devices/{device}/revoke", headers=bearer("operator"), json={"reason": "keyCompromise"})

    assert (before, status()) == (ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED)


def test_what_was_never_issued_is_remembered_as_that(client, context, monkeypatch):
    looked_up = []
    lookup = context.registry.certificate_statuses
    monkeypatch.setattr(
        context.registry,
        "certificate_statuses",
        lambda numbers: (looked_up.append(numbers), lookup(numbers))[1],
    )

    said = [
        read(client.post("/ocsp", headers=_OCSP, content=request_for(context, 12345, nonce)))
        for nonce in (b"a" * 16, b"b" * 16)
    ]

    assert [one.certificate_status for one in said] == [ocsp.OCSPCertStatus.UNKNOWN] * 2
    assert len(looked_up) == 1


def test_who_has_the_answer_is_told_so(client, context, serial):
    request = request_for(context, serial)
    first = get(client, request)
    path = "/ocsp/" + base64.b64encode(request).decode()

    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.headers["ETag"]) == (304, first.headers["ETag"])


def test_answers_are_remembered_within_bounds(context):
    answers, now = Remembered(), context.now()

    for number in range(10_000):
        answers.keep(b"%d" % number, OcspAnswer(b"", {}), now, answers.generation)

    assert len(answers._known) <= 4096
    assert answers.get(b"9999", now) is not None
    assert answers.get(b"9999", now - timedelta(seconds=1)) is None


def test_an_answer_that_was_begun_before_a_revocation_is_not_remembered_after_it(context):
    answers = Remembered()
    begun = answers.generation

    answers.forget()
    answers.keep(b"request", OcspAnswer(b"good", {}), context.now(), begun)

    assert answers.get(b"request", context.now()) is None


def test_a_body_of_another_type_is_refused(client):
    answer = client.post("/ocsp", headers={"Content-Type": "text/plain"}, content=b"x")

    assert (answer.status_code, answer.json()["code"]) == (415, "wrong-media-type")


def test_without_the_registry_the_answer_is_to_try_later_and_nobody_keeps_it(
    client, context, serial, monkeypatch
):
    def gone(_serial_numbers):
        raise StorageError("database-unreachable", "it is gone", "wait")

    with monkeypatch.context() as patched:
        patched.setattr(context.registry, "certificate_statuses", gone)
        answer = get(client, request_for(context, serial))

    assert read(answer).response_status is ocsp.OCSPResponseStatus.TRY_LATER
    assert answer.headers["Cache-Control"] == "no-store"
    assert read(get(client, request_for(context, serial))).certificate_status is GOOD


def test_slashes_in_the_request_may_be_folders(client, context):
    with_slash = next(
        request
        for number in range(1, 200)
        if b"/" in base64.b64encode(request := request_for(context, number))
    )

    answer = client.get("/ocsp/" + base64.b64encode(with_slash).decode())

    assert read(answer).certificate_status is UNKNOWN


def test_answers_are_counted_by_what_they_say(client, context, serial):
    get(client, request_for(context, serial))
    client.get("/ocsp/MAA=")

    text = client.get("/metrics", headers=bearer("auditor")).text

    assert 'hri_ocsp_answers_total{status="successful"} 1.0' in text
    assert 'hri_ocsp_answers_total{status="malformed_request"} 1.0' in text


def test_standing_is_the_external_authoritys_to_tell(context, tmp_path):
    elsewhere = AppClient(dataclasses.replace(context, enroller=object()), tmp_path / "crl")

    assert elsewhere.get("/crl/issuing.crl").json()["code"] == "not-found"
    assert elsewhere.get("/ocsp/MAA=").json()["code"] == "not-found"

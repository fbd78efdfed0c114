"""EST: who gets a certificate, on what evidence, and in which bytes (RFC 7030, RFC 8951)."""

import base64
import dataclasses
import itertools
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from hri.ca.authority import Authority
from hri.ca.hierarchy import Hierarchy
from hri.ca.keys import FileSigners, open_signer
from hri.ca.new_issuing import Wanted, new_generation
from hri.config import Config, ProvisioningConfig, SecurityConfig
from hri.server.est_messages import check_binding
from hri.server.peer import Peer
from unit.server.serving import (
    ID_AA_ATTESTATION,
    AppClient,
    attested_csr,
    b64,
    basic,
    bearer,
    bundle,
    der,
    make_csr,
    state_of,
)

EST = "/.well-known/est"
PKCS10 = {"Content-Type": "application/pkcs10"}
RA = basic("registration-authority") | PKCS10


def challenge(client, device, purpose="state"):
    asked = {"device_id": device, "purpose": purpose}
    answer = client.post("/v1/challenges", headers=bearer("registration-authority"), json=asked).json()
    return base64.b64decode(answer["challenge"]), answer["verifier"]


def evidence_of(client, board, device):
    return state_of(board, *challenge(client, device), device)


def enroll(client, csr, path="simpleenroll", headers=RA):
    return client.post(f"{EST}/{path}", headers=headers, content=base64.b64encode(csr))


def certificates(answer):
    assert answer.status_code == 200, answer.text
    return pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer.content))


def present(client, context, device):
    """Have the client show the device's live certificate from now on."""
    record = context.registry.live_certificate(device)
    client.peer = Peer(record.der, "TLSv1.3", None)
    return record, x509.load_der_x509_certificate(record.der)


def test_cacerts_are_the_chain_in_a_message_of_certificates_only(client, context):
    answer = client.get(f"{EST}/cacerts")

    # A SET OF has no order of its own (X.690 section 11.6).
    assert set(certificates(answer)) == {context.authority.issuing, context.authority.root}
    assert answer.headers["Content-Type"] == "application/pkcs7-mime"
    assert "Content-Transfer-Encoding" not in answer.headers


def test_csrattrs_ask_for_p256_sha256_and_evidence(client):
    answer = client.get(f"{EST}/csrattrs")

    asked = base64.b64decode(answer.content)
    assert answer.headers["Content-Type"] == "application/csrattrs"
    assert asked.hex() == (
        "302e"
        # Attribute { id-ecPublicKey, SET { prime256v1 } }
        "301506072a8648ce3d0201310a06082a8648ce3d030107"
        # ecdsa-with-SHA256
        "06082a8648ce3d040302"
        # id-aa-attestation
        "060b2a864886f70d010910023b"
    )


def test_cacerts_under_a_label_are_those_of_the_ca_that_issues_there(context, tmp_path):
    home, now = tmp_path / "home", context.now()
    Authority.create(home, root_passphrase=b"root", ca_passphrase=b"ca", now=now)
    root = open_signer(home / "ca" / "root.key", b"root", "root")
    made = new_generation(home, Wanted("factory-a"), keys=FileSigners(b"ca"), root_signer=root, now=now)
    hierarchy = Hierarchy.read(home)
    config = Config.model_validate({"profiles": {"pumps": {"type": "ldevid", "issuing_ca": "factory-a"}}})
    several = dataclasses.replace(
        context, config=config, hierarchy=hierarchy, authority=hierarchy.first.authority(None)
    )
    client = AppClient(several, tmp_path / "crl")

    default, labelled = (certificates(client.get(f"{EST}/{path}")) for path in ("cacerts", "pumps/cacerts"))

    assert set(default) == {hierarchy.first.certificate, hierarchy.root.certificate}
    assert set(labelled) == {made.certificate, hierarchy.root.certificate}


@pytest.mark.parametrize("operation", ["cacerts", "csrattrs"])
def test_a_label_is_a_profile_and_an_unknown_one_is_not_found(client, operation):
    assert client.get(f"{EST}/default/{operation}").status_code == 200
    assert client.get(f"{EST}/nonesuch/{operation}").json()["code"] == "unknown-profile"
    assert client.get(f"{EST}/nonesuch/{operation}").status_code == 404


def test_a_chip_with_a_recorded_birth_enrolls_on_fresh_evidence(client, context, board, device):
    context.registry.revoke(
        context.registry.live_certificate(device).serial_number, "superseded", context.now()
    )
    csr = attested_csr(board.keys[0], device, evidence_of(client, board, device))

    answer = enroll(client, csr)

    [certificate] = certificates(answer)
    assert answer.headers["Content-Type"] == "application/pkcs7-mime; smime-type=certs-only"
    assert certificate.public_key() == board.keys[0].public_key()
    record = context.registry.certificate(certificate.serial_number)
    assert (record.state, record.unattested, len(record.evidence)) == ("active", None, 2)


def test_the_same_request_again_gives_the_same_certificate(client, context, board, device):
    context.registry.revoke(
        context.registry.live_certificate(device).serial_number, "superseded", context.now()
    )
    csr = attested_csr(board.keys[0], device, evidence_of(client, board, device))

    first, second = enroll(client, csr), enroll(client, csr)

    assert certificates(first) == certificates(second)


def refused(answer, code, *, status=403):
    said = answer.json()
    assert (answer.status_code, said["code"]) == (status, code), said
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert said["hint"]
    return said["message"]


def test_a_request_without_evidence_is_refused(client, board, device, context):
    context.registry.revoke(
        context.registry.live_certificate(device).serial_number, "superseded", context.now()
    )

    refused(enroll(client, make_csr(board.keys[0], device)), "unattested")


def test_a_key_made_in_software_is_refused_with_a_chips_own_evidence(client, board, device):
    key = ec.generate_private_key(ec.SECP256R1())

    answer = enroll(client, attested_csr(key, device, evidence_of(client, board, device)))

    refused(answer, "unattested")


def test_a_device_that_nobody_knows_is_refused(client, board, device):
    csr = attested_csr(board.keys[0], "stranger", evidence_of(client, board, device))

    refused(enroll(client, csr), "unattested")


def test_evidence_for_another_device_is_refused(client, board, device):
    drawn, verifier = challenge(client, "device-2")

    answer = enroll(client, attested_csr(board.keys[0], device, state_of(board, drawn, verifier, device)))

    assert "challenge-mismatch" in refused(answer, "state-refused")


def test_evidence_under_a_challenge_that_was_never_given_is_refused_and_not_kept(
    client, board, device, context
):
    before = context.registry.evidence(device)

    answer = enroll(client, attested_csr(board.keys[0], device, state_of(board, bytes(32), "hri", device)))

    assert "challenge-unknown" in refused(answer, "state-refused")
    assert context.registry.evidence(device) == before


def test_evidence_under_a_challenge_for_another_purpose_is_refused(client, board, device):
    drawn, verifier = challenge(client, device, "authenticate")

    answer = enroll(client, attested_csr(board.keys[0], device, state_of(board, drawn, verifier, device)))

    assert "wrong-purpose" in refused(answer, "state-refused")


def test_evidence_that_is_bound_to_another_request_is_refused(client, board, device):
    drawn, verifier = challenge(client, device)
    evidence = state_of(board, drawn, verifier, device, csr=b"another request")

    answer = enroll(client, attested_csr(board.keys[0], device, evidence))

    assert "csr-mismatch" in refused(answer, "state-refused")


def test_evidence_is_spent_by_the_first_request_for_whatever_key(client, board, device):
    evidence = evidence_of(client, board, device)
    board.config[88] |= 2  # slot 1, of the attestation key, reads as unlocked from here on
    worse = state_of(board, *challenge(client, device), device)
    enroll(client, attested_csr(board.keys[0], device, worse))

    again = enroll(client, attested_csr(board.keys[0], device, worse))

    assert evidence != worse
    assert "challenge-used" in refused(again, "state-refused")


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (b"\x30\x03abc", "not an AttestationBundle"),
        (b"\x30\x00", "not an AttestationBundle"),
        (bundle(b"one", b"two"), "more than one"),
    ],
)
def test_a_malformed_attestation_attribute_is_refused(client, board, device, value, what):
    answer = enroll(client, make_csr(board.keys[0], device, (ID_AA_ATTESTATION, value)))

    assert what in refused(answer, "csr-malformed", status=400)


def test_an_attestation_attribute_that_stands_twice_is_refused(client, board, device):
    twice = [(ID_AA_ATTESTATION, bundle(b"x")), (ID_AA_ATTESTATION, bundle(b"y"))]

    refused(enroll(client, make_csr(board.keys[0], device, *twice)), "csr-malformed", status=400)


@pytest.mark.parametrize("evidence", [b"", b"\x00", b"\xd2\x84", bytes(3000), b"\xd2" + b"\x9f" * 500])
def test_evidence_that_is_no_evidence_is_refused(client, board, device, evidence):
    answer = enroll(client, attested_csr(board.keys[0], device, evidence))

    assert "malformed" in refused(answer, "state-refused")


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"!!!", "csr-malformed"), (b"AAAA", "csr-malformed"), (b"MAA=", "csr-malformed")],
)
def test_what_is_no_request_is_refused(client, body, code):
    refused(client.post(f"{EST}/simpleenroll", headers=RA, content=body), code, status=400)


def test_a_request_whose_signature_does_not_verify_is_refused(client, board, device):
    csr = bytearray(make_csr(board.keys[0], device))
    csr[30] ^= 1

    answer = enroll(client, bytes(csr))

    assert answer.status_code == 400


@pytest.mark.parametrize("kind", ["application/octet-stream", "text/plain", "application/json", ""])
def test_another_media_type_than_pkcs10_is_refused(client, board, device, kind):
    headers = basic("registration-authority") | {"Content-Type": kind}

    answer = enroll(client, make_csr(board.keys[0], device), headers=headers)

    assert answer.status_code in (415, 422)


def test_line_breaks_and_a_transfer_encoding_header_change_nothing(client, board, device, context):
    context.registry.revoke(
        context.registry.live_certificate(device).serial_number, "superseded", context.now()
    )
    csr = attested_csr(board.keys[0], device, evidence_of(client, board, device))
    headers = RA | {
        "Content-Transfer-Encoding": "base64",
        "Content-Type": "application/pkcs10; charset=us-ascii",
    }

    answer = client.post(f"{EST}/default/simpleenroll", headers=headers, content=base64.encodebytes(csr))

    assert len(certificates(answer)) == 1


def test_re_enrollment_replaces_only_once_the_new_certificate_was_used(client, context, board, device):
    old, certificate = present(client, context, device)
    csr = attested_csr(board.keys[0], certificate.subject, evidence_of(client, board, device))

    [new] = certificates(enroll(client, csr, "simplereenroll", PKCS10))

    states = {record.serial_number: record.state for record in context.registry.certificates(device)}
    assert states == {old.serial_number: "active", new.serial_number: "issued"}
    # The answer was lost: the device asks again, with the certificate that it has.
    assert certificates(enroll(client, csr, "simplereenroll", PKCS10)) == [new]
    client.peer = Peer(context.registry.certificate(new.serial_number).der, "TLSv1.3", None)
    client.post("/v1/challenges", json={"device_id": device, "purpose": "state"})
    states = {record.serial_number: record.state for record in context.registry.certificates(device)}
    assert states == {old.serial_number: "superseded", new.serial_number: "active"}


def test_re_enrollment_needs_the_present_certificate(client, board, device):
    csr = attested_csr(board.keys[0], device, evidence_of(client, board, device))

    refused(enroll(client, csr, "simplereenroll"), "wrong-role")


def test_re_enrollment_for_another_subject_is_refused(client, context, board, device):
    present(client, context, device)
    csr = attested_csr(board.keys[0], "device-2", evidence_of(client, board, device))

    refused(enroll(client, csr, "simplereenroll", PKCS10), "csr-names-another-device")


def test_re_enrollment_without_evidence_is_refused(client, context, board, device):
    _, certificate = present(client, context, device)

    refused(
        enroll(client, make_csr(board.keys[0], certificate.subject), "simplereenroll", PKCS10), "unattested"
    )


def test_a_device_enrolls_nobody_else(client, context, board, device):
    present(client, context, device)

    refused(enroll(client, make_csr(board.keys[0], "device-2"), headers=PKCS10), "csr-names-another-device")


@pytest.mark.parametrize("reason", ["keyCompromise", "superseded"])
def test_a_revoked_certificate_is_nobodys(client, context, device, reason):
    present(client, context, device)
    context.registry.revoke(device, reason, context.now())

    answer = client.post("/v1/challenges", json={"device_id": device, "purpose": "state"})

    assert "revoked" in refused(answer, "unauthenticated", status=401)


def test_a_connection_that_outlives_its_certificate_is_nobodys(context, device, tmp_path):
    record = context.registry.live_certificate(device)
    late = dataclasses.replace(context, now=lambda: record.not_after + timedelta(seconds=1))
    client = AppClient(late, tmp_path / "crl", Peer(record.der, "TLSv1.3", None))

    answer = client.post("/v1/challenges", json={"device_id": device, "purpose": "state"})

    assert "not valid" in refused(answer, "unauthenticated", status=401)


def test_a_revoked_device_enrolls_no_more(client, context, board, device):
    csr = attested_csr(board.keys[0], device, evidence_of(client, board, device))
    context.registry.revoke(device, "keyCompromise", context.now())

    refused(enroll(client, csr), "device-revoked")


def test_keys_are_not_made_by_the_server(client):
    answer = client.post(f"{EST}/serverkeygen", headers=RA, content=b"MAA=")

    assert (answer.status_code, answer.json()["code"]) == (501, "not-implemented")


def unattested_client(context, tmp_path, *, auto_enrollment):
    config = Config(
        security=SecurityConfig(require_attestation=False),
        provisioning=ProvisioningConfig(auto_enrollment=auto_enrollment),
    )
    return AppClient(dataclasses.replace(context, config=config), tmp_path / "crl")


def test_where_evidence_is_not_required_the_reason_stays_on_record(context, tmp_path):
    client = unattested_client(context, tmp_path, auto_enrollment=True)

    [certificate] = certificates(enroll(client, make_csr(ec.generate_private_key(ec.SECP256R1()), "soft-1")))

    record = context.registry.certificate(certificate.serial_number)
    assert (record.state, record.unattested) == ("active", "security.require_attestation is off")


def test_without_auto_enrollment_a_device_has_to_be_registered(context, tmp_path):
    client = unattested_client(context, tmp_path, auto_enrollment=False)

    answer = enroll(client, make_csr(ec.generate_private_key(ec.SECP256R1()), "soft-1"))

    refused(answer, "not-registered")
    assert context.registry.device("soft-1") is None


def password(text):
    return "1.2.840.113549.1.9.7", der(0x13, text)


_CSR_KEY = ec.generate_private_key(ec.SECP256R1())


def test_a_request_bound_to_this_channel_passes():
    csr = make_csr(_CSR_KEY, "d", password(b64(b"finished").encode()))

    assert check_binding(csr, Peer(None, "TLSv1.2", b"finished")) is None


@pytest.mark.parametrize(
    "peer",
    [None, Peer(None, "TLSv1.3", None), Peer(None, "TLSv1.2", b"another")],
    ids=["http", "1.3", "other"],
)
def test_a_request_bound_to_another_channel_is_refused(client, peer):
    client.peer = peer
    csr = make_csr(_CSR_KEY, "d", password(b64(b"finished").encode()))

    refused(enroll(client, csr), "channel-binding")


def test_every_prefix_of_a_good_request_is_refused_politely(client, board, device):
    csr = attested_csr(board.keys[0], device, evidence_of(client, board, device))

    statuses = {
        enroll(client, csr[:length]).status_code for length in itertools.chain(range(1, len(csr), 37))
    }

    assert statuses == {400}

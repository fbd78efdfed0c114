"""What is done over HTTP stands in the audit log under who asked for it."""

import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hri import suspension
from hri.audit.entry import Entry
from hri.config import Config
from unit.server.serving import AppClient, b64, bearer, make_csr

_KEY = ec.generate_private_key(ec.SECP256R1())


def told(context, subject):
    entries = [Entry.from_bytes(stored.entry) for stored in context.registry.audit_entries(subject=subject)]
    return [(entry.actor, entry.act.act, entry.act.outcome, entry.act.reason) for entry in entries]


def issue(client, name, role="admin"):
    body = {"csr": b64(make_csr(_KEY, name)), "unattested": "a test bench"}
    return client.post("/v1/certificates", headers=bearer(role), json=body)


def test_an_issue_and_a_revocation_name_the_caller(client, context):
    issue(client, "soft-1")
    client.post("/v1/devices/soft-1/revoke", headers=bearer("operator"), json={"reason": "keyCompromise"})

    acts = {(actor, act, outcome) for actor, act, outcome, _ in told(context, "soft-1")}

    assert acts == {
        ("admin:admin", "issue", "done"),
        ("admin:admin", "issue-on-request", "done"),
        ("operator:operator", "revoke", "done"),
    }


def test_a_refusal_is_told_with_its_code(context, tmp_path):
    config = Config.model_validate({"provisioning": {"auto_enrollment": False}})
    client = AppClient(dataclasses.replace(context, config=config), tmp_path / "crl")

    assert issue(client, "stranger").status_code == 403

    assert told(context, "stranger") == [("admin:admin", "issue-on-request", "refused", "not-registered")]


def test_an_answer_that_is_not_trusted_is_told(client, context, device, board):
    challenge = context.registry.new_challenge(
        "authenticate", device, "hri", now=context.now(), ttl=context.challenge_ttl
    )
    answer = board.call("identity.answer", {"challenge": challenge, "verifier": "somebody else"})
    body = {
        "device_id": device,
        "challenge": b64(challenge),
        "answer": b64(answer["answer"]),
        "certificate": b64(answer["certificate"]),
    }

    assert not client.post("/v1/verify", headers=bearer("operator"), json=body).json()["trusted"]

    assert ("operator:operator", "authenticate", "refused") in [entry[:3] for entry in told(context, device)]


@pytest.mark.parametrize("act", ["suspended", "revoked"])
def test_a_device_out_of_trust_gets_no_certificate(client, context, tmp_path, act):
    issue(client, "soft-2")
    if act == "suspended":
        suspension.suspend(context, "soft-2", tmp_path / "crl")
    else:
        context.registry.revoke("soft-2", "keyCompromise", context.now())

    answer = issue(client, "soft-2")

    assert (answer.status_code, answer.json()["code"]) == (403, f"device-{act}")

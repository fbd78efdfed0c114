"""A ceremony follows its script, asks everybody, and leaves a record that the root signed."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from hri.cli import ceremony

SCRIPT = """
title: pumps, first root
organisation: Example Corp
name: Example pumps
ROOT
issuing:
  - {name: factory-a, key_type: p384, permit: ["dns:pumps.example.com"], policies: [1.3.6.1.4.1.99999.1]}
"""
PEOPLE = ("--person", "operator=Ada", "--person", "witness=Bob")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.yaml"
    path.write_text(SCRIPT.replace("ROOT", "root_key_type: p256"))
    return path


@pytest.fixture
def line(script: Path, tmp_path: Path) -> tuple[str, ...]:
    return ("--json", "ca", "ceremony", "--script", str(script), "--record", str(tmp_path / "record"))


def test_the_plan_says_every_step_and_does_nothing(hri, line, script: Path, tmp_path: Path) -> None:
    ran = hri(*line, "--plan")

    assert ran.json["sha256"] == hashlib.sha256(script.read_bytes()).hexdigest()
    assert "make the issuing CA factory-a, p384" in ran.json["steps"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["script.yaml"]


def test_the_record_tells_what_was_made_and_is_signed(hri, line, script: Path, tmp_path: Path) -> None:
    stick = tmp_path / "stick"

    ran = hri(*line, *PEOPLE, "--confirmed", "--root-out", str(stick))

    assert ran.status == 0, ran.err
    checked = hri("--json", "ca", "check-record", str(tmp_path / "record"))
    assert checked.status == 0
    text = "\n".join(checked.json["lines"])
    listed = hri("--json", "ca", "list").json
    assert [one["name"] for one in listed["issuing"]] == ["issuing", "factory-a"]
    assert "a rehearsal" in text
    assert f"script SHA-256 {hashlib.sha256(script.read_bytes()).hexdigest()}" in text
    for who in ("Ada", "Bob"):
        assert f"confirmed by {who}: the fingerprints" in text
    spoken = "".join(
        one.rpartition("SHA-256 ")[2].replace(" ", "")
        for one in checked.json["lines"]
        if "made: root: SHA-256" in one
    )
    assert spoken == listed["roots"][0]["fingerprint"] == ran.json["root_fingerprint"]
    assert len(list(stick.glob("*.key"))) == 1
    assert not list((tmp_path / "home").rglob("root*.key"))
    certificate = x509.load_pem_x509_certificate((tmp_path / "home/ca/cas/factory-a/1/ca.pem").read_bytes())
    assert certificate.extensions.get_extension_for_class(x509.NameConstraints).critical


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa3072"])
@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")
def test_openssl_checks_the_record_too(hri, line, script: Path, tmp_path: Path, kind: str) -> None:
    script.write_text(SCRIPT.replace("ROOT", f"root_key_type: {kind}"))
    assert hri(*line, *PEOPLE, "--confirmed").status == 0
    body, _, signature = (tmp_path / "record").read_text().partition("signature of the root")
    (tmp_path / "body").write_text(body)
    (tmp_path / "signature").write_bytes(base64.b64decode(signature.splitlines()[1]))
    root = tmp_path / "home" / "ca" / "root.pem"
    public = subprocess.run(
        ["openssl", "x509", "-in", str(root), "-noout", "-pubkey"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    (tmp_path / "public").write_bytes(public.stdout)

    digest = "-sha384" if kind == "p384" else "-sha256"
    files = ("-verify", tmp_path / "public", "-signature", tmp_path / "signature", tmp_path / "body")
    subprocess.run(["openssl", "dgst", digest, *map(str, files)], capture_output=True, check=True, timeout=60)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda text: text.replace("Ada", "Eve"), "record-forged"),
        (lambda text: text.split("\n", 1)[1], "record-forged"),
        (lambda text: text + "confirmed by Eve: everything\n", "record-malformed"),
        (lambda text: text.rpartition("signature of")[0], "record-malformed"),
        (lambda _text: "", "record-malformed"),
    ],
    ids=["another name", "a line less", "a line more", "no signature", "nothing"],
)
def test_a_record_that_was_changed_is_refused(hri, line, tmp_path: Path, change, code: str) -> None:
    assert hri(*line, *PEOPLE, "--confirmed").status == 0
    record = tmp_path / "record"
    record.write_text(change(record.read_text()))

    ran = hri("--json", "ca", "check-record", str(record))

    assert (ran.status, ran.error["code"]) == (1, code)


@pytest.mark.parametrize(
    "people",
    [
        (),
        ("--person", "operator=Ada"),
        ("--person", "operator=Ada", "--person", "witness=ada"),
        ("--person", "operator=Ada", "--person", "witness="),
        ("--person", "operator=Ada", "--person", "witness=Bob", "--person", "guest=Eve"),
    ],
)
def test_it_takes_a_person_for_each_role(hri, line, tmp_path: Path, people: tuple[str, ...]) -> None:
    ran = hri(*line, *people, "--confirmed")

    assert (ran.status, ran.error["code"]) == (2, "people-missing")
    assert not (tmp_path / "home").exists()


def test_who_does_not_confirm_the_script_ends_it(
    hri, line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typer, "confirm", lambda question, **_words: "Bob" not in question)

    ran = hri(*line, *PEOPLE)

    assert (ran.status, ran.error["code"]) == (1, "not-confirmed")
    assert not (tmp_path / "home" / "ca").exists()
    assert not (tmp_path / "record").exists()


def test_who_does_not_confirm_the_fingerprints_is_in_the_record(
    hri, line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ceremony.typer, "confirm", lambda question, **_words: "fingerprints" not in question)

    ran = hri(*line, *PEOPLE)

    assert (ran.status, ran.error["code"]) == (1, "not-confirmed")
    checked = hri("--json", "ca", "check-record", str(tmp_path / "record"))
    assert "NOT confirmed by Ada" in checked.json["lines"][-1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "title: [",
        "title: x\nroles: [one]",
        "title: x\nkey_type: rsa1024",
        "title: x\nissuing: [{name: a}, {name: a}]",
        "title: x\nissuing: [{name: issuing}]",
        "title: x\nissuing: [{name: a, permit: ['uri:x']}]",
        "title: x\nissuing: [{name: a, policies: [x]}]",
        'title: "a\\nb"',
        "title: x\nfrobnicate: 1",
    ],
)
def test_a_script_that_makes_no_sense_makes_nothing(
    hri, line, script: Path, tmp_path: Path, text: str
) -> None:
    script.write_text(text)

    ran = hri(*line, *PEOPLE, "--confirmed")

    assert ran.status == 2
    assert not (tmp_path / "home").exists()


def test_it_is_held_once(hri, line, tmp_path: Path) -> None:
    assert hri(*line, *PEOPLE, "--confirmed").status == 0
    before = (tmp_path / "record").read_bytes()

    ran = hri(*line, *PEOPLE, "--confirmed")

    assert (ran.status, ran.error["code"]) == (2, "ca-exists")
    assert (tmp_path / "record").read_bytes() == before
    root = x509.load_pem_x509_certificate((tmp_path / "home" / "ca" / "root.pem").read_bytes())
    assert root.fingerprint(hashes.SHA256())

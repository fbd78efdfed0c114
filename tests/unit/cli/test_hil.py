"""`hri hil`: the key that signs reports, and the check of one."""

import datetime
import json

import pytest
from hri.testing.report.document import document
from hri.testing.report.folder import write_report
from hri.testing.report.signature import ReportKey

NOW = datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC)


@pytest.fixture
def folder(hri, tmp_path):
    assert hri("hil", "key", "--out", str(tmp_path / "key.pem")).status == 0
    report = document(begun=NOW, ended=NOW, folder=tmp_path, command=[], ending="ok", boards=[], tests=[])
    write_report(tmp_path / "report", report, None, ReportKey.given(str(tmp_path / "key.pem"), {}))
    return tmp_path / "report"


def test_the_public_key_goes_to_standard_output_alone(hri, tmp_path):
    made = hri("hil", "key", "--out", str(tmp_path / "key.pem"))
    assert made.out.startswith("-----BEGIN PUBLIC KEY-----")
    assert made.out.endswith("-----END PUBLIC KEY-----\n")
    assert "PRIVATE" not in made.out + made.err


def test_a_key_is_never_overwritten(hri, tmp_path):
    (tmp_path / "key.pem").write_text("mine")
    refused = hri("--json", "hil", "key", "--out", str(tmp_path / "key.pem"))
    assert (refused.status, refused.error["code"]) == (2, "key-exists")
    assert (tmp_path / "key.pem").read_text() == "mine"


def test_a_signed_report_is_intact(hri, folder, tmp_path):
    public = json.loads(hri("--json", "hil", "key", "--out", str(tmp_path / "other.pem")).out)["public_key"]
    verified = hri("--json", "hil", "verify", str(folder))
    assert verified.status == 0
    assert (verified.json["intact"], verified.json["signer_expected"]) == (True, False)
    (tmp_path / "other.pub").write_text(public)
    refused = hri("--json", "hil", "verify", str(folder), "--key", str(tmp_path / "other.pub"))
    assert (refused.status, refused.json["reasons"][0]["code"]) == (1, "another-key")


def test_an_edited_report_is_refused_with_the_reason(hri, folder):
    with (folder / "report.html").open("a") as page:
        page.write("<!-- -->")
    refused = hri("hil", "verify", str(folder))
    assert refused.status == 1
    assert "file-changed: report.html" in refused.out


@pytest.mark.parametrize("name", ["report.json", "nothing-of-ours"])
def test_what_cannot_be_read_is_another_status_than_no(hri, tmp_path, name):
    (tmp_path / name).write_text("not json")
    assert hri("--json", "hil", "verify", str(tmp_path)).status == 2


def test_a_private_key_is_not_taken_for_a_public_one(hri, folder, tmp_path):
    refused = hri("--json", "hil", "verify", str(folder), "--key", str(tmp_path / "key.pem"))
    assert (refused.status, refused.error["code"]) == (2, "bad-key")

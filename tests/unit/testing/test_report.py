"""A report: what it says, how it looks to a reader, and every edit of it noticed for what it is."""

import datetime
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hri.errors import ConfigurationError
from hri.testing.report.check import ReportFault, check_report
from hri.testing.report.document import Test as Entry
from hri.testing.report.document import document
from hri.testing.report.folder import write_report
from hri.testing.report.page import page
from hri.testing.report.signature import ReportKey, make_key, public_pem, spki_sha256

NOW = datetime.datetime(2026, 11, 25, 9, 30, tzinfo=datetime.UTC)
BOARD = {
    "id": "1-1",
    "name": "unix",
    "virtual": True,
    "port": None,
    "runtime": {"name": "micropython", "version": "1.25.0", "sha256": "ab" * 32},
    "chip": {
        "type": "atecc608b",
        "serial_number": "0123aabbccddeeffee",
        "revision": "00006003",
        "config_locked": False,
        "data_locked": False,
    },
    "package": "cd" * 32,
    "files": {"main.py": "ef" * 32},
    "problem": None,
    "locks_after": {"config": True, "data": True},
}
HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e&\"'"


def report(folder: Path, **test: object) -> dict:
    one = Entry("test_it.py::test_it", boards=["1-1"], **test)
    return document(
        begun=NOW,
        ended=NOW,
        folder=folder,
        command=["--hri-board", "unix"],
        ending="ok",
        boards=[BOARD],
        tests=[one, Entry("test_it.py::test_skipped", outcome="skipped", reason="no wires")],
    )


@pytest.fixture
def key() -> ReportKey:
    return ReportKey(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def signed(tmp_path: Path, key: ReportKey) -> Path:
    folder = tmp_path / "report"
    folder.mkdir()
    write_report(folder, report(tmp_path), b"<testsuites/>", key)
    return folder


def faults(folder: Path, key: ReportKey | None) -> list[ReportFault]:
    return [reason.code for reason in check_report(folder, key.public if key else None).reasons]


def test_the_totals_are_those_of_the_tests(tmp_path):
    totals = report(tmp_path)["totals"]
    assert (totals["tests"], totals["passed"], totals["skipped"], totals["failed"]) == (2, 1, 1, 0)


def test_the_git_commit_of_the_project_is_named(tmp_path):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "file").write_text("1")
    for words in (["init", "-q"], ["add", "file"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True, timeout=10)
    project = report(tmp_path)["project"]
    assert re.fullmatch("[0-9a-f]{40}", project["commit"])
    assert project["changed"] is False
    (tmp_path / "file").write_text("2")
    assert report(tmp_path)["project"]["changed"] is True


def test_without_git_no_commit_is_claimed(tmp_path):
    project = report(tmp_path)["project"]
    assert (project["commit"], project["changed"]) == (None, None)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found += [tag, *(name for name, _ in attrs)]


def tags(html: str) -> list[str]:
    parser = _Tags()
    parser.feed(html)
    return parser.found


def test_the_page_takes_nothing_that_is_printed_for_more_than_text(tmp_path):
    failure = {"outcome": "failed", "failure": HOSTILE, "output": HOSTILE, "faults": [HOSTILE]}
    said = report(tmp_path, **failure) | {"command": [HOSTILE], "ending": HOSTILE}
    board = BOARD | {"name": HOSTILE, "problem": HOSTILE, "files": {HOSTILE: "00"}}
    html = page(said | {"boards": [board]}, None)
    assert "script" not in tags(html)
    assert "onerror" not in tags(html)
    assert not set("\x1b\u202e") & set(html)
    assert r"\x1b[2J\u202e" in html


def test_the_page_is_alone_and_without_script(tmp_path, key):
    html = page(report(tmp_path), spki_sha256(key.public))
    assert not {"script", "link", "img", "iframe", "src", "href"} & set(tags(html))
    assert "url(" not in html
    assert "@import" not in html
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_an_unsigned_page_says_so(tmp_path, key):
    assert "Not signed." in page(report(tmp_path), None)
    signed = page(report(tmp_path), spki_sha256(key.public))
    assert "Not signed." not in signed
    assert spki_sha256(key.public) in signed


def test_the_page_shows_what_became_of_the_locks(tmp_path):
    text = re.sub(r"\s+", " ", page(report(tmp_path), None))
    assert "configuration open, data open; afterwards configuration locked, data locked" in text


def test_the_document_is_ascii(tmp_path, key):
    write_report(tmp_path, report(tmp_path, failure=HOSTILE), None, key)
    data = (tmp_path / "report.json").read_bytes()
    assert data.isascii()
    assert not set(data) - set(range(0x20, 0x7F)) - {0x0A}
    assert json.loads(data)["tests"][0]["failure"] == HOSTILE


def test_a_signed_report_is_taken(signed, key):
    verdict = check_report(signed, key.public)
    assert verdict
    assert (verdict.signer, verdict.known) == (spki_sha256(key.public), True)
    assert verdict.totals["passed"] == 1


def test_without_the_key_it_is_whole_and_whose_it_is_stays_open(signed, key):
    verdict = check_report(signed, None)
    assert verdict
    assert (verdict.signer, verdict.known) == (spki_sha256(key.public), False)


def test_openssl_agrees(signed, key, tmp_path):
    (tmp_path / "public.pem").write_text(public_pem(key.public))

    def openssl() -> int:
        command = ["openssl", "dgst", "-sha256", "-verify", tmp_path / "public.pem"]
        command += ["-signature", signed / "report.json.sig", signed / "report.json"]
        return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode

    assert openssl() == 0
    with (signed / "report.json").open("ab") as file:
        file.write(b" ")
    assert openssl() != 0


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_every_bit_of_every_part_counts(signed, key):
    expected = {
        "report.json": ReportFault.SIGNATURE_INVALID,
        "report.json.sig": ReportFault.SIGNATURE_INVALID,
        "report.html": ReportFault.FILE_CHANGED,
        "junit.xml": ReportFault.FILE_CHANGED,
    }
    for name, fault in expected.items():
        size = (signed / name).stat().st_size
        for at in {0, size - 1, *range(0, size, max(1, size // 50))}:
            flip(signed / name, at)
            assert faults(signed, key) == [fault], f"{name} at {at}"
            flip(signed / name, at)
    assert faults(signed, key) == []


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("report.json.sig", ReportFault.SIGNATURE_MISSING),
        ("report.html", ReportFault.FILE_MISSING),
        ("junit.xml", ReportFault.FILE_MISSING),
    ],
)
def test_a_part_that_is_missing_is_missed(signed, key, name, fault):
    (signed / name).unlink()
    assert faults(signed, key) == [fault]
    assert faults(signed, None) == [fault]


def test_another_key_is_told_apart_from_an_edit(signed):
    assert faults(signed, ReportKey(ec.generate_private_key(ec.SECP256R1()))) == [ReportFault.ANOTHER_KEY]


def test_another_reports_document_does_not_go_with_this_page(signed, key, tmp_path):
    other = tmp_path / "other"
    write_report(other, report(tmp_path, outcome="failed"), b"<testsuites/>", key)
    for name in ("report.json", "report.json.sig"):
        shutil.copy(other / name, signed / name)
    assert faults(signed, key) == [ReportFault.FILE_CHANGED]


def test_a_signature_made_for_another_report_is_invalid(signed, key, tmp_path):
    other = tmp_path / "other"
    write_report(other, report(tmp_path, outcome="failed"), None, key)
    shutil.copy(other / "report.json.sig", signed / "report.json.sig")
    assert faults(signed, key) == [ReportFault.SIGNATURE_INVALID]


def test_a_document_signed_anew_by_another_is_not_the_named_signers(signed, key):
    forger = ReportKey(ec.generate_private_key(ec.SECP256R1()))
    changed = json.loads((signed / "report.json").read_bytes())
    changed["signer"]["public_key"] = public_pem(forger.public)
    data = json.dumps(changed).encode()
    (signed / "report.json").write_bytes(data)
    (signed / "report.json.sig").write_bytes(forger.sign(data))
    assert faults(signed, None) == [ReportFault.ANOTHER_KEY]
    assert faults(signed, key) == [ReportFault.ANOTHER_KEY]


def test_an_unsigned_report_is_no_evidence(tmp_path, key):
    write_report(tmp_path, report(tmp_path), None, None)
    assert faults(tmp_path, None) == [ReportFault.UNSIGNED]
    assert faults(tmp_path, key) == [ReportFault.UNSIGNED]


def test_a_part_is_looked_for_beside_the_document_alone(tmp_path, key):
    (tmp_path / "outside").write_bytes(b"1")
    folder = tmp_path / "report"
    named = report(tmp_path) | {
        "files": {"../outside": hashlib.sha256(b"1").hexdigest()},
        "signer": {"spki_sha256": spki_sha256(key.public), "public_key": public_pem(key.public)},
    }
    folder.mkdir()
    data = json.dumps(named).encode()
    (folder / "report.json").write_bytes(data)
    (folder / "report.json.sig").write_bytes(key.sign(data))
    assert faults(folder, key) == [ReportFault.FILE_MISSING]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "another"}', "[" * 100_000])
def test_what_is_no_report_is_not_read_as_one(tmp_path, text):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(ConfigurationError):
        check_report(tmp_path, None)


def test_the_next_report_takes_the_place_of_the_last(signed, tmp_path):
    write_report(signed, report(tmp_path), None, None)
    assert sorted(path.name for path in signed.iterdir()) == ["report.html", "report.json"]


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path):
    public = make_key(tmp_path / "key.pem", {})
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigurationError, match="there already"):
        make_key(tmp_path / "key.pem", {})
    found = ReportKey.given(str(tmp_path / "key.pem"), {})
    assert spki_sha256(found.public) == spki_sha256(public)


def test_a_key_that_others_can_read_is_refused(tmp_path):
    make_key(tmp_path / "key.pem", {})
    for mode in (0o640, 0o604, 0o622):
        (tmp_path / "key.pem").chmod(mode)
        with pytest.raises(ConfigurationError, match="others can read"):
            ReportKey.given(str(tmp_path / "key.pem"), {})


def test_a_key_comes_from_the_environment_as_a_path_or_as_itself(tmp_path):
    public = make_key(tmp_path / "key.pem", {"HRI_REPORT_PASSPHRASE": "words"})
    secret = {"HRI_REPORT_PASSPHRASE": "words"}
    for named in (str(tmp_path / "key.pem"), (tmp_path / "key.pem").read_text()):
        found = ReportKey.given(None, secret | {"HRI_REPORT_KEY": named})
        assert spki_sha256(found.public) == spki_sha256(public)
    assert ReportKey.given(None, {}) is None


@pytest.mark.parametrize("secret", [{}, {"HRI_REPORT_PASSPHRASE": "wrong words"}])
def test_a_passphrase_that_does_not_fit_is_not_repeated(tmp_path, secret):
    make_key(tmp_path / "key.pem", {"HRI_REPORT_PASSPHRASE": "right words"})
    with pytest.raises(ConfigurationError, match="cannot be opened") as caught:
        ReportKey.given(str(tmp_path / "key.pem"), secret)
    assert "words" not in str(caught.value) + caught.value.hint


def test_a_key_of_another_curve_is_refused():
    pem = subprocess.run(
        ["openssl", "ecparam", "-name", "secp384r1", "-genkey", "-noout"],
        capture_output=True,
        timeout=30,
        check=True,
    ).stdout
    with pytest.raises(ConfigurationError, match="not a P-256 key"):
        ReportKey.given(None, {"HRI_REPORT_KEY": pem.decode()})

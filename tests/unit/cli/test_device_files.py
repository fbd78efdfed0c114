"""`hri registry export` and `import`, as a person or a script runs them."""

from __future__ import annotations

import io
import json
import sys

import pytest

CHIP = "0123456789abcdef01"


@pytest.fixture(autouse=True)
def _home(hri):
    assert hri("ca", "init").status == 0


def test_there_and_back(hri, tmp_path):
    file = tmp_path / "devices.csv"
    file.write_bytes(f"\ufeffAsset;element_serial\r\nd1;{CHIP}\r\nd2;\r\n".encode())
    imported = hri("--json", "registry", "import", str(file), "--column", "Asset=device_id")
    again = hri("--json", "registry", "import", str(file), "--column", "Asset=device_id")
    out = tmp_path / "out.jsonl"
    exported = hri("--json", "registry", "export", str(out))

    assert imported.json == {"registered": 2, "completed": 0, "unchanged": 0}
    assert again.json == {"registered": 0, "completed": 0, "unchanged": 2}
    assert exported.json == {"file": str(out), "devices": 2}
    assert [json.loads(line)["device_id"] for line in out.read_text().splitlines()] == ["d1", "d2"]
    assert hri("--json", "registry", "import", str(out)).json["unchanged"] == 2
    acts = [entry["act"] for entry in hri("--json", "audit", "list").json["entries"]]
    assert acts.count("import") == 1
    assert hri("audit", "verify").status == 0


def test_standard_input_and_output(hri, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(b'{"device_id": "d1"}\n'))
    monkeypatch.setattr(sys, "stdin", stream)

    assert hri("registry", "import", "-", "--format", "jsonl").status == 0
    assert hri("registry", "export", "-").out.splitlines()[1].startswith("d1,registered,atecc608")


@pytest.mark.parametrize(
    ("text", "options", "status", "code"),
    [
        ("device_id\nroot\n", (), 2, "bad-rows"),
        (f"device_id,element_serial\nd1,{CHIP}\n", ("--format", "xml"), 2, "bad-format"),
        ("device_id\nd1\n", ("--column", "x"), 2, "bad-column"),
        (f"device_id,element_serial\nd9,{CHIP}\n", (), 1, "import-conflict"),
    ],
)
def test_what_cannot_be_imported_changes_nothing(hri, tmp_path, text, options, status, code):
    hri("register", "d0", "--element", CHIP)
    file = tmp_path / "devices.csv"
    file.write_text(text)

    ran = hri("--json", "registry", "import", str(file), *options)

    assert (ran.status, ran.error["code"]) == (status, code)
    assert len(hri("--json", "list").json["devices"]) == 1


def test_a_failed_export_leaves_no_part_of_a_file(hri, tmp_path):
    out = tmp_path / "nowhere" / "devices.csv"

    ran = hri("--json", "registry", "export", str(out))

    assert (ran.status, ran.error["code"]) == (3, "storage")
    assert not out.parent.exists()

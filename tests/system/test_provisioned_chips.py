"""TNGTLS and TrustFLEX chips, from the rig's factory to the host's reader: each written apart."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hri.rig.atecc import Factory, open_chip
from hri.rig.boards import open_board
from hri.rig.bus import Bus
from hri.rig.firmware import device_package

pytestmark = pytest.mark.timeout(240)


def hri(home: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "hri.cli", "--home", str(home), "--json", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"HRI_CA_PASSPHRASE": "issuing words", "HRI_ROOT_PASSPHRASE": "root words"},
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("atecc608a-tngtls", "tngtls-608b"),
        ("atecc608b-tngtls", "tngtls-608b"),
        ("atecc608a-tflxtls", "trustflex-tls"),
        ("atecc608b-tflxtls", "trustflex-tls"),
    ],
)
def test_a_provisioned_chip_is_recognised_and_its_chain_holds(tmp_path: Path, name: str, known: str) -> None:
    factory = Factory()
    (tmp_path / "root.pem").write_text(factory.root_pem)
    (tmp_path / "other.pem").write_text(Factory().root_pem)
    with (
        open_chip(name, factory=factory) as chip,
        open_board("unix", bus=Bus([chip]), flash=tmp_path / "flash", package=device_package()) as board,
    ):
        info = hri(tmp_path, "chip", "info", "--port", board.port)
        good = hri(tmp_path, "chip", "chain", "--port", board.port, "--roots", str(tmp_path / "root.pem"))
        foreign = hri(tmp_path, "chip", "chain", "--port", board.port, "--roots", str(tmp_path / "other.pem"))
    recognised = json.loads(info.stdout)["known_as"]
    assert (recognised["profile"], recognised["kind"]) == (known, "provisioned")
    assert recognised["differing"] == []
    assert recognised["words"] == f"{recognised['title']}, provisioned by its maker"
    assert good.returncode == 0, good.stdout + good.stderr
    assert json.loads(good.stdout)["trusted"] is True
    assert foreign.returncode == 1
    assert json.loads(foreign.stdout)["reasons"][0]["code"] == "chain-invalid"


def test_a_factorys_manifest_endorses_its_chips(tmp_path: Path) -> None:
    factory = Factory()
    with open_chip("atecc608b-tngtls", factory=factory):
        pass
    (tmp_path / "manifest.json").write_text(json.dumps(factory.manifest))
    (tmp_path / "log.pem").write_text(factory.log_pem)
    (tmp_path / "other.pem").write_text(Factory().log_pem)
    assert hri(tmp_path, "ca", "init").returncode == 0

    refused = hri(
        tmp_path, "manifest", "import", str(tmp_path / "manifest.json"), "--ca", str(tmp_path / "other.pem")
    )
    imported = hri(
        tmp_path, "manifest", "import", str(tmp_path / "manifest.json"), "--ca", str(tmp_path / "log.pem")
    )

    assert refused.returncode == 1
    assert imported.returncode == 0, imported.stderr
    assert json.loads(imported.stdout) == {"recorded": 1, "known": 0, "without_key": []}

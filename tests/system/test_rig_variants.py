"""`hri rig bus` with a chip that comes out of the virtual factory."""

import json
import subprocess
import sys
from pathlib import Path

from cryptography import x509
from hri.rig.bus_client import RemoteBus


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "hri.cli", "--json", "rig", "bus", *arguments]


def test_a_trust_and_go_chip_is_served_with_its_papers(tmp_path: Path) -> None:
    papers = "--manifest", str(tmp_path / "m.json"), "--roots", str(tmp_path / "root.pem")
    server = subprocess.Popen(
        command("--chip", "atecc608b-tngtls", "--state", str(tmp_path / "chip"), *papers),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        said = json.loads(server.stdout.readline())
        assert said["chip"] == "atecc608b-tngtls"
        host, _, port = said["listen"].rpartition(":")
        bus = RemoteBus(host, int(port))
        bus.wake()
        assert bus.read(0x60, 4)[0] == 1
        assert bus.read(0x35, 4) == (0, bytes.fromhex("04113343"))
        bus.close()
        (entry,) = json.loads((tmp_path / "m.json").read_text())
        assert entry["header"]["uniqueId"].startswith("0123")
        root = x509.load_pem_x509_certificate((tmp_path / "root.pem").read_bytes())
        assert "Test Root" in root.subject.rfc4514_string()
    finally:
        server.terminate()
        assert server.wait(30) == 0


def test_an_unknown_chip_is_wrong_usage() -> None:
    done = subprocess.run(
        command("--chip", "atecc999"), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    error = json.loads(done.stderr)["error"]
    assert "atecc608b-tflxtls" in error["message"]

"""What docs/server.md shows is what happens."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hri.config import load
from hri.registration import register_device
from hri.server.roles import ACCESS, EVERYBODY
from system.server.processes import ServedHome, serving
from unit.server.serving import TOKENS

_DEADLINE_S = 60
_TEXT = (Path(__file__).parents[3] / "docs" / "server.md").read_text()


def example(name):
    found = re.search(rf"<!-- example: {name} -->\n```\w+\n(.*?)```", _TEXT, re.S)
    assert found, name
    return found[1]


@pytest.mark.parametrize("name", ["config", "external"])
def test_the_configurations_are_read(tmp_path, name):
    (tmp_path / "config.yaml").write_text(example(name))

    config = load(tmp_path / "config.yaml", {"CA_API_KEY": "x"})

    assert config.warnings == ()


def test_the_public_routes_are_those_that_are_named():
    public = {path for (_, path), rule in ACCESS.items() if rule is EVERYBODY and "{label}" not in path}

    [line] = re.findall(r"^Public: .*", _TEXT, re.M)
    for path in public:
        named = path.replace("{issuer}", "issuing").rpartition("/.well-known/est/")[2]
        assert f"`{named}`" in line


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    served = ServedHome(tmp_path_factory.mktemp("docs") / "home")
    config = served.path / "config.yaml"
    config.write_text(config.read_text() + "  security: {require_attestation: false}\n")
    with served.context() as context:
        register_device(context, "device-001")
    with serving(served) as server:
        yield server


def shell(running, folder, script, token):
    shutil.copy(running.served.path / "server-ca.pem", folder / "server-ca.pem")
    quiet = script.replace("curl ", "curl --silent --show-error --fail --max-time 30 ")
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", quiet],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "SERVER": running.url, "TOKEN": token},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_DEADLINE_S,
        check=False,
        text=True,
    )


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_api_answers_as_shown(running, tmp_path):
    ran = shell(running, tmp_path, example("api"), TOKENS["operator"])

    assert ran.returncode == 0, ran.stderr
    for word in ('"verifier":"hri"', '"devices":', '"reason":"keyCompromise"', '"status":"ready"'):
        assert word in ran.stdout


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="needs curl and openssl")
def test_what_is_published_is_fetched_as_shown(running, tmp_path):
    with running.served.context() as context:
        (tmp_path / "root.pem").write_bytes(context.authority.root_pem())
        (tmp_path / "issuing.pem").write_bytes(context.authority.issuing.public_bytes(Encoding.PEM))

    ran = shell(running, tmp_path, example("standing"), "")

    assert ran.returncode == 0, ran.stderr
    assert "crlNumber=" in ran.stdout
    assert "0x1234: unknown" in ran.stdout
    assert "Response verify OK" in ran.stderr
    assert "/certificates\n" in ran.stdout


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="needs curl and openssl")
def test_est_by_curl_works_as_shown(running, tmp_path):
    ran = shell(running, tmp_path, example("est"), TOKENS["registration-authority"])

    assert ran.returncode == 0, ran.stderr
    verified = subprocess.run(
        ["openssl", "verify", "-CAfile", "ca.pem", "certificate.pem", "renewed.pem"],
        cwd=tmp_path,
        capture_output=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    assert verified.stdout.split() == [b"certificate.pem:", b"OK", b"renewed.pem:", b"OK"]

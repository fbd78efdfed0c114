"""The command line run in this process, against a board in software on a pty."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hri.cli.app import run
from hri_command import Ran
from unit.provision.served_board import served
from unit.provision.soft_board import SoftBoard


@pytest.fixture
def hri(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    for name in ("HRI_PORT", "HRI_CONFIG", "HRI_DATABASE_URL", "HRI_LOCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HRI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HRI_CA_PASSPHRASE", "secret ca words")
    monkeypatch.setenv("HRI_ROOT_PASSPHRASE", "secret root words")

    def call(*arguments: str) -> Ran:
        capfd.readouterr()
        status = run(arguments)
        said = capfd.readouterr()
        return Ran(status, said.out, said.err)

    return call


@pytest.fixture
def board() -> SoftBoard:
    return SoftBoard()


@pytest.fixture
def port(board: SoftBoard) -> Iterator[str]:
    with served(board) as name:
        yield name


@pytest.fixture
def provisioned(hri, port) -> dict[str, Any]:
    assert hri("ca", "init").status == 0
    ran = hri("--json", "provision", "--port", port, "--device-id", "d1", "--lock")
    assert ran.status == 0, ran.err
    return ran.json

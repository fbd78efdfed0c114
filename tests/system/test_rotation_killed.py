"""`hri rotate` and `hri renew` killed with SIGKILL between any two requests: the device stays trusted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hri.registry import Registry
from unit.provision.served_board import served
from unit.provision.soft_board import SoftBoard

DEADLINE = 120


@dataclass
class Site:
    """A home with one device, its board on a port, and the command line as processes of their own."""

    home: Path
    board: SoftBoard
    port: str

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HRI_")}
        environment |= {
            "HRI_HOME": str(self.home),
            "HRI_PORT": self.port,
            "HRI_CA_PASSPHRASE": "ca words",
            "HRI_ROOT_PASSPHRASE": "root words",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "hri.cli", "--json", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )

    def run(self, *arguments: str) -> Any:
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=DEADLINE)
        finally:
            process.kill()
            process.wait()
        assert process.returncode == 0, err.decode()
        return json.loads(out)

    def killed_at(self, command: str, op: str, when: str) -> None:
        """Run the command and kill it where the board gets, or has carried out, a request."""
        process = self.start(command, "d1")
        reached = []

        def kill(_number: int, present: str, moment: str) -> None:
            if (present, moment) == (op, when) and not reached:
                reached.append(op)
                process.send_signal(signal.SIGKILL)
                process.wait(DEADLINE)

        self.board.cut = kill
        try:
            process.communicate(timeout=DEADLINE)
        finally:
            process.kill()
            process.wait()
            self.board.cut = lambda *_: None
        assert reached
        assert process.returncode == -signal.SIGKILL

    def states(self) -> list[str]:
        with Registry.open(self.home / "hri.db") as registry:
            return sorted(record.state for record in registry.certificates("d1"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    board = SoftBoard()
    with served(board) as port:
        made = Site(tmp_path_factory.mktemp("home") / "hri", board, port)
        made.run("ca", "init")
        made.run("provision", "--device-id", "d1", "--lock")
        yield made


@pytest.mark.parametrize(
    ("command", "op", "when"),
    [
        ("rotate", "key.birth", "after"),
        ("rotate", "certificate.store", "before"),
        ("rotate", "certificate.store", "after"),
        ("rotate", "identity.answer", "after"),
        ("renew", "identity.answer", "after"),
    ],
)
def test_a_process_killed_between_the_phases_is_completed_by_the_next(
    site: Site, command: str, op: str, when: str
) -> None:
    site.killed_at(command, op, when)

    assert site.run("authenticate")["trusted"]
    assert site.states().count("active") == 1
    site.run(command, "d1")
    assert (site.states().count("active"), site.states().count("issued")) == (1, 0)

"""A third party's project passes its own tests, with hri from the built wheel and nothing of the checkout.

The wheel is installed into an environment of its own. What it depends on comes from the environment that runs
this test, so that no network is needed; hri itself cannot, as an editable install is not reached by a path.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest
from hri.rig.atecc import open_chip
from hri.rig.boards import BoardClock, open_board
from hri.rig.bus import Bus
from hri.rig.runtimes import cache_root
from hri.testing.firmware import board_files

pytestmark = pytest.mark.timeout(300)
CHECKOUT = Path(__file__).parents[2]
EXAMPLE = CHECKOUT / "docs" / "examples" / "third_party"
_DEADLINE_S = 200


class Installed:
    """An environment with the wheel; `bin` has its programs."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.bin = folder / "bin"
        self.wheel = wheel
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "HRI_", "PYTEST", "VIRTUAL_ENV", "COVERAGE"))
        } | {"HRI_CACHE": str(cache_root()), "HOME": str(folder), "HRI_HOME": str(folder / "home")}

    def run(self, *command: object, folder: Path, status: int | None = 0) -> str:
        """Run a program of the environment in `folder`; return what it said on both streams."""
        program, *arguments = map(str, command)
        done = subprocess.run(
            [self.bin / program, *arguments],
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_DEADLINE_S,
            check=False,
        )
        assert status is None or done.returncode == status, done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("third-party")
    built = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "dist"]
    subprocess.run(built, cwd=CHECKOUT, check=True, timeout=120, stdin=subprocess.DEVNULL)
    (wheel,) = (folder / "dist").glob("hri-*.whl")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv/bin/python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-index", "--no-deps", wheel]
    subprocess.run(pip, check=True, timeout=120, stdin=subprocess.DEVNULL)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    dependencies = folder / "venv/lib" / version / "site-packages/dependencies.pth"
    dependencies.write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return Installed(folder / "venv", wheel)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "thermometer"))


def test_hri_is_the_wheels(installed: Installed, tmp_path: Path) -> None:
    said = installed.run("python", "-c", "import hri; print(hri.__file__)", folder=tmp_path)
    assert Path(said.strip()).is_relative_to(installed.bin.parent)


def test_the_wheel_brings_boards_device_package_and_page(installed: Installed) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()
    for name in (
        "hri/boards/data/rpi_pico/board.toml",
        "hri/boards/data/unix/supervisor.py",
        "hri/boards/firmware/hri_device/service.py",
        "hri/boards/firmware/main.py",
        "hri/testing/report/page.html.j2",
    ):
        assert name in names
    assert not [name for name in names if re.search(r"\.pyc$|__pycache__|^tests/|\.pem$", name)]


@pytest.mark.parametrize("board", ["unix", "rpi_pico"])
def test_the_example_passes_its_own_tests(installed: Installed, project: Path, board: str) -> None:
    installed.run("hri", "hil", "key", "--out", "key.pem", folder=project)
    said = installed.run(
        "python", "-m", "pytest", "--hri-board", board, "--junitxml=junit.xml", "--hri-report=report",
        "--hri-report-key=key.pem", folder=project,
    )  # fmt: skip
    assert "2 passed" in said
    assert "intact" in installed.run("hri", "hil", "verify", "report", folder=project)
    report = json.loads((project / "report/report.json").read_text())
    assert (report["ending"], report["totals"]["passed"]) == ("ok", 2)
    (found,) = report["boards"]
    assert (found["name"], found["virtual"], found["chip"]["type"]) == (board, True, "atecc608b")
    assert "main.py" in found["files"]
    first, second = report["tests"]
    assert first["bus"]["commands"] > 0
    assert second["faults"]
    cases = ET.parse(project / "junit.xml").findall(".//testcase")  # noqa: S314 - made by this run
    for case in cases:
        told = {found.get("name"): found.get("value") for found in case.iter("property")}
        assert told["hri.board"] == board
        assert told["hri.chip.serial_number"] == found["chip"]["serial_number"]
        assert told["hri.package.sha256"] == found["package"]
    assert len(cases) == 2


def test_the_same_tests_take_a_real_port(installed: Installed, project: Path) -> None:
    clock = BoardClock()
    bus = Bus([open_chip("atecc608b-tngtls", clock=clock)])
    files = board_files("unix", project / "board", compiled=False)
    with open_board("unix", bus=bus, package=files, clock=clock) as board:
        said = installed.run(
            "python", "-m", "pytest", "-rs", "--hri-port", board.port, "--hri-report=report", folder=project
        )
    assert "1 passed, 1 skipped" in said
    assert "on a real board" in said
    (found,) = json.loads((project / "report/report.json").read_text())["boards"]
    assert (found["virtual"], found["chip"]["type"], found["problem"]) == (False, "atecc608b", None)
    assert found["runtime"] == {"name": "micropython", "version": "1.25.0", "sha256": None}
    # Of the same files the same hash, whether they were put on a virtual board or read from a real one.
    assert found["files"]["main.py"]
    assert set(files) <= set(found["files"])


def test_the_wheel_alone_serves_a_board_and_flashes_it(installed: Installed, tmp_path: Path) -> None:
    serving = subprocess.Popen(
        [installed.bin / "hri", "--json", "rig", "serve", "--board", "unix"],
        cwd=tmp_path,
        env=installed.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        port = json.loads(serving.stdout.readline())["port"]
        installed.run("hri", "board", "flash", "--port", port, folder=tmp_path)
        installed.run("hri", "board", "verify", "--port", port, folder=tmp_path)
    finally:
        serving.terminate()
        assert serving.wait(30) == 0

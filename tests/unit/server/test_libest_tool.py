"""Libest is taken as installed, or else unpacked whole or not at all."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import libest
import pytest
from hri.rig.runtimes import RuntimeUnavailableError

PROGRAM = "#!/bin/sh\necho 'Available EST client options'\nexit 255\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache on a machine that libest is pinned for and that has none installed."""
    monkeypatch.setenv("HRI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr("libest.sys.platform", "linux")
    monkeypatch.setattr("libest.platform.machine", lambda: "x86_64")
    return tmp_path / "cache/libest"


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror whose packages hold a stand-in for the client."""
    if not Path("/usr/bin/dpkg-deb").exists():
        pytest.skip("no dpkg-deb on this machine")
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n"
    )
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/estclient").write_text(PROGRAM)
    (tree / "usr/bin/estclient").chmod(0o755)

    def fetch(pinned: libest.Pinned, downloads: Path, *_: object) -> None:
        downloads.mkdir(parents=True)
        for name in (name for package in pinned.packages for name, _ in package.files):
            command = ["dpkg-deb", "--build", "--root-owner-group", tree, downloads / name]
            subprocess.run(command, check=True, capture_output=True, timeout=30)

    monkeypatch.setattr(libest, "fetch", fetch)


@pytest.mark.usefixtures("mirror")
def test_what_a_killed_run_left_is_not_used(cache: Path) -> None:
    draft = cache / f"{libest._VERSION}.draft"
    draft.mkdir(parents=True)
    (draft / "half").touch()

    found = libest.find()

    assert found.client.read_text() == PROGRAM
    assert [path.name for path in cache.iterdir() if path.is_dir()] == [libest._VERSION]
    assert not (cache / libest._VERSION / "half").exists()


@pytest.mark.usefixtures("mirror")
def test_one_that_does_not_run_here_is_said_so(cache: Path) -> None:
    libest.find()
    (cache / libest._VERSION / "usr/bin/estclient").write_text("#!/bin/sh\necho no GLIBC >&2\nexit 1\n")

    with pytest.raises(RuntimeUnavailableError, match="no GLIBC"):
        libest.find()


def test_without_a_mirror_it_is_said_what_is_missing(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert libest.main() == 0

    assert "will be skipped: libest-utils and libest3 come from a debian mirror" in capsys.readouterr().out
    assert not (cache / libest._VERSION).exists()


def test_another_kind_of_machine_is_said_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libest.platform.machine", lambda: "aarch64")

    with pytest.raises(RuntimeUnavailableError, match="not for linux on aarch64"):
        libest.find()
    assert not cache.exists()

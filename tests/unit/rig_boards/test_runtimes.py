"""Runtimes: which file is taken, where built things are kept, what a pico is flashed with."""

from __future__ import annotations

import hashlib
import http.server
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hri.rig.runtimes import (
    RuntimeUnavailableError,
    build_runtimes,
    cache_root,
    find_runtime,
    official,
    versions,
)
from hri.rig.runtimes.build import ARTIFACTS
from hri.rig.runtimes.cache import checkout_root, locked, publish
from hri.rig.runtimes.debian import fetch
from hri.rig.runtimes.find import runtime_folder
from hri.rig.runtimes.uf2 import from_binary


def test_a_checkout_builds_into_its_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HRI_CACHE", raising=False)
    assert checkout_root() == Path(__file__).resolve().parents[3]
    assert cache_root() == Path(__file__).resolve().parents[3] / "build"


def test_a_named_image_is_taken_as_it_is(tmp_path: Path) -> None:
    image = tmp_path / "mine.uf2"
    image.write_bytes(b"x")
    assert find_runtime("rpi_pico", environment={"HRI_RUNTIME_RPI_PICO": str(image)}) == image
    assert find_runtime("mpy-cross", environment={"HRI_RUNTIME_MPY_CROSS": str(image)}) == image
    assert find_runtime("unix", image=image, environment={}) == image


def test_a_named_image_that_is_not_there_is_an_error_with_its_name(tmp_path: Path) -> None:
    missing = tmp_path / "gone"
    with pytest.raises(RuntimeUnavailableError, match="HRI_RUNTIME_UNIX"):
        find_runtime("unix", environment={"HRI_RUNTIME_UNIX": str(missing)})


def test_an_unknown_runtime_is_refused() -> None:
    with pytest.raises(ValueError, match="rpi_pico, unix, mpy-cross"):
        find_runtime("esp32")


def test_what_is_cached_is_used_without_any_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HRI_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    folder = runtime_folder()
    folder.mkdir(parents=True)
    for file in ARTIFACTS.values():
        (folder / file).write_bytes(b"x")
    assert build_runtimes() == {name: folder / file for name, file in ARTIFACTS.items()}


def test_every_pinned_file_has_a_sha256() -> None:
    hashes = [sha256 for package in versions.PACKAGES for _, sha256 in package.files]
    assert len(hashes) == 6
    assert all(len(bytes.fromhex(sha256)) == 32 for sha256 in hashes)


def test_the_cache_key_changes_with_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    before = versions.cache_key()
    monkeypatch.setattr(versions, "UNIX_OPTIONS", ("MICROPY_PY_BTREE=1",))
    assert versions.cache_key() != before


def test_a_tampered_download_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    for package in versions.PACKAGES:
        for name, _ in package.files:
            (tmp_path / name).write_bytes(b"tampered")
    with pytest.raises(RuntimeUnavailableError, match="no apt-get here"):
        fetch(versions.DEBIAN, tmp_path, tmp_path / "scratch", tmp_path / "log", lambda _: None)


def test_a_held_lock_is_waited_for_only_so_long(tmp_path: Path) -> None:
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(tmp_path / "lock", 1):
            held.set()
            release.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    try:
        with pytest.raises(RuntimeUnavailableError, match="another process"), locked(tmp_path / "lock", 0):
            pytest.fail("the lock was had twice")
    finally:
        release.set()
        holder.join(10)


def test_publishing_leaves_one_whole_file_with_its_mode(tmp_path: Path) -> None:
    source = tmp_path / "tool"
    source.write_bytes(b"x" * 1000)
    source.chmod(0o755)
    publish(source, tmp_path / "out/tool")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["tool"]
    assert (tmp_path / "out/tool").stat().st_mode & 0o111


def test_uf2_places_every_256_bytes_and_pads_the_last() -> None:
    image = from_binary(bytes(range(256)) + b"end")
    assert len(image) == 1024
    first, second = struct.unpack("<8I", image[:32]), struct.unpack("<8I", image[512:544])
    assert first == (0x0A324655, 0x9E5D5157, 0x2000, 0x10000000, 256, 0, 2, 0xE48BFF56)
    assert second[3] == 0x10000100
    assert image[544 : 544 + 256] == b"end".ljust(256, b"\0")
    assert image[508:512] == struct.pack("<I", 0x0AB16F30)


def test_uf2_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        from_binary(b"")


IMAGE = b"uf2" * 1000


@pytest.fixture
def server() -> Iterator[str]:
    """An HTTP server on loopback that gives IMAGE at /image and nothing anywhere else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/image"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(IMAGE if found else b"")

        def log_message(self, *_: object) -> None:
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}"
    httpd.shutdown()
    httpd.server_close()
    thread.join(5)


def pin(monkeypatch: pytest.MonkeyPatch, url: str, *, of: bytes = IMAGE, size: int = 1 << 20) -> None:
    release = versions.Release(url, hashlib.sha256(of).hexdigest(), size)
    monkeypatch.setattr(versions, "OFFICIAL", {"rpi_pico": release})


def test_the_official_release_is_taken_where_there_is_internet(server, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HRI_CACHE", str(tmp_path))
    monkeypatch.setattr("hri.rig.runtimes.emulator.build", lambda _progress: True)
    pin(monkeypatch, f"{server}/image")
    assert find_runtime("rpi_pico", environment={}).read_bytes() == IMAGE


@pytest.mark.parametrize(
    ("path", "options", "words"),
    [
        ("/image", {"of": b"another"}, "not the one pinned"),
        ("/image", {"size": len(IMAGE) - 1}, "longer than"),
        ("/gone", {}, "Not Found"),
    ],
)
def test_another_file_than_the_pinned_one_is_not_used(
    server, tmp_path, monkeypatch, path, options, words
) -> None:
    pin(monkeypatch, server + path, **options)
    said: list[str] = []
    assert not official.fetch("rpi_pico", tmp_path / "image.uf2", said.append)
    assert words in said[0]
    assert list(tmp_path.iterdir()) == []


def test_without_internet_there_is_no_official_release(tmp_path, monkeypatch) -> None:
    pin(monkeypatch, "http://127.0.0.1:9/image")
    said: list[str] = []
    assert not official.fetch("rpi_pico", tmp_path / "image.uf2", said.append)
    assert "building it instead" in said[0]


def test_there_is_no_official_unix_port_that_signs_outside(tmp_path) -> None:
    assert not official.fetch("unix", tmp_path / "micropython", pytest.fail)

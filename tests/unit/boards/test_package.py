"""What is flashed: the compiled package with its entry, and a manifest that a board may have damaged."""

from __future__ import annotations

import json

import pytest
from hri.flash import FlashPackage, Manifest, build_package
from hri.flash.package import Entry, digest_of

GOOD = Manifest("1.2", {"hri_main.mpy": Entry(3, digest_of(b"abc")), "p/x.mpy": Entry(0, digest_of(b""))})


@pytest.fixture(scope="module")
def package() -> FlashPackage:
    return build_package()


def test_the_package_is_compiled_and_starts_at_hri_main(package: FlashPackage) -> None:
    assert "hri_main.mpy" in package.files
    assert "hri_device/service.mpy" in package.files
    assert all(path.endswith(".mpy") for path in package.files)
    assert package.mpy_version == 6


def test_a_microcontroller_gets_no_other_runtimes_port(package: FlashPackage) -> None:
    ports = {path for path in package.files if "/ports/" in path}
    assert ports == {f"hri_device/ports/{name}.mpy" for name in ("__init__", "console", "micropython")}


def test_the_unix_port_gets_its_bus() -> None:
    assert "hri_device/ports/cpython.mpy" in build_package(platform="linux").files


def test_equal_sources_make_an_equal_package(package: FlashPackage) -> None:
    assert build_package() == package


def test_the_manifest_says_what_the_files_are(package: FlashPackage) -> None:
    entry = package.manifest.files["hri_main.mpy"]
    content = package.files["hri_main.mpy"]
    assert (entry.size, entry.sha256) == (len(content), digest_of(content))


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert Manifest.from_json(GOOD.to_json()) == GOOD
    assert Manifest.from_json(GOOD.to_json()).to_json() == GOOD.to_json()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"version": "1"}',
        b'{"version": 1, "files": {"a": [1, "00"]}}',
        b'{"version": "1", "files": {}}',
        b'{"version": "1", "files": {"a": 1}}',
        b'{"version": "1", "files": ["a"]}',
        *(
            json.dumps({"version": "1", "files": {path: [1, digest_of(b"")]}}).encode()
            for path in ("", "/a", "a//b", "../main.py", "a/./b")
        ),
        json.dumps({"version": "1", "files": {"a": [-1, digest_of(b"")]}}).encode(),
        json.dumps({"version": "1", "files": {"a": [1, "00"]}}).encode(),
    ],
)
def test_a_damaged_manifest_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="damaged"):
        Manifest.from_json(text)

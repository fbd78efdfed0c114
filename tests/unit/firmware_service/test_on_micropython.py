"""The vectors, the store and the service on real MicroPython, from source and as .mpy files."""

import subprocess
from pathlib import Path

import pytest
from hri.rig.runtimes import compile_package, find_runtime

TESTS = Path(__file__).parents[2]
FIRMWARE = TESTS.parent / "firmware"


@pytest.mark.parametrize("form", ["py", "mpy"])
def test_passes_on_the_unix_port(tmp_path, form):
    firmware = FIRMWARE
    if form == "mpy":
        firmware = tmp_path / "flash"
        compile_package(FIRMWARE / "hri_device", firmware / "hri_device")
    store = tmp_path / "store"
    store.mkdir()

    done = subprocess.run(
        [
            find_runtime("unix"),
            "-X",
            "heapsize=200k",
            Path(__file__).parent / "on_micropython.py",
            firmware,
            TESTS / "vectors",
            store,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout.splitlines()[-1:] == ["passed"], done.stdout + done.stderr

"""boards/loader/main.py: which version it starts, whatever a cut of the power left."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hri.boards import boards_folder
from hri.rig.runtimes import find_runtime

LOADER = boards_folder() / "loader" / "main.py"
_DEADLINE_S = 30
# A FAT file system in RAM, in the place of a board's.
_FAT = """
import os, sys, vfs
class Ram:
    def __init__(self):
        self.data = bytearray(512 * 256)
        self.states = None
    def readblocks(self, n, buf, off=0):
        buf[:] = self.data[n * 512 + off:n * 512 + off + len(buf)]
    def writeblocks(self, n, buf, off=0):
        self.data[n * 512 + off:n * 512 + off + len(buf)] = buf
        if self.states is not None:
            self.states.append(bytes(self.data))
    def ioctl(self, op, arg):
        return {4: 256, 5: 512}.get(op, 0)
with open(%r) as file:
    loader = file.read()
disk = Ram()
vfs.VfsFat.mkfs(disk)
vfs.umount('/')
vfs.mount(vfs.VfsFat(disk), '/')
os.chdir('/')
sys.path[:] = ['']
def put(path, text):
    with open(path, 'w') as file:
        file.write(text)
for folder in ('fw', 'fw/a', 'fw/b'):
    os.mkdir(folder)
put('hri_main.py', 'def main(): print("other")')
for slot in 'ab':
    put('fw/%%s/hri_main.py' %% slot, 'def main(): print("%%s")' %% slot)
"""


def started_on_fat(script: str) -> str:
    """Run `script` on a FAT file system with versions a and b, then the loader; returns what that started."""
    code = _FAT % str(LOADER) + script + "\nexec(loader, {'__name__': '__main__'})\n"
    done = subprocess.run(
        [find_runtime("unix"), "-c", code], capture_output=True, text=True, timeout=_DEADLINE_S, check=False
    )
    return (done.stdout + done.stderr).strip()


def test_the_pointer_names_the_version() -> None:
    assert started_on_fat("put('fw/current', 'b 0123')") == "b"


def test_a_pointer_replaced_on_fat_names_the_new_version() -> None:
    replace = "put('fw/current', 'a 0'); put('fw/next', 'b 1'); os.rename('fw/next', 'fw/current')"
    assert started_on_fat(replace) == "b"


def test_a_cut_between_the_two_halves_of_a_rename_on_fat_leaves_the_new_version() -> None:
    assert started_on_fat("put('fw/current', 'a 0'); put('fw/next', 'b 1'); os.remove('fw/current')") == "b"


def test_an_unfinished_next_pointer_changes_nothing() -> None:
    assert started_on_fat("put('fw/current', 'a 0'); put('fw/next', '')") == "a"


@pytest.mark.parametrize("script", ["", "put('fw/next', '')"])
def test_without_a_pointer_another_hri_main_is_started(script: str) -> None:
    assert started_on_fat(script) == "other"


def test_rename_on_fat_replaces_in_two_steps() -> None:
    # The reason for fw/next: were it one step, the loader would need no second name.
    said = started_on_fat(
        "put('fw/current', 'a'); put('fw/next', 'b')\n"
        "disk.states = []\n"
        "os.rename('fw/next', 'fw/current')\n"
        "print(any(b'NEXT' in state and b'CURRENT' not in state for state in disk.states))\n"
    )
    assert said.splitlines() == ["True", "b"]


def test_ctrl_c_leads_to_the_prompt(tmp_path: Path) -> None:
    (tmp_path / "hri_main.py").write_text("def main():\n    raise KeyboardInterrupt\n")
    done = subprocess.run(
        [find_runtime("unix"), LOADER],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
        env={"MICROPYPATH": str(tmp_path)},
    )
    assert done.stdout.startswith("hri_device: stopped")
    assert done.stderr == ""

"""A board that is a file system on a block device in RAM: every write is kept, and power may go after any."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from typing import Self

from hri.errors import DeviceError
from hri.rig.runtimes import find_runtime

_END = "\x04"
_DEADLINE_S = 60
# Runs in MicroPython's unix port: a script a line, as a Python string, its end marked on standard output.
_SERVER = """
import os, sys, vfs
KINDS = {'fat': (vfs.VfsFat, 512, 512), 'littlefs': (vfs.VfsLfs2, 4096, 64)}
Vfs, BLOCK, COUNT = KINDS[%r]
class Disk:
    def __init__(self, data=None):
        self.data = data or bytearray(BLOCK * COUNT)
        self.writes = []
    def readblocks(self, number, buf, offset=0):
        at = number * BLOCK + offset
        buf[:] = self.data[at:at + len(buf)]
    def writeblocks(self, number, buf, offset=0):
        at = number * BLOCK + offset
        self.data[at:at + len(buf)] = buf
        self.writes.append((at, bytes(buf)))
    def ioctl(self, op, arg):
        if op == 6:
            # Erased flash is all ones, and a state of its own.
            self.writeblocks(arg, bytes([255]) * BLOCK)
        return {4: COUNT, 5: BLOCK}.get(op, 0)
def mount(disk):
    vfs.umount('/')
    vfs.mount(Vfs(disk), '/')
    os.chdir('/')
disk = Disk()
Vfs.mkfs(disk)
mount(disk)
board = {}
while True:
    line = sys.stdin.readline()
    if not line:
        break
    failed = ''
    try:
        exec(eval(line), globals() if line[0] == 'b' else board)
    except Exception as error:
        failed = repr(error)
    sys.stdout.write(%r + failed + chr(10))
"""
# What the board would print when it boots from every state that its disk went through.
_REPLAY = """
def boot():
    sys.path[:] = ['']
    for name in ('hri_main', 'part'):
        sys.modules.pop(name, None)
    try:
        with open('main.py') as file:
            program = file.read()
    except OSError:
        print('nothing')
        return
    try:
        exec(program, {'__name__': '__main__'})
    except Exception as error:
        print(repr(error))
def replay():
    writes = disk.writes
    state = Disk(bytearray(before))
    for number in range(len(writes) + 1):
        mount(Disk(bytearray(state.data)))
        boot()
        if number < len(writes):
            at, data = writes[number]
            state.data[at:at + len(data)] = data
    mount(disk)
"""


class BlockDeviceBoard:
    """A `Repl` for the installer, on FAT or littlefs (``kind``)."""

    def __init__(self, kind: str) -> None:
        self._process = subprocess.Popen(
            [find_runtime("unix"), "-X", "heapsize=64M", "-c", _SERVER % (kind, _END)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ask(_REPLAY, inside=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(_DEADLINE_S)

    def run(self, script: str) -> str:
        """Run a script as the board's raw REPL does."""
        return self._ask(script, inside=False)

    def place(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Put files on the board."""
        for path, content in files:
            parts = path.split("/")[:-1]
            folders = ["/".join(parts[: count + 1]) for count in range(len(parts))]
            self._ask(
                f"for _d in {folders!r}:\n try:\n  os.mkdir(_d)\n except OSError:\n  pass\n"
                f"with open({path!r}, 'wb') as _f: _f.write({content!r})",
                inside=True,
            )

    def remember(self) -> None:
        """Begin to keep what is written."""
        self._ask("before = bytes(disk.data)\ndisk.writes.clear()", inside=True)

    def boots(self) -> list[str]:
        """Return what the board prints when it boots from each state since `remember`, a write apart."""
        return self._ask("replay()", inside=True).splitlines()

    def _ask(self, script: str, *, inside: bool) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # A bytes literal is for the server itself, a string for the board's prompt.
        line = repr(script.encode()) if inside else repr(script)
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        said = ""
        for text in self._process.stdout:
            said += text
            if _END in text:
                break
        output, _, failed = said.partition(_END)
        if failed.strip():
            raise DeviceError("board-refused", failed.strip(), "")
        return output

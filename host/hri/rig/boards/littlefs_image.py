"""The littlefs image in a Pico's flash, edited on the host while the board has no power."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hri.boards import BoardError, FileSystem

if TYPE_CHECKING:
    from littlefs import LittleFS

# As MicroPython's `_boot.py` formats. MicroPython writes disk version 2.1, so no older one may be asked for.
_PROGRAM_SIZE = 256


def _library() -> Any:
    try:
        import littlefs
    except ImportError as error:
        raise BoardError("the virtual pico needs littlefs-python; run: pip install 'hri[rig]'") from error
    return littlefs


def _open(layout: FileSystem, image: bytes | None) -> LittleFS:
    library = _library()
    options: dict[str, Any] = {
        "context": library.UserContext(buffsize=layout.size),
        "block_size": layout.block_size,
        "block_count": layout.block_count,
        "prog_size": _PROGRAM_SIZE,
        "mount": False,
    }
    files: LittleFS = library.LittleFS(**options)
    if image is None:
        files.format()
    else:
        files.context.buffer[:] = image
    try:
        files.mount()
    except library.LittleFSError as error:
        raise BoardError("the flash image holds no file system; delete it to start blank") from error
    return files


def place_in_image(
    layout: FileSystem,
    image: bytes | None,
    files: Mapping[str, bytes],
    unless_there: Mapping[str, bytes] = MappingProxyType({}),
) -> bytes:
    """Return ``image``, or a fresh file system for None, with ``files`` in it; equal files are not written.

    A file of ``unless_there`` is written only where there is none of its name.

    Raises BoardError when the image has the wrong size, is no file system, or has no room.
    """
    if image is not None and len(image) != layout.size:
        raise BoardError(f"the flash image has {len(image)} bytes and this board's has {layout.size}")
    from_host = _open(layout, image)
    try:
        for name, content in {**unless_there, **files}.items():
            _place(from_host, name, content, replace=name in files)
    except _library().LittleFSError as error:
        raise BoardError(f"could not put the package on the board's flash: {error}") from error
    finally:
        from_host.unmount()
    return bytes(from_host.context.buffer)


def _place(flash: LittleFS, name: str, content: bytes, *, replace: bool) -> None:
    parent = name.rpartition("/")[0]
    if parent:
        flash.makedirs(parent, exist_ok=True)
    try:
        with flash.open(name, "rb") as present:
            if not replace or present.read() == content:
                return
    except FileNotFoundError:
        pass
    with flash.open(name, "wb") as file:
        file.write(content)


def read_image(layout: FileSystem, image: bytes) -> dict[str, bytes]:
    """Return every file in ``image``, path to content, as the board left them."""
    flash = _open(layout, image)
    try:
        found = {}
        for folder, _, names in flash.walk("/"):
            for name in names:
                path = f"{folder.rstrip('/')}/{name}"
                with flash.open(path, "rb") as file:
                    found[path.removeprefix("/")] = file.read()
        return found
    finally:
        flash.unmount()

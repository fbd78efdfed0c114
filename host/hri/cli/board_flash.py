"""`hri board flash` and `hri board verify`: put a runtime and the package onto a board, and check them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from hri.boards import BoardDescription, BoardError, load_board
from hri.cli.output import Output
from hri.cli.state import PortOption, State, state_of
from hri.errors import ConfigurationError, DeviceError
from hri.flash import FlashPackage, Installed, Installer, SerialRepl, build_package, install_runtime
from hri.link import Deadlines, SerialLink
from hri.link.port import Port
from hri.rig.runtimes import RuntimeUnavailableError

# From the end of the bootloader to a console: the board starts, formats its flash and enumerates.
_RESTART_S = 30.0

Show = Callable[[str, int, int], None]


def flash(
    context: typer.Context,
    port: PortOption = None,
    board: Annotated[
        str | None, typer.Option(help="Which board it is; see `hri board list`. Needed with --runtime.")
    ] = None,
    runtime: Annotated[
        Path | None, typer.Option(metavar="IMAGE", help="Write this image of MicroPython first.")
    ] = None,
    drive: Annotated[
        Path | None, typer.Option(help="The bootloader's drive (default: looked for among the mounted ones).")
    ] = None,
    package_only: Annotated[
        bool, typer.Option("--package-only", help="Leave the runtime as it is (as without --runtime).")
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Go back to the version before the one on the board.")
    ] = False,
) -> None:
    """Put the device package onto the board; a cut of cable or power leaves the old version or the new."""
    _refuse_together(runtime, package_only=package_only, rollback=rollback)
    state = state_of(context)
    described = _described(board)
    if runtime is not None:
        _flash_runtime(state, described, runtime, port, drive)
        if port is None:
            said = "the runtime is on the board; run `hri board flash --port PORT` for the package"
            state.output.result({"runtime": str(runtime), "version": None}, said)
            return
    name = state.port(port)
    installed = _roll_back(name) if rollback else _flash_package(state.output, name, described)
    _tell(state.output, installed, _answer_of(name, installed, rolled_back=rollback))


def verify(context: typer.Context, port: PortOption = None) -> None:
    """Hash every file of the package on the board; exit status 1 where one is not as it was flashed."""
    state = state_of(context)
    with SerialRepl(state.port(port)) as repl:
        check = Installer(repl).verify()
    whole = f"version {check.version}, folder {check.slot}: every file is as it was flashed"
    damaged = f"version {check.version or 'unknown'}, folder {check.slot}: damaged {', '.join(check.damaged)}"
    document = {"version": check.version or None, "slot": check.slot, "damaged": list(check.damaged)}
    state.output.result(document, whole if check else damaged)
    if not check:
        state.output.note("run `hri board flash` to mend it, or `hri board flash --rollback`")
        raise typer.Exit(1)


def _refuse_together(runtime: Path | None, *, package_only: bool, rollback: bool) -> None:
    if runtime is not None and (package_only or rollback):
        other = "--package-only" if package_only else "--rollback"
        raise ConfigurationError("usage", f"--runtime and {other} exclude each other", "give one of them")


def _described(name: str | None) -> BoardDescription | None:
    try:
        return load_board(name) if name else None
    except BoardError as error:
        raise ConfigurationError("unknown-board", str(error), "see `hri board list`") from error


def _flash_runtime(
    state: State, board: BoardDescription | None, image: Path, port: str | None, drive: Path | None
) -> None:
    if board is None:
        raise ConfigurationError("usage", "--runtime needs --board", "see `hri board list`")
    with _bar(state.output) as show:
        install_runtime(
            board,
            image,
            port=port,
            drive=drive,
            progress=lambda done, total: show(image.name, done, total),
        )
    if port is not None:
        waiting = Port(port)
        waiting.reopen(_RESTART_S)
        waiting.close()


def _flash_package(output: Output, port: str, board: BoardDescription | None) -> Installed:
    settings = f"{json.dumps(board.settings())}\n".encode() if board else None
    with SerialRepl(port) as repl, _bar(output) as show:
        installer = Installer(repl)
        return installer.install(_package(installer.platform), settings, show)


def _package(platform: str) -> FlashPackage:
    try:
        return build_package(platform=platform)
    except RuntimeUnavailableError as error:
        raise ConfigurationError("no-compiler", str(error), "run: python -m hri.rig.runtimes") from error


def _roll_back(port: str) -> Installed:
    with SerialRepl(port) as repl:
        return Installer(repl).roll_back()


def _answer_of(port: str, installed: Installed, *, rolled_back: bool) -> dict[str, Any]:
    """Return the service's `hello`, which shows that the version starts; raises DeviceError if not."""
    try:
        with SerialLink.open(port, deadlines=Deadlines.from_environment(os.environ)) as link:
            return link.call("hello", {})
    except DeviceError as error:
        hint = "look at the board's last words" if rolled_back else "run `hri board flash --rollback`"
        raise DeviceError(
            "not-answering",
            f"version {installed.version} is on the board and does not answer: {error.message}",
            hint if installed.previous else error.hint,
        ) from error


def _tell(output: Output, installed: Installed, hello: dict[str, Any]) -> None:
    counts = {name: len(getattr(installed, name)) for name in ("sent", "copied", "kept")}
    document = {
        "version": installed.version,
        "slot": installed.slot,
        "previous": installed.previous,
        "files": counts,
        "bytes_sent": installed.bytes_sent,
        "bytes_total": installed.bytes_total,
        "kept_main": installed.kept_main,
        "answers": {name: hello.get(name) for name in ("package", "board", "stage", "runtime")},
    }
    lines = [
        f"version {installed.version} is current and answers, in folder {installed.slot}",
        f"{counts['sent']} files sent ({installed.bytes_sent} of {installed.bytes_total} bytes), "
        f"{counts['copied']} copied on the board, {counts['kept']} there already",
    ]
    if installed.kept_main:
        lines.append(f"the board's own main.py is kept as {installed.kept_main}")
    output.result(document, *lines)


@contextmanager
def _bar(output: Output) -> Iterator[Show]:
    """Yield what to tell of each file; a progress bar at a terminal, silence elsewhere."""
    if output.as_json or not output.err.is_terminal:
        yield lambda _name, _done, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=output.err, transient=True) as progress:
        task = progress.add_task("", total=None)

        def show(name: str, done: int, total: int) -> None:
            progress.update(task, description=name or "hashing on the board", completed=done, total=total)

        yield show

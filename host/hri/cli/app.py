"""The root of the command line: global options, subcommands, and what every error becomes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import structlog
import typer

from hri.cli import (
    audit,
    authority,
    backup,
    boards,
    chain,
    check,
    chip,
    device_files,
    devices,
    hil,
    life,
    listing,
    manifest,
    rig,
    serve,
    standing,
    transparency,
)
from hri.cli.logs import configure_logs
from hri.cli.output import Output
from hri.cli.state import make_state
from hri.errors import ConfigurationError, HriError, StorageError
from hri.personalisation import LockRequired

_INTERRUPTED = 130
# These may stand anywhere on the line; every command has them.
_FLAGS = frozenset({"--json", "-v", "-vv", "--verbose"})
_VALUES = frozenset({"--home", "--passphrase-file"})

app = typer.Typer(
    name="hri",
    help="Hardware rooted identity: a device identity that cannot be copied.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="--home, --json, --passphrase-file and -v may stand anywhere on the line.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"hri {metadata.version('hri')}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="Folder for all state (or HRI_HOME; default: the user's data folder).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="File whose first line is the CA passphrase (or HRI_CA_PASSPHRASE).")
    ] = None,
    version: Annotated[  # noqa: ARG001 - acts by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, help="More on standard error; twice for everything.")
    ] = 0,
) -> None:
    """Hardware rooted identity: a device identity that cannot be copied."""
    configure_logs(verbose, as_json=as_json)
    context.obj = make_state(home, passphrase_file, Output(as_json=as_json))


app.add_typer(authority.app, name="ca")
app.add_typer(standing.crl_app, name="crl")
app.add_typer(standing.ocsp_app, name="ocsp")
app.command("register")(devices.register)
app.command("provision")(devices.provision)
app.command("authenticate")(devices.authenticate)
app.command("attest")(devices.attest)
app.command("list")(listing.list_devices)
app.command("show")(devices.show)
app.command("renew")(devices.renew)
app.command("rotate")(devices.rotate)
app.command("revoke")(devices.revoke)
for _command in (life.suspend, life.resume, life.decommission, life.transfer, life.withdraw):
    app.command(_command.__name__)(_command)
app.add_typer(life.lifecycle_app, name="lifecycle")
app.command("verify")(check.verify)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
chip.app.command("chain")(chain.chain)
app.add_typer(chip.app, name="chip")
app.add_typer(manifest.app, name="manifest")
app.add_typer(device_files.app, name="registry")
transparency.app.command("replay")(backup.replay)
app.add_typer(transparency.app, name="log")
app.add_typer(audit.app, name="audit")
app.add_typer(boards.app, name="board")
app.add_typer(rig.app, name="rig")
app.add_typer(serve.app, name="serve")
app.add_typer(hil.app, name="hil")
if find_spec("hri.cli.demo"):
    app.command("demo")(import_module("hri.cli.demo").demo)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status."""
    line = _hoisted(list(sys.argv[1:] if arguments is None else arguments))
    output = Output(as_json="--json" in line)
    command = typer.main.get_command(app)
    try:
        status = command.main(args=line, prog_name="hri", standalone_mode=False)
    except LockRequired as refused:
        _tell_plan(output, refused)
        return refused.exit_status
    except HriError as error:
        output.error(error)
        return error.exit_status
    except typer.Exit as stopped:
        return stopped.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(output)
    except typer.TyperException as error:
        return _usage(output, error)
    except OSError as error:
        structlog.get_logger(__name__).info("unexpected error", exc_info=error)
        what = (error.strerror or str(error)).lower()
        output.error(
            StorageError(
                "storage", f"cannot use {error.filename or 'a file'}: {what}", "correct its permissions"
            )
        )
        return StorageError.exit_status
    except Exception as error:  # noqa: BLE001 - the last resort
        # Nobody is helped by a traceback; with -v it is in the log.
        structlog.get_logger(__name__).info("unexpected error", exc_info=error)
        output.error(
            HriError("internal", f"{type(error).__name__}: {error}", "this is a fault of hri: report it")
        )
        return HriError.exit_status
    if status == _INTERRUPTED:
        # What the parser makes of Ctrl-C.
        return _interrupted(output)
    return status if isinstance(status, int) else 0


def _hoisted(arguments: list[str]) -> list[str]:
    """Move the global options to the front, where the parser expects them."""
    front: list[str] = []
    rest: list[str] = []
    left = iter(arguments)
    for argument in left:
        if argument == "--":
            rest += [argument, *left]
        elif argument in _FLAGS or (argument.partition("=")[0] in _VALUES and "=" in argument):
            front.append(argument)
        elif argument in _VALUES:
            front += [argument, *(value for value in [next(left, None)] if value is not None)]
        else:
            rest.append(argument)
    return front + rest


def _interrupted(output: Output) -> int:
    output.error(HriError("interrupted", "interrupted", "run the same command again to go on"))
    return _INTERRUPTED


def _usage(output: Output, error: typer.TyperException) -> int:
    message = error.format_message()
    if message.startswith("Usage:"):
        # A group without a command: its help, but not as the result of anything.
        output.err.print(message, markup=False)
    elif message:
        where = getattr(getattr(error, "ctx", None), "command_path", None) or "hri"
        output.error(ConfigurationError("usage", message[:1].lower() + message[1:], f"see `{where} --help`"))
    return ConfigurationError.exit_status


def _tell_plan(output: Output, refused: LockRequired) -> None:
    if not output.as_json:
        chip.print_plan(output, refused.plan)
    output.error(refused, {"plan": refused.plan.as_dict()})

"""`hri suspend`, `resume`, `decommission`, `transfer`, `withdraw`, and `hri lifecycle run`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Annotated, Any

import typer

from hri import decommissioning, ownership, suspension
from hri.cli.confirmation import YesOption, confirm
from hri.cli.devices import DeviceArgument
from hri.cli.state import PortOption, State, state_of
from hri.context import Context
from hri.elements.board import BoardElement
from hri.lifecycle_run import Outcome, run_policies

lifecycle_app = typer.Typer(help="Policies for the devices' certificates and keys.", no_args_is_help=True)
_HOW = {"due": "due", "done": "done", "needs-board": "waits for its board (--port)", "failed": "failed"}


def suspend(context: typer.Context, device_id: DeviceArgument) -> None:
    """Take a device out of trust for a time: its certificates are on hold until `hri resume`."""
    _turn(context, device_id, suspension.suspend, "suspended", "is suspended; `hri resume` trusts it again")


def resume(context: typer.Context, device_id: DeviceArgument) -> None:
    """Trust a suspended device again."""
    _turn(context, device_id, suspension.resume, "active", "is trusted again")


def decommission(
    context: typer.Context, device_id: DeviceArgument, port: PortOption = None, yes: YesOption = False
) -> None:
    """End a device for good; with --port also destroy the rotatable keys in its chip and mark it."""
    state = state_of(context)
    confirm(f"End {device_id} for good? Its name and its chip can never be used again.", yes=yes)
    with state.context(unlocked=True) as opened:
        decommissioning.decommission(opened, device_id, state.home.crl_path().parent)
        if port is not None:
            with state.connected(port, opened) as connect:
                decommissioning.mark_chip(connect, opened, device_id)
    marked = port is not None
    state.output.result(
        {"device_id": device_id, "status": "decommissioned", "chip_marked": marked},
        f"device {device_id} is decommissioned",
        "  its chip is marked"
        if marked
        else "  its chip was not touched: plug it in and run this with --port",
    )


def transfer(
    context: typer.Context,
    device_id: DeviceArgument,
    to: Annotated[str, typer.Option("--to", metavar="OWNER", help="The new owner's name.")],
    yes: YesOption = False,
) -> None:
    """Write down a device's new owner; a device that is given away is certified here no more."""
    state = state_of(context)
    confirm(f"Transfer {device_id} to {to}? Unless that is you its certificates are revoked.", yes=yes)
    with state.context(unlocked=True) as opened:
        ours = ownership.transfer(opened, device_id, to, state.home.crl_path().parent)
    state.output.result(
        {"device_id": device_id, "owner": to, "ours": ours},
        f"device {device_id} belongs to {to}",
        *(() if ours else ("  its certificates from here are revoked (affiliationChanged)",)),
    )


def withdraw(context: typer.Context, device_id: DeviceArgument) -> None:
    """Take back the registration of a device that was never provisioned."""
    state = state_of(context)
    with state.context(unlocked=False) as opened:
        ownership.withdraw(opened, device_id)
    state.output.result(
        {"device_id": device_id, "withdrawn": True}, f"device {device_id} is not registered any more"
    )


@lifecycle_app.command("run")
def run(
    context: typer.Context,
    apply: Annotated[bool, typer.Option("--apply", help="Do it (default: only say what is due).")] = False,
    port: PortOption = None,
) -> None:
    """Apply the policies: revoke what is compromised, rotate old keys, renew what ends; twice is once."""
    state = state_of(context)
    boards: dict[str, Callable[[], BoardElement]] = {}
    with state.context(unlocked=apply) as opened, ExitStack() as stack:
        if apply and port is not None:
            connect = stack.enter_context(state.connected(port, opened))
            _at_hand(opened, connect(), boards)
        outcomes = run_policies(opened, state.home.crl_path().parent, apply=apply, boards=boards)
    state.output.result(
        {"applied": apply, "acts": [_as_dict(one) for one in outcomes]},
        *(_in_words(one) for one in outcomes),
        _summary(outcomes, applied=apply),
    )
    failed = [one.error.exit_status for one in outcomes if one.error is not None]
    if failed:
        raise typer.Exit(max(failed))


def _at_hand(context: Context, board: BoardElement, boards: dict[str, Callable[[], BoardElement]]) -> None:
    """Note whose board is on the port; by its chip, for a board may say any name."""
    device = context.registry.device_by_element(board.chip_info().serial_number.hex())
    if device is not None:
        boards[device.device_id] = lambda: board


def _turn(
    context: typer.Context, device_id: str, use_case: Callable[..., None], status: str, words: str
) -> None:
    state: State = state_of(context)
    with state.context(unlocked=True) as opened:
        use_case(opened, device_id, state.home.crl_path().parent)
    state.output.result({"device_id": device_id, "status": status}, f"device {device_id} {words}")


def _as_dict(one: Outcome) -> dict[str, Any]:
    return {
        "device_id": one.act.device_id,
        "act": one.act.kind,
        "because": one.act.because,
        "outcome": one.how,
        "error": None if one.error is None else one.error.as_dict(),
    }


def _in_words(one: Outcome) -> str:
    error = "" if one.error is None else f": {one.error.message}"
    return f"  {one.act.kind:<7} {one.act.device_id}  {_HOW[one.how]}{error}  ({one.act.because})"


def _summary(outcomes: tuple[Outcome, ...], *, applied: bool) -> str:
    if not outcomes:
        return "nothing is due"
    if not applied:
        return f"{len(outcomes)} acts are due; --apply does them"
    return f"{sum(one.how == 'done' for one in outcomes)} of {len(outcomes)} acts are done"

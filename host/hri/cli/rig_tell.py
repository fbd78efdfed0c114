"""`hri rig tell`: orders for a virtual board that runs somewhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hri.cli.rig_serving import address
from hri.cli.state import state_of
from hri.errors import ConfigurationError, DeviceError

if TYPE_CHECKING:
    from hri.rig.bus_control_client import RemoteControl

_BOARD_ACTS = ("reset", "power-cycle", "power-off", "power-on", "detach", "attach")
Order = Callable[["RemoteControl", list[str]], dict[str, Any]]


def tell(
    context: typer.Context,
    order: Annotated[
        str,
        typer.Argument(
            metavar="ORDER",
            help="status, reset, power-cycle, power-off, power-on, detach or attach the cable, save NAME, "
            "load NAME, snapshots, fault FAULT..., clear, hits, counters.",
        ),
    ],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[NAME|FAULT]...")] = None,
    control: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", envvar="HRI_RIG_CONTROL", help="What `hri rig serve --control` printed."
        ),
    ] = None,
) -> None:
    """Do something to a virtual board that `hri rig serve --control` runs."""
    from hri.rig.bus_control_client import RemoteControl

    if order not in _ORDERS:
        raise ConfigurationError("usage", f"{order!r} is no order", f"there are {', '.join(_ORDERS)}")
    most, act = _ORDERS[order]
    given = arguments or []
    if (most == 1 and len(given) != 1) or (most == 0 and given):
        wants = "one name" if most else "nothing more"
        raise ConfigurationError("usage", f"{order} takes {wants}", "see `hri rig tell --help`")
    if control is None:
        raise ConfigurationError(
            "no-control",
            "nobody was named to tell",
            "start the board with `hri rig serve --control 127.0.0.1:0` and give the address that it prints",
        )
    try:
        with RemoteControl(*address(control)) as remote:
            answer = act(remote, given)
    except ValueError as error:
        raise ConfigurationError("refused", str(error), "see `hri rig tell --help`") from error
    except OSError as error:
        raise DeviceError(
            "no-control", f"{control} does not answer: {str(error).lower()}", "is that board still served?"
        ) from error
    state_of(context).output.result(answer, *_words(answer))


def _board(act: str | None) -> Order:
    return lambda remote, _given: remote.board(act)


def _cleared(remote: RemoteControl, _given: list[str]) -> dict[str, Any]:
    remote.clear()
    return {"faults": []}


# How many arguments, None for any number; and what to do.
_ORDERS: Mapping[str, tuple[int | None, Order]] = {
    "status": (0, _board(None)),
    **{act: (0, _board(act)) for act in _BOARD_ACTS},
    "save": (1, lambda remote, given: remote.save(given[0])),
    "load": (1, lambda remote, given: remote.load(given[0])),
    "snapshots": (0, lambda remote, _given: {"snapshots": remote.snapshots()}),
    "fault": (None, lambda remote, given: {"faults": remote.arm(*given)}),
    "clear": (0, _cleared),
    "hits": (0, lambda remote, _given: {"hits": remote.hits()}),
    "counters": (0, lambda remote, _given: remote.counters()),
}


def _words(answer: Mapping[str, Any]) -> list[str]:
    return [f"{name.replace('_', ' ')}: {_word(value)}" for name, value in answer.items()]


def _word(value: object) -> str:
    if value is None:
        return "no"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_word(item) for item in value) or "none"
    if isinstance(value, dict):
        return " ".join(f"{name}={_word(item)}" for name, item in value.items())
    return str(value)

"""Carrying out what the policies ask for; a second run finds nothing more to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hri import lifecycle
from hri.context import Context
from hri.elements.board import BoardElement
from hri.errors import HriError
from hri.policies import DueAct, due_acts
from hri.publication import publish_crls

How = Literal["due", "done", "needs-board", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an act: only reported, done, waiting for its device's board, or failed with an error."""

    act: DueAct
    how: How
    error: HriError | None = None


def run_policies(
    context: Context,
    crl_folder: Path,
    *,
    apply: bool,
    boards: Mapping[str, Callable[[], BoardElement]],
) -> tuple[Outcome, ...]:
    """Do what is due, or with `apply` False only say it; then replace every revocation list that is due.

    `boards` are those at hand, by device id: renewals and rotations of other devices wait for theirs. What
    fails does not keep the rest from being done.

    Raises StorageError and ConfigurationError where the registry cannot be read or the lists not be signed.
    """
    acts = due_acts(context.registry, context.config, context.now())
    if not apply:
        return tuple(Outcome(act, "due") for act in acts)
    outcomes = tuple(_carry_out(context, act, boards) for act in acts)
    publish_crls(context, crl_folder, only_due=True)
    return outcomes


def _carry_out(context: Context, act: DueAct, boards: Mapping[str, Callable[[], BoardElement]]) -> Outcome:
    connect = boards.get(act.device_id)
    try:
        if act.kind == "revoke":
            context.registry.revoke(act.device_id, "keyCompromise", context.now(), recorder=context.recorder)
        elif connect is None:
            return Outcome(act, "needs-board")
        else:
            replace = lifecycle.rotate if act.kind == "rotate" else lifecycle.renew
            replace(connect, context, act.device_id)
    except HriError as error:
        return Outcome(act, "failed", error)
    return Outcome(act, "done")

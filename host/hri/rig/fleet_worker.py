"""A process with some of a fleet's boards: told on standard input, answers on standard output.

One JSON object a line each way. The first line in says which boards (:func:`_open` has the keys), the first
line out which ports they are served on. Every further line is an order to one of them, as
:mod:`hri.rig.boards.control` takes it, with its ``name``. The end of standard input ends all of them, so that
no board outlives the program it was made for.
"""

from __future__ import annotations

import json
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hri.errors import HriError
from hri.rig.atecc import open_chip
from hri.rig.boards import BoardClock, BoardError, open_board
from hri.rig.boards.control import BoardControl
from hri.rig.bus import Bus


def main() -> int:
    """Serve boards until standard input ends."""
    # Ctrl-C in a terminal reaches the whole group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with ExitStack() as stack:
        try:
            controls = _open(json.loads(sys.stdin.readline()), stack)
        except (BoardError, HriError, ValueError, OSError) as error:
            _say({"ok": False, "error": str(error)})
            return 1
        _say(
            {"ok": True, "members": [control.status() | {"name": name} for name, control in controls.items()]}
        )
        for line in sys.stdin:
            _say(_answer(controls, json.loads(line)))
    return 0


def _open(asked: dict[str, Any], stack: ExitStack) -> dict[str, BoardControl]:
    """Start every board: ``names``, ``board``, ``chip``, ``timing``, ``folder`` for state, ``package``."""
    folder, suffix = Path(asked["folder"]), asked["flash_suffix"]
    controls: dict[str, BoardControl] = {}
    for name in asked["names"]:
        clock = BoardClock()
        chip = stack.enter_context(
            open_chip(asked["chip"], state=folder / f"{name}.chip", clock=clock, timing=asked["timing"])
        )
        bus = Bus([chip])
        board = open_board(
            asked["board"],
            bus=bus,
            flash=folder / f"{name}{suffix}",
            package=Path(asked["package"]),
            clock=clock,
        )
        stack.enter_context(board)
        controls[name] = BoardControl(board, chip, bus, folder / f"{name}.snapshots")
    return controls


def _answer(controls: dict[str, BoardControl], order: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"ok": True, **controls[order["member"]].requests[order["do"]](order)}
    except KeyError as error:
        return {"ok": False, "error": f"there is no {error}"}
    except (BoardError, HriError, ValueError, OSError) as error:
        return {"ok": False, "error": str(error)}


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    sys.exit(main())

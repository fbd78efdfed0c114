"""Provision the board on a port, in a process that dies at a named step: the operator's machine losing power.

Usage: provision_until.py HOME PORT STEP begun|done [DEVICE_ID]
"""

import os
import sys
from pathlib import Path

from hri.elements.board import BoardElement
from hri.home import Home, Passphrases
from hri.link import SerialLink
from hri.provision import provision
from hri.steps import StepEvent

_DIED = 9


def main() -> None:
    folder, port, step, phase, *device_id = sys.argv[1:]
    home = Home(Path(folder), Passphrases(os.environ), environ=os.environ)

    def die(event: StepEvent) -> None:
        if (event.name, event.phase) == (step, phase):
            # No handler runs, no file is closed, no lease is given back.
            os._exit(_DIED)

    with home.context(unlocked=True) as context:
        link = SerialLink.open(port)
        element = BoardElement(link, authorise=context.authorise())
        provision(lambda: element, context, device_id=next(iter(device_id), None), lock=True, on_step=die)


if __name__ == "__main__":
    main()

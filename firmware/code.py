"""Starts the device service on CircuitPython.

The serial link is usb_cdc.data where boot.py has `usb_cdc.enable(console=True, data=True)`. Where the file
system is read-only to code, as while a computer has it mounted, set `"store": "chip"` in hri_board.json.
"""

import board
import busio

from hri_device import startup
from hri_device.ports import circuitpython as port


def main():
    """Serve until Ctrl-C, which leads to the REPL; so does any fault, with its traceback."""
    settings = startup.read_settings()
    scl = getattr(board, settings.get("scl", "GP1"))
    sda = getattr(board, settings.get("sda", "GP0"))
    settings.setdefault("board", board.board_id)
    # 100 kHz, because a busio.I2C keeps its frequency and the wake pulse needs a slow one.
    startup.run(port, port.I2CBus(busio.I2C(scl, sda, frequency=100_000)), settings)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("hri_device: stopped; Ctrl-D starts it again")

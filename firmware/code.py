"""Starts the device service on CircuitPython.

The serial link is usb_cdc.data, which boot.py enables. The certificate is kept in microcontroller.nvm, as
the file system is read-only to code while a computer has it mounted; a program that uses nvm itself sets
`"store": "hri"`, a folder, in hri_board.json.
"""

import board
import busio

from hri_device import startup
from hri_device.ports import circuitpython as port

# A certificate with its chain takes up to about this many bytes.
_RECORD = 2048


def main():
    """Serve until Ctrl-C, which leads to the REPL; so does any fault, with its traceback."""
    settings = startup.read_settings()
    scl = getattr(board, settings.get("scl", "GP1"))
    sda = getattr(board, settings.get("sda", "GP0"))
    settings.setdefault("board", board.board_id)
    settings.setdefault("store", "nvm" if len(port.nvm()) >= _RECORD else "hri")
    # 100 kHz, because a busio.I2C keeps its frequency and the wake pulse needs a slow one.
    startup.run(port, port.I2CBus(busio.I2C(scl, sda, frequency=100_000)), settings)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("hri_device: stopped; Ctrl-D starts it again")

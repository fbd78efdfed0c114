"""Starts the device service on MicroPython: on a microcontroller, or on the unix port with HRI_BUS set."""

import sys

from hri_device import startup


def main():
    """Serve until Ctrl-C, which leads to the REPL; so does any fault, with its traceback."""
    settings = startup.read_settings()
    if sys.platform in ("linux", "darwin"):
        from hri_device.ports import cpython as port

        bus = port.bus_from_environment()
    else:
        from hri_device.ports import micropython as port

        bus = port.I2CBus(
            settings.get("i2c", 0),
            settings.get("scl", 1),
            settings.get("sda", 0),
            settings.get("freq", 400_000),
        )
    startup.run(port, bus, settings)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("hri_device: stopped; a soft reset (Ctrl-D) starts it again")

"""Freezes the device package and the loader that starts it, or a newer version from the flash.

For MicroPython's own build: make BOARD=HRI_RPI_PICO BOARD_DIR=<this folder>, in ports/rp2.
"""

freeze("$(PORT_DIR)/modules")  # noqa: F821 - MicroPython's makemanifest.py provides these names
include("$(MPY_DIR)/extmod/asyncio")  # noqa: F821
package("hri_device", base_path="../../../firmware", opt=3)  # noqa: F821
# firmware/main.py by the name under which the loader imports it.
module("hri_main.py", base_path=".", opt=3)  # noqa: F821
module("main.py", base_path="../../loader", opt=3)  # noqa: F821

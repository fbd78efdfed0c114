"""Freezes the device package into a MicroPython image: make BOARD=RPI_PICO FROZEN_MANIFEST=<this file>."""

include("$(PORT_DIR)/boards/manifest.py")  # noqa: F821 - MicroPython's makemanifest.py provides these names
package("hri_device", base_path=".")  # noqa: F821

"""Gives the serial link a line of its own on CircuitPython, beside the console with its Ctrl-C."""

import usb_cdc

usb_cdc.enable(console=True, data=True)

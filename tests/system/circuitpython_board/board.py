"""CircuitPython's board: the pins of this one."""

board_id = "circuitpython_on_cpython"
GP0 = "GP0"
GP1 = "GP1"

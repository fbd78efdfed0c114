"""A thermometer that signs what it measures. Send it the line `read`."""

import sys
from binascii import hexlify
from hashlib import sha256

from hri_device.atecc.element import ATECC608
from hri_device.errors import SecureElementError

# A Trust&GO chip brings its key in slot 0.
KEY = 0


def open_bus():
    """Return the I2C bus: of the Pico's pins 1 and 2, or of the unix port's virtual board."""
    if sys.platform in ("linux", "darwin"):
        from hri_device.ports import cpython

        return cpython.bus_from_environment()
    from hri_device.ports import micropython

    return micropython.I2CBus(0, scl=1, sda=0)


def measure(element, count):
    """Return a reading and its signature as one line."""
    reading = f"count={count} celsius={21.5:.1f}"
    signature = element.sign(KEY, sha256(reading.encode()).digest())
    return reading + " signature=" + hexlify(signature).decode()


def main():
    element = ATECC608(open_bus())
    print("thermometer ready, key", hexlify(element.public_key(KEY)).decode())
    count = 0
    while True:
        if sys.stdin.readline().strip() == "read":
            count += 1
            try:
                print(measure(element, count))
            except SecureElementError as error:
                print("no reading:", error)


main()

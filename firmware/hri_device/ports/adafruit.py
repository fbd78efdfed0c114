"""The bus of a program that has an adafruit_atecc.ATECC already: no new wiring, both usable by turns.

    from hri_device.atecc.element import ATECC608
    from hri_device.ports.adafruit import bus_of

    element = ATECC608(bus_of(atecc))

Every transfer locks the bus for itself, as that library's do. Whole calls may alternate, as each of the two
leaves a chip that the other can wake; what a call leaves in the chip does not last: between its `nonce` and
the `sign` that uses it, or its `sha_start` and `sha_digest`, a call of ours puts the chip to sleep and so
clears it. Where more than one ATECC is on the bus, give ATECC608 the address too. A board that has no such
program leaves this file out.
"""

from .circuitpython import I2CBus, sleep_us, ticks_diff, ticks_ms


def bus_of(owner):
    """Return the bus (see ports) of `owner`, an adafruit_atecc.ATECC or a busio.I2C, at 100 kHz or less.

    Raises TypeError for anything else. adafruit-circuitpython-atecc 1.0 to 1.3, adafruit_bus_device.
    """
    device = getattr(owner, "_i2c_device", None)
    # The I2CDevice in Python shows its bus, older releases of the library keep it beside.
    i2c = getattr(device, "i2c", None) or getattr(owner, "_i2c_bus", None) or owner
    if hasattr(i2c, "try_lock"):
        return I2CBus(i2c)
    # The I2CDevice that is built into CircuitPython shows nothing, but sends and reads.
    wake_device = getattr(owner, "_wake_device", None)
    if device is None or wake_device is None:
        raise TypeError("hand over an adafruit_atecc.ATECC or a busio.I2C")
    return _DeviceBus(wake_device, device)


class _DeviceBus:
    # Whatever address it is asked for, it uses that of the ATECC: an I2CDevice has no other.

    def __init__(self, wake_device, device):
        self._wake_device = wake_device
        self._device = device

    def write(self, _address, buf):
        with self._device as device:
            device.write(buf)

    def read_into(self, _address, buf):
        with self._device as device:
            device.readinto(buf)

    def wake(self):
        try:
            with self._wake_device as device:
                device.write(b"\0")
        except OSError:
            pass  # Nobody acknowledges address 0.

    sleep_us = staticmethod(sleep_us)
    ticks_ms = staticmethod(ticks_ms)
    ticks_diff = staticmethod(ticks_diff)

"""The driver's bus straight into the rig's, on a clock that moves only when the driver sleeps."""

from hri.rig.bus import ACK


class RigBus:
    """The bus of ports over a `hri.rig.bus.Bus` whose clock is a ManualClock."""

    def __init__(self, bus, clock):
        self._bus = bus
        self._clock = clock
        self.pulses = 0
        self.commands = []

    def write(self, address, buf):
        data = bytes(buf)
        if data[0] == 3:
            self.about_to_send(data[2])
            self.commands.append(data[2])
        if self._bus.write(address, data) != ACK:
            raise OSError(5)

    def about_to_send(self, opcode):
        """Called with the opcode of every command before it goes out."""

    def read_into(self, address, buf):
        outcome, data = self._bus.read(address, len(buf))
        if outcome != ACK:
            raise OSError(5)
        buf[:] = data

    def wake(self):
        self.pulses += 1
        self._bus.wake_pulse(80)

    def sleep_us(self, n):
        self._clock.advance_us(n)

    def ticks_ms(self):
        return self._clock.now_us() // 1000

    def ticks_diff(self, a, b):
        return a - b

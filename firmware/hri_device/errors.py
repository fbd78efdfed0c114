"""What a secure element, the bus to it and its locks refuse, each as one exception."""

# 508A datasheet DS20005927A, "Status/Error Codes"; 07 and 08 from the public ATECC608 headers.
_WORDS = {
    0x00: "no data",
    0x01: "miscompare",
    0x03: "parse error",
    0x05: "ECC fault",
    0x07: "self-test",
    0x08: "health test",
    0x0F: "not allowed now",
    0x11: "just woken",
    0xEE: "watchdog due",
    0xFF: "damaged",
}


class SecureElementError(Exception):
    """A secure element could not, or would not, do what it was asked; `code` is the protocol's word."""

    code = "internal"


class BusError(SecureElementError):
    """No acknowledge from the element; `busy` is True where it is there and still at work."""

    code = "chip-absent"

    def __init__(self, message, busy=False):
        super().__init__(message)
        self.busy = busy
        if busy:
            self.code = "chip-busy"


class PacketError(SecureElementError):
    """What came back is damaged, of an impossible length, or not what was written."""

    code = "chip-fault"


class CommandError(SecureElementError):
    """The element answered the command `opcode` with `status`, other than success."""

    code = "chip-refused"

    def __init__(self, status, opcode):
        super().__init__("command %02x: %s (status %02x)" % (opcode, _WORDS.get(status, "unknown"), status))
        self.status = status
        self.opcode = opcode


class LockedError(SecureElementError):
    """Refused because of a lock; `state` names what is "locked" or "unlocked", as "config locked"."""

    code = "locked"

    def __init__(self, message, state):
        super().__init__(message)
        self.state = state

"""What a request carries, checked before anything is done with it (docs/protocol.md)."""

from . import cbor


class Refusal(Exception):
    """An answer [1, ...]: `code` is the protocol's, the message says what about."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Request:
    """One decoded request: `op`, `args`, and the authorisation (bytes) or None.

    The accessors raise Refusal "bad-request" or "too-long" naming the argument that is missing, ill-typed or
    out of range.
    """

    def __init__(self, body):
        message = cbor.decode(body)
        if not isinstance(message, list) or not 2 <= len(message) <= 3:
            raise Refusal("bad-request", "not [op, args]")
        self.op = message[0]
        self.args = message[1]
        self.authorisation = message[2] if len(message) == 3 else b""
        if (
            not isinstance(self.op, str)
            or not isinstance(self.args, dict)
            or not isinstance(self.authorisation, bytes)
        ):
            raise Refusal("bad-request", "not [op, args]")

    def _typed(self, name, kind):
        value = self.args.get(name)
        # True is an int to Python, and not to the protocol.
        if not isinstance(value, kind) or value is True or value is False:
            raise Refusal("bad-request", name)
        return value

    def _sized(self, name, kind, least, most):
        value = self._typed(name, kind)
        if len(value) > most:
            raise Refusal("too-long", name)
        if len(value) < least:
            raise Refusal("bad-request", name)
        return value

    def data(self, name, least, most):
        """Return the byte string `name` of `least` to `most` bytes."""
        return self._sized(name, bytes, least, most)

    def text(self, name, least=1):
        """Return the text `name` of `least` to 255 characters."""
        return self._sized(name, str, least, 255)

    def array(self, name):
        """Return the array `name` as a list."""
        return self._typed(name, list)

    def uint(self, name, most):
        """Return the integer `name`, 0 to `most`."""
        value = self._typed(name, int)
        if not 0 <= value <= most:
            raise Refusal("bad-request", name)
        return value

    def slot(self, name="slot"):
        """Return the slot number `name`, 0 to 15."""
        return self.uint(name, 15)

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
        if isinstance(message, list) and len(message) == 2:
            message.append(b"")
        if (
            not isinstance(message, list)
            or len(message) != 3
            or not isinstance(message[0], str)
            or not isinstance(message[1], dict)
            or not isinstance(message[2], bytes)
        ):
            raise Refusal("bad-request", "request")
        self.op, self.args, self.authorisation = message

    def _get(self, name, kind, least, most):
        value = self.args.get(name)
        # True is an int to Python, and not to the protocol.
        if not isinstance(value, kind) or isinstance(value, bool):
            raise Refusal("bad-request", name)
        size = value if kind is int else len(value)
        if not least <= size <= most:
            raise Refusal("too-long" if size > most and kind is not int else "bad-request", name)
        return value

    def data(self, name, least, most):
        """Return the byte string `name` of `least` to `most` bytes."""
        return self._get(name, bytes, least, most)

    def text(self, name, least=1):
        """Return the text `name` of `least` to 255 characters."""
        return self._get(name, str, least, 255)

    def array(self, name):
        """Return the array `name` as a list."""
        return self._get(name, list, 0, 4096)

    def uint(self, name, most):
        """Return the integer `name`, 0 to `most`."""
        return self._get(name, int, 0, most)

    def slot(self, name="slot"):
        """Return the slot number `name`, 0 to 15."""
        return self._get(name, int, 0, 15)

"""What a request carries, checked before anything is done with it (docs/protocol.md, "Requests and answers")."""

from . import cbor


class RequestError(Exception):
    """A refusal with the protocol's `code`."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Request:
    """One decoded request: `op`, its arguments, and the authorisation (bytes) or None.

    The accessors raise RequestError "bad-request" or "too-long" for an argument that is missing, ill-typed or out of
    range.
    """

    def __init__(self, body):
        try:
            message = cbor.decode(body)
        except ValueError as error:
            raise RequestError("bad-request", str(error))
        if not isinstance(message, list) or not 2 <= len(message) <= 3:
            raise RequestError("bad-request", "a request is [op, args] or [op, args, authorisation]")
        self.op = message[0]
        self.args = message[1]
        self.authorisation = message[2] if len(message) == 3 else None
        if not isinstance(self.op, str) or not isinstance(self.args, dict):
            raise RequestError("bad-request", "op is text and args is a map")
        if self.authorisation is not None and not isinstance(self.authorisation, bytes):
            raise RequestError("bad-request", "authorisation is bytes")

    def _typed(self, name, kind, word):
        value = self.args.get(name)
        # True is an int to Python, and not to the protocol.
        if not isinstance(value, kind) or isinstance(value, bool):
            raise RequestError(
                "bad-request", "%s: %s" % (name, "missing" if value is None else "must be " + word)
            )
        return value

    def bytes(self, name, least, most):
        """Return the byte string `name` of `least` to `most` bytes."""
        value = self._typed(name, bytes, "bytes")
        if len(value) > most and most > least:
            raise RequestError("too-long", "%s: at most %d bytes" % (name, most))
        if not least <= len(value) <= most:
            raise RequestError("bad-request", "%s: %d bytes are not its length" % (name, len(value)))
        return value

    def text(self, name, least, most):
        """Return the text `name` of `least` to `most` characters."""
        value = self._typed(name, str, "text")
        if len(value) > most:
            raise RequestError("too-long", "%s: at most %d characters" % (name, most))
        if len(value) < least:
            raise RequestError("bad-request", "%s: must not be empty" % name)
        return value

    def uint(self, name, most):
        """Return the integer `name`, 0 to `most`."""
        value = self._typed(name, int, "an integer")
        if not 0 <= value <= most:
            raise RequestError("bad-request", "%s: must be 0 to %d" % (name, most))
        return value

    def array(self, name):
        """Return the array `name` as a list."""
        return self._typed(name, list, "an array")

"""SHA-256 and HMAC-SHA-256 in the chip (508A datasheet, "SHA"; HMAC and contexts: 608 public headers).

For a key that must not leave the chip (`hmac`), or for a board without hashlib. Whole messages are one
waking; `Hash` takes one in pieces, and can put its state aside and go on with it later.
"""

from .. import const

_SHA = const(0x47)
_SHA_MS = const(75)
_START = const(0)
_UPDATE = const(1)
_END = const(2)
_PUBLIC = const(3)
_HMAC_START = const(4)
_READ_CONTEXT = const(6)
_WRITE_CONTEXT = const(7)
_BLOCK = const(64)
_CONTEXT_LIMIT = const(99)
_TEMPKEY = const(0xFFFF)
# Where the digest goes, beside the reply: to TempKey, to the message digest buffer, nowhere else.
TO_TEMPKEY = const(0x00)
TO_MESSAGE_DIGEST = const(0x40)
OUTPUT_ONLY = const(0xC0)


class Hash:
    """A SHA-256, or an HMAC with the key in `slot` or TempKey, in an open session."""

    def __init__(self, session, slot=None, key_in_tempkey=False):
        self._session = session
        self._tail = b""
        session.holding = True
        if key_in_tempkey:
            self._run(_HMAC_START, _TEMPKEY)
        elif slot is None:
            self._run(_START, 0)
        else:
            self._run(_HMAC_START, _slot(slot))

    def update(self, data):
        """Add `data`."""
        data = self._tail + bytes(data)
        whole = len(data) // _BLOCK * _BLOCK
        for at in range(0, whole, _BLOCK):
            self._run(_UPDATE, _BLOCK, data[at : at + _BLOCK])
        self._tail = data[whole:]

    def update_public_key(self, slot):
        """Add the public key (64 bytes) that `slot` holds; what was added before must be whole blocks."""
        if self._tail:
            raise ValueError("not at the end of a block of 64 bytes")
        self._run(_PUBLIC, _slot(slot))

    def digest(self, target=OUTPUT_ONLY):
        """Return the 32 bytes, and leave them in `target` too; nothing can be added afterwards."""
        return self._run(_END | target, len(self._tail), self._tail, 32)

    def context(self):
        """Return the chip's state of a SHA-256 (40 to 99 bytes), from which `restored` goes on."""
        return self._run(_READ_CONTEXT, 0, b"", -_CONTEXT_LIMIT)

    def _run(self, mode, param2, data=b"", size=0):
        return self._session.execute(_SHA, mode, param2, data, size, _SHA_MS)


def restored(session, context):
    """Return a Hash that goes on from `context`, in this session or a later one."""
    if not 40 <= len(context) <= _CONTEXT_LIMIT:
        raise ValueError("a context has 40 to 99 bytes")
    hash = Hash(session)
    hash._run(_WRITE_CONTEXT, len(context), context)
    return hash


def sha256(element, data):
    """Return SHA-256 of `data`, computed in the chip."""
    with element.session as session:
        hash = Hash(session)
        hash.update(data)
        return hash.digest()


def hmac(element, slot, data):
    """Return HMAC-SHA-256 of `data` with the 32-byte key in `slot`."""
    with element.session as session:
        hash = Hash(session, slot)
        hash.update(data)
        return hash.digest()


def _slot(slot):
    if not 0 <= slot <= 15:
        raise ValueError("no slot %d" % slot)
    return slot

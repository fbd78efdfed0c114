"""Random numbers in a range, and the chip's Random with both its modes (508A datasheet, "Random").

`randint` and `randbytes` are those of Python's own random, from the chip's generator. Before the
configuration is locked a chip answers FF FF 00 00 over and over, which both refuse, where the element's own
`random` hands it on. An answer that is lost is asked for again: it changes nothing. A board that needs bytes
alone leaves this file out and uses that `random`.
"""

from .. import const
from ..errors import LockedError, PacketError

_RANDOM = const(0x1B)
_RANDOM_MS = const(23)
_NO_SEED_UPDATE = const(0x01)
_BLOCK = const(32)
_OPEN = b"\xff\xff\x00\x00" * 8
# Each block has a number in the range with a chance of a half or more: a sound generator never needs these.
_BLOCKS = const(128)


def randbytes(element, n, update_seed=True):
    """Return `n` random bytes; `update_seed` lets the chip renew its seed first, where that is due.

    Raises ValueError for a negative `n` and LockedError while the configuration zone is open.
    """
    if n < 0:
        raise ValueError("no %d bytes" % n)
    data = b""
    with element.session as session:
        while len(data) < n:
            data += _random(session, update_seed)
    return data[:n]


def randint(element, low, high):
    """Return a random integer from `low` to `high`, both included, each as likely as the others.

    Raises ValueError for a range without a number or of more than 2 ** 256, LockedError while the
    configuration zone is open, and PacketError where the chip's numbers are not random.
    """
    span = high - low
    if span < 0 or span >> 8 * _BLOCK:
        raise ValueError("range of randint")
    size = 1
    while span >> 8 * size:
        size += 1
    # A remainder would favour the low end: numbers of as many bits are drawn until one is in the range.
    mask = (1 << 8 * size) - 1
    while mask and mask >> 1 >= span:
        mask >>= 1
    with element.session as session:
        for _ in range(_BLOCKS):
            block = _random(session, True)
            for at in range(0, _BLOCK - size + 1, size):
                number = int.from_bytes(block[at : at + size], "big") & mask
                if number <= span:
                    return low + number
    raise PacketError("numbers are not random")


def _random(session, update_seed):
    block = session.execute(_RANDOM, 0 if update_seed else _NO_SEED_UPDATE, 0, b"", _BLOCK, _RANDOM_MS)
    if block == _OPEN:
        raise LockedError("no random numbers before the config zone is locked", "config unlocked")
    return block

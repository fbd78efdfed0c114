"""SelfTest, and what Info tells beyond the revision (608 public headers and variant pages).

After a failed test the chip answers everything but reads of the configuration and SelfTest with status 07.
"""

from .. import const
from ..errors import CommandError

_SELFTEST = const(0x77)
_SELFTEST_MS = const(2324)
_INFO = const(0x30)
_INFO_MS = const(5)
_KEY_VALID = const(1)
_STATE = const(2)
_GPIO = const(3)
_LATCH = const(4)
_LATCH_CLEAR = const(2)
_LATCH_SET = const(3)
RNG = const(0x01)
ECDSA = const(0x04)
ECDH = const(0x08)
AES = const(0x10)
SHA = const(0x20)
# What the vendor's own library asks for as everything; its ECDSA test answers to two bits.
ALL = const(0x3B)


def run(session, tests=ALL):
    """Run `tests`, a sum of the constants above, and return the sum of those that failed (0: none).

    What failed is noted until the chip sleeps: then it answers nothing but SelfTest and reads of its
    configuration.
    """
    if not 0 < tests <= 0x3F:
        raise ValueError("tests")
    return _selftest(session, tests)


def failures(session):
    """Return the sum of the tests that have failed since the chip woke, without running any."""
    return _selftest(session, 0)


def _selftest(session, mode):
    try:
        session.execute(_SELFTEST, mode, 0, b"", 0, _SELFTEST_MS)
    except CommandError as error:
        # The one byte that comes back is the map of failures, not a status.
        return error.status
    return 0


def is_key_valid(element, slot):
    """Return whether `slot` holds a key: a private one, or a point of the curve."""
    if not 0 <= slot <= 15:
        raise ValueError("no slot %d" % slot)
    return bool(_info(element, _KEY_VALID, slot)[0])


def state(session):
    """Return (flags, valid) of TempKey in an open session.

    Flags: KeyID in bits 0 to 3, 4 for a fixed nonce, 5 GenDig, 6 GenKey, 7 NoMac.
    """
    answer = session.execute(_INFO, _STATE, 0, b"", 4, _INFO_MS)
    return answer[0], bool(answer[1] >> 7)


def gpio(element):
    """Return the 4 bytes of Info's GPIO mode; an I2C part refuses (CommandError)."""
    return _info(element, _GPIO, 0)


def latch(session, value=None):
    """Return the persistent latch in an open session, after setting it to `value` where one is given.

    It can be set only right after CheckMac with the volatile key.
    """
    if value is not None:
        # What answers is zeros: that it was written, not what.
        session.execute(_INFO, _LATCH, _LATCH_SET if value else _LATCH_CLEAR, b"", 4, _INFO_MS)
    return bool(session.execute(_INFO, _LATCH, 0, b"", 4, _INFO_MS)[0])


def _info(element, mode, param):
    with element.session as session:
        return session.execute(_INFO, mode, param, b"", 4, _INFO_MS)

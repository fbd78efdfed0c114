"""SecureBoot: the chip decides whether a firmware's digest is signed by its vendor (608 public headers).

Which of the modes works, with what stored, is the configuration's (bytes 70 and 71). All are one waking.
An answer that says yes can be proved with the IO-protection key, so that nobody between board and chip turns
a no into a yes: then the digest is sent masked, too.
"""

from .. import const, sha256
from ..errors import CommandError, PacketError
from . import tempkey

_SECUREBOOT = const(0x80)
_SECUREBOOT_MS = const(480)
FULL = const(0x05)
STORED = const(0x06)
COPY = const(0x07)
_PROHIBIT = const(0x40)
_MAC = const(0x80)
_MISCOMPARE = const(1)


def boot(element, mode, digest, signature=b"", prohibit=False):
    """Return whether the chip accepts `digest` (32 bytes).

    FULL verifies `signature` (64 bytes); STORED compares with what an earlier boot stored, so has none where
    the digest is stored; COPY verifies and stores. With `prohibit` no boot is accepted after this one until
    the chip loses its power.
    """
    _check(mode, digest, signature)
    with element.session as session:
        return _run(session, mode | (_PROHIBIT if prohibit else 0), digest + signature, 0) is not None


def boot_proved(element, mode, digest, signature, io_key, num_in, prohibit=False):
    """Do the same with the digest masked and the answer proved; `io_key` 32 bytes, `num_in` 20.

    Raises PacketError where a yes is not the chip's.
    """
    _check(mode, digest, signature)
    if len(io_key) != 32:
        raise ValueError("the IO-protection key has 32 bytes")
    mode |= _MAC | (_PROHIBIT if prohibit else 0)
    with element.session as session:
        value = tempkey.nonce_value(tempkey.random_nonce(session, num_in), num_in)
        key = sha256(bytes(io_key) + value).digest()
        masked = bytes([digest[at] ^ key[at] for at in range(32)])
        answer = _run(session, mode, masked + signature, 32)
    if answer is None:
        return False
    if sha256(key + digest + signature + bytes((_SECUREBOOT, mode, 0, 0))).digest() != answer:
        raise PacketError("secure boot: the answer is not the chip's")
    return True


def _run(session, mode, data, size):
    try:
        return session.execute(_SECUREBOOT, mode, 0, data, size, _SECUREBOOT_MS)
    except CommandError as error:
        if error.status != _MISCOMPARE:
            raise
        return None


def _check(mode, digest, signature):
    if mode not in (FULL, STORED, COPY):
        raise ValueError("mode")
    if len(digest) != 32 or len(signature) not in (0, 64) or (mode != STORED and not signature):
        raise ValueError("a digest of 32 bytes and a signature of 64")

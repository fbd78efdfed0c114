"""Slots that are read or written encrypted, under a key that host and chip share; private keys written in.

A board leaves this out whose profile has no such slot (hri-device has none). 508A datasheet, "Read", "Write",
"PrivWrite"; the vendor's public host-side calculations (write and private write MAC). Every function is one
waking. A lost reply to a write is told as an error; writing the same again does no harm.
"""

from .. import const, sha256
from . import tempkey

_READ = const(0x02)
_READ_MS = const(5)
_WRITE = const(0x12)
_WRITE_MS = const(45)
_PRIVWRITE = const(0x46)
_PRIVWRITE_MS = const(50)
_DATA_BLOCK = const(0x82)
_ENCRYPTED = const(0x40)
_BLOCK = const(32)


def _check(slot, block, key_slot, key, num_in):
    if not (0 <= slot <= 15 and 0 <= key_slot <= 15 and 0 <= block <= 12):
        raise ValueError("slot or block")
    if len(key) != _BLOCK or len(num_in) != 20:
        raise ValueError("the key has 32 bytes, num_in 20")


def _session_key(session, serial, key_slot, key, num_in):
    # A random nonce, so that no two sessions have one key; then the shared key, as the chip mixes it in. The
    # four bytes are what it uses without NoMac too, so the result is the same either way.
    value = tempkey.nonce_value(tempkey.random_nonce(session, num_in), num_in)
    tempkey.gendig(session, tempkey.DATA, key_slot)
    return tempkey.gendig_value(value, serial, key, tempkey.DATA, key_slot)


def _xor(a, b):
    return bytes([a[at] ^ b[at] for at in range(len(a))])


def read(element, serial, slot, block, key_slot, key, num_in):
    """Return 32 bytes, block `block` of a slot with EncryptRead, whose ReadKey `key_slot` holds `key`.

    `serial` is the chip's (9 bytes), `num_in` 20 bytes that nobody can know beforehand.
    """
    _check(slot, block, key_slot, key, num_in)
    with element.session as session:
        mask = _session_key(session, serial, key_slot, key, num_in)
        data = session.execute(_READ, _DATA_BLOCK, block << 8 | slot << 3, b"", _BLOCK, _READ_MS)
    return _xor(data, mask)


def write(element, serial, slot, block, data, key_slot, key, num_in):
    """Write `data` (32 bytes) encrypted into block `block` of a slot; its WriteKey `key_slot` holds `key`."""
    _check(slot, block, key_slot, key, num_in)
    if len(data) != _BLOCK:
        raise ValueError("32 bytes")
    address = block << 8 | slot << 3
    mode = _DATA_BLOCK | _ENCRYPTED
    with element.session as session:
        mask = _session_key(session, serial, key_slot, key, num_in)
        head = bytes((_WRITE, mode, address & 0xFF, address >> 8)) + serial[8:] + serial[:2]
        mac = sha256(mask + head + bytes(25) + bytes(data)).digest()
        session.execute(_WRITE, mode, address, _xor(data, mask) + mac, 0, _WRITE_MS)


def write_private_key(element, slot, scalar):
    """Write a private key (32 bytes) in clear into `slot`, before the data zone is locked.

    A key that came from outside exists outside, and proves nothing: hri never does this by itself.
    """
    if len(scalar) != _BLOCK or not 0 <= slot <= 15:
        raise ValueError("a slot and 32 bytes")
    with element.session as session:
        session.execute(_PRIVWRITE, 0, slot, bytes(4) + bytes(scalar), 0, _PRIVWRITE_MS)


def write_private_key_encrypted(element, serial, slot, scalar, key_slot, key, num_in):
    """Write a private key (32 bytes) encrypted into `slot`, whose WriteKey `key_slot` holds `key`."""
    _check(slot, 0, key_slot, key, num_in)
    if len(scalar) != _BLOCK:
        raise ValueError("32 bytes")
    plain = bytes(4) + bytes(scalar)
    with element.session as session:
        mask = _session_key(session, serial, key_slot, key, num_in)
        head = bytes((_PRIVWRITE, _ENCRYPTED, slot, 0)) + serial[8:] + serial[:2]
        mac = sha256(mask + head + bytes(21) + plain).digest()
        data = _xor(plain, mask + sha256(mask).digest()[:4]) + mac
        session.execute(_PRIVWRITE, _ENCRYPTED, slot, data, 0, _PRIVWRITE_MS)

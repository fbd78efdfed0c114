"""AES-128 with a key that stays in the chip: blocks, CTR, CBC and GCM (608 public headers, "AES").

Each 16-byte block is one command, about 5 ms of the chip: for keys and messages, not for bulk. A key is one
of the 16-byte blocks of a slot (KeyConfig type AES), or of TempKey in an open session. GCM: NIST SP 800-38D,
with its multiplication in the chip (GFM).
"""

from .. import const

_AES = const(0x51)
_AES_MS = const(27)
_DECRYPT = const(1)
_GFM = const(3)
_BLOCK = const(16)
_TEMPKEY = const(0xFFFF)


def encrypt_block(session, key, data, block=0):
    """Return `data` (16 bytes) encrypted with 16-byte block `block` of slot `key`, or of TempKey (None)."""
    return _aes(session, block << 6, key, data)


def decrypt_block(session, key, data, block=0):
    """Return `data` (16 bytes) decrypted."""
    return _aes(session, block << 6 | _DECRYPT, key, data)


def multiply(session, hash_key, data):
    """Return the product of two blocks in the field of GCM (SP 800-38D, section 6.3)."""
    if len(hash_key) != _BLOCK or len(data) != _BLOCK:
        raise ValueError("16 bytes each")
    return session.execute(_AES, _GFM, 0, bytes(hash_key) + bytes(data), _BLOCK, _AES_MS)


def _aes(session, mode, key, data):
    if len(data) != _BLOCK:
        raise ValueError("16 bytes")
    if not 0 <= mode >> 6 <= 3 or (key is not None and not 0 <= key <= 15):
        raise ValueError("slot or block")
    return session.execute(_AES, mode, _TEMPKEY if key is None else key, data, _BLOCK, _AES_MS)


class AES:
    """The key in 16-byte block `block` of `slot`; each method is one waking of `element`."""

    def __init__(self, element, slot, block=0):
        if not 0 <= slot <= 15 or not 0 <= block <= 3:
            raise ValueError("slot or block")
        self._element = element
        self._slot = slot
        self._block = block

    def ctr(self, counter, data):
        """Return `data` of any length encrypted, or decrypted, in CTR mode from `counter` (16 bytes).

        The last four bytes count. No counter block may ever serve twice with one key.
        """
        if len(counter) != _BLOCK:
            raise ValueError("a counter block has 16 bytes")
        with self._element.session as session:
            return self._ctr(session, counter, data)

    def cbc_encrypt(self, iv, data):
        """Return `data`, whole blocks, encrypted in CBC mode; `iv` 16 bytes that nobody can foretell."""
        self._whole(iv, data)
        out = b""
        with self._element.session as session:
            for at in range(0, len(data), _BLOCK):
                iv = self._encrypt(session, _xor(iv, data[at : at + _BLOCK]))
                out += iv
        return out

    def cbc_decrypt(self, iv, data):
        """Return `data`, whole blocks, decrypted in CBC mode. It says nothing of who made it: see gcm."""
        self._whole(iv, data)
        out = b""
        with self._element.session as session:
            for at in range(0, len(data), _BLOCK):
                piece = data[at : at + _BLOCK]
                out += _xor(iv, decrypt_block(session, self._slot, piece, self._block))
                iv = piece
        return out

    def gcm_encrypt(self, iv, data, aad=b""):
        """Return (ciphertext, tag of 16 bytes); `iv` 12 bytes, never twice with one key."""
        start = self._start(iv)
        with self._element.session as session:
            text = self._ctr(session, _incremented(start), data)
            return text, self._tag(session, start, text, aad)

    def gcm_decrypt(self, iv, data, tag, aad=b""):
        """Return the plain text; ValueError where `tag` (16 bytes) is not that of `data` and `aad`."""
        start = self._start(iv)
        with self._element.session as session:
            expected = self._tag(session, start, data, aad)
            differ = len(tag) ^ _BLOCK
            for at in range(min(len(tag), _BLOCK)):
                differ |= tag[at] ^ expected[at]
            if differ:
                raise ValueError("the tag is wrong")
            return self._ctr(session, _incremented(start), data)

    def _encrypt(self, session, data):
        return encrypt_block(session, self._slot, data, self._block)

    def _ctr(self, session, counter, data):
        out = b""
        for at in range(0, len(data), _BLOCK):
            out += _xor(data[at : at + _BLOCK], self._encrypt(session, counter))
            counter = _incremented(counter)
        return out

    def _tag(self, session, start, text, aad):
        hash_key = self._encrypt(session, bytes(_BLOCK))
        state = bytes(_BLOCK)
        lengths = (8 * len(aad)).to_bytes(8, "big") + (8 * len(text)).to_bytes(8, "big")
        for part in (aad, text, lengths):
            for at in range(0, len(part), _BLOCK):
                piece = bytes(part[at : at + _BLOCK])
                state = multiply(session, hash_key, _xor(state, piece + bytes(_BLOCK - len(piece))))
        return _xor(state, self._encrypt(session, start))

    def _start(self, iv):
        if len(iv) != 12:
            raise ValueError("an iv of GCM has 12 bytes")
        return bytes(iv) + b"\0\0\0\1"

    def _whole(self, iv, data):
        if len(iv) != _BLOCK or len(data) % _BLOCK:
            raise ValueError("an iv of 16 bytes and whole blocks")


def _incremented(counter):
    number = int.from_bytes(counter[12:], "big") + 1 & 0xFFFFFFFF
    return bytes(counter[:12]) + number.to_bytes(4, "big")


def _xor(a, b):
    return bytes([a[at] ^ b[at] for at in range(min(len(a), len(b)))])

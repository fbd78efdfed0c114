"""AES: one block encrypted or decrypted, and the Galois field product that GCM is made of.

Sources: public 608 variant pages, "AES" (O); the vendor's public headers (H); FIPS 197, NIST SP 800-38D.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from hri.rig.atecc.core import Core
from hri.rig.atecc.eeprom import AES_ENABLE
from hri.rig.atecc.key_use import use_key
from hri.rig.atecc.refusal import parse_error, require

_ENCRYPT, _DECRYPT, _GFM = 0, 1, 3
_TEMP_KEY = 0xFFFF
_REDUCTION = 0xE1 << 120


def aes(core: Core, mode: int, key_id: int, data: bytes) -> bytes:
    """AES: ECB encrypt (0) or decrypt (1) 16 bytes under a slot's or TempKey's key, or GFM (3) of H and X.

    Mode bits 6-7 choose the 16-byte block that is the key. TempKey stays valid (assumed: GCM needs it again).
    """
    operation, block = mode & 7, mode >> 6
    if mode & 0x38 or operation not in (_ENCRYPT, _DECRYPT, _GFM):
        raise parse_error()
    if len(data) != (32 if operation == _GFM else 16):
        raise parse_error()
    if operation == _GFM:
        require(core.eeprom.config[AES_ENABLE] & 1)
        return gf128_multiply(data[:16], data[16:])
    if key_id > 15 and key_id != _TEMP_KEY:
        raise parse_error()
    require(core.eeprom.config[AES_ENABLE] & 1)
    key = _key(core, key_id, block)
    return encrypt_block(key, data) if operation == _ENCRYPT else _decrypt_block(key, data)


def _key(core: Core, key_id: int, block: int) -> bytes:
    if key_id == _TEMP_KEY:
        return aes_key(core.require_temp_key().value, block)
    core.require_data_locked()
    require(core.eeprom.policy(key_id).is_aes)
    key = aes_key(bytes(core.eeprom.slots[key_id]), block)
    use_key(core, key_id)
    return key


def aes_key(value: bytes, block: int) -> bytes:
    """Return the 16-byte key at ``block``; refuses where ``value`` ends before it does."""
    require(len(value) >= 16 * block + 16)
    return value[16 * block : 16 * block + 16]


def encrypt_block(key: bytes, block: bytes) -> bytes:
    """Return one block under AES-128."""
    # A single block in ECB is the cipher itself; the modes are the host's to build.
    encryptor = Cipher(algorithms.AES128(key), modes.ECB()).encryptor()  # noqa: S305
    return encryptor.update(block) + encryptor.finalize()


def _decrypt_block(key: bytes, block: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES128(key), modes.ECB()).decryptor()  # noqa: S305
    return decryptor.update(block) + decryptor.finalize()


def gf128_multiply(x: bytes, y: bytes) -> bytes:
    """Return the product of two blocks in GCM's field (SP 800-38D, 6.3)."""
    left, power, product = int.from_bytes(x, "big"), int.from_bytes(y, "big"), 0
    for bit in range(127, -1, -1):
        if left >> bit & 1:
            product ^= power
        power = power >> 1 ^ (_REDUCTION if power & 1 else 0)
    return product.to_bytes(16, "big")

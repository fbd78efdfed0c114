"""KDF: PRF of TLS 1.2, AES, and HMAC for HKDF, from a key that stays inside.

Parameters: the vendor's public headers and its library's test of the command (H). How HKDF is computed and
where a message in a slot is named are not public; ``docs/virtual-atecc.md`` says what was assumed and why.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from hri.rig.atecc.aes_commands import aes_key, encrypt_block
from hri.rig.atecc.core import OK, Core
from hri.rig.atecc.eeprom import AES_ENABLE, KDF_AES_ENABLED, KDF_IV_LOC, KDF_IV_STR, NO_MAC, PUB_INFO
from hri.rig.atecc.io_protection import KDF_PROTECTION, output_encrypted, protected
from hri.rig.atecc.key_use import require_random_nonce, use_key
from hri.rig.atecc.refusal import parse_error, require
from hri.rig.atecc.tempkey import INPUT_SOURCE

_PRF, _AES, _HKDF = range(3)
_FROM_TEMPKEY, _FROM_UPPER_TEMPKEY, _FROM_SLOT, _FROM_ALTERNATE_KEY = range(4)
_TEMPKEY, _UPPER_TEMPKEY, _SLOT, _ALTERNATE_KEY, _OUTPUT, _ENCRYPTED_OUTPUT = range(6)
_OUTPUTS = (_OUTPUT, _ENCRYPTED_OUTPUT)
_IN_SLOT, _IN_TEMPKEY, _IN_COMMAND, _INITIALISATION_VECTOR = range(4)
_ZERO_KEY = 0x04
_MESSAGE_MAX = 128


@dataclass(frozen=True, slots=True)
class _Request:
    """One KDF command, its fields taken apart and checked against one another."""

    algorithm: int
    source: int
    target: int
    source_slot: int
    target_slot: int
    details: int
    message: bytes

    @classmethod
    def parse(cls, mode: int, key_id: int, data: bytes) -> _Request:
        """Take the parameters apart; refuses with a parse error what contradicts itself (H)."""
        request = cls(
            algorithm=mode >> 5 & 3,
            source=mode & 3,
            target=mode >> 2 & 7,
            source_slot=key_id & 0xFF,
            target_slot=key_id >> 8,
            details=int.from_bytes(data[:4], "little"),
            message=data[4:],
        )
        if mode & 0x80 or request.target > _ENCRYPTED_OUTPUT or len(data) < 4:
            raise parse_error()
        # A slot that is not used may be any number: the vendor's test passes 1234.
        if request.source == _FROM_SLOT and request.source_slot > 15:
            raise parse_error()
        if request.target == _SLOT and request.target_slot > 15:
            raise parse_error()
        request._check_details()
        return request

    def _check_details(self) -> None:
        low, length = self.details & 0xFFFFFF, self.details >> 24
        if self.algorithm == _PRF:
            # Key length 0-1, target length 8, AEAD 9-10: with AEAD the first half stays in and the second
            # goes out, so there must be two halves and a place inside.
            legal = not low & ~0x303
            legal = legal and (not self.splits or (self.size == 64 and self.target not in _OUTPUTS))
            legal = legal and length == len(self.message) <= _MESSAGE_MAX
            kept = 32 if self.splits else self.size
            legal = legal and (kept == 32 or self.target not in (_UPPER_TEMPKEY, _ALTERNATE_KEY))
        elif self.algorithm == _AES:
            legal = not self.details & ~3 and len(self.message) == 16
        elif self.algorithm == _HKDF:
            legal = not low & ~(0xF07 if self.location == _IN_SLOT else 0x007)
            if self.location in (_IN_SLOT, _IN_TEMPKEY):
                # Whole blocks only (assumed): a length of the caller's choice would give a secret away byte
                # by byte.
                legal = legal and not self.message
                legal = legal and length in ((32,) if self.location == _IN_SLOT else (32, 64))
            else:
                legal = legal and len(self.message) == length <= _MESSAGE_MAX
        else:
            legal = False
        if not legal:
            raise parse_error()

    @property
    def size(self) -> int:
        """Bytes of the result, 32 or 64."""
        return 64 if self.algorithm == _PRF and self.details & 0x100 else 32

    @property
    def splits(self) -> bool:
        """PRF in AEAD mode 1: the first 32 bytes go to the target, the second 32 to the output (H)."""
        return self.algorithm == _PRF and bool(self.details & 0x200)

    @property
    def location(self) -> int:
        """Where the message of an HKDF is."""
        return self.details & 3

    @property
    def key_size(self) -> int:
        """Bytes of the source key: PRF says so, HKDF takes 32, AES 16 at the place that details name (H)."""
        if self.algorithm == _PRF:
            return 16 * ((self.details & 3) + 1)
        return 32 if self.algorithm == _HKDF else 16 * ((self.details & 3) + 1)


def kdf(core: Core, mode: int, key_id: int, data: bytes) -> bytes:
    """KDF: derive from a key in TempKey, a slot or the alternate key into one of these or the output (H)."""
    request = _Request.parse(mode, key_id, data)
    core.require_data_locked()
    if request.algorithm == _AES:
        require(core.eeprom.config[AES_ENABLE] & 1 and core.eeprom.chip_options & KDF_AES_ENABLED)
    encrypted = _require_target(core, request)
    message = _message(core, request)
    result = _derive(request, _source_key(core, request), message)
    return _deliver(core, request, encrypted, result)


def _require_target(core: Core, request: _Request) -> bool:
    """Refuse a target that may not take the result; return whether an output is to be encrypted."""
    target = request.target
    if target == _SLOT:
        policy = core.eeprom.policy(request.target_slot)
        # PubInfo of a slot without an ECC key lets KDF write it: the one target in the vendor's test
        # configuration is the one such slot with that bit (assumed from H).
        require(policy.key_config & PUB_INFO and not policy.is_private and not policy.is_p256_public)
        require(not core.eeprom.slot_locked(request.target_slot))
        require(len(core.eeprom.slots[request.target_slot]) >= (32 if request.splits else request.size))
    elif target == _UPPER_TEMPKEY:
        core.require_temp_key()
    if request.algorithm == _HKDF and request.location == _INITIALISATION_VECTOR and target == _OUTPUT:
        # An initialisation vector is no secret: it goes out in clear whatever the protection (assumed).
        return False
    if target in _OUTPUTS or request.splits:
        return output_encrypted(core, target == _ENCRYPTED_OUTPUT, KDF_PROTECTION)
    return False


def _message(core: Core, request: _Request) -> bytes:
    if request.algorithm != _HKDF or request.location == _IN_COMMAND:
        return request.message
    length = request.details >> 24
    if request.location == _IN_TEMPKEY:
        value = core.require_temp_key().value
    elif request.location == _IN_SLOT:
        slot = request.details >> 8 & 0xF
        require(not core.eeprom.policy(slot).is_private)
        use_key(core, slot)
        value = bytes(core.eeprom.slots[slot])
    else:
        at = core.eeprom.config[KDF_IV_LOC]
        wanted = bytes(core.eeprom.config[KDF_IV_STR : KDF_IV_STR + 2])
        # KdfIvStr of zeros turns the function off (assumed): it lets an output go out in clear.
        require(any(wanted) and request.message[at : at + 2] == wanted)
        return request.message
    require(length <= len(value))
    return value[:length]


def _source_key(core: Core, request: _Request) -> bytes:
    if request.algorithm == _HKDF and request.details & _ZERO_KEY:
        return bytes(32)
    source, size = request.source, request.key_size
    if source == _FROM_TEMPKEY:
        value = core.require_temp_key().value
    elif source == _FROM_UPPER_TEMPKEY:
        value = core.require_temp_key().value[32:]
    elif source == _FROM_ALTERNATE_KEY:
        value = core.alternate_key or b""
    else:
        slot = request.source_slot
        value, policy = bytes(core.eeprom.slots[slot]), core.eeprom.policy(slot)
        require(not policy.is_private and not policy.slot_config & NO_MAC)
        require(request.algorithm != _AES or policy.is_aes)
        require(len(value) >= size)
        require_random_nonce(core, policy)
        use_key(core, slot)
    require(len(value) >= size)
    return value[:size]


def _derive(request: _Request, key: bytes, message: bytes) -> bytes:
    if request.algorithm == _PRF:
        return prf(key, message, request.size)
    if request.algorithm == _AES:
        return encrypt_block(aes_key(key, request.details & 3), message) + bytes(16)
    return hmac.digest(key, message, "sha256")


def prf(secret: bytes, seed: bytes, size: int) -> bytes:
    """Return ``size`` bytes of P_SHA256 (RFC 5246, 5); label and seed are the caller's, in one."""
    output, link = b"", seed
    while len(output) < size:
        link = hmac.digest(secret, link, "sha256")
        output += hmac.digest(secret, link + seed, "sha256")
    return output[:size]


def _deliver(core: Core, request: _Request, encrypted: bool, result: bytes) -> bytes:
    """Put the result where it belongs; the answer is the output or 00."""
    kept, shown = (result[:32], result[32:]) if request.splits else (result, b"")
    if request.target in _OUTPUTS:
        shown = result
    # Drawn first: where the random number generator fails, nothing is left half done.
    answer = protected(core, shown) if shown and encrypted else shown or OK
    if request.target == _TEMPKEY:
        core.temp_key.load(kept, INPUT_SOURCE)
    elif request.target == _UPPER_TEMPKEY:
        core.temp_key.load(core.temp_key.value[:32] + kept, INPUT_SOURCE)
    elif request.target == _ALTERNATE_KEY:
        core.alternate_key = kept
    elif request.target == _SLOT:
        core.eeprom.slots[request.target_slot][: len(kept)] = kept
        core.commit()
    return answer

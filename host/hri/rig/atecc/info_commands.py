"""Info and SelfTest: what the chip says about itself.

Sources: public 608 variant pages, "Info" and "SelfTest" (O); the vendor's public headers (H).
"""

from __future__ import annotations

from hri.rig.atecc.core import ECDSA_BLOCK, Core
from hri.rig.atecc.p256 import is_scalar, load_public_key
from hri.rig.atecc.refusal import Refused, execution_error, parse_error, require

_REVISION, _KEY_VALID, _STATE, _GPIO, _LATCH = range(5)
_LATCH_READ, _LATCH_CLEAR, _LATCH_SET = 0, 2, 3
_ECDSA_AS_IN_THE_HEADERS = 0x02
_BLOCKS = 0x3D


def blocks(mask: int) -> int:
    """Return the blocks of a mask: the public headers name ECDSA bit 1, the variant pages bit 2."""
    return mask & ~_ECDSA_AS_IN_THE_HEADERS | ECDSA_BLOCK if mask & _ECDSA_AS_IN_THE_HEADERS else mask


def info(core: Core, mode: int, param: int, data: bytes) -> bytes:
    """Info: revision, key validity, device state, persistent latch (O, "Info").

    Four bytes, the least significant first but for the revision (H). I2C parts have no GPIO.
    """
    if data or mode > _LATCH:
        raise parse_error()
    if mode == _REVISION:
        return bytes(core.eeprom.config[4:8])
    if mode == _KEY_VALID:
        if param > 15:
            raise parse_error()
        return bytes((_key_valid(core, param), 0, 0, 0))
    if mode == _STATE:
        return bytes((core.temp_key.flags, core.temp_key.valid << 7, 0, 0))
    if mode == _GPIO:
        raise execution_error()
    return _latch(core, param)


def _key_valid(core: Core, slot: int) -> bool:
    policy = core.eeprom.policy(slot)
    if policy.is_p256_private:
        return is_scalar(core.eeprom.slots[slot][4:36])
    if not policy.is_p256_public or len(core.eeprom.slots[slot]) < 72:
        return False
    try:
        load_public_key(core.stored_public_key(slot))
    except Refused:
        return False
    return True


def _latch(core: Core, param: int) -> bytes:
    """Read, clear or set the persistent latch.

    Set only once CheckMac of the key in VolatileKeyPermission permits it (H, example of a volatile key);
    without that option, not at all: SecureBoot sets it then (assumed). Clearing asks for nothing (assumed).
    """
    if param == _LATCH_READ:
        return bytes((core.persistent_latch, 0, 0, 0))
    if param == _LATCH_SET:
        require(core.volatile_key_permitted)
    elif param != _LATCH_CLEAR:
        raise parse_error()
    core.persistent_latch = param == _LATCH_SET
    # "0x00 00 00 00 ... if value to persistent latch has been written successfully" (O).
    return bytes(4)


def run_self_test(core: Core, asked: int) -> None:
    """Test the blocks asked for and note which fail; one that passes is struck off the failures (O)."""
    core.failed_self_tests = core.failed_self_tests & ~asked | core.faulty_blocks & asked


def run_every_self_test(core: Core) -> None:
    """Test every block, as at power-on (ChipOptions bit 0)."""
    run_self_test(core, _BLOCKS)


def selftest(core: Core, mode: int, zero: int, data: bytes) -> bytes:
    """SelfTest: run the tests of ``mode``, answer the map of failures; mode 0 only answers (O).

    Either published bit asks for ECDSA, bit 2 reports it.
    """
    if mode & 0xC0 or zero or data:
        raise parse_error()
    run_self_test(core, blocks(mode))
    return bytes((core.failed_self_tests,))

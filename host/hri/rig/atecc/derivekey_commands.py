"""DeriveKey: a new symmetric key from an old one and a nonce (5, "DeriveKey"; H)."""

from __future__ import annotations

import hmac

from hri.rig.atecc.core import OK, Core, sha256
from hri.rig.atecc.eeprom import DERIVE_ALLOWED, DERIVE_FROM_PARENT, DERIVE_NEEDS_MAC
from hri.rig.atecc.key_use import require_random_nonce, use_key
from hri.rig.atecc.refusal import parse_error, require
from hri.rig.atecc.tempkey import INPUT_SOURCE, RANDOM_SOURCE

_DERIVEKEY = 0x1C
_SOURCE_IS_INPUT = 0x04


def derivekey(core: Core, mode: int, target: int, data: bytes) -> bytes:
    """DeriveKey: roll the key in ``target``, or make it from the one that WriteKey names (5).

    SlotConfig bit 13 allows it, bit 12 chooses the parent, bit 15 demands a MAC under the source key; a MAC
    that is not demanded is checked all the same (assumed).
    """
    if mode & ~_SOURCE_IS_INPUT or target > 15 or len(data) not in (0, 32):
        raise parse_error()
    core.require_data_locked()
    policy, key = core.eeprom.policy(target), core.require_temp_key()
    require(not policy.is_private and policy.slot_config & DERIVE_ALLOWED)
    require(not core.eeprom.slot_locked(target))
    require(data or not policy.slot_config & DERIVE_NEEDS_MAC)
    source = policy.write_key if policy.slot_config & DERIVE_FROM_PARENT else target
    source_policy = core.eeprom.policy(source)
    require(not source_policy.is_private)
    # "TempKey.CheckFlag must be 0"; the mode must say where the nonce came from (H).
    require(not key.no_mac and key.source == (INPUT_SOURCE if mode else RANDOM_SOURCE))
    require_random_nonce(core, source_policy)
    use_key(core, source)
    secret, nonce = bytes(core.eeprom.slots[source][:32]), key.value[:32]
    key.invalidate()
    parameters = core.identified(_DERIVEKEY, mode, target)
    require(not data or hmac.compare_digest(sha256(secret, parameters), data))
    core.eeprom.slots[target][:32] = sha256(secret, parameters, bytes(25), nonce)
    core.commit()
    return OK

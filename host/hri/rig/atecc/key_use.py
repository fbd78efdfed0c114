"""Whether a key may be used now, and the count of its uses.

Sources: ATECC508A data sheet DS20005927A, "KeyConfig", "Authorized Keys", "High Endurance Monotonic Counters"
(5); public notes on moving from the 508A to the 608B, "Configuration Zone Updates" (O); the vendor's public
headers, decoders and example of a volatile key (H). Which commands are a use is listed in
``docs/virtual-atecc.md``.
"""

from __future__ import annotations

from hri.rig.atecc.core import Core
from hri.rig.atecc.eeprom import (
    COUNTER_MAX,
    LIMITED_USE,
    PERSISTENT_DISABLE,
    REQ_AUTH,
    REQ_RANDOM,
    USE_LOCK,
    VOLATILE_KEY,
    SlotPolicy,
)
from hri.rig.atecc.refusal import require
from hri.rig.atecc.tempkey import RANDOM_SOURCE

_TRANSPORT_LOCKED = 0x0A


def require_authorised(core: Core, policy: SlotPolicy) -> None:
    """Refuse a key with ReqAuth unless a CheckMac of its AuthKey went before (5)."""
    require(not policy.key_config & REQ_AUTH or core.authorized_key == policy.auth_key)


def require_random_nonce(core: Core, policy: SlotPolicy) -> None:
    """Refuse a key with ReqRandom unless TempKey comes from the random number generator (5)."""
    if policy.key_config & REQ_RANDOM:
        require(core.temp_key.valid and core.temp_key.source == RANDOM_SOURCE)


def use_key(core: Core, slot: int) -> None:
    """Use the key in ``slot`` once: refuse where its policy forbids that now, and count a limited use.

    Called last before the key does its work: a use that something else forbids is not counted, one that
    ends in a miscompare is (assumed).
    """
    eeprom, policy = core.eeprom, core.eeprom.policy(slot)
    require_authorised(core, policy)
    require(not policy.key_config & PERSISTENT_DISABLE or core.persistent_latch)
    require(not _transport_locked(core) or slot == _transport_key(core))
    if policy.slot_config & LIMITED_USE:
        uses = eeprom.counter(0)
        require(uses < min(eeprom.count_limit, COUNTER_MAX))
        eeprom.set_counter(0, uses + 1)
        core.commit()


def _transport_locked(core: Core) -> bool:
    # UseLock's low nibble A turns the transport lock on, the high one names the key (H); that it holds from
    # the data lock on is assumed.
    return core.eeprom.data_locked and core.eeprom.config[USE_LOCK] & 0x0F == _TRANSPORT_LOCKED


def _transport_key(core: Core) -> int:
    return core.eeprom.config[USE_LOCK] >> 4


def authorise(core: Core, slot: int) -> None:
    """Take note that the caller knows the key in ``slot``: a CheckMac over a random nonce succeeded.

    It authorises the keys whose AuthKey it is (5), permits the persistent latch where VolatileKeyPermission
    names it (H), and ends the transport lock for good where UseLock does (assumed).
    """
    core.authorized_key = slot
    permission = core.eeprom.config[VOLATILE_KEY]
    if permission & 0x80 and permission & 0x0F == slot:
        core.volatile_key_permitted = True
    if _transport_locked(core) and _transport_key(core) == slot:
        core.eeprom.config[USE_LOCK] = 0
        core.commit()

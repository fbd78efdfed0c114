"""Configuration zones for the tests."""

from __future__ import annotations

from hri.elements.atecc.profile import load_profile

PROFILE = load_profile("hri-device")
SERIAL = bytes.fromhex("0123a1b2c3d4e5f6ee")


def blank() -> bytes:
    """A chip as it might come: open zones, its own serial number, no slot configured."""
    config = bytearray(128)
    config[0:4], config[4:8], config[8:13] = SERIAL[:4], bytes.fromhex("00006003"), SERIAL[4:]
    config[13:15] = b"\x01\x01"  # AES and I2C enabled, as in every published read-out
    config[16] = 0xC0
    config[86] = config[87] = 0x55
    config[88:90] = b"\xff\xff"
    return bytes(config)


def wanted() -> bytes:
    """That chip with the whole profile, still open."""
    return PROFILE.config_bytes(blank())


def changed(config: bytes, **at: int) -> bytes:
    """`config` with byte `b19` and so on replaced."""
    copy = bytearray(config)
    for name, value in at.items():
        copy[int(name[1:])] = value
    return bytes(copy)


def with_slot(config: bytes, number: int, slot_config: int, key_config: int) -> bytes:
    """`config` with the two words of one slot replaced."""
    copy = bytearray(config)
    copy[20 + 2 * number : 22 + 2 * number] = slot_config.to_bytes(2, "little")
    copy[96 + 2 * number : 98 + 2 * number] = key_config.to_bytes(2, "little")
    return bytes(copy)


def configured() -> bytes:
    return changed(wanted(), b87=0x00)


def personalised() -> bytes:
    return changed(configured(), b86=0x00)


def identified() -> bytes:
    return changed(personalised(), b88=0xFC)

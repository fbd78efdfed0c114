"""UpdateExtra: bytes 84 and 85 of the configuration, each written once in the chip's life (508A datasheet).

Byte 85 is the I2C address where ChipMode bit 0 is set: then the chip answers there after its next waking, and
a wrong one loses it for ever. So nothing in hri_device calls these, and each wants the byte named twice.
"""

from .. import const

_UPDATEEXTRA = const(0x20)
_UPDATEEXTRA_MS = const(10)


def set_user_extra(element, value, confirm):
    """Write byte 84, for good; `confirm` is the same value again. CommandError where it is not 0 any more."""
    _update(element, 0, value, confirm)


def set_user_extra_add(element, value, confirm):
    """Write byte 85, for good: with ChipMode bit 0 the I2C address, in bits 1 to 7."""
    _update(element, 1, value, confirm)


def _update(element, mode, value, confirm):
    if value != confirm or not 0 < value <= 0xFF:
        raise ValueError("a byte, twice")
    with element.session as session:
        session.execute(_UPDATEEXTRA, mode, value, b"", 0, _UPDATEEXTRA_MS)

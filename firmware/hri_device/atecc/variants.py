"""Which known chip this is, by its configuration zone and its OTP zone, so that a program can take any.

Nothing here is proof: whoever may write a chip can make it look like another. Proof is what its certificate
or its attestation says. A board whose chip is known leaves this file out. Public ATECC608 variant pages,
"Configuration Zone" and "One Time Programmable (OTP) Zone"; public headers of the TNG certificates.
"""

from .. import const, sha256
from .commands import CONFIG, Commands

_OTP = const(1)
_BLOCK = const(32)
_ADDRESS = const(16)
_LOCK_DATA = const(86)
_LOCK_CONFIG = const(87)
_UNLOCKED = const(0x55)
# The codes of Microchip's templates. Some have stood for TNGTLS and for TrustFLEX, so they only say who
# filled the chip. Which of the two it is says its first I2C address, which UpdateExtra leaves here.
_CODES = (b"x6tjuZMy", b"wdNxAjae", b"KQp2ZkD8", b"MKMwyhP1", b"Rsuy5YJh")
_TNGTLS = const(0x35 << 1)
_TRUSTFLEX = const(0x36 << 1)
# Of SHA-256 over what docs/profile.md fixes: neither the chip's own bytes, nor what changes with use.
_HRI_DEVICE = b"\xfc\x2a\x17\xe2\xa8\xb4\x0d\x2e"


def detect(element):
    """Return "blank", "tngtls", "trustflex" or "hri-device", and None for any other chip.

    Blank is every chip whose configuration is not locked, whatever is written there by now.
    """
    with element.session as session:
        commands = Commands(session)
        config = b"".join([commands.read(CONFIG, block << 3, _BLOCK) for block in range(4)])
        if config[_LOCK_CONFIG] == _UNLOCKED:
            return "blank"
        # Until the data zone is locked nobody can read what the OTP zone holds.
        code = None if config[_LOCK_DATA] == _UNLOCKED else commands.read(_OTP, 0, _BLOCK)[:8]
    if code in _CODES:
        return {_TNGTLS: "tngtls", _TRUSTFLEX: "trustflex"}.get(config[_ADDRESS])
    fixed = sha256(config[16:52] + config[68:84] + config[90:]).digest()
    return "hri-device" if fixed[:8] == _HRI_DEVICE else None

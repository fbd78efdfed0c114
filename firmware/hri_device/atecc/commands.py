"""One method a command, and no policy (508A datasheet DS20005927A, "Command descriptions")."""

from .. import const

CONFIG = 0
DATA = 2

_INFO = const(0x30)
_READ = const(0x02)
_WRITE = const(0x12)
_LOCK = const(0x17)
_RANDOM = const(0x1B)
_NONCE = const(0x16)
_GENDIG = const(0x15)
_GENKEY = const(0x40)
_SIGN = const(0x41)
_VERIFY = const(0x45)

_BLOCK = const(32)
_BLOCK_MODE = const(0x80)
_PASS_THROUGH = const(0x03)

# The longest execution times in milliseconds, with the slowest clock divider (public ATECC608 headers): which
# divider a chip uses is not known before its configuration has been read.
_INFO_MS = const(5)
_READ_MS = const(5)
_WRITE_MS = const(45)
_LOCK_MS = const(35)
_RANDOM_MS = const(23)
_NONCE_MS = const(20)
_GENDIG_MS = const(35)
_GENKEY_MS = const(653)
_SIGN_MS = const(665)
_VERIFY_MS = const(1085)


class Commands:
    """Sends commands in an open `session`; every method raises what Session.execute raises."""

    def __init__(self, session):
        self._execute = session.execute

    def info(self):
        """Return the 4 bytes of Info, the revision."""
        return self._execute(_INFO, 0, 0, b"", 4, _INFO_MS)

    def read(self, zone, address, size):
        """Return `size` bytes, 4 (a word) or 32 (a block), in clear from `address` of `zone`."""
        return self._execute(
            _READ, zone | (_BLOCK_MODE if size == _BLOCK else 0), address, b"", size, _READ_MS
        )

    def write(self, zone, address, data):
        """Write `data`, 4 or 32 bytes, in clear to `address` of `zone`."""
        mode = zone | (_BLOCK_MODE if len(data) == _BLOCK else 0)
        self._execute(_WRITE, mode, address, data, 0, _WRITE_MS)

    def lock(self, mode, crc):
        """Lock what `mode` says: 0 config zone, 1 data and OTP zones, 2 the slot in bits 2 to 5.

        `crc` is that of the zone's contents; the chip refuses another. For a slot it is 0.
        """
        self._execute(_LOCK, mode, crc, b"", 0, _LOCK_MS)

    def random(self):
        """Return 32 random bytes (mode 0: refreshes the seed first where that is due)."""
        return self._execute(_RANDOM, 0, 0, b"", 32, _RANDOM_MS)

    def nonce(self, mode, num_in):
        """Load TempKey: modes 0 and 1 mix 20 bytes with RandOut and return that (32 bytes).

        Mode 3 takes 32 bytes as they are and returns b"".
        """
        size = 0 if mode & _PASS_THROUGH == _PASS_THROUGH else 32
        return self._execute(_NONCE, mode, 0, num_in, size, _NONCE_MS)

    def gendig(self, zone, key_id):
        """Mix a stored value into TempKey: of zone 0 the config block `key_id`."""
        self._execute(_GENDIG, zone, key_id, b"", 0, _GENDIG_MS)

    def genkey(self, mode, slot):
        """Return the public key (64 bytes) of `slot`.

        Mode bit 2 creates the key first, bit 3 digests it into TempKey.
        """
        return self._execute(_GENKEY, mode, slot, b"", 64, _GENKEY_MS)

    def sign(self, mode, slot):
        """Return the signature (64 bytes) by `slot`: mode 0x80 of TempKey, 0x40 of the internal message."""
        return self._execute(_SIGN, mode, slot, b"", 64, _SIGN_MS)

    def verify(self, mode, key_id, data):
        """Verify the signature in `data` against TempKey.

        Mode 0 takes the key in slot `key_id`; mode 2 that in `data`, of the curve `key_id` (4 for P-256).
        Raises CommandError with status 1 where it does not match.
        """
        self._execute(_VERIFY, mode, key_id, data, 0, _VERIFY_MS)

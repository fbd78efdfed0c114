"""What a program of its own asks of the chip and the service never does; the core does not import it."""

from .. import const
from ..errors import CommandError, PacketError
from .commands import CONFIG
from .element import ATECC608

_BLOCK = const(32)
_WORD = const(4)
_LOCK_WORD = const(21)
_UNLOCKED = const(0x55)
_DIGEST = const(32)
_KEY = const(64)
_NONCE_FIXED = const(0x03)
_VERIFY_EXTERNAL = const(0x02)
_P256 = const(0x04)
_MISCOMPARE = const(0x01)


class StandaloneATECC608(ATECC608):
    """An ATECC608 with the questions that the service answers out of one reading of the config zone."""

    def serial(self):
        """Return the serial number, 9 bytes: config bytes 0 to 3 and 8 to 12."""
        with self.session:
            block = self._commands.read(CONFIG, 0, _BLOCK)
        return block[:4] + block[8:13]

    def is_config_locked(self):
        """Return whether the configuration zone is locked."""
        return self._lock_bytes()[3] != _UNLOCKED

    def is_data_locked(self):
        """Return whether the data and OTP zones are locked."""
        return self._lock_bytes()[2] != _UNLOCKED

    def _lock_bytes(self):
        with self.session:
            return self._commands.read(CONFIG, _LOCK_WORD, _WORD)

    def lock_slot_holding(self, slot, data):
        """Make what `slot` holds permanent, if it reads as `data` from its start on. This cannot be undone.

        The lock of a slot has no CRC: where power failed in a write, lock_slot would keep a torn value for
        good. A slot that cannot be read in clear is assured otherwise: until the data zone is locked by the
        CRC of lock_data, after that by a proof of its key (MAC, AES) or an encrypted read. Raises PacketError
        for another content, and what read_slot and lock_slot raise. 508A datasheet, Lock.
        """
        if self.read_slot(slot, len(data)) != data:
            raise PacketError("slot %d reads otherwise: write it again" % slot)
        self.lock_slot(slot)

    def verify_external(self, public_key, digest, signature):
        """Return whether `signature` (64 bytes) of `digest` (32) is by `public_key` (64 bytes, P-256).

        Raises ValueError for another length and CommandError where `public_key` is no point of the curve.
        508A datasheet, Verify.
        """
        for value, size in ((public_key, _KEY), (digest, _DIGEST), (signature, _KEY)):
            if len(value) != size:
                raise ValueError("%d bytes, not %d" % (len(value), size))
        try:
            with self.session:
                self._commands.nonce(_NONCE_FIXED, digest)
                self._commands.verify(_VERIFY_EXTERNAL, _P256, signature + public_key)
        except CommandError as error:
            if error.status != _MISCOMPARE:
                raise
            return False
        return True

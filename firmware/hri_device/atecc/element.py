"""The ATECC608A/B as a secure element: every method is one session, so one waking, of the chip."""

from .. import const
from ..errors import CommandError, LockedError, PacketError
from .commands import CONFIG, DATA, Commands
from .packet import crc16
from .session import Session

_WORD = const(4)
_BLOCK = const(32)
_CONFIG_SIZE = const(128)
_DIGEST = const(32)
_KEY = const(64)
_NUM_IN = const(20)

# Words of the config zone (508A datasheet, "Configuration zone"): bytes 0 to 15 are the maker's, 84 to 87
# change by UpdateExtra and Lock alone. A block write may touch neither, so only blocks 1 and 3 take one.
_FIRST_WORD = const(4)
_LOCK_WORD = const(21)
_SLOT_LOCKED_WORD = const(22)
_UNLOCKED = const(0x55)

_LOCK_CONFIG = const(0)
_LOCK_DATA = const(1)
_LOCK_SLOT = const(2)
_NONCE_RANDOM = const(0x00)
_NONCE_FIXED = const(0x03)
_GENKEY_PUBLIC = const(0x00)
_GENKEY_CREATE = const(0x04)
_GENKEY_DIGEST = const(0x08)
_SIGN_EXTERNAL = const(0x80)
_SIGN_INTERNAL = const(0x40)  # with bit 6: the whole serial number goes into the message
_VERIFY_STORED = const(0x00)
_MISCOMPARE = const(0x01)
_EXECUTION = const(0x0F)


def _expect(value, size):
    if len(value) != size:
        raise ValueError("%d bytes, not %d" % (len(value), size))


def _slot_size(slot):
    if not 0 <= slot <= 15:
        raise ValueError("no slot %d" % slot)
    if slot < 8:
        return 36
    return 416 if slot == 8 else 72


def _address(slot, offset):
    # 508A datasheet, "Address encoding": block, slot, word.
    return offset // _BLOCK << 8 | slot << 3 | offset % _BLOCK // _WORD


class ATECC608:
    """An ATECC608A or ATECC608B at `address` (7 bits) of `bus` (see ports); offers all of SecureElement.

    Without an address the chip is looked for where it may be (see Session). `session` is for the files beside
    this one, each a feature that a board may leave out. It does not derive from SecureElement, which would
    cost every board its memory and give it nothing.
    """

    def __init__(self, bus, address=None):
        self.session = Session(bus, address)
        self._commands = Commands(self.session)
        self._revision = None

    @property
    def type(self):
        """The kind of element: "atecc608a", "atecc608b", or "atecc608" for a revision not known here."""
        revision = self._revision or self.revision()
        return "atecc608" + {0x6002: "a", 0x6003: "b"}.get(revision[2] << 8 | revision[3], "")

    def revision(self):
        """Return the revision of the silicon, 4 bytes (Info)."""
        with self.session:
            self._revision = self._commands.info()
        return self._revision

    def random(self, n=32):
        """Return `n` random bytes; before the config zone is locked they are FF FF 00 00 over and over."""
        data = b""
        with self.session:
            while len(data) < n:
                data += self._commands.random()
        return data[:n]

    # The configuration zone, and the three kinds of lock.

    def read_config(self):
        """Return the configuration zone, 128 bytes."""
        with self.session:
            return self._read_config()

    def _read_config(self):
        config = b"".join([self._commands.read(CONFIG, block << 3, _BLOCK) for block in range(4)])
        self._revision = config[4:8]
        return config

    def is_slot_locked(self, slot):
        """Return whether `slot` is locked for good."""
        _slot_size(slot)
        with self.session:
            word = self._commands.read(CONFIG, _SLOT_LOCKED_WORD, _WORD)
        # In the chip a cleared bit is a locked slot.
        return not (word[0] | word[1] << 8) >> slot & 1

    def write_config(self, config):
        """Write what differs in bytes 16 to 83 and 88 to 127 of `config` (128 bytes), and read it back.

        The other bytes of `config` are not looked at. Raises LockedError where the zone is locked and
        PacketError where it reads otherwise than written.
        """
        _expect(config, _CONFIG_SIZE)
        with self.session:
            present = self._open_config()
            for block in range(4):
                self._write_config_block(block, config, present)
            written = self._read_config()
        if written[16:84] != config[16:84] or written[88:] != config[88:]:
            raise PacketError("config zone reads otherwise")

    def _open_config(self):
        present = self._read_config()
        if present[87] != _UNLOCKED:
            raise LockedError("config zone is locked", "config locked")
        return present

    def _write_config_block(self, block, config, present):
        words = [
            word
            for word in range(max(8 * block, _FIRST_WORD), 8 * block + 8)
            if word != _LOCK_WORD and config[4 * word : 4 * word + 4] != present[4 * word : 4 * word + 4]
        ]
        if len(words) > 1 and block in (1, 3):
            self._commands.write(CONFIG, 8 * block, config[32 * block : 32 * block + 32])
            return
        for word in words:
            self._commands.write(CONFIG, word, config[4 * word : 4 * word + 4])

    def config_crc(self, config=None):
        """Return the CRC-16 of `config` (128 bytes), by default of the zone as it is now."""
        if config is None:
            config = self.read_config()
        _expect(config, _CONFIG_SIZE)
        return crc16(config)

    def lock_config(self, crc):
        """Lock the configuration zone, if `crc` is that of what it holds now. This cannot be undone.

        Raises ValueError for another CRC and LockedError where the zone is locked already.
        """
        with self.session:
            if crc16(self._open_config()) != crc:
                raise ValueError("crc")
            self._commands.lock(_LOCK_CONFIG, crc)

    def lock_data(self, crc):
        """Lock the data and OTP zones. This cannot be undone.

        `crc` is that of what was written: the slots in ascending order without ECC private keys, then OTP
        (508A datasheet, Lock); the chip refuses another. Raises LockedError where the data zone is locked
        already or the configuration zone is not.
        """
        with self.session:
            lock_bytes = self._commands.read(CONFIG, _LOCK_WORD, _WORD)
            if lock_bytes[3] == _UNLOCKED:
                raise LockedError("config unlocked", "config unlocked")
            if lock_bytes[2] != _UNLOCKED:
                raise LockedError("data locked", "data locked")
            self._commands.lock(_LOCK_DATA, crc)

    def lock_slot(self, slot):
        """Make what `slot` holds permanent. This cannot be undone.

        The chip checks nothing here, so first compare what was written (standalone, lock_slot_holding), and
        of a private key its public key. Raises LockedError where it is so already, CommandError where
        KeyConfig.Lockable forbids it.
        """
        self._change(slot, self._commands.lock, slot << 2 | _LOCK_SLOT, 0)

    def _change(self, slot, operation, *args):
        _slot_size(slot)
        try:
            with self.session:
                return operation(*args)
        except CommandError as error:
            # Status 0F has many causes; the one worth a name is the slot's own lock.
            if error.status == _EXECUTION and self.is_slot_locked(slot):
                raise LockedError("slot %d is locked" % slot, "slot locked")
            raise

    # The data zone.

    def read_slot(self, slot, length, offset=0):
        """Return `length` bytes in clear from `offset` of `slot`; the data zone must be locked."""
        size = _slot_size(slot)
        end = offset + length
        if offset < 0 or length < 0 or end > size:
            raise ValueError("%d bytes in slot" % size)
        first = at = offset // _WORD * _WORD
        parts = []
        with self.session:
            while at < end:
                # The last block of a slot is short, and only words of it can be read.
                whole = at % _BLOCK == 0 and at + _BLOCK <= size and end - at > _WORD
                part = self._commands.read(DATA, _address(slot, at), _BLOCK if whole else _WORD)
                parts.append(part)
                at += len(part)
        return b"".join(parts)[offset - first : end - first]

    def write_slot(self, slot, data, offset=0):
        """Write `data` in clear into `slot` at `offset`, both in whole words (4 bytes).

        Before the data zone is locked, and into a secret slot ever, the chip takes blocks of 32 bytes only,
        so then write a slot in full, or up to a block's end. The short last block of a slot goes as one that
        is padded with zeros, which the chip drops (public ATECC608 variant pages, "Data Zone - Clear Text
        Write"). Raises LockedError where the slot is locked.
        """
        size = _slot_size(slot)
        if offset < 0 or offset % _WORD or len(data) % _WORD:
            raise ValueError("not in words of 4 bytes")
        if offset + len(data) > size:
            raise ValueError("%d bytes in slot" % size)
        self._change(slot, self._write_slot, slot, data, offset, size)

    def _write_slot(self, slot, data, offset, size):
        at = 0
        while at < len(data):
            place = offset + at
            room = min(_BLOCK, size - place)
            if place % _BLOCK == 0 and len(data) - at >= room:
                part = data[at : at + room]
                part += bytes(_BLOCK - room)
            else:
                room = _WORD
                part = data[at : at + room]
            self._commands.write(DATA, _address(slot, place), part)
            at += room

    # Keys.

    def public_key(self, slot):
        """Return the public key (64 bytes) of the private key in `slot`."""
        _slot_size(slot)
        with self.session:
            return self._commands.genkey(_GENKEY_PUBLIC, slot)

    def generate_key(self, slot):
        """Create a new private key in `slot` and return its public key (64 bytes).

        Raises LockedError where the slot is locked.
        """
        return self._change(slot, self._commands.genkey, _GENKEY_CREATE, slot)

    def sign(self, slot, digest):
        """Return the signature (64 bytes) of `digest` (32 bytes) by the key in `slot`."""
        _slot_size(slot)
        _expect(digest, _DIGEST)
        with self.session:
            self._commands.nonce(_NONCE_FIXED, digest)
            return self._commands.sign(_SIGN_EXTERNAL, slot)

    def verify(self, slot, digest, signature):
        """Return whether `signature` (64 bytes) of `digest` is by the public key stored in `slot`."""
        _slot_size(slot)
        _expect(signature, _KEY)
        _expect(digest, _DIGEST)
        try:
            with self.session:
                self._commands.nonce(_NONCE_FIXED, digest)
                self._commands.verify(_VERIFY_STORED, slot, signature)
        except CommandError as error:
            if error.status != _MISCOMPARE:
                raise
            return False
        return True

    def birth(self, slot, nonce, attestation_slot):
        """Create a key in `slot` and have the attestation key sign that it was born there.

        Nonce (random, `nonce`, 20 bytes), GenKey (0C, slot), Sign (internal, whole serial number). Returns
        (random 32, public key 64, signature 64, attestation public key 64). Raises LockedError where the slot
        is locked. 508A datasheet, GenKey and Sign, and docs/protocol.md, "What is signed".
        """
        _slot_size(attestation_slot)
        _expect(nonce, _NUM_IN)
        mode = _GENKEY_CREATE | _GENKEY_DIGEST
        return self._change(slot, self._attest, mode, slot, nonce, attestation_slot)[:4]

    def state(self, slot, nonce, attestation_slot):
        """Have the attestation key sign the key in `slot`, its policy and the whole configuration zone.

        Nonce (random, `nonce`, 20 bytes), GenDig over config blocks 0 to 3, GenKey (08, slot), Sign
        (internal, whole serial number). Returns (random 32, public key 64, signature 64, attestation public
        key 64, config 128). 508A datasheet, GenDig, GenKey and Sign, and docs/protocol.md, "What is signed".
        """
        _slot_size(slot)
        _slot_size(attestation_slot)
        _expect(nonce, _NUM_IN)
        with self.session:
            return self._attest(_GENKEY_DIGEST, slot, nonce, attestation_slot)

    def _attest(self, mode, slot, nonce, attestation_slot):
        commands = self._commands
        config = None if mode & _GENKEY_CREATE else self._read_config()
        # Early, so that a slot that cannot attest is refused before a key is made.
        attestation_key = commands.genkey(_GENKEY_PUBLIC, attestation_slot)
        random = commands.nonce(_NONCE_RANDOM, nonce)
        if config:
            for block in range(4):
                commands.gendig(CONFIG, block)
        public_key = commands.genkey(mode, slot)
        return random, public_key, commands.sign(_SIGN_INTERNAL, attestation_slot), attestation_key, config

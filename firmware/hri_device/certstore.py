"""The device record (device id, slot, certificate, chain), kept so that a cut of the power never half-changes it."""

import os

try:
    from micropython import const
except ImportError:
    const = int

from . import cbor
from .errors import CommandError, LockedError
from .link import crc32

_FORMAT = const(1)
_ENOENT = const(2)
_EEXIST = const(17)
# The certificate slot of the hri-device profile: clear and always writable (docs/profile.md).
_SLOT = const(8)
_SLOT_SIZE = const(416)
_HEADER = const(8)
_BLOCK = const(32)
_MAGIC = b"HR"


class StorageError(Exception):
    """The record is damaged, or cannot be written."""


class RecordSizeError(StorageError):
    """The record does not fit where it would have to go."""


class Record:
    """What a device knows of its identity: device_id (text), slot, certificate (DER), chain (list of DER)."""

    def __init__(self, device_id, slot, certificate, chain):
        self.device_id = device_id
        self.slot = slot
        self.certificate = certificate
        self.chain = chain

    def encode(self):
        """Return the record as CBOR; equal records have equal encodings."""
        return cbor.encode([_FORMAT, self.device_id, self.slot, self.certificate, self.chain])


def _decode(body):
    try:
        version, device_id, slot, certificate, chain = cbor.decode(body)
    except (ValueError, TypeError):
        raise StorageError("the stored record cannot be read")
    if version != _FORMAT:
        raise StorageError("the stored record is of another version of the firmware")
    return Record(device_id, slot, certificate, chain)


class FileStore:
    """Keeps the record in one file under `path`: CBOR, then its CRC-32 (4 bytes, big-endian).

    Written to a second file first, then renamed over the first one. Raises StorageError where a record is damaged
    and OSError where the file system fails.
    """

    def __init__(self, path="/hri"):
        self._path = path
        self._file = path + "/identity.bin"
        self._new = path + "/identity.new"

    def load(self):
        """Return the stored Record, or None where there is none."""
        data = self._read(self._file)
        if data is not None:
            return _decode(_checked(data))
        # FAT cannot rename over a file (see _replace): power lost in between leaves the whole new record alone.
        data = self._read(self._new)
        if data is None:
            return None
        try:
            body = _checked(data)
        except StorageError:
            # Torn while the first record ever was written: that write was never confirmed.
            return None
        return _decode(body)

    def save(self, record):
        """Store `record` in place of any other; on return it survives a loss of power."""
        self._finish_rename()
        body = record.encode()
        try:
            os.mkdir(self._path)
        except OSError:
            pass  # There already, or else the open below says what is wrong.
        try:
            with open(self._new, "wb") as file:
                file.write(body)
                file.write(crc32(body).to_bytes(4, "big"))
                _flush(file)
            self._check_written(body)
        except (OSError, StorageError):
            # A full file system keeps nothing of the attempt.
            _remove(self._new)
            raise
        self._replace()

    def _finish_rename(self):
        # The new file may be the only record there is; writing over it before it has its name would risk it.
        if self._read(self._file) is None and self.load() is not None:
            os.rename(self._new, self._file)

    def _check_written(self, body):
        if _checked(self._read(self._new) or b"") != body:
            raise StorageError("the file system did not keep what was written")

    def _replace(self):
        try:
            os.rename(self._new, self._file)
        except OSError as error:
            if error.errno != _EEXIST:
                raise
            os.remove(self._file)
            os.rename(self._new, self._file)
        if hasattr(os, "sync"):
            os.sync()

    def _read(self, name):
        try:
            with open(name, "rb") as file:
                return file.read()
        except OSError as error:
            if error.errno == _ENOENT:
                return None
            raise


def _checked(data):
    body = memoryview(data)[:-4]
    if len(data) < 5 or crc32(body) != int.from_bytes(data[-4:], "big"):
        raise StorageError("the stored record is damaged")
    return body


def _flush(file):
    file.flush()
    if hasattr(os, "fsync"):
        os.fsync(file.fileno())


def _remove(name):
    try:
        os.remove(name)
    except OSError:
        pass


class ChipStore:
    """Keeps the record in data slot 8 (416 bytes) of the element, for a board with no file system to write to.

    Magic "HR", length and CRC-32 (big-endian) of the CBOR that follows. Raises StorageError where a record is
    damaged, RecordSizeError where one does not fit, and what the element raises.
    """

    def __init__(self, element):
        self._element = element

    def load(self):
        """Return the stored Record, or None where there is none or the data zone is still open."""
        try:
            start = self._element.read_slot(_SLOT, _BLOCK)
        except (CommandError, LockedError):
            return None
        if start[:2] != _MAGIC:
            return None
        size = int.from_bytes(start[2:4], "big")
        if size > _SLOT_SIZE - _HEADER:
            raise StorageError("the stored record is damaged")
        rounded = (_HEADER + size + _BLOCK - 1) // _BLOCK * _BLOCK
        if rounded > _BLOCK:
            start += self._element.read_slot(_SLOT, rounded - _BLOCK, _BLOCK)
        body = start[_HEADER : _HEADER + size]
        if crc32(body) != int.from_bytes(start[4:8], "big"):
            raise StorageError("the stored record is damaged")
        return _decode(body)

    def save(self, record):
        """Store `record` in place of any other; a loss of power midway is noticed by the CRC."""
        body = record.encode()
        if len(body) > _SLOT_SIZE - _HEADER:
            raise RecordSizeError("%d bytes do not fit in the chip's slot of %d" % (len(body), _SLOT_SIZE))
        data = _MAGIC + len(body).to_bytes(2, "big") + crc32(body).to_bytes(4, "big") + body
        data += bytes(-len(data) % _BLOCK)
        # The block with the header last: until then the old header condemns the new body.
        if len(data) > _BLOCK:
            self._element.write_slot(_SLOT, data[_BLOCK:], _BLOCK)
        self._element.write_slot(_SLOT, data[:_BLOCK], 0)

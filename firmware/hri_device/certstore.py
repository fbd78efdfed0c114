"""The device record (device id, slot, certificate, chain), which a cut of the power never half-changes."""

import os

from . import cbor, const
from .link import crc32

_FORMAT = const(1)
_ENOENT = const(2)
_EEXIST = const(17)


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


class DamagedError(Exception):
    """A record is there and cannot be used."""

    code = "storage"


def decode(body, crc):
    """Return the Record encoded in `body`, whose CRC-32 is `crc` (4 bytes); DamagedError otherwise."""
    try:
        if crc32(body) == int.from_bytes(crc, "big"):
            fields = cbor.decode(body)
            if fields[0] == _FORMAT:
                return Record(*fields[1:])
    # Another program's, or nothing at all, whose CRC-32 is 0. Not MemoryError: that says nothing of it.
    except (LookupError, TypeError, ValueError):
        pass
    raise DamagedError("record damaged")


class FileStore:
    """Keeps the record in one file under `path`: CBOR, then its CRC-32 (4 bytes, big-endian).

    Written to a second file first, then renamed over the first one. Raises DamagedError where a record cannot
    be used and OSError where the file system fails.
    """

    def __init__(self, path="/hri"):
        self._path = path
        self._file = path + "/identity.bin"
        self._new = path + "/identity.new"

    def load(self):
        """Return the stored Record, or None where there is none."""
        try:
            return self._read(self._file)
        except OSError as error:
            if error.errno != _ENOENT:
                raise
        # FAT cannot rename over a file (see save): power lost in between leaves the whole new record alone.
        try:
            record = self._read(self._new)
        except (OSError, DamagedError):
            # Torn while the first record ever was written: that write was never confirmed.
            return None
        try:
            os.rename(self._new, self._file)
        except OSError:
            pass  # Read-only for now; the next load tries again.
        return record

    def save(self, record):
        """Store `record` in place of any other; on return it survives a loss of power."""
        try:
            # A new file that is the only record is given its name before it is written over.
            self.load()
        except DamagedError:
            pass
        try:
            os.mkdir(self._path)
        except OSError:
            pass  # There already, or else the open below says what is wrong.
        body = record.encode()
        try:
            with open(self._new, "wb") as file:
                file.write(body)
                file.write(crc32(body).to_bytes(4, "big"))
            self._read(self._new)
        except Exception:
            # A full file system keeps nothing of the attempt.
            try:
                os.remove(self._new)
            except OSError:
                pass
            raise
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
        with open(name, "rb") as file:
            data = file.read()
        return decode(data[:-4], data[-4:])

"""hri_device.certstore keeps the whole old record or the whole new one, wherever the power fails."""

import errno
import io
import os
import types
import zlib

import pytest
from hri_device import cbor, certstore
from hri_device.certstore import DamagedError, FileStore, Record
from hri_device.chipstore import ChipStore
from hri_device.errors import CommandError
from hri_device.nvmstore import NvmStore
from hri_device.request import Refusal
from unit.firmware_service.fake_element import FakeElement

OLD = Record("device-1", 0, b"\x30" + bytes(700), [b"\x31" * 600])
NEW = Record("device-1", 2, b"\x30" + bytes(800), [b"\x32" * 650, b"\x33" * 600])
SMALL = Record("device-1", 0, b"\x30" + bytes(300), [])


class PowerCut(BaseException):
    """Nothing after this point happened."""


class CuttableFlash:
    """The `os` and `open` of a board whose power fails before step `cut`; a write then keeps `kept` bytes.

    With `fat`, rename refuses to replace a file, as FAT does.
    """

    def __init__(self, cut, kept=0, fat=False):
        self.steps = 0
        self._cut = cut
        self._kept = kept
        self._fat = fat
        self.os = types.SimpleNamespace(
            mkdir=os.mkdir, rename=self._rename, remove=self._remove, sync=lambda: None
        )

    def _step(self):
        self.steps += 1
        if self.steps == self._cut:
            raise PowerCut

    def _rename(self, old, new):
        self._step()
        if self._fat and os.path.exists(new):
            raise OSError(errno.EEXIST, "exists")
        os.rename(old, new)

    def _remove(self, name):
        self._step()
        os.remove(name)

    def open(self, name, mode):
        if "w" not in mode:
            return open(name, mode)
        self._step()
        file = open(name, mode, buffering=0)  # noqa: SIM115 - closed by its user
        return _CuttableFile(file, self)


class _CuttableFile(io.RawIOBase):
    def __init__(self, file, flash):
        self._file = file
        self._flash = flash

    def write(self, data):
        try:
            self._flash._step()
        except PowerCut:
            self._file.write(data[: self._flash._kept])
            raise
        return self._file.write(data)

    def close(self):
        self._file.close()
        super().close()


@pytest.fixture
def store(tmp_path):
    return FileStore(str(tmp_path / "hri"))


def _same(one, other):
    return (one and one.encode()) == (other and other.encode())


def _cut_at(monkeypatch, store, record, **faults):
    flash = CuttableFlash(**faults)
    with monkeypatch.context() as patch:
        patch.setattr(certstore, "os", flash.os)
        patch.setattr(certstore, "open", flash.open, raising=False)
        try:
            store.save(record)
        except PowerCut:
            return True
    return False


def test_nothing_is_stored_at_first(store):
    assert store.load() is None


@pytest.mark.parametrize("record", [OLD, NEW, SMALL, Record("é" * 64, 15, b"c" * 3000, [])])
def test_what_is_saved_is_loaded(store, record):
    store.save(record)
    assert _same(store.load(), record)
    assert _same(FileStore(store._path).load(), record)


@pytest.mark.parametrize("fat", [False, True])
@pytest.mark.parametrize("kept", [0, 1, 3])
@pytest.mark.parametrize("before", [None, OLD])
def test_a_power_cut_at_any_step_leaves_the_old_or_the_new(monkeypatch, tmp_path, before, kept, fat):
    cuts = 0
    while True:
        store = FileStore(str(tmp_path / f"hri{cuts}"))
        if before:
            store.save(before)
        was_cut = _cut_at(monkeypatch, store, NEW, cut=cuts + 1, kept=kept, fat=fat)
        after = store.load()
        assert _same(after, NEW if not was_cut or _same(after, NEW) else before)
        # What is there is there for good, and the next attempt completes.
        assert _same(store.load(), after)
        store.save(NEW)
        assert _same(store.load(), NEW)
        assert os.listdir(store._path) == ["identity.bin"]
        if not was_cut:
            break
        cuts += 1
    assert cuts >= 4


def test_a_second_cut_after_fat_lost_the_old_name_loses_nothing(monkeypatch, store):
    store.save(OLD)
    # Steps: open, two writes, rename (refused), remove, rename.
    assert _cut_at(monkeypatch, store, NEW, cut=6, fat=True)
    assert os.listdir(store._path) == ["identity.new"]
    for cut in range(1, 6):
        _cut_at(monkeypatch, store, SMALL, cut=cut, fat=True)
        assert store.load() is not None


def test_damage_at_any_byte_is_noticed(store):
    store.save(SMALL)
    with open(store._file, "rb") as file:
        good = file.read()
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 0x10
        with open(store._file, "wb") as file:
            file.write(bad)
        with pytest.raises(DamagedError):
            store.load()


@pytest.mark.parametrize("size", [0, 1, 4, 5, 100])
def test_a_truncated_record_is_noticed(store, size):
    store.save(SMALL)
    os.truncate(store._file, size)
    with pytest.raises(DamagedError):
        store.load()


@pytest.mark.parametrize(
    "value",
    [
        7,
        None,
        True,
        "text",
        b"bytes",
        [],
        [1],
        [1, "d", 0, b"c"],
        [1, *"abcde"],
        [2, "d", 0, b"c", []],
        {},
        {0: 1},
    ],
)
def test_a_whole_record_of_another_shape_is_damaged(store, value):
    store.save(SMALL)
    body = cbor.encode(value)
    with open(store._file, "wb") as file:
        file.write(body + zlib.crc32(body).to_bytes(4, "big"))
    with pytest.raises(DamagedError):
        store.load()


def test_a_damaged_record_can_be_replaced(store):
    store.save(OLD)
    os.truncate(store._file, 50)
    store.save(NEW)
    assert _same(store.load(), NEW)


def test_a_full_disk_keeps_the_old_record_and_no_remains(monkeypatch, store):
    store.save(OLD)

    def full(name, mode):
        file = open(name, mode, buffering=0) if "w" in mode else open(name, mode)  # noqa: SIM115
        if "w" in mode:
            file = types.SimpleNamespace(
                __enter__=None, write=_no_space, flush=file.flush, fileno=file.fileno, close=file.close
            )
            return _Closing(file)
        return file

    monkeypatch.setattr(certstore, "open", full, raising=False)
    with pytest.raises(OSError, match="No space"):
        store.save(NEW)
    assert _same(store.load(), OLD)
    assert os.listdir(store._path) == ["identity.bin"]


def _no_space(_data):
    raise OSError(errno.ENOSPC, "No space left on device")


class _Closing:
    def __init__(self, file):
        self._file = file

    def __enter__(self):
        return self._file

    def __exit__(self, *_exc):
        self._file.close()


def test_a_disk_that_forgets_what_was_written_is_noticed(monkeypatch, store):
    store.save(OLD)
    lossy = CuttableFlash(cut=0)
    real = lossy.open
    monkeypatch.setattr(_CuttableFile, "write", lambda self, data: self._file.write(data[:-1]) + 1)
    monkeypatch.setattr(certstore, "open", real, raising=False)
    monkeypatch.setattr(certstore, "os", lossy.os)
    with pytest.raises(DamagedError):
        store.save(NEW)
    assert _same(store.load(), OLD)


@pytest.mark.parametrize("length", [1, 13, 14, 100, 380, 393])
def test_the_chip_slot_keeps_a_record(length):
    element = FakeElement()
    record = Record("d", 0, b"c" * length, [])
    ChipStore(element).save(record)
    assert _same(ChipStore(element).load(), record)


def test_the_chip_slot_takes_just_what_fits():
    fits = 416 - 8 - len(Record("d", 0, b"c" * 300, []).encode()) + 300
    element = FakeElement()
    ChipStore(element).save(Record("d", 0, b"c" * fits, []))
    with pytest.raises(Refusal) as caught:
        ChipStore(element).save(Record("d", 0, b"c" * (fits + 1), []))
    assert caught.value.code == "too-long"
    assert len(ChipStore(element).load().certificate) == fits


def test_the_chip_slot_empty_or_unreadable_holds_nothing():
    element = FakeElement()
    assert ChipStore(element).load() is None
    element.fault = CommandError(0x0F, 0x02)
    assert ChipStore(element).load() is None


def test_damage_in_the_chip_slot_is_noticed():
    element = FakeElement()
    ChipStore(element).save(SMALL)
    used = 8 + len(SMALL.encode())
    for place in range(2, used):
        element.slots[8][place] ^= 0x81
        with pytest.raises(DamagedError):
            ChipStore(element).load()
        element.slots[8][place] ^= 0x81


def test_a_cut_between_the_chip_writes_is_noticed():
    element = FakeElement()
    ChipStore(element).save(SMALL)
    writes = []
    element.write_slot = lambda *args: writes.append(args)
    ChipStore(element).save(Record("device-1", 0, b"\x31" * 301, []))
    FakeElement.write_slot(element, *writes[0])
    with pytest.raises(DamagedError):
        ChipStore(element).load()
    FakeElement.write_slot(element, *writes[1])
    assert ChipStore(element).load().certificate == b"\x31" * 301


@pytest.mark.parametrize("fresh", [b"\0", b"\xff"])
def test_the_microcontrollers_own_bytes_keep_a_record(fresh):
    nvm = bytearray(fresh * 4096)
    assert NvmStore(nvm).load() is None
    NvmStore(nvm).save(OLD)
    assert _same(NvmStore(nvm).load(), OLD)
    NvmStore(nvm).save(SMALL)
    assert _same(NvmStore(nvm).load(), SMALL)
    assert len(nvm) == 4096


def test_a_record_longer_than_the_bytes_leaves_the_old_one():
    nvm = bytearray(8 + len(SMALL.encode()))
    NvmStore(nvm).save(SMALL)
    with pytest.raises(Refusal) as caught:
        NvmStore(nvm).save(OLD)
    assert caught.value.code == "too-long"
    assert _same(NvmStore(nvm).load(), SMALL)


def test_damage_in_the_microcontrollers_bytes_is_noticed():
    nvm = bytearray(1024)
    NvmStore(nvm).save(SMALL)
    for place in range(2, 8 + len(SMALL.encode())):
        nvm[place] ^= 0x81
        with pytest.raises(DamagedError):
            NvmStore(nvm).load()
        nvm[place] ^= 0x81

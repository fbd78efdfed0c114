"""Counter and UpdateExtra: what only goes forward, and what is written once."""

import pytest

OK, PARSE, EXECUTION = b"\x00", b"\x03", b"\x0f"


def stored(value):
    """The eight bytes of a counter, from the description of its unary form."""
    second, upper = (0xFFFF >> (value - 16) % 32, (value - 16) // 32) if value >= 16 else (0xFFFF, 0)
    parts = (0xFFFF >> value % 32, second, value // 32, upper)
    return b"".join(part.to_bytes(2, "big") for part in parts)


def at(value, index=0):
    return {52 + 8 * index + place: byte for place, byte in enumerate(stored(value))}


@pytest.mark.covers("Counter", "read")
@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("value", [0, 1, 31, 32, 47, 48, 2_097_151])
def test_a_counter_is_read(personalised, index, value):
    wire = personalised({}, config=at(value, index))
    assert wire.call(0x24, 0, index) == value.to_bytes(4, "little")


@pytest.mark.covers("Counter", "increment")
def test_a_counter_counts_and_is_kept_in_its_unary_form(personalised):
    wire = personalised({})
    for value in range(1, 100):
        assert wire.call(0x24, 1, 1) == value.to_bytes(4, "little")
        assert wire.chip.eeprom.config[60:68] == stored(value)
    assert wire.call(0x24, 0, 0) == bytes(4)


def test_a_counter_ends_at_its_maximum(personalised):
    wire = personalised({}, config=at(2_097_150))
    assert wire.call(0x24, 1, 0) == (2_097_151).to_bytes(4, "little")
    assert wire.call(0x24, 1, 0) == EXECUTION
    assert wire.call(0x24, 0, 0) == (2_097_151).to_bytes(4, "little")


def test_a_counter_does_not_count_before_the_configuration_lock(wire):
    assert wire.call(0x24, 0, 0) == bytes(4)
    assert wire.call(0x24, 1, 0) == EXECUTION


@pytest.mark.parametrize(("mode", "index", "size"), [(2, 0, 0), (0, 2, 0), (0, 0, 1)])
def test_counter_checks_its_form(wire, mode, index, size):
    assert wire.call(0x24, mode, index, bytes(size)) == PARSE


@pytest.mark.covers("UpdateExtra", "UserExtra")
@pytest.mark.covers("UpdateExtra", "UserExtraAdd")
@pytest.mark.parametrize(("mode", "place"), [(0, 84), (1, 85)])
def test_updateextra_writes_each_byte_once(locked, mode, place):
    assert locked.call(0x20, mode, 0x6E) == OK
    assert locked.read_config()[place] == 0x6E
    assert locked.call(0x20, mode, 0x70) == EXECUTION
    assert locked.read_config()[place] == 0x6E


def test_updateextra_moves_the_chip_where_chip_mode_says_so(personalised):
    wire = personalised({}, config={19: 1})
    assert wire.call(0x20, 1, 0x6A) == OK
    wire.fresh_session()
    assert wire.bus.read(0x35, 4)[0] == 0


@pytest.mark.parametrize(("mode", "value", "size"), [(2, 0, 0), (3, 0, 0), (0, 0x100, 0), (0, 0, 1)])
def test_updateextra_checks_its_form(wire, mode, value, size):
    assert wire.call(0x20, mode, value, bytes(size)) == PARSE

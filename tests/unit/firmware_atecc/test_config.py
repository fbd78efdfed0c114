"""The configuration zone and its lock: what is written, read back, compared and refused."""

import pytest
from hri_device.atecc.element import ATECC608
from hri_device.errors import CommandError, LockedError, PacketError
from unit.firmware_atecc.scripted_bus import (
    OK,
    SLEEP,
    ScriptedBus,
    awake,
    command,
    crc,
    exchange,
    reply,
)

_REFUSED = reply(b"\x0f")


def config_of(**words):
    """A blank zone, all zeros but the open locks, with word N (as wN=hex) replaced."""
    config = bytearray(128)
    config[4:8] = bytes.fromhex("00006003")
    config[86] = config[87] = 0x55
    config[88:90] = b"\xff\xff"
    for name, value in words.items():
        at = 4 * int(name[1:])
        config[at : at + 4] = bytes.fromhex(value)
    return bytes(config)


def reading(config):
    return [
        step
        for block in range(4)
        for step in exchange(command(0x02, 0x80, block << 3), reply(config[32 * block : 32 * block + 32]))
    ]


def writing_word(config, word):
    return exchange(command(0x12, 0x00, word, config[4 * word : 4 * word + 4]), OK)


def writing_block(config, block):
    return exchange(command(0x12, 0x80, 8 * block, config[32 * block : 32 * block + 32]), OK)


def test_only_words_that_differ_are_written():
    wanted = config_of(w4="c0000000", w20="00000001", w22="feff0660")
    bus = ScriptedBus(
        awake(),
        reading(config_of()),
        writing_word(wanted, 4),
        writing_word(wanted, 20),
        writing_word(wanted, 22),
        reading(wanted),
        SLEEP,
    )
    ATECC608(bus).write_config(wanted)
    assert bus.left == []


def test_blocks_one_and_three_are_written_whole_where_more_than_a_word_differs():
    wanted = config_of(w8="83208720", w9="87208f8f", w25="33007300", w31="3c003000")
    bus = ScriptedBus(
        awake(),
        reading(config_of()),
        writing_block(wanted, 1),
        writing_block(wanted, 3),
        reading(wanted),
        SLEEP,
    )
    ATECC608(bus).write_config(wanted)
    assert bus.left == []


def test_the_makers_bytes_and_the_locks_are_never_written():
    wanted = bytearray(config_of())
    wanted[:16] = b"\xee" * 16
    wanted[84:88] = b"\x12\x34\x00\x00"
    bus = ScriptedBus(awake(), reading(config_of()), reading(config_of()), SLEEP)
    ATECC608(bus).write_config(bytes(wanted))
    assert bus.left == []


def test_a_whole_new_zone_never_touches_words_0_to_3_and_21():
    wanted = bytes(range(128))
    kept = config_of()
    written = kept[:16] + wanted[16:84] + kept[84:88] + wanted[88:]
    steps = [writing_word(wanted, word) for word in range(4, 8)]
    steps.append(writing_block(wanted, 1))
    steps += [writing_word(wanted, word) for word in (16, 17, 18, 19, 20, 22, 23)]
    steps.append(writing_block(wanted, 3))
    bus = ScriptedBus(awake(), reading(kept), *steps, reading(written), SLEEP)
    ATECC608(bus).write_config(wanted)
    assert bus.left == []


@pytest.mark.parametrize("at", [16, 83, 88, 127])
def test_a_byte_that_reads_otherwise_than_written_is_told(at):
    wanted = config_of(w4="c0000000")
    kept = bytearray(wanted)
    kept[at] ^= 1
    bus = ScriptedBus(awake(), reading(config_of()), writing_word(wanted, 4), reading(kept), SLEEP)
    with pytest.raises(PacketError, match="reads otherwise"):
        ATECC608(bus).write_config(wanted)
    assert bus.left == []


def test_a_locked_zone_is_not_written():
    bus = ScriptedBus(awake(), reading(config_of(w21="00005500")), SLEEP)
    with pytest.raises(LockedError) as refused:
        ATECC608(bus).write_config(config_of(w4="c0000000"))
    assert refused.value.state == "config locked"
    assert bus.left == []


def test_lock_config_reads_the_zone_and_locks_with_the_crc_of_what_it_read():
    config = config_of(w4="c0000000")
    value = int.from_bytes(crc(config), "little")
    bus = ScriptedBus(awake(), reading(config), exchange(command(0x17, 0x00, value), OK), SLEEP)
    ATECC608(bus).lock_config(value)
    assert bus.left == []


def test_lock_config_with_another_crc_locks_nothing():
    config = config_of()
    value = int.from_bytes(crc(config), "little")
    bus = ScriptedBus(awake(), reading(config), SLEEP)
    with pytest.raises(ValueError, match="crc"):
        ATECC608(bus).lock_config(value ^ 1)
    assert bus.left == []


def test_lock_config_of_a_locked_zone_is_refused():
    config = config_of(w21="00005500")
    bus = ScriptedBus(awake(), reading(config), SLEEP)
    with pytest.raises(LockedError, match="is locked"):
        ATECC608(bus).lock_config(int.from_bytes(crc(config), "little"))
    assert bus.left == []


def test_config_crc_reads_the_zone_unless_it_is_given():
    config = config_of(w4="c0000000")
    bus = ScriptedBus(awake(), reading(config), SLEEP)
    element = ATECC608(bus)
    assert element.config_crc() == element.config_crc(config) == int.from_bytes(crc(config), "little")
    assert bus.left == []


@pytest.mark.parametrize(
    ("lock_word", "state"), [("00005555", "config unlocked"), ("00000000", "data locked")]
)
def test_lock_data_out_of_order_is_refused(lock_word, state):
    bus = ScriptedBus(awake(), exchange(command(0x02, 0, 21), reply(bytes.fromhex(lock_word))), SLEEP)
    with pytest.raises(LockedError) as refused:
        ATECC608(bus).lock_data(0x1234)
    assert refused.value.state == state
    assert bus.left == []


def slot_lock_word(slots_locked):
    open_bits = 0xFFFF ^ slots_locked
    return exchange(command(0x02, 0, 22), reply(bytes((open_bits & 0xFF, open_bits >> 8, 0x06, 0x60))))


@pytest.mark.parametrize(
    ("method", "args", "sent"),
    [
        ("generate_key", (0,), command(0x40, 4, 0)),
        ("lock_slot", (0,), command(0x17, 2, 0)),
        ("write_slot", (0, bytes(4)), command(0x12, 2, 0, bytes(4))),
    ],
)
def test_a_refusal_is_explained_by_the_slots_lock(method, args, sent):
    bus = ScriptedBus(awake(), exchange(sent, _REFUSED), SLEEP, awake(), slot_lock_word(1), SLEEP)
    with pytest.raises(LockedError, match="slot 0 is locked") as refused:
        getattr(ATECC608(bus), method)(*args)
    assert refused.value.state == "slot locked"
    assert bus.left == []


def test_a_refusal_for_another_reason_stays_the_chips_status():
    bus = ScriptedBus(
        awake(), exchange(command(0x40, 4, 2), _REFUSED), SLEEP, awake(), slot_lock_word(1), SLEEP
    )
    with pytest.raises(CommandError) as refused:
        ATECC608(bus).generate_key(2)
    assert (refused.value.status, refused.value.opcode) == (0x0F, 0x40)
    assert bus.left == []


def test_birth_in_a_locked_slot_is_refused_by_name():
    bus = ScriptedBus(
        awake(),
        exchange(command(0x40, 0, 1), reply(bytes(64))),
        exchange(command(0x16, 0, 0, bytes(20)), reply(bytes(32))),
        exchange(command(0x40, 0x0C, 0), _REFUSED),
        SLEEP,
        awake(),
        slot_lock_word(1),
        SLEEP,
    )
    with pytest.raises(LockedError, match="slot 0"):
        ATECC608(bus).birth(0, bytes(20), 1)
    assert bus.left == []


def test_birth_makes_no_key_where_the_attestation_slot_has_none():
    bus = ScriptedBus(
        awake(), exchange(command(0x40, 0, 1), _REFUSED), SLEEP, awake(), slot_lock_word(0), SLEEP
    )
    with pytest.raises(CommandError):
        ATECC608(bus).birth(0, bytes(20), 1)
    assert bus.left == []


@pytest.mark.parametrize(
    ("revision", "name"),
    [
        ("00006002", "atecc608a"),
        ("00006003", "atecc608b"),
        ("00006009", "atecc608"),
        ("00005000", "atecc608"),
    ],
)
def test_type_is_told_by_the_revision(revision, name):
    bus = ScriptedBus(awake(), exchange(command(0x30, 0, 0), reply(bytes.fromhex(revision))), SLEEP)
    element = ATECC608(bus)
    assert element.type == name
    assert element.type == name  # asked once
    assert bus.left == []


def test_type_follows_the_last_reading_of_the_zone():
    bus = ScriptedBus(awake(), reading(config_of(w1="00006002")), SLEEP)
    element = ATECC608(bus)
    element.read_config()
    assert element.type == "atecc608a"
    assert bus.left == []

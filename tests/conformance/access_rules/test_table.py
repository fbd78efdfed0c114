"""The table of rules itself, on states made by hand: what a reviewer would ask it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from conformance.access_rules.decide import Command, Expected, Known, State, decide
from conformance.access_rules.policy import SLOT_SIZES, decode_counter, encode_counter, policy_of
from conformance.access_rules.table import EXEC, MISCOMPARE, OK, PARSE, SELFTEST, TableError, read_table
from conformance.access_rules.wire import crc16

READ, WRITE, SIGN, GEN_KEY, PRIV_WRITE, MAC, LOCK, GEN_DIG = 0x02, 0x12, 0x41, 0x40, 0x46, 0x08, 0x17, 0x15
PRIVATE, SECRET, ENCRYPTED, PUBLIC_DATA = 0, 4, 5, 8


@dataclass
class Volatile:
    """A chip that has just woken, unless said otherwise."""

    temp_key_valid: bool = False
    temp_key_length: int = 0
    source_flag: int = 0
    key_id: int = 0
    gen_dig_data: bool = False
    gen_key_data: bool = False
    no_mac_flag: bool = False
    message_digest_length: int = 0
    alternate_key: bool = False
    authorized_key: int | None = None
    persistent_latch: bool = False
    volatile_key_permitted: bool = False
    failed_self_tests: int = 0
    sha_context: int = 0


def _config(**changes: int) -> bytes:
    """Slot 0 a private key, 4 a secret, 5 read and written under key 4, 8 plain; ``b52=1`` sets a byte."""
    config = bytearray(128)
    config[88:90] = b"\xff\xff"
    for slot, policy, key in (
        (PRIVATE, b"\x81\x20", b"\x33\x00"),
        (SECRET, b"\x80\x00", b"\x3c\x00"),
        (ENCRYPTED, b"\xc4\x44", b"\x3c\x00"),
        (PUBLIC_DATA, b"\x00\x00", b"\x3c\x00"),
    ):
        config[20 + 2 * slot : 22 + 2 * slot] = policy
        config[96 + 2 * slot : 98 + 2 * slot] = key
    config[52:68] = encode_counter(0) * 2
    for name, value in changes.items():
        config[int(name[1:])] = value
    return bytes(config)


@dataclass(frozen=True)
class Eeprom:
    config: bytes = field(default_factory=_config)
    otp: bytes = bytes(64)
    slots: tuple[bytes, ...] = tuple(bytes(size) for size in SLOT_SIZES)


def _ask(
    command: Command, config: bytes | None = None, known: Known | None = None, **volatile: object
) -> Expected:
    eeprom = Eeprom() if config is None else Eeprom(config)
    return decide(State(eeprom, replace(Volatile(), **volatile), known or Known()), command)  # type: ignore[arg-type]


def _read(slot: int) -> Command:
    return Command(READ, 0x82, slot << 3)


GENDIG_BY_4 = {"temp_key_valid": True, "temp_key_length": 32, "gen_dig_data": True, "key_id": 4}


def test_a_secret_slot_is_not_read() -> None:
    assert _ask(_read(SECRET)).statuses == EXEC


def test_a_private_key_is_not_read_even_where_its_slot_is_not_marked_secret() -> None:
    assert _ask(_read(PRIVATE), _config(b20=0x01)).statuses == EXEC


def test_a_slot_that_is_not_secret_is_read_once_the_data_zone_is_locked() -> None:
    assert _ask(_read(PUBLIC_DATA)).statuses == OK
    assert _ask(_read(PUBLIC_DATA), _config(b86=0x55)).statuses == EXEC


def test_an_encrypted_read_wants_gendig_with_the_read_key_over_a_random_nonce() -> None:
    assert _ask(_read(ENCRYPTED), **GENDIG_BY_4).statuses == OK
    assert _ask(_read(ENCRYPTED)).statuses == EXEC
    assert _ask(_read(ENCRYPTED), **{**GENDIG_BY_4, "key_id": 3}).statuses == EXEC
    assert _ask(_read(ENCRYPTED), **{**GENDIG_BY_4, "source_flag": 1}).statuses == EXEC
    assert _ask(_read(ENCRYPTED), **{**GENDIG_BY_4, "no_mac_flag": True}).statuses == EXEC


def test_an_encrypted_write_wants_the_write_key_and_the_right_mac() -> None:
    write = Command(WRITE, 0xC2, ENCRYPTED << 3, bytes(64))

    assert _ask(write, known=Known(mac=True), **GENDIG_BY_4).statuses == OK
    assert _ask(write, known=Known(mac=False), **GENDIG_BY_4).statuses == EXEC | MISCOMPARE
    assert _ask(write, known=Known(mac=True), **{**GENDIG_BY_4, "key_id": 5}).statuses == EXEC


def test_a_write_may_change_what_it_addresses_and_nothing_else() -> None:
    expected = _ask(Command(WRITE, 0x82, PUBLIC_DATA << 3 | 3 << 8, bytes(32)))

    assert expected.statuses == OK
    assert expected.changes == [("slot", PUBLIC_DATA, 96, 128)]


def test_a_locked_slot_is_not_written() -> None:
    assert _ask(Command(WRITE, 0x82, PUBLIC_DATA << 3, bytes(32)), _config(b89=0xFE)).statuses == EXEC


def test_the_configuration_is_written_before_its_lock_only() -> None:
    write = Command(WRITE, 0x00, 5, bytes(4))

    assert _ask(write, _config(b86=0x55, b87=0x55)).changes == [("config", 0, 20, 24)]
    assert _ask(write).statuses == EXEC


def test_the_lock_bytes_are_not_written() -> None:
    assert _ask(Command(WRITE, 0x00, 21, bytes(4)), _config(b86=0x55, b87=0x55)).refused


def test_a_private_key_is_made_where_writeconfig_says_so() -> None:
    assert _ask(Command(GEN_KEY, 4, PRIVATE)).changes == [("slot", PRIVATE, 0, 36)]
    assert _ask(Command(GEN_KEY, 4, PRIVATE), _config(b21=0x00)).statuses == EXEC
    assert _ask(Command(GEN_KEY, 4, PRIVATE), _config(b88=0xFE)).statuses == EXEC


def test_external_and_internal_sign_each_need_their_bit() -> None:
    internal = {"temp_key_valid": True, "gen_key_data": True}

    assert _ask(Command(SIGN, 0x80, PRIVATE), temp_key_valid=True, source_flag=1).statuses == OK
    assert _ask(Command(SIGN, 0x00, PRIVATE), **internal).statuses == EXEC
    assert _ask(Command(SIGN, 0x00, PRIVATE), _config(b20=0x82), **internal).statuses == OK


def test_a_key_that_asks_for_authorization_is_not_used_without_it() -> None:
    config = _config(b104=0xBC, b105=0x06)
    mac = Command(MAC, 0, SECRET, bytes(32))

    assert _ask(mac, config).statuses == EXEC
    assert _ask(mac, config, authorized_key=5).statuses == EXEC
    assert _ask(mac, config, authorized_key=6).statuses == OK


def test_a_key_that_asks_for_a_random_nonce_is_not_used_over_a_chosen_one() -> None:
    config = _config(b104=0x7C)

    assert _ask(Command(MAC, 5, SECRET), config, temp_key_valid=True, source_flag=1).statuses == EXEC
    assert _ask(Command(MAC, 1, SECRET), config, temp_key_valid=True, source_flag=0).statuses == OK


def test_a_limited_key_is_used_up_at_the_count_that_countmatch_names() -> None:
    limited = bytearray(_config(b28=0xA0, b18=0x81))
    limited[52:60] = encode_counter(32)
    match = (32).to_bytes(4, "little") * 2
    slots = tuple(
        match + bytes(408) if number == 8 else bytes(size) for number, size in enumerate(SLOT_SIZES)
    )
    state = State(Eeprom(bytes(limited), slots=slots), Volatile())

    assert decide(state, Command(MAC, 0, SECRET, bytes(32))).statuses == EXEC

    limited[52:60] = encode_counter(31)
    state = State(Eeprom(bytes(limited), slots=slots), Volatile())

    assert ("config", 0, 52, 60) in decide(state, Command(MAC, 0, SECRET, bytes(32))).changes


def test_a_persistently_disabled_key_waits_for_the_latch() -> None:
    config = _config(b105=0x10)
    mac = Command(MAC, 0, SECRET, bytes(32))

    assert _ask(mac, config).statuses == EXEC
    assert _ask(mac, config, persistent_latch=True).statuses == OK


def test_gendig_leaves_the_key_it_used_and_keeps_the_source() -> None:
    expected = _ask(Command(GEN_DIG, 2, SECRET), temp_key_valid=True, source_flag=1)

    assert expected.after["gen_dig_data"] is True
    assert expected.after["key_id"] == SECRET
    assert expected.after["source_flag"] == 1


def test_after_a_failed_self_test_only_the_configuration_is_read() -> None:
    assert _ask(Command(READ, 0x80, 0), failed_self_tests=0x20).statuses == OK
    assert _ask(_read(PUBLIC_DATA), failed_self_tests=0x20).statuses == SELFTEST


def test_a_command_wrong_in_two_ways_may_be_refused_for_either() -> None:
    assert _ask(Command(READ, 0x86, SECRET << 3)).statuses == PARSE | EXEC


def test_an_opcode_that_does_not_exist_is_a_parse_error() -> None:
    assert _ask(Command(0x11, 0, 0)).statuses == PARSE


def test_a_lock_wants_the_sum_of_what_it_locks() -> None:
    config = _config(b86=0x55, b87=0x55)

    assert _ask(Command(LOCK, 0, crc16(config)), config, Known(crc=True)).statuses == OK
    assert _ask(Command(LOCK, 0, 0), config, Known(crc=False)).refused
    assert _ask(Command(LOCK, 0x80, 0), config).changes == [("config", 0, 87, 88)]


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 31, 32, 33, 47, 48, 100, 2_097_151])
def test_counters_decode_to_what_was_encoded(count: int) -> None:
    assert decode_counter(encode_counter(count)) == count


def test_the_crc_is_the_documented_one() -> None:
    # The reply after a wake pulse, DS20005927A: 04 11 33 43.
    assert crc16(b"\x04\x11").to_bytes(2, "little") == b"\x33\x43"


def test_slot_policies_are_read_bit_by_bit() -> None:
    slot = policy_of(_config()).slots[ENCRYPTED]

    assert (slot.is_secret, slot.encrypt_read, slot.read_key) == (True, True, 4)
    assert (slot.write_config, slot.write_key, slot.locked) == (4, 4, False)


@pytest.mark.parametrize(
    "line",
    [
        "refuse PARSE | rule | __import__('os') | 5",
        "refuse PARSE | rule | unheard_of | 5",
        "refuse PARSE | rule | [mode for mode in data] | 5",
        "refuse PARSE | rule | mode",
    ],
)
def test_a_table_that_leaves_its_language_is_not_read(line: str) -> None:
    with pytest.raises(TableError):
        read_table(f"command Read 0x02\n{line}\n")

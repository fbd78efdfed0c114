"""ReqAuth, PersistentDisable, LimitedUse, CountMatch, UseLock and the volatile key permission."""

import hashlib

import pytest

OK, MISCOMPARE, PARSE, EXECUTION = b"\x00", b"\x01", b"\x03", b"\x0f"
AUTH, AUTHORISED, LATCHED, LIMITED, PRIVATE, MATCH, PUBLIC = 4, 8, 9, 10, 0, 12, 11
PIN, KEY, CHALLENGE = b"p" * 32, b"k" * 32, b"c" * 32
OTHER = bytes(13)


@pytest.fixture
def make(personalised):
    def make_with(slots=None, **options):
        wanted = {
            AUTH: (0x8F8F, 0x005C),
            AUTHORISED: (0x8F8F, 0x049C),
            LATCHED: (0x8F8F, 0x101C),
            LIMITED: (0x8FAF, 0x001C),
            PRIVATE: (0x20A3, 0x0033),
            MATCH: (0x0F0F, 0x001C),
            **(slots or {}),
        }
        contents = {AUTH: PIN, AUTHORISED: KEY, LATCHED: KEY, LIMITED: KEY, MATCH: bytes(8)}
        contents.update(options.pop("contents", {}))
        return personalised(wanted, contents, scalars={PRIVATE: 5}, **options)

    return make_with


def answer(wire, key, nonce):
    serial = wire.chip.serial_number
    message = key + nonce + OTHER[:4] + bytes(8) + OTHER[4:7] + serial[8:9] + OTHER[7:11] + serial[:2]
    return hashlib.sha256(message + OTHER[11:]).digest()


def authorise(wire, slot=AUTH, key=PIN):
    """CheckMac of ``key`` over a random nonce."""
    response = answer(wire, key, wire.random_nonce())
    return wire.call(0x28, 0x01, slot, bytes(32) + response + OTHER)


def mac(wire, slot):
    return wire.call(0x08, 0x00, slot, CHALLENGE)


@pytest.mark.covers("CheckMac", "authorisation")
def test_a_key_with_req_auth_waits_for_a_checkmac_of_its_auth_key(make):
    wire = make()
    assert mac(wire, AUTHORISED) == EXECUTION
    assert authorise(wire) == OK
    assert wire.chip.volatile.authorized_key == AUTH
    assert len(mac(wire, AUTHORISED)) == 32
    assert len(mac(wire, AUTHORISED)) == 32


def test_a_wrong_answer_ends_the_authorisation(make):
    wire = make()
    authorise(wire)
    assert authorise(wire, key=KEY) == MISCOMPARE
    assert wire.chip.volatile.authorized_key is None
    assert mac(wire, AUTHORISED) == EXECUTION


@pytest.mark.parametrize("how", ["sleep", "power", "watchdog"])
def test_sleep_ends_the_authorisation(make, how):
    wire = make()
    authorise(wire)
    if how == "sleep":
        wire.word(1)
    elif how == "power":
        wire.bus.power_cycle()
    else:
        wire.clock.advance_us(1_300_000)
    wire.wake()
    assert mac(wire, AUTHORISED) == EXECUTION


def test_idle_keeps_the_authorisation(make):
    wire = make()
    authorise(wire)
    wire.word(2)
    wire.wake()
    assert len(mac(wire, AUTHORISED)) == 32


def test_another_key_authorises_nothing_here(make):
    wire = make()
    assert authorise(wire, LIMITED, KEY) == OK
    assert mac(wire, AUTHORISED) == EXECUTION


def test_a_fixed_challenge_authorises_nothing(make):
    wire = make(slots={AUTH: (0x8F8F, 0x001C)})
    wire.fixed_nonce(b"n" * 32)
    response = answer(wire, PIN, b"n" * 32)
    assert wire.call(0x28, 0x05, AUTH, bytes(32) + response + OTHER) == OK
    response = answer(wire, PIN, CHALLENGE)
    assert wire.call(0x28, 0x00, AUTH, CHALLENGE + response + OTHER) == OK
    assert wire.chip.volatile.authorized_key is None


def test_req_auth_binds_private_keys_too(make):
    wire = make(slots={PRIVATE: (0x2081, 0x04B3)})
    wire.fixed_nonce(bytes(32))
    assert wire.call(0x41, 0x80, PRIVATE) == EXECUTION
    assert wire.call(0x40, 0x04, PRIVATE) == EXECUTION
    assert wire.call(0x40, 0x00, PRIVATE) == EXECUTION
    authorise(wire)
    assert len(wire.call(0x40, 0x00, PRIVATE)) == 64
    wire.fixed_nonce(bytes(32))
    assert len(wire.call(0x41, 0x80, PRIVATE)) == 64


def test_persistent_disable_waits_for_the_latch(make):
    wire = make(config={69: 0x80 | AUTH})
    assert mac(wire, LATCHED) == EXECUTION
    authorise(wire)
    assert wire.call(0x30, 4, 3) == bytes(4)
    assert len(mac(wire, LATCHED)) == 32


def test_persistent_disable_leaves_genkey_alone(make):
    wire = make(slots={PRIVATE: (0x2081, 0x1033)})
    assert len(wire.call(0x40, 0x04, PRIVATE)) == 64
    wire.fixed_nonce(bytes(32))
    assert wire.call(0x41, 0x80, PRIVATE) == EXECUTION


@pytest.mark.covers("Info", "latch read")
@pytest.mark.covers("Info", "latch set")
@pytest.mark.covers("Info", "latch clear")
def test_the_latch_is_set_only_with_the_volatile_key(make):
    wire = make(config={69: 0x80 | AUTH})
    assert wire.call(0x30, 4) == bytes(4)
    assert wire.call(0x30, 4, 3) == EXECUTION
    assert authorise(wire, LIMITED, KEY) == OK
    assert wire.call(0x30, 4, 3) == EXECUTION
    assert authorise(wire) == OK
    assert wire.chip.volatile.volatile_key_permitted
    assert wire.call(0x30, 4, 3) == bytes(4)
    assert wire.call(0x30, 4) == b"\x01\0\0\0"
    assert wire.call(0x30, 4, 2) == bytes(4)
    assert wire.call(0x30, 4) == bytes(4)
    assert wire.call(0x30, 4, 1) == PARSE


def test_the_latch_outlives_sleep_but_not_the_power(make):
    wire = make(config={69: 0x80 | AUTH})
    authorise(wire)
    wire.call(0x30, 4, 3)
    wire.fresh_session()
    assert wire.call(0x30, 4) == b"\x01\0\0\0"
    assert wire.call(0x30, 4, 3) == EXECUTION
    wire.bus.power_cycle()
    wire.wake()
    assert wire.call(0x30, 4) == bytes(4)


def test_without_the_option_nobody_sets_the_latch(make):
    wire = make(config={69: AUTH})
    authorise(wire)
    assert wire.call(0x30, 4, 3) == EXECUTION


def uses(wire):
    return int.from_bytes(wire.call(0x24, 0, 0), "little")


def test_each_use_of_a_limited_key_counts(make):
    wire = make()
    for count in range(1, 40):
        assert len(mac(wire, LIMITED)) == 32
        assert uses(wire) == count


def test_a_failed_attempt_counts_and_a_forbidden_one_does_not(make):
    wire = make()
    assert wire.call(0x28, 0x00, LIMITED, bytes(77)) == MISCOMPARE
    assert uses(wire) == 1
    assert wire.call(0x08, 0x01, LIMITED) == EXECUTION
    assert wire.call(0x08, 0x01, LIMITED, b"x") == PARSE
    assert uses(wire) == 1


def test_a_limited_private_key_counts_signatures(make):
    wire = make()
    wire.fixed_nonce(bytes(32))
    assert len(wire.call(0x41, 0x80, PRIVATE)) == 64
    assert wire.call(0x41, 0x80, PRIVATE) == EXECUTION
    assert len(wire.call(0x40, 0x00, PRIVATE)) == 64
    assert uses(wire) == 1


@pytest.mark.parametrize(
    ("opcode", "param1", "param2", "data"),
    [
        (0x15, 0x02, LIMITED, b""),
        (0x47, 0x04, LIMITED, b""),
        (0x56, 0x12, LIMITED, b"\1\0\0\4seed"),
        (0x08, 0x00, LIMITED, bytes(32)),
    ],
)
def test_these_are_uses(make, opcode, param1, param2, data):
    wire = make()
    wire.random_nonce()
    assert wire.call(opcode, param1, param2, data) not in (EXECUTION, PARSE)
    assert uses(wire) == 1


def limit(value):
    return value.to_bytes(4, "little") * 2


def test_count_match_ends_the_uses(make):
    wire = make(contents={MATCH: limit(32)}, config={18: MATCH << 4 | 1})
    for _ in range(32):
        assert len(mac(wire, LIMITED)) == 32
    assert mac(wire, LIMITED) == EXECUTION
    assert uses(wire) == 32
    assert wire.call(0x12, 0x82, wire.zone_address(MATCH, 0), limit(64) + bytes(24)) == OK
    assert len(mac(wire, LIMITED)) == 32


def test_a_count_match_whose_halves_differ_allows_nothing(make):
    wire = make(contents={MATCH: b"\x20\0\0\0\x40\0\0\0"}, config={18: MATCH << 4 | 1})
    assert mac(wire, LIMITED) == EXECUTION
    assert uses(wire) == 0


def test_without_count_match_the_counters_maximum_ends_them(make):
    # 2097151 is 31 in the first unary count, 15 in the second, and 65535 and 65534 times 32.
    full = bytes.fromhex("0000 0001 FFFF FFFE")
    wire = make(config={52 + at: byte for at, byte in enumerate(full)})
    assert uses(wire) == 2_097_151
    assert mac(wire, LIMITED) == EXECUTION


def test_the_transport_lock_ends_for_good_with_its_key(make):
    wire = make(config={68: AUTH << 4 | 0x0A})
    assert mac(wire, LIMITED) == EXECUTION
    wire.fixed_nonce(bytes(32))
    assert wire.call(0x41, 0x80, PRIVATE) == EXECUTION
    assert authorise(wire, key=KEY) == MISCOMPARE
    assert authorise(wire) == OK
    assert len(mac(wire, LIMITED)) == 32
    wire.bus.power_cycle()
    wire.wake()
    assert len(mac(wire, LIMITED)) == 32
    assert wire.chip.eeprom.config[68] == 0


def test_another_value_of_use_lock_locks_nothing(make):
    wire = make(config={68: 0xFF})
    assert len(mac(wire, LIMITED)) == 32


def test_verify_with_a_stored_key_is_a_use(make):
    wire = make(slots={PUBLIC: (0x0F2F, 0x0010)}, contents={PUBLIC: bytes(72)})
    wire.fixed_nonce(bytes(32))
    wire.call(0x45, 0x00, PUBLIC, bytes(64))
    assert uses(wire) == 1

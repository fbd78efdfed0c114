"""The supply fails within an EEPROM change: earlier bytes new, one torn, later ones old; the file whole."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from hri.rig.atecc import open_chip, store
from hri.rig.atecc.power_loss import Tear

OK = b"\x00"
ADDRESS = 0x60
SLOT = 8
_NUMBERS = ec.derive_private_key(1, ec.SECP256R1()).public_key().public_numbers()
PUBLIC_KEY = _NUMBERS.x.to_bytes(32, "big") + _NUMBERS.y.to_bytes(32, "big")


def signature(digest):
    """By the private key 1."""
    key = ec.derive_private_key(1, ec.SECP256R1())
    r, s = decode_dss_signature(key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@pytest.fixture
def make(personalised):
    def make_with(**options):
        slots = {
            SLOT: (0x0F0F, 0x003C),
            0: (0x20A1, 0x0033),
            2: (0x208C, 0x0033),
            3: (0x8F8F, 0x001C),
            4: (0x8F8F, 0x001C),
            9: (0x8F8F, 0x001E),
            10: (0x340F, 0x001C),
            11: (0x8F8F, 0x0010),
        }
        contents = {
            SLOT: bytes(32),
            4: b"p" * 32,
            11: bytes(4) + PUBLIC_KEY[:32] + bytes(4) + PUBLIC_KEY[32:],
        }
        config = {70: 0x03, 71: 0xBC}
        return personalised(slots, contents, scalars={0: 5, 2: 7}, config=config, **options)

    return make_with


def send(wire, opcode, param1=0, param2=0, data=b""):
    assert wire.bus.write(ADDRESS, wire.packet(opcode, param1, param2, data)) == 0


def flat(snapshot):
    return snapshot.config + snapshot.otp + b"".join(snapshot.slots)


def write_block(wire):
    send(wire, 0x12, 0x82, wire.zone_address(SLOT, 0), b"\xff" * 32)


@pytest.mark.parametrize("after", [0, 1, 17, 31])
def test_a_torn_block_is_new_then_mixed_then_old(make, after):
    wire = make()
    wire.chip.tear_next_write(after, seed=4)
    write_block(wire)
    torn = wire.chip.eeprom.slots[SLOT]
    assert torn[:after] == b"\xff" * after
    assert torn[after] not in (0x00, 0xFF)  # for this seed
    assert torn[after + 1 : 32] == bytes(31 - after)


def test_the_same_seed_tears_the_same_bits(make):
    def run(seed):
        wire = make()
        wire.chip.tear_next_write(3, seed=seed)
        write_block(wire)
        return wire.chip.eeprom.slots[SLOT]

    assert run(1) == run(1)
    assert len({run(seed) for seed in range(8)}) > 2


def test_the_chip_is_then_without_power(make):
    wire = make()
    wire.fixed_nonce(bytes(32))
    wire.chip.tear_next_write(0)
    write_block(wire)
    assert wire.chip.state == "asleep"
    assert not wire.chip.volatile.temp_key_valid
    assert wire.bus.read(ADDRESS, 4)[0] != 0
    wire.wake()
    assert wire.bus.read(ADDRESS, 4) == (0, bytes.fromhex("04113343"))


def test_the_file_holds_the_torn_state_whole(make, tmp_path):
    path = tmp_path / "chip.json"
    wire = make(state=path)
    wire.chip.tear_next_write(5, seed=2)
    write_block(wire)
    assert store.decode(path.read_bytes()) == ("atecc608b", wire.chip.eeprom)
    wire.chip.close()
    with open_chip(state=path) as again:
        assert again.eeprom == wire.chip.eeprom


def test_a_tear_after_the_last_byte_loses_only_the_answer(make):
    wire = make()
    wire.chip.tear_next_write(32)
    write_block(wire)
    assert wire.chip.eeprom.slots[SLOT][:32] == b"\xff" * 32
    assert wire.chip.state == "asleep"


def test_what_changes_nothing_is_not_torn(make):
    wire = make()
    wire.chip.tear_next_write(0)
    assert wire.call(0x12, 0x82, wire.zone_address(SLOT, 0), bytes(32)) == OK
    assert wire.call(0x30) == bytes.fromhex("00006003")
    write_block(wire)
    assert wire.chip.state == "asleep"


def test_one_tear_is_one_tear(make):
    wire = make()
    wire.chip.tear_next_write(0)
    write_block(wire)
    wire.wake()
    assert wire.call(0x12, 0x82, wire.zone_address(SLOT, 0), b"\xff" * 32) == OK


@pytest.mark.parametrize(
    ("opcode", "param1", "param2", "data"),
    [
        (0x17, SLOT << 2 | 2, 0, b""),
        (0x40, 0x04, 0, b""),
        (0x24, 0x01, 1, b""),
        (0x20, 0x00, 0x55, b""),
        (0x1C, 0x04, 10, b""),
        (0x41, 0x80, 0, b""),
        (0x12, 0x02, SLOT << 3, b"\xff" * 4),
        (0x43, 0x04, 2, PUBLIC_KEY),
        (0x56, 0x08, 0x0900, b"\1\0\0\4seed"),
        (0x80, 0x07, 0, bytes(32) + signature(bytes(32))),
    ],
    ids=[
        "Lock",
        "GenKey",
        "Counter",
        "UpdateExtra",
        "DeriveKey",
        "limited use",
        "Write",
        "ECDH",
        "KDF",
        "SecureBoot",
    ],
)
def test_every_command_that_changes_the_eeprom_can_be_torn_anywhere(make, opcode, param1, param2, data):
    def prepared():
        wire = make()
        wire.fixed_nonce(b"n" * 32)
        return wire

    wire = prepared()
    before = flat(wire.chip.eeprom)
    send(wire, opcode, param1, param2, data)
    wanted = flat(wire.chip.eeprom)
    changed = [at for at in range(len(before)) if before[at] != wanted[at]]
    assert changed
    for after in range(len(changed)):
        wire = prepared()
        wire.chip.tear_next_write(after, seed=after)
        send(wire, opcode, param1, param2, data)
        assert wire.chip.state == "asleep"
        held = flat(wire.chip.eeprom)
        for order, at in enumerate(changed):
            if order < after:
                assert held[at] == wanted[at]
            elif order == after:
                assert (held[at] ^ before[at]) & ~(wanted[at] ^ before[at]) == 0
            else:
                assert held[at] == before[at]
        assert [at for at, byte in enumerate(held) if byte != before[at] and at not in changed] == []


def test_a_limited_use_is_counted_even_where_the_power_fails_right_after(make):
    wire = make()
    wire.fixed_nonce(bytes(32))
    wire.chip.tear_next_write(100)
    send(wire, 0x41, 0x80, 0)
    wire.wake()
    assert wire.call(0x24, 0, 0) == b"\x01\0\0\0"


def test_a_torn_lock_byte_is_locked_or_open(wire):
    before = wire.chip.eeprom
    for seed in range(16):
        wire.chip.tear_next_write(0, seed=seed)
        send(wire, 0x17, 0x80)
        byte = wire.chip.eeprom.config[87]
        assert byte & ~0x55 == 0
        wire.wake()
        locked = wire.call(0x12, 0, 5, before.config[20:24]) != OK
        assert locked == (byte != 0x55)
        wire.chip.unsafe_load(before)
        wire.wake()


def test_a_count_is_not_negative():
    with pytest.raises(ValueError, match="whole bytes"):
        open_chip().tear_next_write(-1)


def test_the_order_of_a_change_is_that_of_the_addresses(make):
    snapshot = make().chip.eeprom
    new = type(snapshot)(
        snapshot.config[:127] + b"\xaa",
        b"\xbb" + snapshot.otp[1:],
        (b"\xcc" + snapshot.slots[0][1:], *snapshot.slots[1:]),
    )
    for after in range(3):
        torn = Tear(after).torn(snapshot, new)
        assert torn is not None
        held = (torn.config[127], torn.otp[0], torn.slots[0][0])
        assert held[:after] == (0xAA, 0xBB, 0xCC)[:after]
        assert held[after + 1 :] == (snapshot.config[127], snapshot.otp[0], snapshot.slots[0][0])[after + 1 :]

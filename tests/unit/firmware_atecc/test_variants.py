"""Which known chip it is: what is read for that, and what is told from it."""

import pytest
from hri.elements.atecc.profile import shipped_profiles
from hri.rig.atecc import open_chip
from hri.rig.bus import Bus, ManualClock
from hri_device.atecc import variants
from hri_device.atecc.element import ATECC608
from hri_device.errors import CommandError
from unit.firmware_atecc.rig_bus import RigBus
from unit.firmware_atecc.scripted_bus import SLEEP, ScriptedBus, awake, command, exchange, reply

LOCKED, OPEN = b"\0\0", b"\x55\x55"
CONFIG_LOCKED = b"\x55\0"
HRI_DEVICE = next(profile for profile in shipped_profiles() if profile.name == "hri-device")


def zone(locks=LOCKED, address=0x60, config=bytes(128)):
    config = bytearray(config)
    config[16] = address << 1
    config[86:88] = locks
    return bytes(config)


def hri_zone(locks=LOCKED):
    return zone(locks, config=HRI_DEVICE.config_bytes(bytes(128)))


def detected(config, otp=None):
    """What is told of a chip with this configuration zone, whose OTP zone is read only where one is given."""
    steps = awake()
    for block in range(4):
        steps += exchange(command(0x02, 0x80, block << 3), reply(config[32 * block : 32 * block + 32]))
    if otp is not None:
        steps += exchange(command(0x02, 0x81, 0), reply(otp + bytes(32 - len(otp))))
    bus = ScriptedBus(*steps, SLEEP)
    told = variants.detect(ATECC608(bus, 0x60))
    assert bus.left == []
    return told


@pytest.mark.parametrize(
    ("address", "code", "expected"),
    [
        (0x35, b"x6tjuZMy", "tngtls"),  # the public pages of the 608A, B and C
        (0x35, b"KQp2ZkD8", "tngtls"),  # the public headers
        (0x36, b"KQp2ZkD8", "trustflex"),  # the public page of the 608C
        (0x35, b"wdNxAjae", "tngtls"),  # the public headers, "legacy"
        (0x36, b"wdNxAjae", "trustflex"),  # the public pages of the 608A and B
        (0x36, b"MKMwyhP1", "trustflex"),  # the public headers
        (0x35, b"Rsuy5YJh", "tngtls"),  # the public headers, "legacy"
        (0x59, b"jsMu7iYO", None),  # LoRaWAN
        (0x60, b"x6tjuZMy", None),  # filled by the maker, for neither of the two addresses
        (0x35, b"\xff" * 8, None),
        (0x36, b"", None),
    ],
)
def test_the_makers_code_and_the_address_tell_which_chip(address, code, expected):
    assert detected(zone(address=address), code) == expected


@pytest.mark.parametrize("locks", [OPEN, b"\0\x55"])
def test_an_open_configuration_is_blank_and_its_otp_zone_is_not_asked_for(locks):
    assert detected(hri_zone(locks)) == "blank"


def test_our_own_profile_is_known_before_the_data_zone_is_locked():
    assert detected(hri_zone(CONFIG_LOCKED)) == "hri-device"


def test_our_own_profile_is_known_when_both_zones_are_locked():
    assert detected(hri_zone(), b"\xff" * 32) == "hri-device"


def test_what_changes_with_use_does_not_matter():
    used = bytearray(hri_zone())
    used[0:16] = b"\x01\x23" + bytes(range(14))
    used[52:68] = bytes(range(16))  # the counters
    used[84:86] = b"\x11\x22"  # UserExtra and UserExtraAdd
    used[88:90] = b"\xfe\xff"  # slot 0 locked
    assert detected(bytes(used), b"") == "hri-device"


@pytest.mark.parametrize("at", [*range(16, 52), *range(68, 84), *range(90, 128)])
def test_one_bit_of_another_policy_is_another_chip(at):
    other = bytearray(hri_zone())
    other[at] ^= 1
    assert detected(bytes(other), b"") is None


def test_a_refused_read_is_told_and_not_taken_for_a_variant():
    config = zone()
    bus = ScriptedBus(
        awake(),
        *(exchange(command(0x02, 0x80, at << 3), reply(config[32 * at : 32 * at + 32])) for at in range(4)),
        exchange(command(0x02, 0x81, 0), reply(b"\x0f")),
        SLEEP,
    )
    with pytest.raises(CommandError, match="not allowed now"):
        variants.detect(ATECC608(bus, 0x60))
    assert bus.left == []


@pytest.fixture
def on_chip(request):
    clock = ManualClock()
    with open_chip(request.param, clock=clock) as chip:
        yield ATECC608(RigBus(Bus([chip], clock=clock), clock))


@pytest.mark.parametrize(
    ("on_chip", "expected"),
    [
        ("atecc608a", "blank"),
        ("atecc608b", "blank"),
        ("atecc608a-tngtls", "tngtls"),
        ("atecc608b-tngtls", "tngtls"),
        ("atecc608a-tflxtls", "trustflex"),
        ("atecc608b-tflxtls", "trustflex"),
    ],
    indirect=["on_chip"],
)
def test_a_chip_is_found_at_its_address_and_told(on_chip, expected):
    assert variants.detect(on_chip) == expected


@pytest.mark.parametrize("on_chip", ["atecc608a", "atecc608b"], indirect=True)
def test_a_blank_chip_that_is_given_our_profile_is_told_from_then_on(on_chip):
    on_chip.write_config(HRI_DEVICE.config_bytes(on_chip.read_config()))
    assert variants.detect(on_chip) == "blank"
    on_chip.lock_config(on_chip.config_crc())
    assert variants.detect(on_chip) == "hri-device"


@pytest.mark.parametrize("on_chip", ["atecc608b"], indirect=True)
def test_a_blank_chip_locked_as_it_came_is_nobodys(on_chip):
    on_chip.lock_config(on_chip.config_crc())
    assert variants.detect(on_chip) is None

"""What is wrong in other drivers is right in ours: each fault beside our answer to it, on one virtual chip.

The other driver is adafruit-circuitpython-atecc 1.3.2 as published, unless a test names another. Both are on
one bus and sleep on the chip's clock, so what either waits for is counted and not measured.
"""

import hashlib
import struct
from types import SimpleNamespace

import adafruit_atecc.adafruit_atecc as client
import adafruit_atecc.adafruit_atecc_asn1 as client_asn1
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
)
from hri.rig.atecc import open_chip
from hri.rig.bus import ACK, Bus, ManualClock
from hri_device import csr
from hri_device.atecc import counter, random, sha
from hri_device.atecc.commands import Commands
from hri_device.atecc.element import ATECC608
from hri_device.atecc.standalone import StandaloneATECC608
from hri_device.errors import CommandError, PacketError
from unit.firmware_atecc.rig_bus import RigBus

DIGEST = hashlib.sha256(b"signed by both").digest()
SUBJECT = [("CN", "device")]
KEYS = 200


class BlinkaBus:
    """A busio.I2C straight into the rig's bus, which counts wake pulses."""

    def __init__(self, bus):
        self._bus = bus
        self.pulses = 0

    def try_lock(self):
        return True

    def unlock(self):
        pass

    def writeto(self, address, buffer, *, start=0, end=None):
        self.pulses += address == 0
        if self._bus.write(address, bytes(buffer[start:end])) != ACK:
            raise OSError(19, "no acknowledge")

    def readfrom_into(self, address, buffer, *, start=0, end=None):
        end = len(buffer) if end is None else end
        outcome, data = self._bus.read(address, end - start)
        if outcome != ACK:
            raise OSError(19, "no acknowledge")
        buffer[start:end] = data


class OurBus(RigBus):
    """Ours, into the same bus; `damage` is done to every reply, but for the one to the wake pulse."""

    def __init__(self, bus, clock):
        super().__init__(bus, clock)
        self.transfers = 0
        self.damage = None

    def write(self, address, buf):
        self.transfers += 1
        super().write(address, buf)

    def read_into(self, address, buf):
        self.transfers += 1
        super().read_into(address, buf)
        if self.damage and bytes(buf[:4]) != b"\x04\x11\x33\x43":
            self.damage(buf)


class Bench:
    """One chip, `theirs` and `ours` (an ATECC and an ATECC608) on its bus, and its clock."""

    def __init__(self, chip, clock, monkeypatch):
        self.chip = chip
        self.clock = clock
        bus = Bus([chip], clock=clock)
        self.their_bus = BlinkaBus(bus)
        self.our_bus = OurBus(bus, clock)
        self.power_cycle = bus.power_cycle
        self.ours = ATECC608(self.our_bus)
        self._theirs = None
        self._monkeypatch = monkeypatch

    @property
    def theirs(self):
        if self._theirs is None:
            self._theirs = self.theirs_at(0x60)
        return self._theirs

    def theirs_at(self, address):
        """Their driver of a chip at `address`, its sleeps put on this bench's clock from now on."""
        self._monkeypatch.setattr(client, "time", SimpleNamespace(sleep=self._sleep))
        return client.ATECC(self.their_bus, address=address)

    def _sleep(self, seconds):
        self.clock.advance_us(round(seconds * 1_000_000))

    def provision(self):
        """Lock both zones over slots 0 to 4 as P-256 keys that sign from outside; a key is born in slot 0."""
        config = bytearray(self.ours.read_config())
        for slot in range(5):
            config[20 + 2 * slot : 22 + 2 * slot] = b"\x81\x20"
            config[96 + 2 * slot : 98 + 2 * slot] = b"\x13\x00"
        self.ours.write_config(bytes(config))
        self.ours.lock_config(self.ours.config_crc())
        with self.ours.session as session:
            Commands(session).lock(0x81, 0)  # the data zone, whatever it holds
        self.key = self.ours.generate_key(0)
        return self

    def spent(self, operation):
        """The microseconds on the chip's clock that `operation` takes."""
        start = self.clock.now_us()
        operation()
        return self.clock.now_us() - start


@pytest.fixture
def bench_of(monkeypatch):
    """Make a bench whose chip takes `timing` of its typical times."""
    chips = []

    def make(timing):
        clock = ManualClock()
        chips.append(open_chip("atecc608b", clock=clock, timing=timing))
        return Bench(chips[-1], clock, monkeypatch)

    yield make
    for chip in chips:
        chip.close()


@pytest.fixture
def blank(bench_of):
    return bench_of("typical")


@pytest.fixture
def bench(blank):
    return blank.provision()


# A configuration of 219 bytes


def test_a_configuration_of_219_bytes_is_refused_before_anything_is_written(blank):
    before = bytes(blank.chip.eeprom.config)
    transfers = blank.our_bus.transfers
    assert len(client.CFG_TLS) == 219
    with pytest.raises(ValueError, match="219 bytes, not 128"):
        blank.ours.write_config(client.CFG_TLS)
    assert (blank.our_bus.pulses, blank.our_bus.transfers) == (0, transfers)
    assert bytes(blank.chip.eeprom.config) == before

    blank.theirs.write_config(client.CFG_TLS)
    assert bytes(blank.chip.eeprom.config) != before


@pytest.mark.parametrize("size", [0, 16, 112, 127, 129, 256])
def test_no_other_length_is_written_either(blank, size):
    with pytest.raises(ValueError, match=f"{size} bytes, not 128"):
        blank.ours.write_config(bytes(size))
    assert blank.our_bus.transfers == 0


def test_the_address_stays_what_the_configuration_says(blank):
    """Their CFG_TLS moves a chip to 0x60 whatever address it was set to."""
    config = bytearray(blank.ours.read_config())
    config[16] = 0x35 << 1
    blank.ours.write_config(bytes(config))
    blank.power_cycle()
    assert ATECC608(blank.our_bus, 0x35).read_config() == bytes(config)
    config[20:22] = b"\x81\x20"
    ATECC608(blank.our_bus, 0x35).write_config(bytes(config))
    blank.power_cycle()
    assert ATECC608(blank.our_bus, 0x35).read_config() == bytes(config)

    blank.theirs_at(0x35).write_config(client.CFG_TLS)
    assert blank.chip.eeprom.config[16] == 0x60 << 1


# Counters


def test_counter_1_counts_1(bench):
    assert [counter.increment(bench.ours, 1) for _ in range(3)] == [1, 2, 3]
    assert (counter.read(bench.ours, 0), counter.read(bench.ours, 1)) == (0, 3)
    assert counter.increment(bench.ours, 0) == 1
    assert counter.read(bench.ours, 1) == 3

    bench.theirs.counter(1)
    assert (counter.read(bench.ours, 0), counter.read(bench.ours, 1)) == (2, 3)


# Random numbers


def test_random_numbers_reach_both_ends_of_their_range_and_nothing_beyond(bench):
    assert {random.randint(bench.ours, 5, 8) for _ in range(200)} == {5, 6, 7, 8}

    theirs = {bench.theirs.random(5, 8) for _ in range(200)}
    assert 8 not in theirs
    assert min(theirs) < 5


# SHA-256


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 128, 200])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_sha_takes_any_bytes_of_any_length(bench, size, kind):
    message = hashlib.shake_256(b"message").digest(size)
    assert sha.sha256(bench.ours, kind(message)) == hashlib.sha256(message).digest()


def test_their_digest_takes_no_bytes(bench):
    bench.theirs.sha_start()
    with pytest.raises(struct.error):
        bench.theirs.sha_digest(b"abc")
    assert sha.sha256(bench.ours, b"abc") == hashlib.sha256(b"abc").digest()


# Certificate signing requests


class SignatureOf:
    """An element that has a known key and gives one signature."""

    def __init__(self, key, signature):
        numbers = key.public_key().public_numbers()
        self._point = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
        self._signature = signature

    def public_key(self, _slot):
        return self._point

    def sign(self, _slot, _digest):
        return self._signature


def leading_zero(key, digest, part):
    """A signature of `digest` whose r (part 0) or s (part 1) begins with a zero byte: one in 256 does."""
    while True:
        numbers = decode_dss_signature(key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
        if numbers[part] < 1 << 248:
            return b"".join(number.to_bytes(32, "big") for number in numbers)


def test_the_requests_of_200_keys_are_right(bench):
    for _ in range(KEYS):
        point = bench.ours.generate_key(0)
        request = x509.load_der_x509_csr(csr.make(bench.ours, 0, SUBJECT))
        numbers = request.public_key().public_numbers()
        assert numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big") == point
        assert request.is_signature_valid


@pytest.mark.parametrize("part", [0, 1])
def test_the_request_is_right_where_r_or_s_has_a_leading_zero(part):
    key = ec.generate_private_key(ec.SECP256R1())
    unsigned = csr.sequence(
        b"\x02\x01\x00", csr.name(SUBJECT), csr.spki(SignatureOf(key, b"").public_key(0)), b"\xa0\x00"
    )
    signature = leading_zero(key, hashlib.sha256(unsigned).digest(), part)
    request = x509.load_der_x509_csr(csr.make(SignatureOf(key, signature), 0, SUBJECT))
    assert request.is_signature_valid

    assert their_encoding(b"\x01" * 64) == csr.signature(b"\x01" * 64)
    assert their_encoding(signature) != csr.signature(signature)


def their_encoding(signature):
    """Their Ecdsa-Sig-Value, behind the algorithm's name and the head of the BIT STRING."""
    data = bytearray()
    client_asn1.get_signature(signature, data)
    return bytes(data[15:])


# Waking and waiting


OPERATIONS = {
    "revision": lambda element: element.revision(),
    "read_config": lambda element: element.read_config(),
    "random": lambda element: element.random(100),
    "public_key": lambda element: element.public_key(0),
    "generate_key": lambda element: element.generate_key(2),
    "sign": lambda element: element.sign(0, DIGEST),
    "read_slot": lambda element: element.read_slot(8, 416),
    "counter": lambda element: counter.increment(element, 0),
    "sha256": lambda element: sha.sha256(element, bytes(300)),
    "randint": lambda element: random.randint(element, 0, 10),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_wakes_the_chip_once(bench, name):
    pulses = bench.our_bus.pulses
    OPERATIONS[name](bench.ours)
    assert bench.our_bus.pulses == pulses + 1


def test_theirs_wakes_it_before_every_send_and_every_receive(bench):
    theirs = bench.theirs
    pulses = bench.their_bus.pulses
    theirs.ecdsa_sign(0, bytearray(DIGEST))
    assert bench.their_bus.pulses == pulses + 6


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_operation_waits_longer_than_the_chip_takes(bench_of, name):
    """A chip that takes no time costs a waking; one that takes twice its time costs twice the wait."""
    none, typical, double = (bench_of(timing).provision() for timing in ("none", 1.0, 2.0))
    at_once, once, twice = (
        bench.spent(lambda bench=bench: OPERATIONS[name](bench.ours)) for bench in (none, typical, double)
    )
    # The waking, and for each command one look that comes too early.
    looks = 300 * len(typical.our_bus.commands)
    assert at_once <= 2_000
    assert abs((twice - at_once) - 2 * (once - at_once)) <= looks


def test_theirs_waits_as_long_for_a_chip_that_has_long_been_done(bench_of):
    bench = bench_of("none").provision()
    driver = bench.theirs
    theirs = bench.spent(lambda: driver.ecdsa_sign(0, bytearray(DIGEST)))
    ours = bench.spent(lambda: bench.ours.sign(0, DIGEST))
    assert theirs >= 77_000  # 7 ms for the nonce and 70 for the signature, and each wake's own
    assert ours < 2_000


# Refusals and damage


@pytest.mark.parametrize(
    ("operation", "opcode"),
    [
        (lambda element: element.public_key(1), 0x40),
        (lambda element: element.sign(1, DIGEST), 0x41),
        (lambda element: element.read_slot(0, 32), 0x02),
    ],
)
def test_a_refusal_is_told_as_the_chips_status(bench, operation, opcode):
    with pytest.raises(CommandError, match=r"not allowed now \(status 0f\)") as refused:
        operation(bench.ours)
    assert (refused.value.status, refused.value.opcode) == (0x0F, opcode)


def test_a_command_that_the_chip_cannot_parse_is_told_as_that(bench):
    with bench.ours.session as session, pytest.raises(CommandError, match="parse error") as refused:
        session.execute(0x24, 7, 0, b"", 4, 25)
    assert refused.value.status == 0x03


def test_a_signature_that_does_not_match_is_a_no_and_not_an_error(bench):
    signature = bench.ours.sign(0, DIGEST)
    verify = StandaloneATECC608(bench.our_bus).verify_external
    assert verify(bench.key, DIGEST, signature)
    assert not verify(bench.key, DIGEST[::-1], signature)


def test_their_refusal_is_a_crc_mismatch(bench):
    with pytest.raises(RuntimeError, match="CRC Mismatch"):
        bench.theirs.gen_key(bytearray(64), 1)


@pytest.mark.parametrize("bit", range(7 * 8))
def test_a_reply_with_any_one_bit_wrong_is_noticed_and_read_again(bench, bit):
    """As ucryptoauthlib, which checks no CRC, does not."""
    damaged = []

    def once(buf):
        if not damaged:
            damaged.append(bytes(buf))
            buf[bit // 8] ^= 1 << bit % 8

    bench.our_bus.damage = once
    assert bench.ours.revision() == bytes.fromhex("00006003")
    assert len(damaged) == 1


@pytest.mark.parametrize("name", ["revision", "sign", "counter"])
def test_a_reply_whose_crc_stays_wrong_is_never_a_result(bench, name):
    def last_bit(buf):
        buf[buf[0] - 1] ^= 1

    bench.our_bus.damage = last_bit
    with pytest.raises(PacketError, match="wrong CRC"):
        OPERATIONS[name](bench.ours)


def test_a_counter_whose_reply_stays_damaged_is_counted_once(bench):
    def first_byte(buf):
        buf[1] ^= 1

    bench.our_bus.damage = first_byte
    with pytest.raises(PacketError):
        counter.increment(bench.ours, 1)
    bench.our_bus.damage = None
    assert counter.read(bench.ours, 1) == 1

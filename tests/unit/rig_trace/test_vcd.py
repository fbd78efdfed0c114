"""The dump, read by an independent parser and decoded from its edges by an I2C decoder of its own."""

import io
import re
from itertools import pairwise

import pytest
from hri.rig.bus import Bus, ManualClock
from hri.rig.register_file import RegisterFile
from hri.rig.trace import Header, Power, Transfer, Wake, collecting
from hri.rig.trace.vcd import write_vcd
from unit.rig_trace.conftest import ADDRESS, INFO, packet
from vcdvcd import VCDVCD

BOARD = Header("atecc608b", "rpi_pico", "board")


def written(header, transactions):
    out = io.StringIO()
    write_vcd(out, header, transactions)
    return out.getvalue()


def dump(header, transactions):
    return VCDVCD(vcd_string=written(header, transactions))


def edges(vcd):
    """Every change of the two wires, in order: time, SCL, SDA."""
    levels = {"i2c.scl": "1", "i2c.sda": "1"}
    changes = sorted((time, name, value) for name in levels for time, value in vcd[name].tv)
    for time, name, value in changes:
        levels[name] = value
        yield time, levels["i2c.scl"], levels["i2c.sda"]


def seen_on_the_wires(vcd):
    """What an I2C decoder makes of the edges: ``S``, ``P`` and bytes with their acknowledges, and times."""
    before_scl = before_sda = "1"
    bits, found = [], []
    for time, scl, sda in edges(vcd):
        if before_scl == scl == "1" and before_sda != sda:
            found.append((time, "S" if sda == "0" else "P"))
            bits = []
        elif (before_scl, scl) == ("0", "1"):
            bits.append(sda)
            if len(bits) == 9:
                found.append((time, (int("".join(bits[:8]), 2), bits[8] == "0")))
                bits = []
        before_scl, before_sda = scl, sda
    return found


def what(vcd):
    return [item for _, item in seen_on_the_wires(vcd)]


def texts(text, name):
    """The values of a string variable, GTKWave's addition to the format, which the parser passes over."""
    identifier = VCDVCD(vcd_string=text).references_to_ids[f"chip.{name}"]
    values = re.findall(rf"^s(\S*) {re.escape(identifier)}$", text, re.MULTILINE)
    return [value.replace("\\x20", " ") for value in values if value]


def test_the_bytes_of_a_transfer_are_on_the_wires():
    sent = Transfer(0, 0, ADDRESS, False, True, b"\x03\xa5")
    read = Transfer(0, 0, ADDRESS, True, True, b"\x04\x11")
    refused = Transfer(0, 0, 0x50, False, False)
    assert what(dump(Header(), [sent, read, refused])) == [
        *("S", (0xC0, True), (0x03, True), (0xA5, True), "P"),
        # A controller does not acknowledge the last byte it reads.
        *("S", (0xC1, True), (0x04, True), (0x11, False), "P"),
        *("S", (0xA0, False), "P"),
    ]


def test_a_refused_byte_is_not_acknowledged():
    vcd = dump(Header(), [Transfer(0, 0, ADDRESS, False, True, b"\x03\x07\xff", (2,))])
    assert what(vcd)[2:5] == [(0x03, True), (0x07, True), (0xFF, False)]


def test_a_repeated_start_has_no_stop_before_it():
    clock = ManualClock()
    bus = Bus([RegisterFile(0x50)], clock=clock)
    with collecting(bus, Header()) as trace:
        bus.start(0x50, False)
        bus.write_byte(7)
        bus.start(0x50, True)
        bus.read_byte()
        bus.stop()
    assert what(dump(Header(), trace().transactions)) == [
        *("S", (0xA0, True), (0x07, True)),
        *("S", (0xA1, True), (0xFF, False), "P"),
    ]


def test_a_transfer_that_was_cut_off_has_no_stop():
    cut = Transfer(0, 0, ADDRESS, False, True, b"\x03", stopped=False)
    vcd = dump(Header(), [cut, Power(10)])
    assert what(vcd) == ["S", (0xC0, True), (0x03, True)]
    assert [value for _, value in vcd["i2c.supply"].tv] == ["1", "0", "1"]


def test_a_wake_pulse_is_a_low_of_its_length():
    found = seen_on_the_wires(dump(Header(), [Wake(1000, 80)]))
    (begun, start), (ended, stop) = found
    assert (start, stop, ended - begun) == ("S", "P", 80_000)


def test_a_pulse_by_address_zero_is_that_byte():
    bus = Bus([], clock=ManualClock())
    with collecting(bus, Header()) as trace:
        bus.write(0, b"\x00")
    vcd = dump(Header(), trace().transactions)
    assert what(vcd) == ["S", (0x00, False), "P"]
    low_since = next(time for time, value in vcd["i2c.sda"].tv if value == "0")
    high_again = next(time for time, value in vcd["i2c.sda"].tv if time > low_since and value == "1")
    assert high_again - low_since >= 80_000


@pytest.mark.parametrize("hz", [100_000, 400_000, 1_000_000])
def test_bits_take_the_recorded_period(hz):
    end_us = 20 * 1e6 / hz
    vcd = dump(BOARD, [Transfer(0, end_us, ADDRESS, True, True, b"\x55", scl_hz=hz)])
    rises = [time for time, value in vcd["i2c.scl"].tv if value == "1"][1:]
    assert {later - sooner for sooner, later in pairwise(rises[:-1])} == {round(1e9 / hz)}
    found = seen_on_the_wires(vcd)
    assert found[-1][0] - found[0][0] == pytest.approx(20 * 1e9 / hz)


def test_where_bits_take_time_every_transfer_is_where_it_was():
    starts = (1000, 1500, 9000)
    transfers = [Transfer(at, at + 400, ADDRESS, True, True, b"\x01", scl_hz=100_000) for at in starts]
    found = seen_on_the_wires(dump(BOARD, transfers))
    assert [time for time, item in found if item == "S"] == [1300, 501_300, 8_001_300]
    # A transfer that took longer than its bits was held up with SCL low.
    assert [time for time, item in found if item == "P"] == [401_300, 901_300, 8_401_300]


def test_where_bytes_take_no_time_transfers_come_one_after_another():
    found = seen_on_the_wires(dump(Header(), [Transfer(5, 5, ADDRESS, True, True, b"\x01")] * 3))
    times = [time for time, item in found if item in ("S", "P")]
    assert times == sorted(set(times))


def test_commands_replies_and_busy_times_are_beside_the_wires(rig):
    rig.wake()
    rig.command(INFO, 7)
    rig.command(packet(0x40, 0x04, 0), 67, poll_us=400)
    rig.bus.write(ADDRESS, b"\x01")
    text = written(Header(), rig.trace().transactions)
    assert texts(text, "command") == ["wake, 80 us", "Info revision", "GenKey create, slot 0", "sleep"]
    assert texts(text, "reply") == ["woken", "ATECC608B", "execution error"]
    assert [value for _, value in VCDVCD(vcd_string=text)["chip.busy"].tv] == ["0", "1", "0", "1", "0"]


def test_faults_are_beside_the_wires(record):
    rig = record("flip@2:bit0")
    rig.wake()
    rig.wake()
    assert texts(written(Header(), rig.trace().transactions), "fault") == ["flip@2:bit0"]


def test_names_from_elsewhere_cannot_end_a_section():
    header = Header("evil $end $var", source="\x1b[31m\n$end", board="µ")
    vcd = dump(header, [Transfer(0, 0, ADDRESS, False, True, b"\x01", faults=("$end\n#5",))])
    assert what(vcd)[0] == "S"
    assert set(vcd.references_to_ids) == {
        *("i2c.scl", "i2c.sda", "i2c.supply"),
        *("chip.busy", "chip.command", "chip.reply", "chip.fault"),
    }

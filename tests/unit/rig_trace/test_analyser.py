"""Exports of logic analysers: the same transactions as the rig recorded, and what a table may lack."""

import io
from pathlib import Path

import pytest
from hri.rig.trace import Exchange, TraceError, Transfer, Wake, Waking, Word, decode
from hri.rig.trace.analyser import CsvExport, SigrokExport, is_csv, is_sigrok
from hri.rig.trace.sources import opened
from unit.rig_trace.conftest import ADDRESS, INFO

HEADINGS = 'name,type,start_time,duration,"ack","address","read","data"\n'
# What sigrok-cli 0.7.2 printed for the edges of a dump of ours: its decoder is not our code.
SIGROK = Path(__file__).parents[2] / "vectors" / "bus_traces" / "sigrok-cli-0.7.2.txt"


def csv_of(transactions):
    """The table that Logic 2 makes of these, laid out after its documentation."""
    rows = [HEADINGS]
    for item in transactions:
        if isinstance(item, Wake):
            rows.append(f'"I2C","start",{(item.time_us - item.low_us) / 1e6:.9f},4e-08,,,,\n')
            rows.append(f'"I2C","stop",{item.time_us / 1e6:.9f},4e-08,,,,\n')
            continue
        byte_s, at = 9 / item.scl_hz, item.time_us / 1e6
        ack, read = str(item.acknowledged).lower(), str(item.read).lower()
        rows.append(f'"I2C","start",{at:.9f},4e-08,,,,\n')
        rows.append(f'"I2C","address",{at:.9f},{byte_s:.9f},{ack},0x{item.address:02X},{read},\n')
        for index, value in enumerate(item.data):
            refused = index in item.nacked or (item.read and index == len(item.data) - 1)
            ack = str(not refused).lower()
            rows.append(f'"I2C","data",{at + byte_s * (index + 1):.9f},{byte_s:.9f},{ack},,,0x{value:02X}\n')
        if item.stopped:
            rows.append(f'"I2C","stop",{item.end_us / 1e6:.9f},4e-08,,,,\n')
    return "".join(rows)


def read_csv(text):
    export = CsvExport(io.StringIO(text))
    return list(export.transactions()), export.torn


def read_sigrok(text, sample_rate=1e6):
    export = SigrokExport(io.StringIO(text), sample_rate)
    return list(export.transactions()), export.torn


def test_a_table_is_the_trace_that_was_recorded():
    recorded = [
        Wake(80, 80),
        Transfer(1580, 2080, ADDRESS, True, True, bytes.fromhex("04113343")),
        Transfer(3000, 3900, ADDRESS, False, True, INFO + b"\0", (8,)),
        Transfer(4000, 4100, ADDRESS, True, False),
        Transfer(5000, 5060, 0x50, False, True, b"\x01", scl_hz=400_000, stopped=False),
        Transfer(5060, 5200, 0x50, True, True, b"\xff\x00", scl_hz=400_000, repeated=True),
    ]
    assert read_csv(csv_of(recorded)) == (recorded, 0)


def test_a_byte_00_at_100_khz_is_a_wake_pulse():
    found, _ = read_csv(csv_of([Transfer(0, 110, 0, False, False)]))
    assert found == [Wake(80, 80), Transfer(0, 110, 0, False, False)]
    found, _ = read_csv(csv_of([Transfer(0, 110, 0, False, False, scl_hz=400_000)]))
    assert [type(item) for item in found] == [Transfer]


def test_a_table_without_a_column_says_which():
    text = HEADINGS.replace(',"data"', "")
    assert is_csv(text)
    with pytest.raises(TraceError, match="no column 'data'"):
        CsvExport(io.StringIO(text))


def test_headings_that_are_none_are_refused():
    with pytest.raises(TraceError, match="no headings"):
        CsvExport(io.StringIO(HEADINGS.replace("name,", "na\rme,")))


def test_columns_may_stand_in_another_order():
    text = "type,data,address,ack,read,start_time,duration\nstart,,,,,0,0\naddress,,0x60,true,true,0,9e-5\n"
    assert read_csv(text + "data,0x07,,false,,1e-4,9e-5\nstop,,,,,3e-4,0\n")[0] == [
        Transfer(0, 300, 0x60, True, True, b"\x07")
    ]


@pytest.mark.parametrize(
    "row",
    [
        '"I2C","start"\n',
        '"I2C","start",soon,0,,,,\n',
        '"I2C","start",nan,0,,,,\n',
        '"I2C","start",1e99,0,,,,\n',
        '"I2C","address",0,0,true,Error,false,\n',
        '"I2C","data",0,0,true,,,\n',
        '"I2C","clock stretch",0,0,,,,\n',
    ],
)
def test_a_row_that_makes_no_sense_is_left_out_and_counted(row):
    whole = csv_of([Transfer(0, 300, 0x60, True, True, b"\x07")])
    found, torn = read_csv(HEADINGS + row + whole.removeprefix(HEADINGS))
    assert (len(found), torn) == (1, 1)


def test_a_capture_that_ends_within_a_transfer_has_its_bytes():
    whole = csv_of([Transfer(0, 300, 0x60, False, True, INFO)])
    found, _ = read_csv("".join(whole.splitlines(keepends=True)[:6]))
    assert (found[0].data, found[0].stopped) == (INFO[:3], False)


def test_what_sigrok_decoded_of_our_wires_is_what_was_recorded():
    assert is_sigrok(SIGROK.read_text().splitlines()[0])
    transactions, torn = read_sigrok(SIGROK.read_text())
    steps = list(decode(transactions))
    # Its decoder passes over the wake pulse.
    assert [type(step) for step in steps] == [Waking, Exchange, Word, Waking, Exchange, Word]
    assert [step.command.words for step in steps if isinstance(step, Exchange)] == ["Info revision", "Random"]
    assert all(step.succeeded for step in steps if isinstance(step, Exchange))
    assert torn == 0
    assert {round(item.scl_hz, -3) for item in transactions} == {100_000}


def test_sample_numbers_need_a_rate():
    with pytest.raises(TraceError, match="--sample-rate"):
        read_sigrok("1-1 i2c-1: Start\n", None)


def test_annotations_without_numbers_and_with_the_row_of_pulseview():
    lines = (
        *("Start", "Address write: 60", "Write", "ACK", "Data write: 03", "NACK"),
        *("Start repeat", "Address read: 60", "ACK", "Data read: 04", "NACK", "Stop"),
    )
    for prefix in ("i2c-1: ", "I²C: Address/data: "):
        text = "".join(f"{prefix}{line}\n" for line in lines)
        assert is_sigrok(text.splitlines()[0])
        found, torn = read_sigrok(text, None)
        assert [(item.address, item.read, item.data, item.nacked) for item in found] == [
            (0x60, False, b"\x03", (0,)),
            (0x60, True, b"\x04", ()),
        ]
        assert (found[1].repeated, torn) == (True, 0)


def test_a_file_is_read_by_what_its_first_line_says(tmp_path):
    path = tmp_path / "capture"
    path.write_text(csv_of([Transfer(0, 300, 0x60, True, True, b"\x07")]))
    with opened(path) as source:
        assert (source.header.clock, source.header.source) == ("analyser", "capture")
        assert [item.data for item in source.transactions] == [b"\x07"]
    path.write_text(SIGROK.read_text())
    with opened(path, sample_rate=1e6) as source:
        assert len(list(source.transactions)) == 8
    path.write_bytes(b"\x7fELF\x00\xff\xfe")
    with pytest.raises(TraceError, match="whole"), opened(path):
        pass
    path.write_bytes(b"\x7fELF\x00\xff\xfe\n")
    with pytest.raises(TraceError, match="no header"), opened(path):
        pass

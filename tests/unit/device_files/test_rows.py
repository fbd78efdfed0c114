"""What is read from a file of devices, and what is said of one that cannot be used."""

from __future__ import annotations

import json

import pytest
from hri.device_files import armed, defused
from hri.device_rows import BadRows, read_rows
from hri.registry import ImportRow
from hypothesis import given
from hypothesis import strategies as st

CHIP, OTHER = "0123456789abcdef01", "0123456789abcdef02"


def _csv(text: str | bytes, **options):
    data = text if isinstance(text, bytes) else text.encode()
    return read_rows(data, "csv", element_type="atecc608b", **options)


def _problems(text: str | bytes, form="csv", **options) -> list[str]:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(BadRows) as refused:
        read_rows(data, form, element_type="atecc608b", **options)
    return [str(one) for one in refused.value.problems]


@pytest.mark.parametrize(
    "text",
    [
        f"device_id,element_serial,owner\nd1,{CHIP},acme\n",
        f"\ufeffdevice_id;element_serial;owner\r\nd1;{CHIP};acme\r\n",
        f"owner\tdevice_id\telement_serial\nacme\td1\t0x{CHIP.upper()}",
        f'"device_id","element_serial","owner"\n\n"d1"," {CHIP} ","acme"\n,,\n',
    ],
)
def test_a_row_is_a_device_however_a_spreadsheet_writes_it(text):
    (row,) = _csv(text)

    assert (row.device_id, row.element_serial, row.owner) == ("d1", CHIP, "acme")
    assert (row.element_type, row.status, row.label) == ("atecc608b", "registered", None)


def test_json_lines_say_the_same():
    lines = json.dumps({"device_id": "d1", "element_serial": CHIP, "label": None, "certificates": [{}]})

    rows = read_rows(f"\n{lines}\r\n".encode(), "jsonl", element_type="atecc608b")

    assert rows == [ImportRow(2, "d1", "atecc608b", "registered", CHIP)]


def test_columns_have_their_own_names_in_a_purchasing_system():
    text = f"Asset;Serial=No;Price\nd1;{CHIP};12\n"
    renamed = {"Asset": "device_id", "Serial=No": "element_serial"}

    (row,) = _csv(text, renamed=renamed, ignore_unknown=True)

    assert (row.device_id, row.element_serial) == ("d1", CHIP)
    assert "line 2, column Price: this column is unknown" in _problems(text, renamed=renamed)[0]


@pytest.mark.parametrize("status", ["active", "provisioning", "registered", ""])
def test_who_was_in_use_elsewhere_begins_here(status):
    assert _csv(f"device_id,status\nd1,{status}\n")[0].status == "registered"


@pytest.mark.parametrize("status", ["transferred", "revoked", "decommissioned"])
def test_who_was_done_with_elsewhere_stays_so(status):
    assert _csv(f"device_id,status\nd1,{status}\n")[0].status == status


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: there are no devices in it"),
        ("device_id\n", "line 1: there are no devices in it"),
        ("owner\nacme\n", "line 2, column device_id: there is no such column"),
        ("device_id,device_id\na,b\n", "line 1, column device_id: this column is there twice"),
        ("device_id,colour\na,b\n", "line 2, column colour: this column is unknown"),
        ("device_id,owner\na,b,c\n", "line 2: it has 3 cells, and the first line 2"),
        ("device_id\na\na\n", "line 3, column device_id: a is in line 2 already"),
        ("device_id\nroot\n", "line 2, column device_id: the device id 'root' is reserved"),
        ("device_id\n../../x\n", "line 2, column device_id: '../../x' cannot be a device id"),
        ("device_id\n=cmd|' /C calc'!A0\n", "line 2, column device_id: \"=cmd|' /C calc'!A0\""),
        ("device_id,status\na,dead\n", "line 2, column status: Input should be 'registered'"),
        ("device_id,status\na,suspended\n", "line 2, column status: it is suspended elsewhere"),
        ("device_id,element_serial\na,xyz\n", "line 2, column element_serial: 'xyz' is no serial number"),
        (
            "device_id,element_serial\na,1234\n",
            "line 2, column element_serial: '1234' is no serial",
        ),
        ('device_id,label\na,"b\nc"\nd,"e\n', "line 2, column label: it holds line ends"),
        (f"device_id,owner\na,{'x' * 129}\n", "line 2, column owner: String should have at most 128"),
        (f"device_id,owner\na,{'x' * 200_000}\n", "line 2: this is no CSV (field larger than field limit"),
        ('device_id\n"a"b\n', "line 2: this is no CSV"),
        (b"device_id,owner\na,M\xfcller\n", "line 2: it is not UTF-8"),
        ("device_id,owner\na,x\0y\n", "line 2, column owner: it holds line ends or other characters"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, said):
    assert _problems(text)[0].startswith(said)


def test_everything_that_is_wrong_is_said_at_once():
    text = f'device_id,element_serial,label\na,{CHIP},"x\ny"\nb,{CHIP},\nc,{OTHER},ok\nroot,,\n'

    lines = [one.partition(",")[0] for one in _problems(text)]

    # The row with the quoted line end begins in line 2 and is two lines long.
    assert lines == ["line 2", "line 6"]
    assert _problems(f"device_id,element_serial\na,{CHIP}\nb,{CHIP}\n") == [
        f"line 3, column element_serial: {CHIP} is in line 2 already"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "line 1: this is no JSON object"),
        ("{", "line 1: this is no JSON object on one line"),
        ("[" * 100_000, "line 1: this is no JSON object on one line"),
        ('{"device_id": "a", "device_id": "b"}', "line 1: this is no JSON object on one line: a member"),
        ('{"device_id": 7}', "line 1, column device_id: Input should be a valid string"),
        ('{"device_id": "a", "status": ["active"]}', "line 1, column status: Input should be"),
        ('{"device_id": "a", "label": "\\ud800"}', "line 1, column label: Input should be a valid string"),
    ],
)
def test_json_lines_that_are_none(text, said):
    assert _problems(text, "jsonl")[0].startswith(said)


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", "'=1", "''@x", "＝1"])
def test_no_cell_begins_as_a_formula(cell):
    assert defused(cell)[:1] == "'"
    assert armed(defused(cell)) == cell


@given(st.text(alphabet="'=+-@ \tab＝", max_size=6))
def test_defusing_is_undone_exactly(cell):
    assert armed(defused(cell)) == cell
    assert defused(cell)[:1] not in {"=", "+", "-", "@", "\t", "＝"} or not cell

"""hri_device.service.Service.run: one answer a request, whatever else comes over the line."""

import zlib

import cbor2
import pytest
from cobs import cobs
from hri_device import service
from hri_device.certstore import FileStore
from hri_device.service import Service
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.firmware_service.fake_element import FakeElement
from unit.firmware_service.memory_stream import MemoryStream


def _frame(number, message):
    inner = b"\x01" + number.to_bytes(2, "big") + cbor2.dumps(message, canonical=True)
    return b"\0" + cobs.encode(inner + zlib.crc32(inner).to_bytes(4, "big")) + b"\0"


def _answers(written):
    """Return the (id, answer) of every frame written."""
    found = []
    for part in bytes(written).split(b"\0"):
        if part:
            inner = cobs.decode(part)
            assert zlib.crc32(inner[:-4]) == int.from_bytes(inner[-4:], "big")
            found.append((int.from_bytes(inner[1:3], "big"), cbor2.loads(inner[3:-4])))
    return found


def _run(path, script, element=None):
    stream = MemoryStream(script)
    Service(element or FakeElement(), FileStore(str(path)), stream).run()
    return stream


HELLO = _frame(0x1234, ["hello", {}])


def test_each_request_is_answered_once_with_its_id(tmp_path):
    stream = _run(tmp_path, [HELLO, _frame(0x1235, ["certificate.load", {}]), HELLO])
    answers = _answers(stream.written)
    assert [(number, answer[0]) for number, answer in answers] == [(0x1234, 0), (0x1235, 1), (0x1234, 0)]


def test_nothing_is_sent_unasked(tmp_path):
    assert _run(tmp_path, [b"mpremote was here\r\n", 5000, b"\0\0\0", 5000]).written == b""


def test_interrupts_are_off_only_while_it_runs(tmp_path):
    stream = _run(tmp_path, [HELLO])
    assert stream.interrupt_changes == [False, True]


def test_ctrl_c_leads_out_with_interrupts_on_again(tmp_path):
    stream = MemoryStream([HELLO, b"\r\x03\x01"])
    with pytest.raises(KeyboardInterrupt):
        Service(FakeElement(), FileStore(str(tmp_path)), stream).run()
    assert stream.interrupt_on
    assert len(_answers(stream.written)) == 1


def test_a_broken_stream_leads_out_with_interrupts_on_again(tmp_path):
    stream = MemoryStream([HELLO])

    def fail(_data):
        raise OSError(5, "gone")

    stream.write = fail
    with pytest.raises(OSError, match="gone"):
        Service(FakeElement(), FileStore(str(tmp_path)), stream).run()
    assert stream.interrupt_on


def test_a_fault_of_the_firmware_stops_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "print_exception", lambda _error: None)
    element = FakeElement()
    element.fault = RuntimeError("a bug")
    answers = _answers(_run(tmp_path, [_frame(1, ["key.public", {"slot": 0}]), HELLO], element).written)
    assert [(number, answer[0]) for number, answer in answers] == [(1, 1), (0x1234, 0)]
    assert answers[0][1][1] == {"code": "internal", "message": "a bug"}


def test_an_answer_that_does_not_fit_is_refused_instead(tmp_path):
    element = FakeElement()
    element.read_slot = lambda *_args: bytes(4096)
    request = _frame(9, ["chip.read_slot", {"slot": 8, "offset": 0, "length": 4}])
    answers = _answers(_run(tmp_path, [request, HELLO], element).written)
    assert answers[0] == (9, [1, {"code": "too-long", "message": "answer"}])
    assert answers[1][0] == 0x1234


def test_the_greatest_record_goes_in_and_out(tmp_path):
    record = {"device_id": "d", "slot": 0, "certificate": b"", "chain": []}
    # What version, id, CRC-32 and two more bytes of length leave of 4096.
    room = 4096 - 7 - 2 - len(cbor2.dumps(["certificate.store", record]))
    record["certificate"] = b"c" * room
    script = [_frame(1, ["certificate.store", record]), _frame(2, ["certificate.load", {}])]
    answers = _answers(_run(tmp_path, script).written)
    assert answers[0][1][0] == 0
    assert answers[1] == (2, [0, record])


_NOISE = st.binary(max_size=60).map(lambda data: data.replace(b"\x03", b"\x05"))
_REQUESTS = st.sampled_from(
    [
        ["hello", {}],
        ["chip.info", {}],
        ["certificate.load", {}],
        ["identity.answer", {"challenge": bytes(32), "verifier": "v"}],
        ["nothing", {}],
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(_NOISE, st.integers(0, 65535), _REQUESTS, st.none() | st.integers(0, 10**6)), max_size=5
    )
)
def test_good_frames_are_answered_and_damaged_ones_never(tmp_path, exchanges):
    script, expected = [], []
    for noise, number, request, damage in exchanges:
        frame = bytearray(_frame(number, request))
        if damage is None:
            expected.append(number)
        else:
            place = 1 + damage % (len(frame) - 2)
            frame[place] = 0x05 if frame[place] != 0x05 else 0x06
        script += [noise, bytes(frame), 600]
    # A 03 left outside a frame by damage is a Ctrl-C, as it should be; none of the frames here carries one.
    if any(b"\x03" in part for part in script if isinstance(part, bytes)):
        return
    answers = _answers(_run(tmp_path, [*script, HELLO]).written)
    assert [number for number, _ in answers] == [*expected, 0x1234]

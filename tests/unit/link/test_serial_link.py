"""The link recovers from what a line and a board do, or says in words what happened."""

import os
import threading

import cbor2
import pytest
from hri.errors import ConfigurationError
from hri.link import (
    AnswerLost,
    BoardInRepl,
    Deadlines,
    DeviceRefused,
    DeviceSilent,
    NoDevice,
    PortBusy,
    ProtocolMismatch,
    SerialLink,
)
from unit.link.fake_device import HELLO, FakeDevice, frame

SOON = Deadlines(hello=0.2, recovery=0.6, request=0.3, slow_request=0.3)


def answering(result):
    return lambda op, *_: [0, dict(HELLO)] if op == "hello" else [0, result]


def calls(device, op):
    return [number for number, name in device.requests if name == op]


def test_a_request_gets_its_answer():
    with (
        FakeDevice(answering({"data": b"\x01\x02"})) as device,
        SerialLink.open(device.port, deadlines=SOON) as link,
    ):
        assert link.call("chip.read_slot", {"slot": 5}) == {"data": b"\x01\x02"}


def test_a_refusal_carries_code_state_and_the_chips_status():
    def handler(op, *_):
        if op == "hello":
            return [0, HELLO]
        return [
            1,
            {"code": "chip-refused", "message": "no", "state": "blank", "status": 0x0F, "opcode": 0x40},
        ]

    with (
        FakeDevice(handler) as device,
        SerialLink.open(device.port, deadlines=SOON) as link,
        pytest.raises(DeviceRefused) as refused,
    ):
        link.call("key.generate", {})

    assert (refused.value.code, refused.value.state) == ("chip-refused", "blank")
    assert (refused.value.status, refused.value.opcode) == (0x0F, 0x40)
    assert refused.value.exit_status == 3


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda _: b"", id="lost"),
        pytest.param(lambda data: data[: len(data) // 2], id="truncated"),
        pytest.param(lambda data: data[:6] + bytes((data[6] ^ 0x10,)) + data[7:], id="bit flip"),
        pytest.param(lambda _: b"\x00" + b"\x7f" * 9000 + b"\x00", id="overlong"),
    ],
)
def test_a_spoilt_answer_is_asked_for_again_under_a_new_id(spoil):
    spoilt = []

    def tamper(number, data):
        if number == 2:
            spoilt.append(number)
            return spoil(data)
        return data

    with (
        FakeDevice(answering({"ok": True}), tamper) as device,
        SerialLink.open(device.port, deadlines=SOON) as link,
    ):
        assert link.call("chip.info", {}) == {"ok": True}

    assert spoilt == [2]
    first, second = calls(device, "chip.info")
    assert first != second


def test_noise_before_and_after_an_answer_does_no_harm():
    with (
        FakeDevice(answering({}), lambda _, data: b"debug print\r\n" + data + b"\x80\xff\r\n") as device,
        SerialLink.open(device.port, deadlines=SOON) as link,
    ):
        assert link.call("chip.info", {}) == {}
        assert "debug print" in link.noise()


def test_a_late_answer_to_an_earlier_request_is_ignored():
    def tamper(number, data):
        return frame(0xBEEF, [0, {"stale": True}]) + data if number > 1 else data

    with (
        FakeDevice(answering({"fresh": True}), tamper) as device,
        SerialLink.open(device.port, deadlines=SOON) as link,
    ):
        link._last_id = 0
        assert link.call("chip.info", {}) == {"fresh": True}


def test_a_silent_request_ends_with_what_was_waited_for():
    def handler(op, *_):
        return [0, HELLO] if op == "hello" else None

    with (
        FakeDevice(handler) as device,
        SerialLink.open(device.port, deadlines=SOON) as link,
        pytest.raises(DeviceSilent, match=r"no answer to `key\.public` within"),
    ):
        link.call("key.public", {"slot": 0})

    assert len(calls(device, "key.public")) == 3


def test_an_authorised_request_is_sent_once_only():
    def handler(op, *_):
        return [0, HELLO] if op == "hello" else None

    with (
        FakeDevice(handler) as device,
        SerialLink.open(device.port, deadlines=SOON) as link,
        pytest.raises(AnswerLost),
    ):
        link.call("key.generate", {"slot": 2}, authorisation=b"token")

    assert len(calls(device, "key.generate")) == 1


def test_a_board_at_its_repl_is_led_back_to_main_py():
    with (
        FakeDevice(answering({}), in_repl=True) as device,
        SerialLink.open(device.port, deadlines=SOON) as link,
    ):
        assert link.call("chip.info", {}) == {}

    assert b"\x03\x03\x02\x04" in device.heard


def test_hello_disturbs_no_repl_with_ctrl_c_or_ctrl_d():
    with FakeDevice() as device:
        for _ in range(8):
            SerialLink.open(device.port, deadlines=SOON).close()

    assert not {0x03, 0x04} & set(device.heard)


def test_a_board_without_the_package_is_named_with_what_it_said():
    with (
        FakeDevice(in_repl=True, boots=False) as device,
        pytest.raises(BoardInRepl, match="no module named 'hri_device'"),
    ):
        SerialLink.open(device.port, deadlines=SOON)


def test_a_port_where_nothing_answers_is_told_from_a_repl():
    with (
        FakeDevice(handler=lambda *_: None) as device,
        pytest.raises(DeviceSilent, match="it printed nothing"),
    ):
        SerialLink.open(device.port, deadlines=SOON)


def test_a_restart_in_mid_answer_is_noticed_at_once_and_the_request_repeated():
    slow = Deadlines(hello=0.2, recovery=0.6, request=60, slow_request=60)

    def tamper(number, data):
        return data[:8] + b"\r\nMPY: soft reboot\r\nhri_device 0.1.0\r\n" if number == 2 else data

    with (
        FakeDevice(answering({"again": 1}), tamper) as device,
        SerialLink.open(device.port, deadlines=slow) as link,
    ):
        assert link.call("chip.info", {}) == {"again": 1}


def test_another_protocol_version_is_refused():
    with (
        FakeDevice(lambda *_: [0, {**HELLO, "protocol": 2}]) as device,
        pytest.raises(ProtocolMismatch, match="the board speaks protocol 2"),
    ):
        SerialLink.open(device.port, deadlines=SOON)


# Tag 28 marks a value that tag 29 repeats (shared references), so that little stands for much.
BOMB = (
    b"\x82\x00\xa1\x61x"
    + b"\xd8\x1c\x82" * 6
    + b"\x61y"
    + b"".join(b"\xd8\x1d%c" % n for n in range(5, -1, -1))
)


@pytest.mark.parametrize(
    "answer",
    [
        [2, {}],
        [0],
        {"a": 1},
        [0, {1: 2}],
        [1, {"code": 5}],
        b"\xff\xff",
        cbor2.dumps([0, {}])[:-1],
        BOMB,
        [0, {"a": "x" * 300, "b": cbor2.CBORTag(37, bytes(16))}],
        b"\x9f\x00\xa0\xff",
        b"\x82\x00\xa2\x61a\x00\x61a\x01",
        b"\x82\x00\xa1\x61a" + b"\x81" * 200 + b"\x00",
    ],
)
def test_an_answer_of_another_shape_is_refused(answer):
    with (
        FakeDevice(lambda op, *_: [0, HELLO] if op == "hello" else answer) as device,
        SerialLink.open(device.port, deadlines=SOON) as link,
        pytest.raises(ProtocolMismatch),
    ):
        link.call("chip.info", {})


def test_a_request_that_fits_no_frame_is_refused_before_it_is_sent():
    with (
        FakeDevice() as device,
        SerialLink.open(device.port, deadlines=SOON) as link,
        pytest.raises(DeviceRefused, match="does not fit"),
    ):
        link.call("data.sign", {"slot": 0, "data": bytes(4096)})

    assert calls(device, "data.sign") == []


def test_a_missing_port_is_named():
    with pytest.raises(NoDevice, match="/dev/no-such-port: there is no such port"):
        SerialLink.open("/dev/no-such-port", deadlines=SOON)


def test_a_file_that_is_no_port_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(NoDevice):
        SerialLink.open(str(tmp_path / "file"), deadlines=SOON)


def test_a_second_program_on_the_port_is_refused():
    with (
        FakeDevice() as device,
        SerialLink.open(device.port, deadlines=SOON),
        pytest.raises(PortBusy, match="is in use"),
    ):
        SerialLink.open(device.port, deadlines=SOON)


def test_a_pulled_cable_is_an_error_and_not_a_hang(tmp_path):
    master, slave = os.openpty()
    # By a name of its own: the next pty that anybody opens gets this one's number.
    port = tmp_path / "tty"
    port.symlink_to(os.ttyname(slave))
    os.close(slave)

    def pull():
        port.unlink()
        os.close(master)

    puller = threading.Timer(0.1, pull)
    puller.start()
    try:
        with pytest.raises((NoDevice, DeviceSilent)):
            SerialLink.open(str(port), deadlines=SOON)
    finally:
        puller.join()


def test_the_deadlines_follow_the_environment():
    assert Deadlines.from_environment({"HRI_LINK_TIMEOUT": "2"}).request == 2 * Deadlines().request
    assert Deadlines.from_environment({}) == Deadlines()
    for wrong in ("0", "-1", "soon", "nan", "inf"):
        with pytest.raises(ConfigurationError):
            Deadlines.from_environment({"HRI_LINK_TIMEOUT": wrong})

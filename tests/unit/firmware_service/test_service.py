"""hri_device.service answers as docs/protocol.md says, "Requests and answers"."""

import hashlib

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hri_device import service
from hri_device.certstore import FileStore
from hri_device.chipstore import ChipStore
from hri_device.errors import BusError, CommandError, LockedError, PacketError
from hri_device.service import Service
from unit.firmware_service.fake_element import FakeElement, point, raw_signature, verifies

CHALLENGE = bytes(range(32))
CERTIFICATE = b"\x30" + bytes(700)
CHAIN = [b"\x30" + bytes(500)]
STORED = {"device_id": "device-1", "slot": 0, "certificate": CERTIFICATE, "chain": CHAIN}


class Refused(Exception):
    def __init__(self, fault):
        super().__init__(fault)
        self.fault = fault


class Device:
    """A Service with its chip and store, asked through encoded requests as a host would."""

    def __init__(self, path):
        self.element = FakeElement()
        self.store = FileStore(str(path))
        self.operator = ec.generate_private_key(ec.SECP256R1())
        public = point(self.operator)
        self.element.slots[14][:] = bytes(4) + public[:32] + bytes(4) + public[32:]
        self.serial = self.element.serial_number
        self.restart()

    def restart(self):
        self.service = Service(self.element, self.store, None, "bench", "power-on", lambda: 1234)

    def send(self, message):
        return cbor2.loads(bytes(self.service.answer(cbor2.dumps(message, canonical=True))[3:]))

    def call(self, op, authorisation=None, **args):
        message = [op, args] if authorisation is None else [op, args, authorisation]
        status, result = self.send(message)
        if status:
            raise Refused(result)
        return result

    def refusal(self, op, authorisation=None, **args):
        with pytest.raises(Refused) as caught:
            self.call(op, authorisation, **args)
        return caught.value.fault

    def bring_to(self, stage):
        for name, step in (
            ("configured", lambda: self.element.config.__setitem__(87, 0)),
            ("personalised", lambda: self.element.config.__setitem__(86, 0)),
            ("keyed", lambda: (self.element.generate_key(0), self.element.generate_key(1))),
            ("identified", lambda: self.element.lock_slot(0)),
            ("certified", lambda: self.call("certificate.store", **STORED)),
        ):
            if stage == "blank":
                break
            step()
            if name == stage:
                break
        self.element.calls.clear()
        return self

    def authorise(self, op, args, /, **changes):
        """Return the operator's COSE_Sign1 for `op`, built independently; `changes` falsify it."""
        fields = {
            "purpose": "hri/1 authorise",
            "verifier": "station",
            "device_id": "device-1",
            "nonce": None,
            "op": op,
            "args": hashlib.sha256(cbor2.dumps(args, canonical=True)).digest(),
        } | {name: value for name, value in changes.items() if name != "key"}
        if fields["nonce"] is None:
            fields["nonce"] = self.call("authorisation.nonce")["nonce"]
        payload = cbor2.dumps(list(fields.values()))
        tbs = cbor2.dumps(["Signature1", b"\xa1\x01\x26", b"", payload])
        signature = raw_signature(changes.get("key", self.operator), hashlib.sha256(tbs).digest())
        return cbor2.dumps(cbor2.CBORTag(18, [b"\xa1\x01\x26", {}, payload, signature]))


@pytest.fixture
def device(tmp_path):
    return Device(tmp_path / "hri")


def _payload(message, public_key, detached=None):
    """Return what a COSE_Sign1 by `public_key` says, its signature verified."""
    protected, _, payload, signature = cbor2.loads(message).value
    signed = detached if payload is None else payload
    tbs = cbor2.dumps(["Signature1", protected, b"", signed])
    assert verifies(public_key, hashlib.sha256(tbs).digest(), signature)
    return cbor2.loads(signed)


# hello and the stages


def test_hello_of_a_blank_chip(device):
    result = device.call("hello")
    assert result.pop("runtime").startswith("cpython 3.")
    assert result.pop("package").count(".") == 2
    assert result == {
        "protocol": 1,
        "board": "bench",
        "reset": "power-on",
        "uptime_ms": 1234,
        "stage": "blank",
        "device_id": None,
        "element": {
            "type": "atecc608b",
            "serial_number": device.serial,
            "revision": bytes.fromhex("00006003"),
            "config_locked": False,
            "data_locked": False,
            "slots_locked": 0,
        },
    }


@pytest.mark.parametrize("stage", ["blank", "configured", "personalised", "identified", "certified"])
def test_hello_tells_the_stage(device, stage):
    assert device.bring_to(stage).call("hello")["stage"] == stage


def test_hello_tells_the_device_id(device):
    assert device.bring_to("certified").call("hello")["device_id"] == "device-1"


def test_hello_answers_without_a_chip(device):
    device.bring_to("certified").element.fault = BusError("nobody there")
    result = device.call("hello")
    assert result["element"] is None
    assert result["stage"] is None
    assert result["device_id"] == "device-1"
    assert result["element_error"] == {"code": "chip-absent", "message": "nobody there"}


def test_hello_answers_with_a_damaged_record(device):
    device.bring_to("certified")
    with open(device.store._file, "wb") as file:
        file.write(b"torn")
    device.restart()
    result = device.call("hello")
    assert (result["stage"], result["device_id"]) == ("identified", None)


# chip.*


def test_info_is_hello_and_the_configuration(device):
    device.bring_to("identified")
    result = device.call("chip.info")
    assert result["config"] == bytes(device.element.config)
    assert result["slots_locked"] == 1
    assert (result["config_locked"], result["data_locked"]) == (True, True)


def test_write_config_gives_what_was_read_back(device):
    wanted = bytearray(device.element.config)
    wanted[19] = 0x0A
    wanted[0] = 0xFF  # never written
    result = device.call("chip.write_config", serial=device.serial, config=bytes(wanted))
    wanted[0] = device.element.config[0]
    assert result["config"] == bytes(wanted) == bytes(device.element.config)


def test_write_config_after_the_lock_is_refused(device):
    device.bring_to("configured")
    fault = device.refusal("chip.write_config", serial=device.serial, config=bytes(128))
    assert (fault["code"], fault["state"]) == ("locked", "configured")


def test_lock_config_and_its_repetition(device):
    crc = device.element.config_crc()
    first = device.call("chip.lock_config", serial=device.serial, crc=crc)
    assert first["config"][87] == 0
    assert device.call("chip.lock_config", serial=device.serial, crc=crc) == first
    assert device.element.calls.count("lock_config") == 1


def test_lock_config_with_another_crc_locks_nothing(device):
    wrong = device.element.config_crc() ^ 1
    assert device.refusal("chip.lock_config", serial=device.serial, crc=wrong)["code"] == "bad-request"
    assert device.element.config[87] == 0x55
    device.bring_to("configured")
    fault = device.refusal("chip.lock_config", serial=device.serial, crc=wrong)
    assert (fault["code"], fault["state"]) == ("locked", "configured")


def test_slots_are_written_and_read(device):
    device.bring_to("configured")
    assert device.call("chip.write_slot", serial=device.serial, slot=8, offset=32, data=b"x" * 64) == {}
    assert device.call("chip.read_slot", slot=8, offset=30, length=4) == {"data": b"\0\0xx"}


def test_a_slot_is_not_written_before_the_config_lock(device):
    fault = device.refusal("chip.write_slot", serial=device.serial, slot=8, offset=0, data=b"x")
    assert (fault["code"], fault["state"]) == ("locked", "blank")


def test_a_locked_slot_is_not_written(device):
    device.bring_to("personalised").element.lock_slot(5)
    fault = device.refusal("chip.write_slot", serial=device.serial, slot=5, offset=0, data=b"x")
    assert (fault["code"], fault["state"]) == ("locked", "personalised")
    assert "write_slot" not in device.element.calls


def test_more_than_a_slot_holds_is_refused(device):
    device.bring_to("configured")
    fault = device.refusal("chip.write_slot", serial=device.serial, slot=0, offset=0, data=bytes(37))
    assert fault["code"] == "bad-request"


def test_lock_data_happens_once(device):
    assert device.refusal("chip.lock_data", serial=device.serial, crc=7)["state"] == "blank"
    device.bring_to("configured")
    assert device.call("chip.lock_data", serial=device.serial, crc=7) == {}
    assert device.element.data_crc == 7
    fault = device.refusal("chip.lock_data", serial=device.serial, crc=7)
    assert (fault["code"], fault["state"]) == ("locked", "personalised")


def test_lock_slot_and_its_repetition(device):
    device.bring_to("keyed")
    assert device.call("chip.lock_slot", serial=device.serial, slot=0) == {}
    # The stage now is `identified`; what is done already still needs no authorisation.
    assert device.call("chip.lock_slot", serial=device.serial, slot=0) == {}
    assert device.element.calls.count("lock_slot") == 1


_CHANGES = {
    "chip.write_config": {"config": bytes(128)},
    "chip.lock_config": {"crc": 0},
    "chip.write_slot": {"slot": 8, "offset": 0, "data": b"x"},
    "chip.lock_data": {"crc": 0},
    "chip.lock_slot": {"slot": 2},
    "key.generate": {"slot": 2},
    "key.birth": {
        "slot": 2,
        "attestation_slot": 1,
        "challenge": CHALLENGE,
        "verifier": "station",
        "device_id": "",
    },
}


@pytest.mark.parametrize("op", _CHANGES)
def test_another_chip_is_refused_and_left_alone(device, op):
    device.bring_to("configured")
    fault = device.refusal(op, serial=bytes(9), **_CHANGES[op])
    assert fault["code"] == "wrong-chip"
    assert device.element.calls == ["read_config"]


# Keys and evidence


def test_keys_are_generated_and_told(device):
    device.bring_to("personalised")
    public = device.call("key.generate", serial=device.serial, slot=2)["public_key"]
    assert device.call("key.public", slot=2)["public_key"] == public


@pytest.mark.parametrize("op", ["key.generate", "key.birth"])
def test_a_key_in_a_locked_slot_stays(device, op):
    device.bring_to("certified")
    fault = device.refusal(op, serial=device.serial, **_CHANGES[op] | {"slot": 0})
    assert (fault["code"], fault["state"]) == ("locked", "certified")
    assert not {"generate_key", "birth"} & set(device.element.calls)


def test_birth_may_be_repeated_until_the_slot_is_locked(device):
    device.bring_to("personalised").element.generate_key(1)
    args = {"serial": device.serial, **_CHANGES["key.birth"], "slot": 0}
    first = device.call("key.birth", **args)["evidence"]
    second = device.call("key.birth", **args)["evidence"]
    assert first != second
    payload = _payload(second, device.element.public_key(0))
    assert payload[:4] == ["hri/1 birth", "station", "", CHALLENGE]


def test_state_evidence(device):
    device.bring_to("certified")
    evidence = device.call(
        "key.state",
        slot=0,
        attestation_slot=1,
        challenge=CHALLENGE,
        verifier="station",
        device_id="device-1",
        csr=bytes(32),
    )["evidence"]
    payload = _payload(evidence, device.element.public_key(0))
    assert payload[:4] == ["hri/1 state", "station", "device-1", CHALLENGE]
    assert payload[4]["config"] == bytes(device.element.config)


def test_csr(device):
    device.bring_to("keyed")
    made = device.call("csr.make", slot=0, subject=[["CN", "device-1"], ["O", "Example"]])["csr"]
    request = x509.load_der_x509_csr(made)
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "O=Example,CN=device-1"


@pytest.mark.parametrize(
    "subject", [["CN"], [["CN"]], [["CN", 1]], [["CN", "a", "b"]], [["XX", "a"]], [["C", "SWE"]], [[]], [1]]
)
def test_a_bad_subject_is_refused(device, subject):
    device.bring_to("keyed")
    assert device.refusal("csr.make", slot=0, subject=subject)["code"] == "bad-request"


# The certificate


def test_a_certificate_is_stored_loaded_and_survives_a_restart(device):
    assert device.refusal("certificate.load")["code"] == "not-found"
    digest = device.call("certificate.store", **STORED)["digest"]
    assert digest == hashlib.sha256(CERTIFICATE).digest()
    device.restart()
    assert device.call("certificate.load") == STORED


def test_the_same_certificate_again_is_done_already(device, monkeypatch):
    device.bring_to("certified")
    monkeypatch.setattr(device.store, "save", None)
    assert device.call("certificate.store", **STORED)["digest"] == hashlib.sha256(CERTIFICATE).digest()


@pytest.mark.parametrize(
    "change", [{"certificate": b"\x30other"}, {"device_id": "device-2"}, {"slot": 2}, {"chain": []}]
)
def test_another_certificate_needs_authorisation(device, change):
    device.bring_to("certified")
    other = STORED | change
    fault = device.refusal("certificate.store", **other)
    assert (fault["code"], fault["state"]) == ("unauthorised", "certified")
    assert device.call("certificate.load") == STORED
    device.call("certificate.store", device.authorise("certificate.store", other), **other)
    assert device.call("certificate.load") == other


def test_a_damaged_record_is_told_and_can_be_mended(device):
    device.bring_to("certified")
    with open(device.store._file, "ab") as file:
        file.write(b"x")
    device.restart()
    assert device.refusal("certificate.load")["code"] == "storage"
    assert device.refusal("identity.answer", challenge=CHALLENGE, verifier="v")["code"] == "storage"
    device.call("certificate.store", **STORED)
    assert device.call("certificate.load") == STORED


def test_an_unreadable_store_is_not_taken_for_an_empty_one(device):
    device.store = ChipStore(device.element)
    device.bring_to("identified")
    small = STORED | {"certificate": b"\x30small", "chain": []}
    device.restart()
    device.call("certificate.store", **small)
    device.restart()
    device.element.fault = PacketError("crc")
    fault = device.refusal("certificate.store", **small | {"slot": 2})
    assert fault["code"] == "chip-fault"
    assert device.call("certificate.load") == small


def test_a_certificate_too_long_for_the_chip_slot(device):
    device.store = ChipStore(device.element)
    device.restart()
    assert device.refusal("certificate.store", **STORED)["code"] == "too-long"


def test_a_failed_write_is_told_and_keeps_the_old(device, monkeypatch):
    device.bring_to("certified")

    def fail(_record):
        raise OSError(28, "No space left on device")

    other = STORED | {"certificate": b"\x30other"}
    authorisation = device.authorise("certificate.store", other)
    with monkeypatch.context() as patch:
        patch.setattr(device.store, "save", fail)
        assert device.refusal("certificate.store", authorisation, **other)["code"] == "storage"
    assert device.call("certificate.load") == STORED


# Signatures


def test_a_challenge_is_answered_with_one_chip_operation(device):
    device.bring_to("certified")
    result = device.call("identity.answer", challenge=CHALLENGE, verifier="station")
    assert device.element.calls == ["sign"]
    payload = _payload(result["answer"], device.element.public_key(0))
    assert payload == ["hri/1 authenticate", "station", "device-1", CHALLENGE]
    assert (result["device_id"], result["certificate"]) == ("device-1", CERTIFICATE)


def test_no_certificate_no_answer(device):
    device.bring_to("identified")
    assert device.refusal("identity.answer", challenge=CHALLENGE, verifier="v")["code"] == "not-found"


@pytest.mark.parametrize("data", [b"", b"x" * 2048])
def test_data_is_signed_under_its_own_label(device, data):
    device.bring_to("keyed")
    signature = device.call("data.sign", slot=0, data=data)["signature"]
    assert cbor2.loads(signature).value[2] is None
    signed = cbor2.dumps(["hri/1 data", data])
    assert _payload(signature, device.element.public_key(0), signed) == ["hri/1 data", data]


# Authorisation

_AUTHORISED = [op for op in _CHANGES if op not in ("chip.write_config", "chip.lock_config", "chip.lock_data")]


@pytest.mark.parametrize("op", _AUTHORISED)
@pytest.mark.parametrize("stage", ["identified", "certified"])
def test_a_provisioned_chip_changes_with_authorisation_only(device, op, stage):
    device.bring_to(stage)
    args = {"serial": device.serial, **_CHANGES[op]}
    fault = device.refusal(op, **args)
    assert (fault["code"], fault["state"]) == ("unauthorised", stage)
    assert set(device.element.calls) == {"read_config"}
    name = "device-1" if stage == "certified" else device.serial.hex()
    device.call(op, device.authorise(op, args, device_id=name), **args)


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": "hri/1 authenticate"},
        {"device_id": "device-2"},
        {"nonce": bytes(32)},
        {"op": "key.birth"},
        {"args": bytes(32)},
        {"verifier": "station", "more": 1},
        {"key": ec.generate_private_key(ec.SECP256R1())},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_a_wrong_authorisation_is_refused(device, changes):
    device.bring_to("certified")
    device.call("authorisation.nonce")
    args = {"serial": device.serial, "slot": 2}
    fault = device.refusal("key.generate", device.authorise("key.generate", args, **changes), **args)
    assert fault["code"] == "unauthorised"
    assert "generate_key" not in device.element.calls


@pytest.mark.parametrize(
    "authorisation", [b"", b"\xd2", b"\xd2\x84\x43\xa1\x01\x26\xa0\x00\x00", b"\0" * 100]
)
def test_a_malformed_authorisation_is_refused(device, authorisation):
    device.bring_to("certified")
    device.call("authorisation.nonce")
    fault = device.refusal("key.generate", authorisation, serial=device.serial, slot=2)
    assert fault["code"] == "unauthorised"


def test_an_authorisation_serves_once(device):
    device.bring_to("certified")
    args = {"serial": device.serial, "slot": 2}
    authorisation = device.authorise("key.generate", args)
    device.call("key.generate", authorisation, **args)
    assert device.refusal("key.generate", authorisation, **args)["code"] == "unauthorised"


def test_an_authorisation_for_other_arguments_is_spent_by_the_attempt(device):
    device.bring_to("certified")
    args = {"serial": device.serial, "slot": 2}
    authorisation = device.authorise("key.generate", args)
    assert device.refusal("key.generate", authorisation, **args | {"slot": 3})["code"] == "unauthorised"
    assert device.refusal("key.generate", authorisation, **args)["code"] == "unauthorised"
    assert "generate_key" not in device.element.calls


def test_a_failed_attempt_of_another_kind_spends_it_too(device):
    device.bring_to("certified")
    args = {"serial": device.serial, "slot": 2}
    authorisation = device.authorise("key.generate", args)
    assert device.refusal("no.such.op", authorisation)["code"] == "bad-request"
    assert device.refusal("key.generate", authorisation, **args)["code"] == "unauthorised"


def test_only_the_last_nonce_counts(device):
    device.bring_to("certified")
    args = {"serial": device.serial, "slot": 2}
    authorisation = device.authorise("key.generate", args)
    device.call("authorisation.nonce")
    assert device.refusal("key.generate", authorisation, **args)["code"] == "unauthorised"


# Faults


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (BusError("no answer"), {"code": "chip-absent", "message": "no answer"}),
        (PacketError("crc"), {"code": "chip-fault", "message": "crc"}),
        (OSError(28, "No space"), {"code": "storage", "message": "[Errno 28] No space"}),
        (ValueError("slot"), {"code": "bad-request", "message": "slot"}),
        (LockedError("closed", "config locked"), {"code": "locked", "message": "closed", "state": "blank"}),
        (KeyError("x"), {"code": "internal", "message": "'x'"}),
    ],
)
def test_faults_have_their_codes(device, monkeypatch, error, expected):
    monkeypatch.setattr(service, "print_exception", lambda _error: None)
    device.element.fault = error
    assert device.refusal("authorisation.nonce") == expected


def test_a_refusal_by_the_chip_says_which(device):
    device.element.fault = CommandError(0x0F, 0x1B)
    fault = device.refusal("authorisation.nonce")
    assert (fault["code"], fault["status"], fault["opcode"]) == ("chip-refused", 0x0F, 0x1B)


def test_an_internal_fault_leaves_its_traceback_in_the_noise(device, monkeypatch):
    seen = []
    monkeypatch.setattr(service, "print_exception", seen.append)
    device.element.fault = error = RuntimeError("a bug")
    assert device.refusal("authorisation.nonce") == {"code": "internal", "message": "a bug"}
    assert seen == [error]


@pytest.mark.parametrize(
    "message",
    [
        [],
        {},
        7,
        None,
        ["hello"],
        ["hello", {}, b"", 0],
        ["hello", []],
        [b"hello", {}],
        ["hello", {}, 5],
        ["", {}],
        ["chip__info", {}],
        ["run", {}],
        ["_refusal", {}],
        ["hello.", {}],
        ["no.such", {}],
    ],
)
def test_what_is_no_request_is_refused(device, message):
    assert device.send(message)[1]["code"] == "bad-request"


@pytest.mark.parametrize("body", [b"", b"\xff", b"\x82\x65hello", b"\x82\x65hello\xa0\x00", b"\x9f\xff"])
def test_what_is_no_cbor_is_refused(device, body):
    status, fault = cbor2.loads(bytes(device.service.answer(body)[3:]))
    assert (status, fault["code"]) == (1, "bad-request")


_GOOD = {
    "certificate.store": STORED,
    "chip.read_slot": {"slot": 8, "offset": 0, "length": 4},
    "csr.make": {"slot": 0, "subject": []},
    "data.sign": {"slot": 0, "data": b""},
    "identity.answer": {"challenge": CHALLENGE, "verifier": "v"},
    "key.public": {"slot": 0},
    "key.state": {**_CHANGES["key.birth"], "csr": bytes(32)},
    **{op: {"serial": bytes(9), **args} for op, args in _CHANGES.items()},
}


_BAD_VALUES = [None, True, -1, 2**40, 1.5, "", b"", [1], {}]
# Where the empty value is in order.
_MAY_BE_EMPTY = {("data.sign", "data"), ("key.birth", "device_id"), ("key.state", "device_id")}


def _ill_typed():
    for op, args in _GOOD.items():
        for name, good in args.items():
            for value in _BAD_VALUES:
                if (op, name) in _MAY_BE_EMPTY and value == type(good)():
                    continue
                yield pytest.param(op, name, value, id=f"{op}-{name}-{value!r}")


@pytest.mark.parametrize(("op", "name", "value"), list(_ill_typed()))
def test_a_missing_or_ill_typed_argument_is_refused(device, op, name, value):
    device.bring_to("configured")
    args = dict(_GOOD[op])
    args.pop(name)
    if value is not None:
        args[name] = value
    assert device.refusal(op, **args)["code"] == "bad-request"
    assert not set(device.element.calls) - {"read_config"}


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("data.sign", {"slot": 0, "data": bytes(2049)}),
        ("identity.answer", {"challenge": CHALLENGE, "verifier": "v" * 256}),
        ("chip.write_slot", {"serial": bytes(9), "slot": 8, "offset": 0, "data": bytes(417)}),
        ("certificate.store", STORED | {"certificate": bytes(4097)}),
    ],
)
def test_an_argument_too_long_is_refused(device, op, args):
    assert device.refusal(op, **args)["code"] == "too-long"

"""Run by MicroPython itself (see test_on_micropython.py): the vectors, the store and the service.

Arguments: the firmware folder, the folder of the vectors, an empty folder. Prints "passed" at the end.
"""

import json
import sys

FIRMWARE, VECTORS, STORE = sys.argv[1:4]
sys.path.insert(0, FIRMWARE)

from hri_device import attestation, cbor, cose, csr, link  # noqa: E402
from hri_device.certstore import DamagedError, FileStore, Record  # noqa: E402
from hri_device.errors import BusError  # noqa: E402
from hri_device.service import Service  # noqa: E402


def vectors(name):
    with open(VECTORS + "/" + name) as file:
        return json.load(file)


def check(condition, what):
    if not condition:
        raise Exception("failed: " + what)


def refuses(kind, call, what):
    try:
        call()
    except kind:
        return
    raise Exception("not refused: " + what)


class Stream:
    def __init__(self, data):
        self.data = data
        self.written = bytearray()
        self.interrupts = []

    def wait(self, _ms):
        return True

    def read_into(self, buf):
        size = min(len(buf), len(self.data))
        buf[:size] = self.data[:size]
        self.data = self.data[size:]
        return size

    def write(self, data):
        self.written += data

    def kbd_intr(self, on):
        self.interrupts.append(on)


class Key:
    type = "atecc608b"

    def __init__(self, case):
        self.case = case

    def public_key(self, _slot):
        return bytes.fromhex(self.case["public_key"])

    def sign(self, _slot, _digest):
        return bytes.fromhex(self.case["raw_signature"])

    def read_config(self):
        raise BusError("nobody there")


def check_cbor():
    cases = vectors("cbor_rfc8949.json")
    for case in cases["values"]:
        check(cbor.encode(case["value"]) == bytes.fromhex(case["hex"]), "encode " + case["hex"])
        check(cbor.decode(bytes.fromhex(case["hex"])) == case["value"], "decode " + case["hex"])
    for case in cases["refused"]:
        refuses(ValueError, lambda: cbor.decode(bytes.fromhex(case["hex"])), case["name"])  # noqa: B023
    check(cbor.decode(cbor.encode({"b": b"x", "a": [1, -1]})) == {"a": [1, -1], "b": b"x"}, "map")


def check_signatures():
    cases = vectors("cose_sign1.json")
    for case in cases["cases"]:
        payload = bytes.fromhex(case["payload"])
        check(cose.digest(payload) == bytes.fromhex(case["digest"]), "digest " + case["name"])
        check(
            cose.sign1(Key({"raw_signature": case["signature"]}), 0, payload) == bytes.fromhex(case["sign1"]),
            "sign1 " + case["name"],
        )
        check(cose.open_sign1(bytes.fromhex(case["sign1"]))[0] == payload, "open " + case["name"])
    for case in cases["refused"]:
        refuses(ValueError, lambda: cose.open_sign1(bytes.fromhex(case["sign1"])), case["name"])  # noqa: B023
    for case in vectors("csr_openssl.json")["cases"]:
        made = csr.make(Key(case), 0, case["subject"])
        check(made == bytes.fromhex(case["csr"]), "csr " + case["name"])
    check(len(attestation.num_in("p", bytes(32), "v", "", bytes(32))) == 20, "num_in")


def check_link():
    cases = vectors("link_frames.json")
    for case in cases["frames"]:
        frame = bytes.fromhex(case["frame"])
        number, body = link.Link(Stream(b"\0\0noise" + frame)).receive()
        check((number, bytes(body)) == (case["id"], bytes.fromhex(case["body"])), "receive " + case["name"])
        stream = Stream(b"")
        link.Link(stream).send(number, bytearray(3) + bytearray(body))
        check(stream.written == frame, "send " + case["name"])
    good = bytes.fromhex(cases["frames"][1]["frame"])
    for case in cases["dropped"]:
        number, _ = link.Link(Stream(bytes.fromhex(case["frame"]) + good)).receive()
        check(number == 1, "dropped " + case["name"])
    refuses(KeyboardInterrupt, link.Link(Stream(b"x\x03")).receive, "ctrl-c")
    refuses(EOFError, link.Link(Stream(b"")).receive, "end")


def check_store():
    store = FileStore(STORE + "/hri")
    check(store.load() is None, "empty store")
    for size in (10, 3000, 700):
        record = Record("device-1", 0, bytes(range(250)) * (size // 250 + 1), [bytes(size)])
        store.save(record)
        check(FileStore(STORE + "/hri").load().encode() == record.encode(), "store")
    with open(STORE + "/hri/identity.bin", "ab") as file:
        file.write(b"x")
    refuses(DamagedError, store.load, "damage")
    store.save(record)


def check_service():
    case = vectors("csr_openssl.json")["cases"][1]
    ask = Stream(b"")
    requests = (
        ["hello", {}],
        ["csr.make", {"slot": 0, "subject": case["subject"]}],
        ["identity.answer", {"challenge": bytes(32), "verifier": "v"}],
        ["chip.info", {}],
        ["key.generate", {"slot": 99}],
        [],
    )
    for number, request in enumerate(requests):
        link.Link(ask).send(number, bytearray(3) + bytearray(cbor.encode(request)))
    stream = Stream(bytes(ask.written))
    Service(Key(case), FileStore(STORE + "/hri"), stream, "bench", "power-on", lambda: 5).run()
    check(stream.interrupts == [False, True], "interrupts")
    answers = link.Link(Stream(bytes(stream.written)))
    results = []
    for number in range(len(requests)):
        got, body = answers.receive()
        check(got == number, "id")
        results.append(cbor.decode(body))
    hello = results[0][1]
    check(hello["runtime"].startswith(sys.implementation.name), "runtime")
    check(hello["element_error"] == {"code": "chip-absent", "message": "nobody there"}, "element_error")
    check(hello["device_id"] == "device-1", "device_id")
    check(results[1] == [0, {"csr": bytes.fromhex(case["csr"])}], "csr.make")
    check(len(results[2][1]["answer"]) > 64, "identity.answer")
    check(
        [result[1]["code"] for result in results[3:]] == ["chip-absent", "bad-request", "bad-request"],
        "codes",
    )


check_cbor()
check_signatures()
check_link()
check_store()
check_service()
print("passed")

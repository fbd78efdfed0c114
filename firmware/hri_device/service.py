"""The device service: answers the host's requests, one at a time (docs/protocol.md)."""

import gc
import sys
from binascii import hexlify

try:
    from sys import print_exception  # type: ignore[attr-defined]
except ImportError:
    from traceback import print_exception  # type: ignore[no-redef]

from . import attestation, cbor, const, cose, csr, sha256, __version__
from .certstore import DamagedError, Record
from .errors import SecureElementError
from .link import Link
from .request import Refusal, Request

_PROTOCOL = const(1)
# The record has not been looked for yet; None is a store that holds none.
_UNREAD = const(0)
# Slots of the hri-device profile (docs/profile.md).
_IDENTITY_SLOT = const(0)
_OPERATOR_SLOT = const(14)

_UNLOCKED = const(0x55)
_SLOT_LIMIT = const(416)
_DATA_LIMIT = const(2048)
_CERTIFICATE_LIMIT = const(4096)


def _error_code(error):
    if isinstance(error, OSError):
        return "storage"
    # The limits that cbor, der and the element put on what they are given.
    return getattr(error, "code", "bad-request" if isinstance(error, ValueError) else "internal")


class Service:
    """Answers requests from `stream` with one `element` and one `store` (see certstore).

    `stream` is that of ports; `ticks_ms()` gives the milliseconds since boot (int() is 0); `board` and
    `reset` are told to the host as they are.
    """

    def __init__(self, element, store, stream, board="", reset="", ticks_ms=int):
        self._element = element
        self._store = store
        self._stream = stream
        self._board = board
        self._reset = reset
        self._ticks_ms = ticks_ms
        self._nonce = None
        self._record = _UNREAD

    def run(self):
        """Answer requests until the stream ends, or Ctrl-C, which leaves as KeyboardInterrupt."""
        link = Link(self._stream)
        self._stream.kbd_intr(False)
        try:
            while True:
                number, body = link.receive()
                try:
                    link.send(number, self.answer(body))
                except (Refusal, MemoryError) as error:
                    link.send(number, self._refusal(error))
                body = None
                gc.collect()
        except EOFError:
            pass
        finally:
            self._stream.kbd_intr(True)

    def answer(self, body):
        """Return the answer to the request in `body` (CBOR), a refusal included; raises no Exception.

        The answer is a bytearray as Link.send takes it: three bytes free, then CBOR.
        """
        try:
            request = Request(body)
            # An authorisation is spent by the attempt, whatever its outcome.
            request.nonce = self._nonce  # type: ignore[attr-defined]
            if request.authorisation:
                self._nonce = None
            # The methods do_... are the operations, with two underscores for the dot.
            operation = getattr(self, "do_" + request.op.replace(".", "__"), None)
            if operation is None or "__" in request.op:
                raise Refusal("bad-request", "op")
            return _encode(0, operation(request))
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, the host gets its one answer
            return self._refusal(error)

    def _refusal(self, error):
        code = _error_code(error)
        fault = {"code": code, "message": str(error)}
        if code == "internal":
            print_exception(error)
        elif code == "chip-refused":
            fault["status"] = error.status
            fault["opcode"] = error.opcode
        elif code in ("locked", "unauthorised"):
            try:
                fault["state"] = self._stage(self._chip())
            except SecureElementError:
                pass  # The refusal stands without it.
        return _encode(1, fault)

    # What the operations share. A chip is what chip.info tells of it, out of one reading.

    def _chip(self, request=None):
        config = self._element.read_config()
        # 508A datasheet, table of the configuration zone; the 608's public header agrees with it.
        chip = {
            "type": self._element.type,
            "serial_number": config[:4] + config[8:13],
            "revision": config[4:8],
            "config_locked": config[87] != _UNLOCKED,
            "data_locked": config[86] != _UNLOCKED,
            # In the chip a cleared bit is a locked slot.
            "slots_locked": (config[88] | config[89] << 8) ^ 0xFFFF,
            "config": config,
        }
        # A board swapped under the operator's hand is refused before anything else is looked at.
        if request and request.data("serial", 9, 9) != chip["serial_number"]:
            raise Refusal("wrong-chip", "serial")
        return chip

    def _identity(self):
        if self._record is _UNREAD:
            self._record = self._store.load()
        return self._record

    def _readable(self):
        # For answers that must come even where the record is damaged; certificate.load tells of the damage.
        try:
            return self._identity()
        except (DamagedError, OSError, SecureElementError):
            return None

    def _stored(self):
        record = self._identity()
        if record is None:
            raise Refusal("not-found", "certificate")
        return record

    def _stage(self, chip):
        if not chip["config_locked"]:
            return "blank"
        if not chip["data_locked"]:
            return "configured"
        if not chip["slots_locked"] >> _IDENTITY_SLOT & 1:
            return "personalised"
        return "certified" if self._readable() else "identified"

    def _changeable(self, request, slot):
        chip = self._chip(request)
        if not chip["config_locked"] or chip["slots_locked"] >> slot & 1:
            raise Refusal("locked", "slot")
        self._authorise(request, chip)

    def _authorise(self, request, chip):
        if not (chip["data_locked"] and chip["slots_locked"] >> _IDENTITY_SLOT & 1):
            return
        try:
            if not request.nonce:  # type: ignore[attr-defined]
                raise ValueError("spent")
            payload, digest, signature = cose.open_sign1(request.authorisation)
            fields = cbor.decode(payload)
            record = self._readable()
            expected = [
                record.device_id if record else hexlify(chip["serial_number"]).decode(),
                request.nonce,  # type: ignore[attr-defined]
                request.op,
                sha256(cbor.encode(request.args)).digest(),
            ]
            # Item 1 is the verifier, which the operator states and this device cannot know.
            if not isinstance(fields, list) or fields[:1] != ["hri/1 authorise"] or fields[2:] != expected:
                raise ValueError("other request")
        except ValueError as error:
            raise Refusal("unauthorised", str(error))
        if not self._element.verify(_OPERATOR_SLOT, digest, signature):
            raise Refusal("unauthorised", "signature")

    # The operations, in the order of docs/protocol.md.

    def do_hello(self, _request):
        record = self._readable()
        result = {
            "protocol": _PROTOCOL,
            "package": __version__,
            "runtime": sys.implementation.name + " %d.%d.%d" % tuple(sys.implementation.version[:3]),
            "board": self._board,
            "reset": self._reset,
            "uptime_ms": self._ticks_ms(),
            "stage": None,
            "device_id": record.device_id if record else None,
            "element": None,
        }
        try:
            chip = self._chip()
            result["stage"] = self._stage(chip)
            del chip["config"]
            result["element"] = chip
        except SecureElementError as error:
            result["element_error"] = {"code": _error_code(error), "message": str(error)}
        return result

    def do_chip__info(self, _request):
        return self._chip()

    def do_chip__write_config(self, request):
        config = request.data("config", 128, 128)
        self._chip(request)
        self._element.write_config(config)
        return {"config": self._element.read_config()}

    def do_chip__lock_config(self, request):
        crc = request.uint("crc", 0xFFFF)
        chip = self._chip(request)
        # As it was, or would be, at the moment of locking: Lock itself clears the two lock bytes.
        config = bytearray(chip["config"])
        config[86] = config[87] = _UNLOCKED
        same = self._element.config_crc(bytes(config)) == crc
        if not chip["config_locked"]:
            if not same:
                raise Refusal("bad-request", "crc")
            self._element.lock_config(crc)
        elif not same:
            raise Refusal("locked", "config")
        return {"config": self._element.read_config()}

    def do_chip__write_slot(self, request):
        slot = request.slot()
        offset = request.uint("offset", _SLOT_LIMIT)
        data = request.data("data", 1, _SLOT_LIMIT)
        self._changeable(request, slot)
        self._element.write_slot(slot, data, offset)
        return {}

    def do_chip__read_slot(self, request):
        length = request.uint("length", _SLOT_LIMIT)
        return {"data": self._element.read_slot(request.slot(), length, request.uint("offset", _SLOT_LIMIT))}

    def do_chip__lock_data(self, request):
        crc = request.uint("crc", 0xFFFF)
        chip = self._chip(request)
        if chip["data_locked"] or not chip["config_locked"]:
            raise Refusal("locked", "data")
        self._element.lock_data(crc)
        return {}

    def do_chip__lock_slot(self, request):
        slot = request.slot()
        chip = self._chip(request)
        # Done already: nothing changes, so nothing needs an authorisation.
        if not chip["slots_locked"] >> slot & 1:
            self._authorise(request, chip)
            self._element.lock_slot(slot)
        return {}

    def do_key__generate(self, request):
        slot = request.slot()
        self._changeable(request, slot)
        return {"public_key": self._element.generate_key(slot)}

    def do_key__public(self, request):
        return {"public_key": self._element.public_key(request.slot())}

    def do_key__birth(self, request):
        bound = _binding(request)
        self._changeable(request, request.slot())
        return {"evidence": attestation.birth(self._element, *bound)}

    def do_key__state(self, request):
        csr_digest = request.data("csr", 32, 32)
        return {"evidence": attestation.state(self._element, csr_digest, *_binding(request))}

    def do_csr__make(self, request):
        subject = request.array("subject")
        for pair in subject:
            if not isinstance(pair, list) or [type(part) for part in pair] != [str, str]:
                raise Refusal("bad-request", "subject")
        return {"csr": csr.make(self._element, request.slot(), subject)}

    def do_certificate__store(self, request):
        certificate = request.data("certificate", 1, _CERTIFICATE_LIMIT)
        chain = request.array("chain")
        if not all(isinstance(der, bytes) for der in chain):
            raise Refusal("bad-request", "chain")
        record = Record(request.text("device_id"), request.slot(), certificate, chain)
        try:
            present = self._identity()
        except DamagedError:
            # Counts as none: storing again is how it is mended.
            present = None
        if not present or present.encode() != record.encode():
            if present:
                self._authorise(request, self._chip())
            self._record = _UNREAD
            self._store.save(record)
        return {"digest": sha256(certificate).digest()}

    def do_certificate__load(self, _request):
        record = self._stored()
        return {
            "device_id": record.device_id,
            "slot": record.slot,
            "certificate": record.certificate,
            "chain": record.chain,
        }

    def do_identity__answer(self, request):
        challenge = request.data("challenge", 32, 32)
        verifier = request.text("verifier")
        record = self._stored()
        payload = ["hri/1 authenticate", verifier, record.device_id, challenge]
        return {
            "answer": cose.sign1(self._element, record.slot, cbor.encode(payload)),
            "device_id": record.device_id,
            "certificate": record.certificate,
        }

    def do_data__sign(self, request):
        data = request.data("data", 0, _DATA_LIMIT)
        return {
            "signature": cose.sign1(self._element, request.slot(), cbor.encode(["hri/1 data", data]), True)
        }

    def do_authorisation__nonce(self, _request):
        self._nonce = self._element.random(32)
        return {"nonce": self._nonce}


def _binding(request):
    # The device id is empty while it is not yet known: it may be derived from the key that is about to be
    # born.
    return (
        request.slot(),
        request.slot("attestation_slot"),
        request.data("challenge", 32, 32),
        request.text("verifier"),
        request.text("device_id", 0),
    )


def _encode(status, result):
    # Straight behind the room that Link.send wants for the head, so that it is never copied.
    out = bytearray(3)
    cbor.encode_into(out, [status, result])
    return out

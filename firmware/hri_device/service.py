"""The device service: answers the host's requests, one at a time (docs/protocol.md)."""

import gc
import sys
from binascii import hexlify
from hashlib import sha256

try:
    from micropython import const
except ImportError:
    const = int

try:
    from sys import print_exception
except ImportError:
    from traceback import print_exception

from . import __version__, attestation, cbor, cose, csr
from .certstore import Record, RecordSizeError, StorageError
from .errors import BusError, CommandError, LockedError, PacketError, SecureElementError
from .link import Link, TooLongError
from .request import Request, RequestError

_PROTOCOL = const(1)
# Slots of the hri-device profile (docs/profile.md).
_IDENTITY_SLOT = const(0)
_OPERATOR_SLOT = const(14)

_UNLOCKED = const(0x55)
_CONFIG_SIZE = const(128)
_SLOT_LIMIT = const(416)
_DATA_LIMIT = const(2048)
_DER_LIMIT = const(4096)
_TEXT_LIMIT = const(255)
_CHALLENGE = const(32)


class _Chip:
    # One reading of the configuration zone and what it says of serial number and locks (508A datasheet, table of
    # the configuration zone; the 608's public header has them in the same places).
    def __init__(self, config):
        self.config = config
        self.serial = config[:4] + config[8:13]
        self.config_locked = config[87] != _UNLOCKED
        self.data_locked = config[86] != _UNLOCKED
        # In the chip a cleared bit is a locked slot.
        self.slots_locked = (config[88] | config[89] << 8) ^ 0xFFFF

    def is_slot_locked(self, slot):
        return bool(self.slots_locked >> slot & 1)


def _error_code(error):
    if isinstance(error, RequestError):
        return error.code
    if isinstance(error, BusError):
        return "chip-busy" if getattr(error, "busy", False) else "chip-absent"
    if isinstance(error, PacketError):
        return "chip-fault"
    if isinstance(error, CommandError):
        return "chip-refused"
    if isinstance(error, LockedError):
        return "locked"
    if isinstance(error, (RecordSizeError, TooLongError)):
        return "too-long"
    if isinstance(error, (StorageError, OSError)):
        return "storage"
    # The limits that der, csr and the element put on what they are given.
    if isinstance(error, ValueError):
        return "bad-request"
    return "internal"


class Service:
    """Answers requests from `stream` with one `element` and one `store` (see certstore).

    `stream` is that of ports; `ticks_ms()` gives the milliseconds since boot; `board` and `reset` are told to the
    host as they are.
    """

    def __init__(self, element, store, stream, board="", reset="", ticks_ms=lambda: 0):
        self._element = element
        self._store = store
        self._stream = stream
        self._board = board
        self._reset = reset
        self._ticks_ms = ticks_ms
        self._nonce = None
        self._record = None
        self._record_read = False

    def run(self):
        """Answer requests until the stream ends, or Ctrl-C, which leaves as KeyboardInterrupt."""
        link = Link(self._stream)
        self._stream.kbd_intr(False)
        try:
            while True:
                try:
                    number, body = link.receive()
                except EOFError:
                    return
                answer = self.answer(body)
                try:
                    link.send(number, cbor.encode_into, answer)
                except (TooLongError, MemoryError) as error:
                    answer = self._refusal(error)
                    link.send(number, cbor.encode_into, answer)
                body = answer = None
                gc.collect()
        finally:
            self._stream.kbd_intr(True)

    def answer(self, body):
        """Return the answer to the request in `body` (CBOR), a refusal included; never raises an Exception."""
        try:
            request = Request(body)
            operation = _OPERATIONS.get(request.op)
            if operation is None:
                raise RequestError("bad-request", "unknown op")
            # An authorisation is spent by the attempt, whatever its outcome.
            nonce = None
            if request.authorisation is not None:
                nonce, self._nonce = self._nonce, None
            request.nonce = nonce
            return [0, operation(self, request)]
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, the host gets its one answer
            return self._refusal(error)

    def _refusal(self, error):
        code = _error_code(error)
        if code == "internal":
            print_exception(error)
        fault = {"code": code, "message": str(error) or type(error).__name__}
        if code == "chip-refused":
            fault["status"] = error.status
            fault["opcode"] = error.opcode
        elif code == "locked" or code == "unauthorised":
            try:
                fault["state"] = self._stage(self._read_chip())
            except SecureElementError:
                pass  # The refusal stands without it.
        return [1, fault]

    # What the operations share.

    def _read_chip(self):
        return _Chip(self._element.read_config())

    def _identity(self):
        if not self._record_read:
            self._record = self._store.load()
            self._record_read = True
        return self._record

    def _identity_or_none(self):
        # For answers that must come even where the record is damaged; certificate.load says what is wrong with it.
        try:
            return self._identity()
        except (StorageError, OSError, SecureElementError):
            return None

    def _stored(self):
        record = self._identity()
        if record is None:
            raise RequestError("not-found", "no certificate is stored")
        return record

    def _stage(self, chip):
        if not chip.config_locked:
            return "blank"
        if not chip.data_locked:
            return "configured"
        if not chip.is_slot_locked(_IDENTITY_SLOT):
            return "personalised"
        return "identified" if self._identity_or_none() is None else "certified"

    def _named_chip(self, request):
        # A board swapped under the operator's hand is refused before anything else is looked at.
        chip = self._read_chip()
        if request.bytes("serial", 9, 9) != chip.serial:
            raise RequestError("wrong-chip", "the chip here has another serial number")
        return chip

    def _changeable(self, request, slot):
        chip = self._named_chip(request)
        if not chip.config_locked:
            raise RequestError("locked", "the configuration zone must be locked first")
        if chip.is_slot_locked(slot):
            raise RequestError("locked", "slot %d is locked for good" % slot)
        self._authorise(request, chip)

    def _authorise(self, request, chip):
        if not chip.data_locked or not chip.is_slot_locked(_IDENTITY_SLOT):
            return
        if request.authorisation is None:
            raise RequestError(
                "unauthorised", "a provisioned chip changes only with the operator's authorisation"
            )
        if request.nonce is None:
            raise RequestError(
                "unauthorised", "ask for authorisation.nonce first; each is good for one attempt"
            )
        try:
            payload, digest, signature = cose.open_sign1(request.authorisation)
            fields = cbor.decode(payload)
        except ValueError as error:
            raise RequestError("unauthorised", str(error))
        record = self._identity_or_none()
        expected = [
            record.device_id if record else hexlify(chip.serial).decode(),
            request.nonce,
            request.op,
            sha256(cbor.encode(request.args)).digest(),
        ]
        # Item 1 is the verifier, which the operator states and this device cannot know.
        if not isinstance(fields, list) or fields[:1] != ["hri/1 authorise"] or fields[2:] != expected:
            raise RequestError("unauthorised", "the authorisation is for something else")
        if not isinstance(fields[1], str) or not self._element.verify(_OPERATOR_SLOT, digest, signature):
            raise RequestError("unauthorised", "the authorisation is not by the operator's key")

    def _sign(self, slot, payload, detached=False):
        return cose.sign1(cbor.encode(payload), lambda digest: self._element.sign(slot, digest), detached)

    # The operations, in the order of docs/protocol.md.

    def _hello(self, _request):
        chip = element = fault = None
        try:
            chip = self._read_chip()
            element = self._describe(chip)
        except SecureElementError as error:
            fault = {"code": _error_code(error), "message": str(error)}
        record = self._identity_or_none()
        result = {
            "protocol": _PROTOCOL,
            "package": __version__,
            "runtime": _runtime(),
            "board": self._board,
            "reset": self._reset,
            "uptime_ms": self._ticks_ms(),
            "stage": self._stage(chip) if chip else None,
            "device_id": record.device_id if record else None,
            "element": element,
        }
        if fault:
            result["element_error"] = fault
        return result

    def _describe(self, chip):
        return {
            "type": self._element.type,
            "serial_number": chip.serial,
            "revision": chip.config[4:8],
            "config_locked": chip.config_locked,
            "data_locked": chip.data_locked,
            "slots_locked": chip.slots_locked,
        }

    def _chip_info(self, _request):
        chip = self._read_chip()
        result = self._describe(chip)
        result["config"] = chip.config
        return result

    def _chip_write_config(self, request):
        config = request.bytes("config", _CONFIG_SIZE, _CONFIG_SIZE)
        if self._named_chip(request).config_locked:
            raise RequestError("locked", "the configuration zone is locked for good")
        self._element.write_config(config)
        return {"config": self._element.read_config()}

    def _chip_lock_config(self, request):
        crc = request.uint("crc", 0xFFFF)
        chip = self._named_chip(request)
        if chip.config_locked:
            # As it was when it was locked: Lock itself has since cleared the two lock bytes.
            before = bytearray(chip.config)
            before[86] = before[87] = _UNLOCKED
            if self._element.config_crc(bytes(before)) != crc:
                raise RequestError("locked", "the configuration zone is locked with other contents")
            return {"config": chip.config}
        if self._element.config_crc(chip.config) != crc:
            raise RequestError("bad-request", "crc: not that of the configuration zone as it is now")
        self._element.lock_config(crc)
        return {"config": self._element.read_config()}

    def _chip_write_slot(self, request):
        slot = request.uint("slot", 15)
        offset = request.uint("offset", _SLOT_LIMIT)
        data = request.bytes("data", 1, _SLOT_LIMIT)
        self._changeable(request, slot)
        self._element.write_slot(slot, data, offset)
        return {}

    def _chip_read_slot(self, request):
        slot = request.uint("slot", 15)
        offset = request.uint("offset", _SLOT_LIMIT)
        return {"data": self._element.read_slot(slot, request.uint("length", _SLOT_LIMIT), offset)}

    def _chip_lock_data(self, request):
        crc = request.uint("crc", 0xFFFF)
        chip = self._named_chip(request)
        if not chip.config_locked:
            raise RequestError("locked", "the configuration zone must be locked first")
        if chip.data_locked:
            raise RequestError("locked", "the data zone is locked already")
        self._element.lock_data(crc)
        return {}

    def _chip_lock_slot(self, request):
        slot = request.uint("slot", 15)
        chip = self._named_chip(request)
        # Done already: nothing changes, so nothing needs an authorisation.
        if not chip.is_slot_locked(slot):
            self._authorise(request, chip)
            self._element.lock_slot(slot)
        return {}

    def _key_generate(self, request):
        slot = request.uint("slot", 15)
        self._changeable(request, slot)
        return {"public_key": self._element.generate_key(slot)}

    def _key_public(self, request):
        return {"public_key": self._element.public_key(request.uint("slot", 15))}

    def _key_birth(self, request):
        slot = request.uint("slot", 15)
        attestation_slot = request.uint("attestation_slot", 15)
        bound = _binding(request)
        self._changeable(request, slot)
        return {"evidence": attestation.birth(self._element, slot, attestation_slot, *bound)}

    def _key_state(self, request):
        slot = request.uint("slot", 15)
        attestation_slot = request.uint("attestation_slot", 15)
        bound = _binding(request)
        csr_digest = request.bytes("csr", 32, 32)
        return {"evidence": attestation.state(self._element, slot, attestation_slot, *bound, csr_digest)}

    def _csr_make(self, request):
        subject = request.array("subject")
        for pair in subject:
            if (
                not isinstance(pair, list)
                or len(pair) != 2
                or not all(isinstance(part, str) for part in pair)
            ):
                raise RequestError("bad-request", "subject: an array of [short name, value]")
        return {"csr": csr.make(self._element, request.uint("slot", 15), subject)}

    def _certificate_store(self, request):
        chain = request.array("chain")
        if not all(isinstance(der, bytes) for der in chain):
            raise RequestError("bad-request", "chain: must be an array of bytes")
        record = Record(
            request.text("device_id", 1, _TEXT_LIMIT),
            request.uint("slot", 15),
            request.bytes("certificate", 1, _DER_LIMIT),
            chain,
        )
        # A damaged record counts as none: storing again is how it is mended.
        try:
            present = self._identity()
        except StorageError:
            present = None
        if present is None or present.encode() != record.encode():
            if present is not None:
                self._authorise(request, self._read_chip())
            self._record = None
            self._record_read = False
            self._store.save(record)
        return {"digest": sha256(record.certificate).digest()}

    def _certificate_load(self, _request):
        record = self._stored()
        return {
            "device_id": record.device_id,
            "slot": record.slot,
            "certificate": record.certificate,
            "chain": record.chain,
        }

    def _identity_answer(self, request):
        challenge = request.bytes("challenge", _CHALLENGE, _CHALLENGE)
        verifier = request.text("verifier", 1, _TEXT_LIMIT)
        record = self._stored()
        payload = ["hri/1 authenticate", verifier, record.device_id, challenge]
        return {
            "answer": self._sign(record.slot, payload),
            "device_id": record.device_id,
            "certificate": record.certificate,
        }

    def _data_sign(self, request):
        slot = request.uint("slot", 15)
        data = request.bytes("data", 0, _DATA_LIMIT)
        return {"signature": self._sign(slot, ["hri/1 data", data], True)}

    def _authorisation_nonce(self, _request):
        self._nonce = self._element.random(32)
        return {"nonce": self._nonce}


def _runtime():
    version = sys.implementation.version
    return "%s %d.%d.%d" % (sys.implementation.name, version[0], version[1], version[2])


def _binding(request):
    challenge = request.bytes("challenge", _CHALLENGE, _CHALLENGE)
    # The device id is empty while it is not yet known: it may be derived from the key that is about to be born.
    return challenge, request.text("verifier", 1, _TEXT_LIMIT), request.text("device_id", 0, _TEXT_LIMIT)


_OPERATIONS = {
    "hello": Service._hello,
    "chip.info": Service._chip_info,
    "chip.write_config": Service._chip_write_config,
    "chip.lock_config": Service._chip_lock_config,
    "chip.write_slot": Service._chip_write_slot,
    "chip.read_slot": Service._chip_read_slot,
    "chip.lock_data": Service._chip_lock_data,
    "chip.lock_slot": Service._chip_lock_slot,
    "key.generate": Service._key_generate,
    "key.public": Service._key_public,
    "key.birth": Service._key_birth,
    "key.state": Service._key_state,
    "csr.make": Service._csr_make,
    "certificate.store": Service._certificate_store,
    "certificate.load": Service._certificate_load,
    "identity.answer": Service._identity_answer,
    "data.sign": Service._data_sign,
    "authorisation.nonce": Service._authorisation_nonce,
}

"""A command's parameters in words: which mode, on what.

Sources: ATECC508A data sheet DS20005927A, "Command descriptions"; the public 608 variant pages and the
vendor's public headers for what the 608 added. A parameter outside them is shown as its number.
"""

from __future__ import annotations

from collections.abc import Callable

Words = Callable[[int, int, bytes], str]

_TEMPKEY = 0xFFFF
_WITH_BLOCK = 0x80
_ZONES = ("config", "OTP", "slot", "zone 3")
_INFO = ("revision", "key valid", "state", "GPIO", "latch")
_KDF = ("PRF", "AES", "HKDF", "algorithm 3")
_SELF_TESTS = {0x01: "RNG", 0x02: "ECDSA", 0x04: "ECDSA", 0x08: "ECDH", 0x10: "AES", 0x20: "SHA"}
_SECURE_BOOT = {5: "Full", 6: "FullStore", 7: "FullCopy"}
_BUFFERS = ("TempKey", "message digest buffer", "alternate key", "buffer 3")


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _key(param2: int) -> str:
    return "TempKey" if param2 == _TEMPKEY else f"slot {param2}"


def place(zone: int, param2: int, *, block: bool) -> str:
    """Return what an address of Read or Write means: bytes of a zone, or a block of it."""
    name = _ZONES[zone & 3]
    if zone & 3 == 2:
        name, number = f"slot {param2 >> 3 & 0xF}", param2 >> 8
    else:
        number = param2 >> 3
    if block:
        return f"{name} block {number}"
    first = 32 * number + 4 * (param2 & 7)
    return f"{name} {first}..{first + 3}"


def _read(param1: int, param2: int, _data: bytes) -> str:
    block = bool(param1 & _WITH_BLOCK)
    return f"{place(param1, param2, block=block)}, {32 if block else 4} bytes"


def _write(param1: int, param2: int, data: bytes) -> str:
    encrypted = ""
    if param1 & 0x40 or len(data) in (36, 64):
        encrypted = "encrypted, with MAC" if len(data) in (36, 64) else "encrypted"
    return _joined(place(param1, param2, block=bool(param1 & _WITH_BLOCK)), encrypted)


def _aes(param1: int, param2: int, _data: bytes) -> str:
    if param1 & 0x07 == 3:
        return "GFM"
    what = "decrypt" if param1 & 1 else "encrypt"
    return f"{what}, key {param1 >> 6} of {_key(param2)}"


def _first_and_second(param1: int, param2: int) -> str:
    first = "TempKey" if param1 & 2 else f"slot {param2}"
    return f"{first} over {'TempKey' if param1 & 1 else 'challenge'}"


def _nonce_source(param1: int) -> str:
    return "fixed nonce" if param1 & 4 and param1 & 3 else ""


def _checkmac(param1: int, param2: int, _data: bytes) -> str:
    otp = "with OTP" if param1 & 0x20 else ""
    return _joined(_first_and_second(param1, param2), otp, _nonce_source(param1))


def _mac(param1: int, param2: int, _data: bytes) -> str:
    otp = "88 bits of OTP" if param1 & 0x10 else "64 bits of OTP" if param1 & 0x20 else ""
    full = "full serial" if param1 & 0x40 else ""
    return _joined(_first_and_second(param1, param2), otp, full, _nonce_source(param1))


def _counter(param1: int, param2: int, _data: bytes) -> str:
    what = {0: "read", 1: "increment"}.get(param1, f"mode {param1:02x}")
    return f"{what} counter {param2}"


def _derivekey(param1: int, param2: int, data: bytes) -> str:
    source = "fixed nonce" if param1 & 4 else "random nonce"
    return _joined(f"slot {param2}", source, "with MAC" if data else "")


def _ecdh(param1: int, param2: int, _data: bytes) -> str:
    source = "TempKey" if param1 & 1 else f"slot {param2}"
    if param1 & 0x0E == 0x0E:
        return f"key in {source}, output encrypted"
    kept = param2 if param1 & 1 else param2 | 1
    target = ("as configured", f"to slot {kept}", "to TempKey", "output in clear")[param1 >> 2 & 3]
    return f"key in {source}, {target}"


def _gendig(param1: int, param2: int, data: bytes) -> str:
    zones = ("config block", "OTP block", "slot", "shared nonce", "counter", "key configuration of slot")
    name = zones[param1] if param1 < len(zones) else f"zone {param1:02x},"
    if param1 == 3:
        return _joined(f"{name} {param2 & 0xFF:02x}", "swapped" if param2 & 0x8000 else "")
    return _joined(f"{name} {param2}", "OtherData in place of parameters" if param1 == 2 and data else "")


def _genkey(param1: int, param2: int, _data: bytes) -> str:
    if param1 & 0x10:
        return f"digest of the public key in {_key(param2)} into TempKey"
    what = "create" if param1 & 4 else "public key"
    return _joined(what, "digest into TempKey" if param1 & 8 else "", _key(param2))


def _info(param1: int, param2: int, _data: bytes) -> str:
    name = _INFO[param1] if param1 < len(_INFO) else f"mode {param1:02x}"
    if param1 == 1:
        return f"{name}, slot {param2}"
    if param1 == 4:
        return f"{name} {'set' if param2 & 3 == 3 else 'clear' if param2 & 2 else 'read'}"
    return name


def _kdf_details(param1: int, data: bytes) -> str:
    if len(data) < 4:
        return ""
    details = int.from_bytes(data[:4], "little")
    size = details >> 24 & 0xFF
    if param1 >> 5 & 3 == 0:
        wide = "64 bytes" if details & 0x100 else "32 bytes"
        return _joined(wide, "AEAD" if details & 0x600 else "")
    if param1 >> 5 & 3 == 2:
        where = ("message in slot", "message in TempKey", f"message of {size} bytes", "message is the IV")
        return _joined(where[details & 3], "zero key" if details & 4 else "")
    return ""


def _kdf(param1: int, param2: int, data: bytes) -> str:
    source = ("TempKey", "upper TempKey", f"slot {param2 & 0xFF}", "alternate key")[param1 & 3]
    targets = (
        "TempKey",
        "upper TempKey",
        f"slot {param2 >> 8}",
        "alternate key",
        "output",
        "output encrypted",
    )
    target = param1 >> 2 & 7
    name = targets[target] if target < len(targets) else f"target {target}"
    return _joined(f"{_KDF[param1 >> 5 & 3]} from {source} to {name}", _kdf_details(param1, data))


def _lock(param1: int, param2: int, _data: bytes) -> str:
    kind = param1 & 3
    what = {0: "config", 1: "data and OTP", 2: f"slot {param1 >> 2 & 0xF}"}.get(kind, f"mode {param1:02x}")
    if kind == 2:
        return what
    return f"{what} without CRC" if param1 & 0x80 else f"{what} with CRC {param2:04x}"


def _nonce(param1: int, param2: int, _data: bytes) -> str:
    if param1 & 3 == 3:
        return f"fixed, {64 if param1 & 0x20 else 32} bytes to {_BUFFERS[param1 >> 6]}"
    seed = {0: "", 1: "no seed update"}.get(param1 & 3, f"mode {param1:02x}")
    return _joined("random", seed, "output of TempKey" if param2 & 0x8000 else "")


def _privwrite(param1: int, param2: int, _data: bytes) -> str:
    return f"slot {param2}, {'encrypted' if param1 & 0x40 else 'in clear'}"


def _random(param1: int, _param2: int, _data: bytes) -> str:
    return "no seed update" if param1 & 1 else ""


def _secureboot(param1: int, _param2: int, _data: bytes) -> str:
    name = _SECURE_BOOT.get(param1 & 7, f"mode {param1:02x}")
    return _joined(
        name,
        "then prohibit" if param1 & 0x40 else "",
        "encrypted digest and MAC" if param1 & 0x80 else "",
    )


def self_tests(mask: int) -> str:
    """Return the names of SelfTest's bits."""
    return ", ".join(dict.fromkeys(name for bit, name in _SELF_TESTS.items() if mask & bit))


def _selftest(param1: int, _param2: int, _data: bytes) -> str:
    return self_tests(param1) if param1 else "read failures"


def _sha(param1: int, param2: int, _data: bytes) -> str:
    kind = param1 & 7
    if kind == 2:
        targets = {0: "to TempKey", 1: "to message digest buffer", 3: "output only"}
        return f"end, {targets.get(param1 >> 6, f'mode {param1:02x}')}, {param2} bytes"
    return {
        0: "start",
        1: f"update, {param2} bytes",
        3: f"public key in slot {param2}",
        4: f"HMAC start, {_key(param2)}",
        6: "read context",
        7: f"write context, {param2} bytes",
    }.get(kind, f"mode {param1:02x}")


def _sign(param1: int, param2: int, _data: bytes) -> str:
    if param1 & 0x80:
        return _joined("external", "message digest buffer" if param1 & 0x20 else "TempKey", _key(param2))
    full = "full serial" if param1 & 0x40 else ""
    return _joined(f"internal {_key(param2)}", full, "to invalidate" if param1 & 1 else "")


def _updateextra(param1: int, param2: int, _data: bytes) -> str:
    what = {0: "UserExtra", 1: "UserExtraAdd"}.get(param1, f"mode {param1:02x},")
    return f"{what} to {param2 & 0xFF:02x}"


def _verify(param1: int, param2: int, _data: bytes) -> str:
    kinds = {
        0: f"stored key, slot {param2}",
        1: f"validate external, slot {param2}",
        2: "external key",
        3: f"validate slot {param2}",
        7: f"invalidate slot {param2}",
    }
    return _joined(
        kinds.get(param1 & 7, f"mode {param1:02x}"),
        "message digest buffer" if param1 & 0x20 else "",
        "with MAC" if param1 & 0x80 else "",
    )


COMMANDS: dict[int, tuple[str, Words]] = {
    0x02: ("Read", _read),
    0x08: ("MAC", _mac),
    0x12: ("Write", _write),
    0x15: ("GenDig", _gendig),
    0x16: ("Nonce", _nonce),
    0x17: ("Lock", _lock),
    0x1B: ("Random", _random),
    0x1C: ("DeriveKey", _derivekey),
    0x20: ("UpdateExtra", _updateextra),
    0x24: ("Counter", _counter),
    0x28: ("CheckMac", _checkmac),
    0x30: ("Info", _info),
    0x40: ("GenKey", _genkey),
    0x41: ("Sign", _sign),
    0x43: ("ECDH", _ecdh),
    0x45: ("Verify", _verify),
    0x46: ("PrivWrite", _privwrite),
    0x47: ("SHA", _sha),
    0x51: ("AES", _aes),
    0x56: ("KDF", _kdf),
    0x77: ("SelfTest", _selftest),
    0x80: ("SecureBoot", _secureboot),
}


def name(opcode: int) -> str:
    """Return a command's name; ``opcode 99`` where there is none."""
    return COMMANDS[opcode][0] if opcode in COMMANDS else f"opcode {opcode:02x}"


def mode(opcode: int, param1: int, param2: int, data: bytes) -> str:
    """Return a command's parameters in words; as numbers where the opcode is unknown."""
    if opcode not in COMMANDS:
        return f"Param1 {param1:02x}, Param2 {param2:04x}"
    return COMMANDS[opcode][1](param1, param2, data)

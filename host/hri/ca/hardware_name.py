"""hardwareModuleName: which module a certificate is for, by its maker's numbers (RFC 4108 section 5)."""

from __future__ import annotations

from cryptography import x509

_TYPE_ID = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.4")
_OID, _OCTET_STRING, _SEQUENCE = 0x06, 0x04, 0x30


def hardware_module_name(hardware_type: x509.ObjectIdentifier, serial_number: bytes) -> x509.OtherName:
    """Return the name of a module: `hardware_type` is the maker's, `serial_number` 1 to 64 bytes."""
    if not 1 <= len(serial_number) <= 64:
        raise ValueError("a module's serial number has 1 to 64 bytes")
    body = _element(_OID, _oid_content(hardware_type)) + _element(_OCTET_STRING, serial_number)
    return x509.OtherName(_TYPE_ID, _element(_SEQUENCE, body))


def _element(tag: int, content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    size = (len(content).bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + len(content).to_bytes(size, "big") + content


def _oid_content(identifier: x509.ObjectIdentifier) -> bytes:
    """Return the content of an OBJECT IDENTIFIER: base 128, most significant first (X.690 section 8.19)."""
    first, second, *rest = (int(arc) for arc in identifier.dotted_string.split("."))
    content = bytearray()
    for arc in (first * 40 + second, *rest):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(0x80 | arc & 0x7F)
        content += bytes(reversed(digits))
    return bytes(content)

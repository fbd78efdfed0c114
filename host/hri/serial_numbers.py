"""How a certificate's serial number is written: hex digits, whole octets, as openssl shows them."""

from __future__ import annotations


def serial_text(serial_number: int) -> str:
    """Return a certificate's serial number in lower-case hex, two digits an octet (RFC 5280, 4.1.2.2).

    A negative one, which no CA may give and any forger can, has a sign before it.
    """
    if serial_number < 0:
        return "-" + serial_text(-serial_number)
    return serial_number.to_bytes(max(1, (serial_number.bit_length() + 7) // 8), "big").hex()

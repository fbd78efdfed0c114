"""Compressed certificates: 72 bytes of a slot and a template give the whole certificate, and back.

The 72 bytes (Microchip's format; public headers and host-side calculations, H): r || s, three bytes of dates,
signer id, template | chain, serial-number source | format, date extension. A template is the list
[1, template and chain id, serial-number source, TBSCertificate, [kind, offset, length, ...]] that the host
makes of reviewed YAML: the board fills the named places of a TBSCertificate and knows nothing else of X.509.
"""

from . import const, csr, sha256
from .sha1 import sha1

_SIZE = const(72)
# The kinds of places.
_SERIAL_NUMBER = const(0)
_NOT_BEFORE = const(1)
_NOT_AFTER = const(2)
_PUBLIC_KEY = const(3)
_SUBJECT_KEY_ID = const(4)
_AUTHORITY_KEY_ID = const(5)
_SIGNER_ID = const(6)
_ELEMENT_UPPER = const(7)
_ELEMENT_LOWER = const(8)
_KEY_SHA256 = const(9)
_EUI48 = const(10)
# Serial-number sources (H).
_STORED = const(0x0)
_STORED_DYNAMIC = const(0x7)
_OF_ELEMENT = const(0x8)
_OF_SIGNER = const(0x9)
_UTC_TIME = const(13)
_ORDER = (
    b"\xff\xff\xff\xff\0\0\0\0"
    + b"\xff" * 8
    + b"\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51"
)
_ECDSA_WITH_SHA256 = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"


def rebuild(template, compressed, public_key, authority_key, element_serial=None, eui48=None, stored=None):
    """Return the certificate (DER) of 72 bytes.

    Keys are 64 bytes (X then Y); in place of `authority_key` its 20-byte identifier will do. `element_serial`
    is the chip's 9 bytes, `eui48` 12 characters (bytes), `stored` the serial number where its source is a
    stored one. Raises ValueError for bytes that are no compressed certificate, for another template, and
    where a source is missing. No signature is verified here.
    """
    dates, years = _dates(template, compressed)
    tbs = bytearray(template[3])
    places = template[4]
    for at in range(0, len(places), 3):
        kind, offset, length = places[at : at + 3]
        if kind == _SERIAL_NUMBER:
            value = _serial(template[2], compressed, length, public_key, element_serial, stored)
        elif kind == _NOT_BEFORE:
            value = _time(dates, length)
        elif kind == _NOT_AFTER:
            value = _end(dates, years, length)
        elif kind == _PUBLIC_KEY:
            value = public_key
        elif kind == _SUBJECT_KEY_ID:
            value = sha1(b"\x04" + public_key)
        elif kind == _AUTHORITY_KEY_ID:
            value = authority_key if len(authority_key) == length else sha1(b"\x04" + authority_key)
        elif kind == _SIGNER_ID:
            value = _hex(compressed[67:69]).upper()
        elif kind == _ELEMENT_UPPER:
            value = _hex(_given(element_serial, "serial number")).upper()
        elif kind == _ELEMENT_LOWER:
            value = _hex(_given(element_serial, "serial number"))
        elif kind == _KEY_SHA256:
            value = _hex(sha256(csr.spki(public_key)).digest())
        elif kind == _EUI48:
            value = _given(eui48, "EUI-48")
        else:
            raise ValueError("template: kind")
        if len(value) != length:
            raise ValueError("template: length of kind %d" % kind)
        tbs[offset : offset + length] = value
    return csr.sequence(bytes(tbs), _ECDSA_WITH_SHA256, csr.bit_string(csr.signature(compressed[:64])))


def compress(
    template,
    certificate,
    public_key,
    authority_key,
    element_serial=None,
    eui48=None,
    stored=None,
    signer_id=b"\0\0",
):
    """Return the 72 bytes of a certificate (DER), from which `rebuild` makes it again byte for byte.

    `signer_id` (2 bytes) counts where the certificate does not show it. Raises ValueError for a certificate
    that is not to the template, or says what the format cannot.
    """
    size = len(template[3])
    # A certificate to a template has two length octets: its keys and names leave it above 255 bytes.
    tbs = certificate[4 : 4 + size]
    start, end, places = b"", b"", template[4]
    for at in range(0, len(places), 3):
        kind, offset, length = places[at : at + 3]
        value = tbs[offset : offset + length]
        if kind == _NOT_BEFORE:
            start = value
        elif kind == _NOT_AFTER:
            end = value
        elif kind == _SIGNER_ID:
            try:
                signer_id = bytes([int(value[pair : pair + 2], 16) for pair in (0, 2)])
            except ValueError:
                raise ValueError("not to the template")
    signature = _raw_signature(certificate[4 + size + len(_ECDSA_WITH_SHA256) :])
    year, month, day, hour = _read_time(start)
    years = 0 if end == _end(None, 0, len(end)) else _read_time(end)[0] - year
    if not 2000 <= year <= 2127 or not 0 <= years <= 127:
        raise ValueError("date out of range")
    year -= 2000
    word = (year & 31) << 19 | month << 15 | day << 10 | hour << 5 | years & 31
    extension = year >> 5 << 6 | years >> 5 << 4
    # The lowest format that gives the certificate back; 1 and 2 give the same.
    for form in (0, 1):
        if extension and not form:
            continue
        ids = bytes((template[1], template[2] << 4 | form, extension))
        compressed = signature + word.to_bytes(3, "big") + signer_id + ids
        again = rebuild(template, compressed, public_key, authority_key, element_serial, eui48, stored)
        if again == certificate:
            return compressed
    raise ValueError("not to the template")


def public_key_of(slot):
    """Return the key (64 bytes) of a public key slot's 72; ValueError where its padding is not zero.

    The chip marks a validated key in the top four bits, which are no part of it (508A datasheet DS20005927A).
    """
    if len(slot) != _SIZE or slot[0] & 15 or slot[1:4] != bytes(3) or slot[36:40] != bytes(4):
        raise ValueError("no public key")
    return slot[4:36] + slot[40:]


def _dates(template, compressed):
    if len(compressed) != _SIZE:
        raise ValueError("compressed: length")
    form, extension = compressed[70] & 15, compressed[71]
    if form > 2 or extension & (15 if form else 255):
        raise ValueError("compressed: format")
    if compressed[69] != template[1] or compressed[70] >> 4 != template[2]:
        raise ValueError("compressed: another template")
    for half in (compressed[:32], compressed[32:64]):
        if not bytes(32) < half < _ORDER:
            raise ValueError("compressed: signature")
    word = int.from_bytes(compressed[64:67], "big")
    year = 2000 + (word >> 19 | extension >> 6 << 5)
    years = word & 31 | (extension >> 4 & 3) << 5
    dates = year, word >> 15 & 15, word >> 10 & 31, word >> 5 & 31
    _check_date(dates)
    return dates, years


def _check_date(dates):
    year, month, day, hour = dates
    if not 1 <= month <= 12 or hour > 23:
        raise ValueError("date")
    # Up to 2127 only 2100 is no leap year of those divisible by four; 2200 and 2300 cannot be reached by 127.
    longest = 30 + (month + month // 8) % 2
    if month == 2:
        longest = 28 if year % 4 or year in (2100, 2200) else 29
    if not 1 <= day <= longest:
        raise ValueError("date")


def _time(dates, length, rest="0000"):
    year, month, day, hour = dates
    if length == _UTC_TIME:
        if not 1950 <= year <= 2049:
            raise ValueError("date: year")
        year = "%02d" % (year % 100)
    return ("%s%02d%02d%02d%sZ" % (year, month, day, hour, rest)).encode()


def _end(dates, years, length):
    if not years:
        # No end is the last date of the form (RFC 5280 section 4.1.2.5; H).
        return _time((2049 if length == _UTC_TIME else 9999, 12, 31, 23), length, "5959")
    year, month, day, hour = dates
    last = year + years, month, day, hour
    _check_date(last)
    return _time(last, length)


def _read_time(value):
    try:
        if value[-5:] != b"0000Z":
            raise ValueError
        digits = value[:-5]
        year = int(digits[:-6])
        if len(value) == _UTC_TIME:
            year += 2000 if year < 50 else 1900
        return year, int(digits[-6:-4]), int(digits[-4:-2]), int(digits[-2:])
    except ValueError:
        raise ValueError("date: not a whole hour")


def _serial(source, compressed, length, public_key, element_serial, stored):
    if source in (_STORED, _STORED_DYNAMIC):
        number = _given(stored, "stored serial number")
    elif source == _OF_SIGNER:
        number = b"\x40" + compressed[67:69]
    elif source == _OF_ELEMENT:
        number = b"\x40" + _given(element_serial, "serial number")
    elif source < 10:
        raise ValueError("serial-number source")
    else:
        # Even sources hash the key and odd ones the chip's serial number; A and B are marked 01, C and D are
        # made positive, E and F left as they are (H).
        of = _given(element_serial, "serial number") if source & 1 else public_key
        dates = compressed[64:67]
        if compressed[70] & 15:
            dates += compressed[71:72]
        number = bytearray(sha256(of + dates).digest()[:length])
        if source < 0xE:
            number[0] &= 0x7F
        if source < 0xC:
            number[0] = number[0] & 0x3F | 0x40
        number = bytes(number)
    if number[0] & 0x80 or (number[0] == 0 and (len(number) == 1 or number[1] < 0x80)):
        raise ValueError("serial number: not in its shortest form")
    return number


def _raw_signature(rest):
    # BIT STRING of a SEQUENCE of two INTEGERs, all shorter than 128 bytes.
    try:
        if rest[0] != 3 or rest[2] != 0 or rest[3] != 0x30:
            raise ValueError
        at, raw = 5, b""
        for _ in range(2):
            number = rest[at + 2 : at + 2 + rest[at + 1]].lstrip(b"\0")
            if rest[at] != 2 or len(number) > 32:
                raise ValueError
            raw += bytes(32 - len(number)) + number
            at += 2 + rest[at + 1]
        return raw
    except (IndexError, ValueError):
        raise ValueError("signature")


def _given(value, what):
    if value is None:
        raise ValueError("missing " + what)
    return value


def _hex(data):
    return "".join(["%02x" % byte for byte in data]).encode()

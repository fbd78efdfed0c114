"""ECDH: a secret that this chip and the holder of another key have in common (508A datasheet, "ECDH").

Where the result may go is the slot's policy and the chip's (ChipOptions). The bare result is no key: put it
through a KDF first. Modes of the 608: its public headers.
"""

from .. import const, sha256
from ..errors import CommandError

_ECDH = const(0x43)
_ECDH_MS = const(531)
FROM_TEMPKEY = const(0x01)
ENCRYPTED = const(0x02)
AS_CONFIGURED = const(0x00)
TO_SLOT = const(0x04)
TO_TEMPKEY = const(0x08)
TO_OUTPUT = const(0x0C)


def ecdh(session, mode, slot, public_key):
    """Compute the secret of the key in `slot`, or in TempKey, and `public_key` (64 bytes).

    `mode` is a sum of the constants above. Returns 32 bytes, with ENCRYPTED 32 more that `unmasked` takes, or
    b"" where the secret stays in the chip. Into a slot: from TempKey it is `slot`, else the next.
    """
    if mode & ~0x0F or not 0 <= slot <= 15 or len(public_key) != 64:
        raise ValueError("mode, slot or public key")
    target = mode & TO_OUTPUT
    if target in (TO_SLOT, TO_TEMPKEY):
        size = 0
    elif target == TO_OUTPUT:
        size = 64 if mode & ENCRYPTED else 32
    else:
        size = -64  # The slot decides whether the secret comes out.
    try:
        secret = session.execute(_ECDH, mode, slot, public_key, size, _ECDH_MS)
    except CommandError as error:
        if error.status or size >= 0:
            raise
        secret = b""  # A bare success: the slot keeps the secret in the chip.
    if target == TO_TEMPKEY:
        session.holding = True
    return secret


def secret(element, slot, public_key):
    """Return the secret (32 bytes), in clear on the bus, of the key in `slot` and `public_key`."""
    with element.session as session:
        return ecdh(session, TO_OUTPUT, slot, public_key)


def protected_secret(element, slot, public_key, io_key):
    """Return the same secret, masked on the bus with the IO-protection key (32 bytes)."""
    with element.session as session:
        return unmasked(ecdh(session, TO_OUTPUT | ENCRYPTED, slot, public_key), io_key)


def unmasked(answer, io_key):
    """Return what `answer` says: 32 or 64 bytes, masked, and then 32 bytes of nonce."""
    if len(io_key) != 32 or len(answer) not in (64, 96):
        raise ValueError("an IO-protection key of 32 bytes, an answer of 64 or 96")
    nonce = answer[-32:]
    out = b""
    for block in range(len(answer) // 32 - 1):
        mask = sha256(bytes(io_key) + nonce[16 * block : 16 * block + 16]).digest()
        out += bytes([answer[32 * block + at] ^ mask[at] for at in range(32)])
    return out

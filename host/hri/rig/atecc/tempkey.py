"""TempKey and the other volatile buffers.

Source: ATECC508A data sheet DS20005927A, "TempKey"; for the second and third buffer the Nonce pages of
the public 608 variant documents.
"""

from __future__ import annotations

from dataclasses import dataclass

RANDOM_SOURCE, INPUT_SOURCE = 0, 1
"""SourceFlag: 0 after a random Nonce, 1 after a fixed one (608 variant pages, "Nonce")."""


@dataclass(slots=True)
class TempKey:
    """The value (32 or 64 bytes) and its flags.

    Three fields are not flags of the chip's own. ``derived`` remembers that GenDig or GenKey made the value,
    which Sign (internal) insists on; ``private`` that it is a private key, which serves ECDH only (O,
    "Private Key - Stored in TempKey"); ``hashed_key`` is set where SHA hashed a stored public key into it:
    the slot, the key's offset in the message and the message's length, for Verify (validate external).
    """

    value: bytes = bytes(32)
    valid: bool = False
    source: int = RANDOM_SOURCE
    key_id: int = 0
    gen_dig_data: bool = False
    gen_key_data: bool = False
    no_mac: bool = False
    derived: bool = False
    private: bool = False
    hashed_key: tuple[int, int, int] | None = None

    def load(self, value: bytes, source: int) -> None:
        """Hold a new nonce: every flag but the source is cleared."""
        self.value, self.valid, self.source, self.key_id = value, True, source, 0
        self.gen_dig_data = self.gen_key_data = self.no_mac = self.derived = self.private = False
        self.hashed_key = None

    def invalidate(self) -> None:
        """Forget value and flags."""
        self.load(bytes(32), RANDOM_SOURCE)
        self.valid = False

    @property
    def flags(self) -> int:
        """The byte that Info (state) and Sign (internal) show: KeyID, SourceFlag, GenDig, GenKey, NoMac."""
        return (
            self.key_id
            | self.source << 4
            | self.gen_dig_data << 5
            | self.gen_key_data << 6
            | self.no_mac << 7
        )

"""What the log says of one certificate: a MerkleTreeLeaf of RFC 6962 section 3.4, of type x509_entry.

version 00, leaf type 00, milliseconds since 1970 (8 bytes), entry type 0000, the DER behind its length in
3 bytes, extensions behind their length in 2.
"""

from __future__ import annotations

from dataclasses import dataclass

from hri.errors import PolicyRefusal

# An entry bundle gives a length in two bytes (C2SP tlog-tiles, "Log entries").
_LONGEST = 0xFFFF
_HEAD = b"\x00\x00"
_X509_ENTRY = b"\x00\x00"
# An extension as C2SP static-ct-api frames them (type, length in two bytes), of a type of our own: the
# certificate is older than its log.
_ISSUED_BEFORE = b"\xfe\x00\x00"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A logged certificate (DER), when it was issued (ms since 1970), and whether that was before the log."""

    timestamp: int
    certificate: bytes
    before_log: bool = False

    def to_bytes(self) -> bytes:
        """Return the entry, whose leaf hash is in the tree. Raises PolicyRefusal for one above 64 KiB."""
        extensions = _ISSUED_BEFORE if self.before_log else b""
        entry = b"".join(
            (
                _HEAD,
                self.timestamp.to_bytes(8, "big"),
                _X509_ENTRY,
                len(self.certificate).to_bytes(3, "big"),
                self.certificate,
                len(extensions).to_bytes(2, "big"),
                extensions,
            )
        )
        if len(entry) > _LONGEST:
            raise PolicyRefusal(
                "certificate-too-long",
                f"a certificate of {len(self.certificate)} bytes does not fit into the log",
                "shorten the subject or the alternative names in the profile",
            )
        return entry

    @classmethod
    def from_bytes(cls, entry: bytes) -> Leaf:
        """Read an entry. Raises ValueError for anything else than `to_bytes` makes."""
        length = int.from_bytes(entry[12:15], "big")
        extensions = entry[15 + length + 2 :]
        leaf = cls(int.from_bytes(entry[2:10], "big"), entry[15 : 15 + length], bool(extensions))
        if leaf.to_bytes() != entry:
            raise ValueError("this is no entry of the log")
        return leaf

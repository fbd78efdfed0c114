"""Signed notes with Ed25519 keys (C2SP signed-note): a text, an empty line, a line a signature."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_ED25519 = b"\x01"
_LONGEST = 1 << 20
_NAME = re.compile(r"[^\s+]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class NoteOpener(Protocol):
    """What knows the notes of one key."""

    @property
    def name(self) -> str:
        """Return the key's name."""

    def open(self, note: str) -> str:
        """Return the text of a note that the key signed; raises NoteError."""


class NoteError(ValueError):
    """This is no note, or none that the key signed."""


@dataclass(frozen=True, slots=True)
class NoteVerifier:
    """A key's name and its 32 public bytes."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """Return the four bytes by which signature lines name the key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def to_text(self) -> str:
        """Return the key as verifiers' configurations write it: <name>+<id, hex>+<base64 of type ‖ key>."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def from_text(cls, text: str) -> NoteVerifier:
        """Read what `to_text` writes. Raises NoteError."""
        name, _, rest = text.strip().partition("+")
        _, _, encoded = rest.partition("+")
        try:
            key = cls(name, base64.b64decode(encoded, validate=True)[1:])
        except binascii.Error as error:
            raise NoteError("this is no verifier key") from error
        if key.to_text() != text.strip() or not _NAME.fullmatch(name) or len(key.public) != 32:
            raise NoteError("this is no verifier key")
        return key

    def open(self, note: str) -> str:
        """Return the text of a note that this key signed; other keys' signatures are passed over.

        Raises NoteError.
        """
        # The last empty line ends the text; the text itself may hold others.
        at = note.rfind("\n\n")
        if len(note) > _LONGEST or _CONTROL.search(note) or not note.endswith("\n") or at < 0:
            raise NoteError("this is no signed note")
        text, verified = note[: at + 1], False
        for line in note[at + 2 : -1].split("\n"):
            verified = self._verifies(text, line) or verified
        if not verified:
            raise NoteError(f"the note is not signed by {self.name}+{self.key_id.hex()}")
        return text

    def _verifies(self, text: str, line: str) -> bool:
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        try:
            signature = base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise NoteError("a signature line is malformed") from error
        if dash != "\u2014" or not _NAME.fullmatch(name) or len(signature) < 5:
            raise NoteError("a signature line is malformed")
        if (name, signature[:4]) != (self.name, self.key_id):
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature[4:], text.encode())
        except InvalidSignature as error:
            raise NoteError(f"the signature of {self.name} is wrong") from error
        return True


class NoteSigner:
    """An Ed25519 key under a name."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        """Raises ValueError for a name with a space or a plus sign."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a key")
        self._key = key
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.verifier = NoteVerifier(name, public)
        self.name = name
        self._key_id = self.verifier.key_id
        self._last = ("", "")

    def sign(self, text: str) -> str:
        """Return the signed note of a text that ends with a new line."""
        if not text.endswith("\n") or _CONTROL.search(text):
            raise ValueError("the text of a note is lines without control characters")
        signature = base64.b64encode(self._key_id + self._key.sign(text.encode())).decode()
        note = f"{text}\n\u2014 {self.name} {signature}\n"
        self._last = note, text
        return note

    def open(self, note: str) -> str:
        """Return the text of a note that this key signed; the last one is known without computing.

        Raises NoteError.
        """
        last, text = self._last
        return text if note == last else self.verifier.open(note)

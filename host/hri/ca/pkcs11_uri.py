"""Names of keys in tokens: the `pkcs11:` URIs of RFC 7512, as far as authorities use them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote, unquote_to_bytes

from hri.errors import ConfigurationError

_SCHEME = "pkcs11:"
# Those that need no percent encoding in values (RFC 7512 section 2.3), besides letters and digits.
_PLAIN = "-._~:[]@!$'()*+,="


@dataclass(frozen=True, slots=True)
class KeyUri:
    """A private key in a token: the token's label, the key's id and label, the module that leads there."""

    module: str
    token: str
    key_id: bytes
    label: str

    def __str__(self) -> str:
        """Return the URI."""
        key_id = "".join(f"%{byte:02X}" for byte in self.key_id)
        path = (
            f"token={quote(self.token, _PLAIN)};id={key_id};object={quote(self.label, _PLAIN)};type=private"
        )
        return f"{_SCHEME}{path}?module-path={quote(self.module, _PLAIN + '/')}"

    @classmethod
    def parse(cls, text: str) -> KeyUri:
        """Read a URI that names token, id and module-path.

        A URI that carries a PIN is refused: whoever may read a name should not be able to use what it names.

        Raises ConfigurationError.
        """
        if not text.startswith(_SCHEME):
            raise _bad("it does not begin with pkcs11:")
        path, _, query = text.removeprefix(_SCHEME).partition("?")
        attributes = _attributes(path, ";") | _attributes(query, "&")
        if attributes.keys() & {"pin-value", "pin-source"}:
            raise _bad("it holds a PIN, which belongs into HRI_PKCS11_PIN or a file of its own")
        missing = {"token", "id", "module-path"} - attributes.keys()
        if missing:
            raise _bad(f"it does not name {', '.join(sorted(missing))}")
        key_id = unquote_to_bytes(attributes["id"])
        if not key_id:
            raise _bad("its id is empty")
        return cls(
            unquote(attributes["module-path"]),
            unquote(attributes["token"]),
            key_id,
            unquote(attributes.get("object", "")),
        )


def _attributes(text: str, separator: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, text.split(separator)):
        name, equals, value = part.partition("=")
        if not equals or name in found:
            raise _bad(f"{name[:40]!r} is given twice or has no value")
        found[name] = value
    return found


def _bad(what: str) -> ConfigurationError:
    return ConfigurationError(
        "bad-pkcs11-uri", f"this is no URI of a key in a token: {what}", "restore the file from a backup"
    )

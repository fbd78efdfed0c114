"""Which of several revocation lists a certificate points to (RFC 5280 sections 4.2.1.13 and 5.2.5)."""

from __future__ import annotations

from dataclasses import dataclass

from hri.errors import ConfigurationError

PLACEHOLDER = "{shard}"
MOST = 4096
"""The largest number of shards; each is signed anew at least once in its lifetime."""


@dataclass(frozen=True, slots=True)
class Shards:
    """Certificates divided by serial number among `count` lists, whose URLs are `url` with the shard's name.

    The name says the number of shards as well: were it left out, a list would change its meaning under
    certificates that were issued before the number was changed.
    """

    url: str
    count: int

    @classmethod
    def checked(cls, url: str | None, count: int) -> Shards | None:
        """Return the shards of a configuration, None for one list that is not divided.

        Raises ConfigurationError.
        """
        if count == 1:
            if url is not None and PLACEHOLDER in url:
                raise _bad("crl_url: {shard} has no meaning while crl_shards is 1", "raise crl_shards")
            return None
        if not 1 <= count <= MOST:
            raise _bad(f"crl_shards: is from 1 to {MOST}", "give another number")
        if url is None or url.count(PLACEHOLDER) != 1:
            raise _bad(
                "crl_url: with crl_shards it has to hold {shard} once",
                "write for example http://ca.example/crl/issuing-{shard}.crl",
            )
        return cls(url, count)

    def number_of(self, serial_number: int) -> int:
        """Return the shard, from 0, that a certificate of this serial number belongs to."""
        return serial_number % self.count

    def url_of(self, number: int) -> str:
        """Return the distribution point of a shard."""
        return self.url.replace(PLACEHOLDER, name_of(number, self.count))


def name_of(number: int, count: int) -> str:
    """Return the name of shard `number` (from 0) of `count`, as URLs and files have it."""
    return f"{number}-of-{count}"


def _bad(what: str, hint: str) -> ConfigurationError:
    return ConfigurationError("bad-configuration", f"certificate_authority.{what}", hint)

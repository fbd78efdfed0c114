"""Publishing revocation lists: one of everything, and one for each shard that certificates point to.

The database holds every list as it was signed last, with its number, in one row; the files are copies. So
there is no moment at which a number was given and its list is lost, and a file is only ever replaced by a
newer list, whichever process writes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from hri.audit.recorder import NOBODY, Recorder
from hri.ca.authority import Authority
from hri.ca.files import disk_errors, write_atomically
from hri.ca.shards import Shards, name_of
from hri.errors import ConfigurationError, StorageError
from hri.log import get_logger
from hri.registry import PublishedCrl, Registry, RevokedEntry
from hri.registry.folder_lock import exclusive

FILE_NAME = "issuing.crl"
LIFETIME = timedelta(days=7)
OVERLAP = timedelta(days=2)
"""A list is due this long before it ends, so that a publisher may be down for that long."""
CLOCK_STEP = timedelta(minutes=5)
"""So far a clock may go back between two lists, as clocks do when they are set; dates never go back."""
# Each time somebody else published, so this many in a row means something else is wrong.
_ATTEMPTS = 20
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _List:
    """A list to be: its file's stem, the URLs that it is found under (none for the full one), its entries."""

    name: str
    urls: tuple[str, ...]
    entries: tuple[RevokedEntry, ...]

    @property
    def content_sha256(self) -> str:
        """Hash what the list says, without its dates and its number."""
        digest = hashlib.sha256("\n".join(self.urls).encode())
        for entry in self.entries:
            digest.update(f"\0{entry.serial_number:x} {entry.revoked_at.isoformat()} {entry.reason}".encode())
        return digest.hexdigest()


class Publisher:
    """Publishes the lists of one issuing CA into one folder; several at once take turns."""

    def __init__(
        self,
        authority: Authority,
        registry: Registry,
        folder: Path,
        *,
        name: str = "issuing",
        lifetime: timedelta = LIFETIME,
        overlap: timedelta = OVERLAP,
        recorder: Recorder = NOBODY,
    ) -> None:
        """Take the parts and who acts; `name` is the stem of the files.

        `overlap` counts up to half of the lifetime.
        """
        self._authority = authority
        self._registry = registry
        self._folder = folder
        self._name = name
        self._lifetime = lifetime
        self._overlap = min(overlap, lifetime / 2)
        self._recorder = recorder

    def publish(
        self, *, now: datetime, only_due: bool = False, clock_was_ahead: bool = False
    ) -> tuple[str, ...]:
        """Sign and write what is due, and with `only_due` False the full list in any case.

        A list is due where it says something else than the registry, ends within the overlap, or was never
        made; a file, where it is not its list. Returns the names of the files that were written.

        `clock_was_ahead` accepts dates before those of the last list.

        Raises StorageError and ConfigurationError (the CA's key is not open where a list has to be signed,
        or the clock went back).
        """
        with disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        with disk_errors(self._folder), exclusive(self._folder, "publishing a revocation list"):
            for _ in range(_ATTEMPTS):
                names = self._sign_due(now, only_due=only_due, clock_was_ahead=clock_was_ahead)
                if names is not None:
                    return tuple(f"{name}.crl" for name in names if self._write(name))
        raise StorageError("database-busy", "other processes publish the same lists", "try again")

    def _sign_due(self, now: datetime, *, only_due: bool, clock_was_ahead: bool) -> list[str] | None:
        """Bring every list in the database up to date; return their names, None where somebody was faster."""
        issuer = self._authority.key_identifier
        names = self._names(now)
        # First which lists are the newest, then what the next ones say: were it the other way round, a
        # revocation in between could be on a list and not on the one that follows it.
        newest = {name: self._registry.published_crl(issuer, name) for name in names}
        for wanted in self._wanted(names, now):
            last = newest[wanted.name]
            forced = wanted.name == self._name and not only_due
            if last is not None and not forced and not self._is_due(last, wanted, now):
                continue
            new = self._signed(wanted, last, now, clock_was_ahead=clock_was_ahead)
            after = None if last is None else last.number
            if not self._registry.replace_crl(issuer, wanted.name, new, after=after, recorder=self._recorder):
                return None
            _log.info(
                "revocation list signed", name=wanted.name, number=new.number, entries=len(wanted.entries)
            )
        return list(names)

    def _names(self, now: datetime) -> dict[str, tuple[int, int, tuple[str, ...]]]:
        """Return the lists there have to be: number of the shard, of all shards, and its URLs."""
        names: dict[str, tuple[int, int, tuple[str, ...]]] = {self._name: (0, 1, ())}
        in_use: dict[int, list[Shards]] = {}
        for known in self._registry.shards_in_use(self._authority.key_identifier, now):
            in_use.setdefault(known.count, []).append(Shards(known.url, known.count))
        for count, divisions in in_use.items():
            for number in range(count):
                urls = tuple(shards.url_of(number) for shards in divisions)
                names[f"{self._name}-{name_of(number, count)}"] = (number, count, urls)
        return names

    def _wanted(
        self, names: Mapping[str, tuple[int, int, tuple[str, ...]]], now: datetime
    ) -> Iterable[_List]:
        revoked = self._registry.revoked(unexpired_at=now)
        divided = {count: _divided(revoked, count) for _, count, _ in names.values()}
        for name, (number, count, urls) in names.items():
            yield _List(name, urls, divided[count][number])

    def _is_due(self, last: PublishedCrl, wanted: _List, now: datetime) -> bool:
        return (
            last.content_sha256 != wanted.content_sha256
            or now >= last.next_update - self._overlap
            or now < last.this_update - CLOCK_STEP
        )

    def _signed(
        self, wanted: _List, last: PublishedCrl | None, now: datetime, *, clock_was_ahead: bool
    ) -> PublishedCrl:
        this_update = now.replace(microsecond=0)
        if last is not None and not clock_was_ahead:
            if this_update < last.this_update - CLOCK_STEP:
                raise clock_went_back("revocation list", last.this_update, "hri crl publish")
            this_update = max(this_update, last.this_update)
        number = 1 + (self._registry.crl_number_before_all() if last is None else last.number)
        next_update = this_update + self._lifetime
        der = self._authority.crl(
            wanted.entries, number=number, now=this_update, next_update=next_update, points=wanted.urls
        )
        return PublishedCrl(number, this_update, next_update, wanted.content_sha256, der)

    def _write(self, name: str) -> bool:
        """Copy the newest list of a name to its file, if it is not there; say whether it was not."""
        newest = self._registry.published_crl(self._authority.key_identifier, name)
        path = self._folder / f"{name}.crl"
        if newest is None or _holds(path, newest.der):
            return False
        write_atomically(path, newest.der)
        return True


def publish(
    authority: Authority,
    registry: Registry,
    folder: Path,
    *,
    now: datetime,
    lifetime: timedelta = LIFETIME,
) -> bytes:
    """Sign the full list anew, with every shard that is due, write them to `folder`; return it as DER.

    Raises StorageError, ConfigurationError.
    """
    Publisher(authority, registry, folder, lifetime=lifetime).publish(now=now)
    return newest_full(authority, registry).der


def newest_full(authority: Authority, registry: Registry, name: str = "issuing") -> PublishedCrl:
    """Return the full list that was signed last. Raises StorageError where there was none."""
    newest = registry.published_crl(authority.key_identifier, name)
    if newest is None:
        raise StorageError("no-crl", "no revocation list was ever published", "run `hri crl publish`")
    return newest


def published(
    authority: Authority, registry: Registry, path: Path, *, now: datetime
) -> x509.CertificateRevocationList | None:
    """Return the list in the file, if it is ours, the newest and says what the registry says; else None.

    A publisher that was cut off leaves an older one there, after the registry knows of the revocation.
    """
    newest = registry.published_crl(authority.key_identifier, path.stem)
    if newest is None or not newest.this_update <= now < newest.next_update:
        return None
    listed = _List(path.stem, (), tuple(registry.revoked(unexpired_at=now)))
    if listed.content_sha256 != newest.content_sha256 or not _holds(path, newest.der):
        return None
    try:
        crl = x509.load_der_x509_crl(newest.der)
        return crl if authority.signed(crl) else None
    except (ValueError, TypeError, x509.InvalidVersion):
        return None


def _divided(revoked: Sequence[RevokedEntry], count: int) -> list[tuple[RevokedEntry, ...]]:
    parts: list[list[RevokedEntry]] = [[] for _ in range(count)]
    for entry in revoked:
        parts[entry.serial_number % count].append(entry)
    return [tuple(part) for part in parts]


def _holds(path: Path, der: bytes) -> bool:
    """Say whether a file is this list; one that cannot be read is none."""
    try:
        return path.stat().st_size == len(der) and path.read_bytes() == der
    except OSError:
        return False


def clock_went_back(what: str, last: datetime, command: str) -> ConfigurationError:
    """Return what is said where the last signature of a kind lies in the future."""
    return ConfigurationError(
        "clock-went-back",
        f"the last {what} was signed at {last:%Y-%m-%d %H:%M:%S} UTC, which is still to come",
        f"set this machine's clock; if it was ahead then, `{command} --clock-was-ahead`",
    )

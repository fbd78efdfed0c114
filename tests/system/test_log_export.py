"""The exported log, read by a small verifier written from C2SP tlog-tiles and from nothing of ours."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from hri.acts import begin_logs
from hri.audit.recorder import LogKeys, Recorder
from hri.ca.authority import Authority
from hri.ca.issuance import Issuer, IssueRequest
from hri.ca.log_keys import log_verifiers, open_log_keys
from hri.ca.profiles import Profile
from hri.errors import ConfigurationError, PolicyRefusal, StorageError
from hri.log_export import Exported, export_log
from hri.registry import Device, Registry

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
PROFILE = Profile.checked("default", validity=timedelta(days=365))


def _csr() -> bytes:
    """Return a request with a key of its own: no key is certified for two devices."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    key = ec.generate_private_key(ec.SECP256R1())
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


class Station:
    """A home with an authority, its registry and its logs."""

    def __init__(self, home: Path) -> None:
        self.home = home
        Authority.create(home, root_passphrase=b"r", ca_passphrase=b"c", now=NOW)
        self.authority = Authority.open(home, b"c")
        self.registry = Registry.open(home / "hri.db")
        self.keys: LogKeys = open_log_keys(
            home, b"c", self.authority.root, lambda keys: begin_logs(self.registry, keys)
        )

    def issue(self, begin: int, end: int) -> list[bytes]:
        """Issue for devices of these numbers; returns DER."""
        issuer = Issuer(
            self.authority,
            self.registry,
            require_attestation=False,
            recorder=Recorder("ann@line-1", self.keys),
        )
        released: list[bytes] = []
        for start in range(begin, end, 64):
            names = [f"dev-{number}" for number in range(start, min(end, start + 64))]
            self.registry.upsert_devices(
                [Device(name, "atecc608b", None, "provisioning", 0, NOW) for name in names]
            )
            requests = [IssueRequest(_csr(), name, PROFILE) for name in names]
            for outcome in issuer.issue_many(requests, NOW):
                assert not isinstance(outcome, Exception)
                released.append(outcome.der)
        return released

    def export(self, folder: Path) -> Exported:
        return export_log(self.registry, self.keys.certificates.verifier, folder)


def _csr() -> bytes:
    """Return a request for a key of its own: no two devices are certified for one."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.fixture
def station(tmp_path: Path):
    made = Station(tmp_path / "home")
    yield made
    made.registry.close()


def _h(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _mth(hashes_: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, over leaf hashes."""
    if not hashes_:
        return _h(b"")
    if len(hashes_) == 1:
        return hashes_[0]
    k = 1
    while k * 2 < len(hashes_):
        k *= 2
    return _h(b"\x01" + _mth(hashes_[:k]) + _mth(hashes_[k:]))


def _tile_path(kind: str, number: int, width: int) -> str:
    digits = f"{number:03d}" if number < 1000 else f"x{number // 1000:03d}/{number % 1000:03d}"
    return f"tile/{kind}/{digits}" + (f".p/{width}" if width < 256 else "")


def _read_checkpoint(folder: Path, vkey: str) -> tuple[int, bytes]:
    name, key_id, key = vkey.split("+", 2)
    public = base64.b64decode(key)
    assert public[:1] == b"\x01"
    assert _h(name.encode() + b"\n" + public)[:4].hex() == key_id
    text, _, signature = (folder / "checkpoint").read_text(encoding="utf-8").rpartition("\n\n")
    dash, signer, encoded = signature.rstrip("\n").split(" ")
    assert (dash, signer) == ("\u2014", name)
    blob = base64.b64decode(encoded)
    assert blob[:4].hex() == key_id
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(blob[4:], (text + "\n").encode())
    origin, size, root = text.split("\n")
    assert origin == name
    return int(size), base64.b64decode(root)


def _read_log(folder: Path, vkey: str) -> list[bytes]:
    """Verify everything in the folder and return the entries; raises AssertionError or OSError."""
    size, root = _read_checkpoint(folder, vkey)
    entries: list[bytes] = []
    below: list[bytes] = []
    for number in range(-(-size // 256)):
        width = min(256, size - number * 256)
        data = (folder / _tile_path("entries", number, width)).read_bytes()
        at = 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 2], "big")
            entries.append(data[at + 2 : at + 2 + length])
            at += 2 + length
        assert at == len(data)
    below = [_h(b"\x00" + entry) for entry in entries]
    assert len(entries) == size
    assert _mth(below) == root
    level = 0
    while below:
        for number in range(-(-len(below) // 256)):
            row = below[number * 256 : (number + 1) * 256]
            assert (folder / _tile_path(str(level), number, len(row))).read_bytes() == b"".join(row)
        below = [_mth(below[at : at + 256]) for at in range(0, len(below) - 255, 256)]
        level += 1
    return entries


def _vkey(station: Station) -> str:
    keys = log_verifiers(station.home)
    assert keys is not None
    return keys.certificates.to_text()


def _certificate_of(entry: bytes) -> bytes:
    """The DER in a MerkleTreeLeaf of RFC 6962 section 3.4."""
    assert entry[:2] == b"\x00\x00"
    assert int.from_bytes(entry[2:10], "big") == int(NOW.timestamp() * 1000)
    assert entry[10:12] == b"\x00\x00"
    length = int.from_bytes(entry[12:15], "big")
    assert entry[15 + length :] == b"\x00\x00"
    return entry[15 : 15 + length]


def test_an_independent_verifier_finds_every_certificate_in_what_is_served(
    station: Station, tmp_path: Path
) -> None:
    folder = tmp_path / "www"
    released: list[bytes] = []
    for begin, end in ((0, 1), (1, 200), (200, 256), (256, 300), (300, 600)):
        released += station.issue(begin, end)
        station.export(folder)

        assert [_certificate_of(entry) for entry in _read_log(folder, _vkey(station))] == released


def test_an_empty_log_is_a_checkpoint_alone(station: Station, tmp_path: Path) -> None:
    assert station.export(tmp_path / "www").files == 1
    assert _read_log(tmp_path / "www", _vkey(station)) == []


def test_an_export_writes_only_what_the_folder_lacks(station: Station, tmp_path: Path) -> None:
    folder = tmp_path / "www"
    station.issue(0, 300)
    assert station.export(folder) == Exported(0, 300, 6)
    full = folder / "tile/0/000"
    before = full.stat().st_ino

    assert station.export(folder) == Exported(300, 300, 0)
    station.issue(300, 310)
    assert station.export(folder) == Exported(300, 310, 3)

    assert full.stat().st_ino == before
    station.issue(310, 520)
    station.export(folder)
    # What a full tile stands for is gone, and readers fall back to it.
    assert not list(folder.glob("tile/*/001.p"))


def test_a_killed_export_is_completed_by_the_next(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hri import log_export

    class Killed(BaseException):
        pass

    station.issue(0, 300)
    folder, real = tmp_path / "www", log_export.write_atomically
    for files in range(6):
        left = files

        def write(path: Path, data: bytes) -> None:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            real(path, data)

        monkeypatch.setattr(log_export, "write_atomically", write)
        with pytest.raises(Killed):
            station.export(folder)
        assert not (folder / "checkpoint").exists()
    monkeypatch.setattr(log_export, "write_atomically", real)

    station.export(folder)

    assert len(_read_log(folder, _vkey(station))) == 300


def test_a_log_that_does_not_continue_what_was_published_is_not_published(
    station: Station, tmp_path: Path
) -> None:
    folder = tmp_path / "www"
    station.issue(0, 5)
    station.export(folder)
    other = Station(tmp_path / "other")
    try:
        with pytest.raises(ConfigurationError) as refused:
            other.export(folder)
        assert refused.value.code == "another-log"
    finally:
        other.registry.close()
    # Its own keys, over another history: an older copy, then one that went another way.
    forked = tmp_path / "forked.db"
    with Registry.open(forked) as registry:
        begin_logs(registry, station.keys)
        verifier = station.keys.certificates.verifier
        with pytest.raises(PolicyRefusal) as shrunk:
            export_log(registry, verifier, folder)
        station.registry.close()
        station.registry = registry
        station.issue(100, 110)
        with pytest.raises(PolicyRefusal) as went:
            export_log(registry, verifier, folder)
    assert (shrunk.value.code, went.value.code) == ("log-shrunk", "log-forked")
    assert len(_read_log(folder, verifier.to_text())) == 5


def test_a_changed_certificate_is_not_published(station: Station, tmp_path: Path) -> None:
    station.issue(0, 5)
    with station.registry._write() as connection:
        connection.exec_driver_sql("UPDATE certificate SET der = x'00' WHERE log_index = 2")

    with pytest.raises(StorageError) as refused:
        station.export(tmp_path / "www")

    assert refused.value.code == "log-damaged"
    assert not (tmp_path / "www" / "checkpoint").exists()

"""The virtual factory: fills chips, certifies their keys under a test root, and keeps the manifest."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from hri.rig.atecc import manifest
from hri.rig.atecc.authority import Authority, on_the_hour
from hri.rig.atecc.certificates import Subject, assemble, device_subject, point, rebuild, sign, to_be_signed
from hri.rig.atecc.compressed import CompressedCertificate
from hri.rig.atecc.eeprom import Snapshot
from hri.rig.atecc.entropy import RandomSource, draw_scalar, seeded
from hri.rig.atecc.factory_file import Books, FactoryFile
from hri.rig.atecc.variants import Content, DeviceTemplate, Variant

SEEDED_DATE = datetime(2025, 1, 1, tzinfo=UTC)
"""When a factory that was made from a seed does everything, so that its certificates come out the same."""


class Factory:
    """A maker of provisioned chips with a root, a signer and a manifest log of its own.

    The authority is new with every factory unless ``seed`` or ``path`` says otherwise: a seed gives the same
    keys and dates again, and ``path`` keeps them, with the manifest, in a file that further factories can
    share. Where the file exists already its authority counts, not the seed. ``now`` (UTC) and ``random`` come
    from the system unless given. Raises FactoryError for a file that cannot be used.
    """

    def __init__(
        self,
        *,
        seed: bytes | None = None,
        path: Path | None = None,
        now: Callable[[], datetime] | None = None,
        random: RandomSource = secrets.token_bytes,
    ) -> None:
        self._now = now or (_seeded_now if seed is not None else _now)
        self._seed = seed
        self._random = random
        self._file = None if path is None else FactoryFile(path)
        if self._file is None:
            self._books = self._new_books()
            return
        with self._file.turn():
            found = self._file.load()
            self._books = found or self._new_books()
            if found is None:
                self._file.save(self._books)

    @property
    def root_certificate(self) -> x509.Certificate:
        """The test root, the trust anchor of everything this factory makes."""
        return self._books.authority.root_certificate

    @property
    def signer_certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self._books.authority.signer_certificate)

    @property
    def log_certificate(self) -> x509.Certificate:
        """The certificate of the key that signs the manifest."""
        return self._books.authority.log_certificate

    @property
    def root_pem(self) -> str:
        return self.root_certificate.public_bytes(Encoding.PEM).decode()

    @property
    def log_pem(self) -> str:
        return self.log_certificate.public_bytes(Encoding.PEM).decode()

    @property
    def manifest(self) -> list[dict[str, Any]]:
        """One signed entry for each chip delivered so far, as it was when it left."""
        return list(self._books.entries.values())

    def delivered(self, serial_number: bytes) -> bool:
        """Whether the manifest has this chip."""
        return serial_number.hex() in self._books.entries

    def make(
        self, variant: Variant, *, serial_number: bytes | None = None, seed: bytes | None = None
    ) -> Snapshot:
        """Return a chip filled and locked as its variant says, and enter it into the manifest.

        ``seed`` gives the same chip again; its certificate too, where the factory is the same and of a seed.
        Raises ValueError for a variant that no factory fills or a serial number it cannot have, FactoryError
        when the manifest cannot be written; no chip is delivered then.
        """
        if not variant.provisioned:
            raise ValueError(f"an {variant.name} leaves its factory blank")
        random = self._chip_source(variant, seed)
        # Always drawn, so that giving a serial number does not change a seed's keys.
        drawn = draw_serial_number(variant, random)
        serial_number = serial_number or drawn
        if not variant.is_serial_number(serial_number):
            raise ValueError(f"an {variant.name} cannot have the serial number {serial_number.hex()}")
        now = self._now()
        job = _Job(variant, self._books.authority, serial_number, random, now)
        self._enter(job.entry())
        return job.snapshot

    def _enter(self, entry: dict[str, Any]) -> None:
        unique_id = entry["header"]["uniqueId"]
        if self._file is None:
            self._books.entries[unique_id] = entry
            return
        with self._file.turn():
            books = self._file.load() or self._books
            books = Books(books.authority, books.entries | {unique_id: entry})
            self._file.save(books)
        self._books = books

    def _new_books(self) -> Books:
        random = self._random if self._seed is None else seeded(self._seed, "authority")
        return Books(Authority.draw(random, self._now()))

    def _chip_source(self, variant: Variant, seed: bytes | None) -> RandomSource:
        if seed is not None:
            return seeded(seed, f"chip {variant.name}")
        if self._seed is not None:
            # One after the other, also when the factory is closed between them.
            return seeded(self._seed, f"chip number {len(self._books.entries)}")
        return self._random


class _Job:
    """One chip on its way through the factory."""

    def __init__(
        self,
        variant: Variant,
        authority: Authority,
        serial_number: bytes,
        random: RandomSource,
        now: datetime,
    ) -> None:
        self._variant = variant
        self._authority = authority
        self._serial_number = serial_number
        self._now = now
        self._keys = {
            slot: ec.derive_private_key(draw_scalar(random), ec.SECP256R1())
            for slot in self._slots_of(Content.PRIVATE_KEY)
        }
        # Locally administered: no real device has the address (IEEE 802). A: upper case.
        self._eui48 = b"\x02" + random(5)
        template = variant.device_template
        self._device = None if template is None else self._certify(template)
        self.snapshot = self._fill()

    def entry(self) -> dict[str, Any]:
        """Return the chip's signed manifest entry."""
        variant, authority = self._variant, self._authority
        certified = -1 if variant.device_template is None else variant.device_template.key_slot
        keys = [
            manifest.public_key(slot, point(key), self._chain() if slot == certified else ())
            for slot, key in self._keys.items()
        ]
        data = [manifest.public_data(slot, self._eui48_text) for slot in self._slots_of(Content.EUI48)]
        element = manifest.secure_element(
            model=variant.model,
            part_number=variant.part_number,
            revision=variant.revision,
            group=_group(authority),
            made=self._now,
            serial_number=self._serial_number,
            keys=keys,
            data=data,
        )
        return manifest.signed(element, authority.log_key, authority.log_certificate)

    @property
    def _eui48_text(self) -> bytes:
        return self._eui48.hex().upper().encode()

    def _slots_of(self, content: Content) -> list[int]:
        return sorted(slot for slot, wanted in self._variant.slots.items() if wanted is content)

    def _chain(self) -> tuple[bytes, ...]:
        if self._device is None:
            return ()
        compressed, subject = self._device
        return rebuild(compressed, subject, self._authority.issuer), self._authority.signer_certificate

    def _certify(self, template: DeviceTemplate) -> tuple[CompressedCertificate, Subject]:
        """Issue the device certificate, and see that the 72 bytes give it back."""
        words = {"serial": self._serial_number.hex().upper(), "eui48": self._eui48_text.decode()}
        subject = device_subject(
            template.common_name.format(**words),
            template.alternative_name.format(**words),
            point(self._keys[template.key_slot]),
        )
        authority = self._authority
        issued = max(on_the_hour(self._now), authority.made)
        body = to_be_signed(subject, authority.issuer, issued, template.years)
        signature = sign(body, authority.signer_key)
        compressed = CompressedCertificate(
            signature, issued, template.years, authority.signer_id, template.id
        )
        kept = CompressedCertificate.from_bytes(compressed.to_bytes())
        if rebuild(kept, subject, authority.issuer) != assemble(body, signature):
            raise ValueError("the device certificate does not come back from its 72 bytes")
        return compressed, subject

    def _fill(self) -> Snapshot:
        chip = self._variant.untouched(self._serial_number)
        slots = list(chip.slots)
        for slot, content in self._variant.slots.items():
            slots[slot] = self._content(slot, content).ljust(len(slots[slot]), b"\0")
        return Snapshot(chip.config, chip.otp, tuple(slots))

    def _content(self, slot: int, content: Content | bytes) -> bytes:
        match content:
            case bytes():
                return content
            case Content.PRIVATE_KEY:
                number = self._keys[slot].private_numbers().private_value
                return bytes(4) + number.to_bytes(32, "big")
            case Content.EUI48:
                return self._eui48_text
            case Content.SIGNER_PUBLIC_KEY:
                x_y = self._authority.issuer.public_key
                return bytes(4) + x_y[:32] + bytes(4) + x_y[32:]
            case Content.SIGNER_CERTIFICATE:
                return self._authority.signer_compressed.to_bytes()
            case Content.DEVICE_CERTIFICATE:
                return b"" if self._device is None else self._device[0].to_bytes()


def draw_serial_number(variant: Variant, random: RandomSource) -> bytes:
    """Return a new serial number for a chip of this kind, nine bytes."""
    return b"\x01\x23" + random(6) + bytes((variant.serial_end,))


def _group(authority: Authority) -> str:
    digest = hashlib.sha256(authority.issuer.public_key).digest()
    return base64.b32encode(digest)[:16].decode()


def _now() -> datetime:
    return datetime.now(UTC)


def _seeded_now() -> datetime:
    return SEEDED_DATE

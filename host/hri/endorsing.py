"""Manifests and the registry: whose word becomes an endorsement here, and what this station vouches for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

from hri.audit.entry import Act
from hri.ca.manifest_signer import ManifestSigner
from hri.context import Context
from hri.errors import PolicyRefusal
from hri.manifest import (
    ElementKey,
    ManifestElement,
    ManifestError,
    SignedElement,
    SignerValidity,
    TrustedSigners,
    sign_manifest,
    split_manifest,
)
from hri.registry import Endorsement
from hri.verify.endorsement import STATION_FIRST_SEEN, VENDOR_MANIFEST


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: chips endorsed anew, chips that were before, chips without an attestation key."""

    recorded: int
    known: int
    without_key: tuple[str, ...]


def import_manifest(
    context: Context,
    data: bytes,
    signers: TrustedSigners,
    *,
    validity: SignerValidity = SignerValidity.AT_PROVISIONING,
    own_thumbprint: bytes | None = None,
) -> Imported:
    """Record an endorsement of kind vendor-manifest for every chip of a manifest, or for none.

    What counts is the key in the profile's attestation slot. `own_thumbprint` is this station's own signer's:
    its manifests say only what the registry says already, and to read them back would turn its "first seen"
    into more than that.

    Raises ManifestError and PolicyRefusal (a chip that is on record with another key).
    """
    slot, now = context.chip_profile.attestation_slot, context.now()
    digest = sha256(data).hexdigest()
    new: list[Endorsement] = []
    without: list[str] = []
    for position, entry in enumerate(split_manifest(data)):
        subject = _signed_by(position, entry, signers, context, validity, own_thumbprint)
        key = entry.element.key_in(slot)
        if key is None:
            without.append(entry.element.element_serial)
            continue
        detail = {
            "signer": subject,
            "x5t#S256": entry.thumbprint.hex(),
            "manifest_sha256": digest,
            "provisioned_at": entry.element.provisioned_at and entry.element.provisioned_at.isoformat(),
        }
        new.append(
            Endorsement(
                VENDOR_MANIFEST,
                entry.element.element_serial,
                key,
                now,
                context.station,
                "in manifest",
                detail,
            )
        )
    if not new:
        raise ManifestError(
            "no-attestation-key", f"no chip of the manifest has a key in slot {slot}, which attests"
        )
    told = {
        "manifest_sha256": digest,
        "signers": sorted({str(one.detail["signer"]) for one in new}),
        "chips": [one.element_serial for one in new],
    }
    act = Act("manifest-import", details=told)
    recorded = context.registry.record_endorsements(new, recorded=context.recorded(act))
    return Imported(recorded, len(new) - recorded, tuple(without))


def _signed_by(
    position: int,
    entry: SignedElement,
    signers: TrustedSigners,
    context: Context,
    validity: SignerValidity,
    own_thumbprint: bytes | None,
) -> str:
    if entry.thumbprint == own_thumbprint:
        raise ManifestError(
            "own-manifest",
            f"entry {position} is signed by this very station, whose word is on record already",
            "import it where somebody else decides whether to trust this station",
        )
    try:
        return entry.verify(signers, now=context.now(), validity=validity)
    except ManifestError as error:
        raise ManifestError(error.code, f"entry {position}: {error.message}", error.hint) from error


def export_manifest(context: Context, signer: ManifestSigner, device_ids: Collection[str] = ()) -> bytes:
    """Return a signed manifest of the chips that were first seen here; of these devices alone, if named.

    Each has its attestation key and the keys whose birth was proved, with the certificate in use.

    Raises PolicyRefusal for a device that is not known, and where there is no chip to speak of.
    """
    wanted: set[str] | None = None
    if device_ids:
        wanted = set()
        for device_id in device_ids:
            device = context.registry.device(device_id)
            if device is None or device.element_serial is None:
                raise PolicyRefusal(
                    "unknown-device", f"the registry has no chip of a device {device_id}", "see `hri list`"
                )
            wanted.add(device.element_serial)
    endorsed = [
        one
        for one in context.registry.endorsements_of_kind(STATION_FIRST_SEEN)
        if wanted is None or one.element_serial in wanted
    ]
    if not endorsed:
        raise PolicyRefusal(
            "nothing-to-export",
            "no chip was first seen by this station",
            "personalise one with `hri provision`; what others endorsed is for them to vouch for",
        )
    elements = [_element(context, one) for one in endorsed]
    manifest = sign_manifest(elements, signer.certificate, signer.key)
    told = {
        "manifest_sha256": sha256(manifest).hexdigest(),
        "chips": [one.element_serial for one in elements],
    }
    context.record(Act("manifest-export", details=told))
    return manifest


def _element(context: Context, endorsed: Endorsement) -> ManifestElement:
    serial = endorsed.element_serial
    keys = {
        context.chip_profile.attestation_slot: ElementKey(
            context.chip_profile.attestation_slot, endorsed.attestation_key
        )
    }
    device = context.registry.device_by_element(serial)
    live = context.registry.live_certificate(device.device_id) if device else None
    for record in context.registry.evidence(element_serial=serial, kind="birth"):
        slot = record.verdict.get("slot")
        if (
            record.verdict.get("trusted") is not True
            or record.public_key is None
            or not isinstance(slot, int)
        ):
            continue
        # Births come oldest first: the last one of a slot is the key that is in it.
        chain: tuple[bytes, ...] = ()
        if live is not None and live.slot == slot:
            chain = (live.der, *context.authority.chain_der())
        keys[slot] = ElementKey(slot, record.public_key, chain)
    return ManifestElement(
        serial,
        tuple(keys[slot] for slot in sorted(keys)),
        endorsed.seen_at,
        (device.element_type if device else "atecc608").upper(),
        {"provisioner": {"organizationName": context.config.certificate_authority.organisation}},
    )

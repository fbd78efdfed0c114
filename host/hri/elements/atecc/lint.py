"""What must never be locked into a chip, because it bricks it or weakens it.

The rules are in `lint_rules` (the zone as a whole), `lint_slots` (each slot) and `lint_roles` (what a
profile's slots are for); `RULES` says of every code how bad it is, and why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from . import layout
from .description import Profile
from .layout import ChipConfig
from .lint_roles import attestation_key, changes, identity_key, roles
from .lint_rules import CHIP_RULES, Found
from .lint_slots import SLOT_RULES

Severity = Literal["error", "warning"]

RULES: dict[str, tuple[Severity, str]] = {
    "wrong-length": ("error", "a zone has 128 bytes; of anything else nothing stands where it should"),
    "manufacturer-bytes": ("error", "the maker's bytes cannot be written, so a write of them fails halfway"),
    "lock-bytes": ("error", "bytes 84 to 87 change by UpdateExtra and Lock alone"),
    "address-changes": ("error", "the board looks for the chip where it was, and never finds it again"),
    "address-reserved": ("error", "no controller can address the chip any more"),
    "address-movable": ("error", "whoever has the bus for a moment moves the chip away for good"),
    "slot-locked-by-write": ("error", "a locked slot keeps what it happens to hold, for ever"),
    "clock-undefined": ("error", "nobody says what the chip does at this clock"),
    "counter-damaged": ("error", "the counter never counts"),
    "counter-spent": ("error", "every key of limited use is dead from the beginning"),
    "reserved-bits": ("error", "bits without a meaning may get one, or be what a shifted table left there"),
    "io-key-not-secret": ("error", "who knows the IO-protection key reads and forges what it protects"),
    "io-key-missing": ("error", "ECDH and KDF give no output at all"),
    "protection-undefined": ("error", "nobody says what becomes of the output"),
    "secure-boot-key": ("error", "no firmware ever verifies, so the board never boots"),
    "secure-boot-store": ("error", "an attacker stores the digest of other firmware, or nothing fits"),
    "volatile-key-missing": ("error", "the latch can never be set, and keys that wait for it are dead"),
    "use-lock": ("error", "hri never authorises, so the chip never works again"),
    "private-key-readable": ("error", "a key that can be read is no identity"),
    "private-key-writable": ("error", "a key that came from outside exists outside"),
    "private-key-type": ("error", "the chip computes on P-256 only: the key is dead"),
    "attests-anything": ("error", "an attestation by a key that signs anything proves nothing"),
    "ecdh-result-readable": ("error", "the shared secret can be read, or ECDH is refused"),
    "key-type-undefined": ("error", "no command takes such a key"),
    "symmetric-key-readable": ("error", "a key that can be read protects nothing"),
    "public-key-too-long": ("error", "the key does not fit, so it never verifies"),
    "encrypted-read-of-clear": ("error", "the combination is prohibited: what is read is undefined"),
    "read-key-missing": ("error", "no encrypted read can ever succeed, or everybody's does"),
    "write-key-missing": ("error", "no encrypted write can ever succeed, or everybody's does"),
    "derive-key-missing": ("error", "DeriveKey can never succeed, or everybody knows its result"),
    "validation-key-missing": ("error", "the public key can never be validated, so it never verifies"),
    "auth-key-missing": ("error", "nobody can ever authorise a use of the key"),
    "read-key-itself": ("error", "only who knows the secret can read it, so the read is of no use"),
    "auth-key-itself": ("error", "the first use needs a use before it: nobody can ever authorise one"),
    "latch-never-set": ("error", "the key is dead"),
    "identity-cannot-sign": ("error", "the device can never answer a challenge"),
    "identity-replaceable": ("error", "an identity that can be replaced is not permanent"),
    "identity-limited-use": ("error", "after its last use the device is nobody"),
    "attestation-cannot-sign": ("error", "no birth can be proved, so no certificate is issued"),
    "attestation-replaceable": ("error", "the endorsement is of a key that is gone"),
    "attestation-limited-use": ("error", "after its last use nothing about the chip can be proved"),
    "never-writable": ("error", "the slot keeps for ever the zeros that it was locked with"),
    "never-readable": ("error", "what is public by its purpose could never be read"),
    "never-rotated": ("error", "a key could never be rotated"),
    "never-born": ("error", "the device never gets that key, and its zones are locked by then"),
    "device-key-gated": ("error", "the device can never use its own key"),
    "public-key-hidden": ("error", "hri reads the key back before it makes it permanent, and could not"),
    "rotatable-cannot-sign": ("error", "after a rotation the device could not answer a challenge"),
    "rotatable-limited-use": ("error", "rotation could not give the device a key that lasts"),
    "anchor-replaceable": ("error", "whoever has the bus becomes the operator, or the root"),
    "anchor-unusable": ("error", "no authorisation could ever be verified, or no owner be recognised"),
    "parent-left-zero": ("error", "a key that everybody knows protects nothing"),
    "long-watchdog": ("warning", "TempKey stays usable for whoever takes the bus over"),
    "slow-clock": ("warning", "a signature takes up to six times as long"),
    "count-match": ("warning", "whoever may write the slot sets the limit of every key of limited use"),
    "volatile-key": ("warning", "hri never authorises, so it cannot use that key"),
    "io-key-never-written": (
        "warning",
        "it has to be written before, and hri writes zeros, which all know",
    ),
    "private-key-unnamed": ("warning", "if it is to be an identity, lint cannot tell whether it lasts"),
    "secure-boot-key-replaceable": ("warning", "whoever has the bus decides what firmware boots"),
    "write-key-itself": ("warning", "who loses the key can never replace it"),
    "aes-off": ("warning", "the slot holds a key that no command can use"),
    "limited-use": ("warning", "the key's end is certain; make sure that it is meant"),
    "secret-replaceable": ("warning", "an attacker puts in a secret of their own"),
    "x509-format-missing": ("warning", "no certificate can validate the key"),
    "x509-format-impossible": ("warning", "no certificate has that form"),
    "x509-id-misplaced": ("warning", "the bits mean nothing there, or belong to another slot"),
}
"""Every code that lint knows: how bad it is, and why."""


def rules_table() -> str:
    """The rules as the Markdown table of docs/chip-configuration.md."""
    rows = [f"| `{code}` | {severity} | {why} |" for code, (severity, why) in RULES.items()]
    return "\n".join(("| code | | what comes of it |", "|---|---|---|", *rows)) + "\n"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found; an "error" is refused, a "warning" shown. `slot` is None for the whole chip."""

    severity: Severity
    slot: int | None
    code: str
    message: str

    @property
    def why(self) -> str:
        """What comes of it."""
        return RULES[self.code][1]

    def as_dict(self) -> dict[str, str | int | None]:
        """The finding as `--json` gives it."""
        return {
            "severity": self.severity,
            "slot": self.slot,
            "code": self.code,
            "message": self.message,
            "why": self.why,
        }


def lint(
    config: bytes,
    *,
    present: bytes | None = None,
    identity_slot: int | None = 0,
    attestation_slot: int | None = 1,
    profile: Profile | None = None,
) -> list[Finding]:
    """Everything wrong with locking `config`, over a chip that now holds `present` where that is known.

    With a `profile` its slots' roles count; else the two slots given, either of which may be None. Never
    raises: a configuration of a wrong length is itself a finding, and then the only one.
    """
    if len(config) != layout.CONFIG_BYTES:
        message = (
            f"a configuration zone has 128 bytes and this has {len(config)}: nothing of it can be trusted"
        )
        return [_finding(Found(None, "wrong-length", message))]
    chip = ChipConfig(bytes(config))
    found = [one for rule in CHIP_RULES for one in rule(chip)]
    found += [one for slot in chip.slots for rule in SLOT_RULES for one in rule(chip, slot)]
    if profile is not None:
        identity_slot, attestation_slot = profile.slot_of("identity"), profile.slot_of("attestation")
        found += roles(chip, profile)
    if identity_slot is not None:
        found += identity_key(chip.slot(identity_slot))
    if attestation_slot is not None:
        found += attestation_key(chip.slot(attestation_slot))
    if present is not None and len(present) == layout.CONFIG_BYTES:
        found += changes(chip.raw, bytes(present))
    return [_finding(one) for one in found]


def _finding(found: Found) -> Finding:
    return Finding(RULES[found.code][0], found.slot, found.code, found.message)

"""Who says that an attestation key lives inside a chip; typed, because not every word weighs the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# A station's own record of the chip when it was first on its bus: firmware that lies could have relayed
# another chip's key, so it counts only where policy names it.
STATION_FIRST_SEEN: Final = "station-first-seen"
# A manifest, signed by a chip vendor or another station that the operator trusts (`hri.manifest`).
VENDOR_MANIFEST: Final = "vendor-manifest"
KINDS = frozenset({STATION_FIRST_SEEN, VENDOR_MANIFEST})


@dataclass(frozen=True, slots=True)
class EndorsementClaim:
    """That `attestation_key` (64 bytes, X ‖ Y) lives in the chip `element_serial` (18 lower-case hex digits).

    Whoever builds the claim has checked the record or the signature behind it. Raises ValueError.
    """

    kind: str
    element_serial: str
    attestation_key: bytes

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of endorsement: {self.kind!r}")
        if len(self.attestation_key) != 64:
            raise ValueError("an attestation key has 64 bytes")
        if len(self.element_serial) != 18 or bytes.fromhex(self.element_serial).hex() != self.element_serial:
            raise ValueError("an ATECC serial number is 18 lower-case hex digits")

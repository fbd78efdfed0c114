"""What one list or response says of one certificate: the common ground of CRLs and OCSP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from cryptography import x509


class Status(Enum):
    """The status of a certificate (RFC 6960 section 2.2); a CRL knows only the first two."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """An authentic statement on a certificate, and what to cite when it decides.

    `reason` is that of a revocation, where one was given. `conclusive` is False for a statement that proves
    a revocation but not its absence: a list by some reasons only, a response without the nonce asked for.
    """

    status: Status
    this_update: datetime
    next_update: datetime | None
    source: Mapping[str, Any]
    reason: x509.ReasonFlags | None = None
    conclusive: bool = True

    @property
    def revoked_for_good(self) -> bool:
        """Revoked, and not only on hold, from which a certificate comes back (RFC 5280 section 5.3.1)."""
        return self.status is Status.REVOKED and self.reason is not x509.ReasonFlags.certificate_hold

    def is_current(self, at: datetime, max_age: timedelta | None) -> bool:
        """Say whether `at` is from thisUpdate to before nextUpdate, and thisUpdate no older than `max_age`.

        Without nextUpdate there is always something newer (RFC 6960 section 4.2.2.1), so it never is.
        """
        if self.next_update is None or not self.this_update <= at < self.next_update:
            return False
        return max_age is None or at - self.this_update <= max_age

    def cited(self, at: datetime) -> dict[str, Any]:
        """The statement as the evidence of a decision gives it; `age_seconds` is its age at `at`."""
        cited: dict[str, Any] = {
            **self.source,
            "status": self.status.value,
            "this_update": self.this_update.isoformat(),
            "next_update": self.next_update.isoformat() if self.next_update else None,
            "age_seconds": int((at - self.this_update).total_seconds()),
        }
        if self.reason is not None:
            cited["revocation_reason"] = self.reason.value
        return cited

"""What the configuration's policies ask for now: revocations, rotations and renewals that are due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from hri.config import Config
from hri.registry import KeyInUse, Registry

Kind = Literal["revoke", "rotate", "renew"]


@dataclass(frozen=True, slots=True)
class DueAct:
    """What is to be done with a device, and why."""

    device_id: str
    kind: Kind
    because: str


def due_acts(registry: Registry, config: Config, now: datetime) -> tuple[DueAct, ...]:
    """Return what is due, one act a device at most, in the order in which it is to be done.

    A compromise goes before a rotation, and that before a renewal, which it makes superfluous. Raises
    StorageError.
    """
    security = config.security
    revoked = registry.compromised_devices() if security.revoke_on_compromise else {}
    acts = [DueAct(device_id, "revoke", why) for device_id, why in sorted(revoked.items())]
    window = timedelta(days=config.certificate.renewal_days)
    life = timedelta(days=security.key_rotation_days)
    key_before = now + min(window, life / 3) - life if security.enforce_key_rotation else None
    in_use = registry.keys_in_use(key_before=key_before, ends_before=now + window)
    return (*acts, *_replacements(in_use, revoked, key_before, now, window))


def _replacements(
    in_use: Sequence[KeyInUse],
    revoked: dict[str, str],
    key_before: datetime | None,
    now: datetime,
    window: timedelta,
) -> list[DueAct]:
    rotations, renewals = [], []
    for key in in_use:
        if key.device_id in revoked:
            continue
        if key_before is not None and key.key_since <= key_before:
            why = f"its key is from {key.key_since:%Y-%m-%d}"
            rotations.append(DueAct(key.device_id, "rotate", why))
        elif key.not_after - renewal_window(key.not_after - key.not_before, window) <= now:
            why = f"its certificate {'ended' if key.not_after < now else 'ends'} on {key.not_after:%Y-%m-%d}"
            renewals.append(DueAct(key.device_id, "renew", why))
    return rotations + renewals


def renewal_window(validity: timedelta, longest: timedelta) -> timedelta:
    """Return how long before its end a certificate is due: a third of its life at most."""
    return min(longest, validity / 3)


def days_left_for_key(
    registry: Registry, config: Config, device_id: str, key_sha256: str, now: datetime
) -> int:
    """Return for how many more days a key may be certified while rotation is enforced; 0 for none.

    A key that was not certified yet has all of `security.key_rotation_days`.
    """
    since = registry.key_since(device_id, key_sha256)
    end = (now if since is None else since) + timedelta(days=config.security.key_rotation_days)
    return max(0, (end - now).days)

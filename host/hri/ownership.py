"""Who owns a device, and what this authority still does for one that it gave away."""

from __future__ import annotations

from pathlib import Path

from hri.context import Context
from hri.errors import ConfigurationError
from hri.publication import publish_crls


def transfer(context: Context, device_id: str, owner: str, crl_folder: Path) -> bool:
    """Write down a device's new owner; say whether that is this authority's own, `owner` in the YAML.

    Where it is somebody else the device's certificates are revoked (affiliationChanged), and this authority
    neither issues to it nor signs an operator's authorisation for its chip any more. What the chip itself
    allows does not change: the operator's key in slot 14 was written once (docs/lifecycle.md). Repeating it
    changes nothing.

    Raises ConfigurationError (unknown device, key not open, an owner without a name), PolicyRefusal (the
    device's life is over, or it is suspended) and StorageError.
    """
    if not owner.strip() or len(owner) > 128 or not owner.isprintable():
        raise ConfigurationError(
            "bad-owner", "an owner has a name of 1 to 128 printable characters", "give one with --to"
        )
    ours = owner == context.config.owner
    context.registry.transfer(device_id, owner, context.now(), ours=ours, recorder=context.recorder)
    publish_crls(context, crl_folder, only_due=True)
    return ours


def withdraw(context: Context, device_id: str) -> None:
    """Take back a registration that nothing was made of; its name and its chip are free again.

    Raises ConfigurationError (unknown device), PolicyRefusal (there is more) and StorageError.
    """
    context.registry.withdraw(device_id, context.now(), recorder=context.recorder)

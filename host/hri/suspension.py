"""A device out of trust for a time: its certificates on hold, and off hold again."""

from __future__ import annotations

from pathlib import Path

from hri.context import Context
from hri.publication import publish_crls


def suspend(context: Context, device_id: str, crl_folder: Path) -> None:
    """Put a device and its certificates on hold and publish that; repeating it changes nothing.

    Raises ConfigurationError (unknown device, key not open), PolicyRefusal (not active) and StorageError.
    """
    context.registry.suspend(device_id, context.now(), recorder=context.recorder)
    publish_crls(context, crl_folder, only_due=True)


def resume(context: Context, device_id: str, crl_folder: Path) -> None:
    """Trust a suspended device again and take its certificates off the list; repeating it changes nothing.

    Raises what `suspend` raises.
    """
    context.registry.resume(device_id, context.now(), recorder=context.recorder)
    publish_crls(context, crl_folder, only_due=True)

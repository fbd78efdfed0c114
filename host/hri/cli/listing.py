"""`hri list`: the devices that somebody asks for, a page at a time or all of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, cast, get_args

import typer

from hri.cli.state import State, state_of
from hri.context import utc_now
from hri.errors import ConfigurationError
from hri.registry import Device, DeviceFilter, DevicePage, DeviceStatus, Registry

_PAGE = 1000
_HEADINGS = ("device", "status", "element", "last authenticated (UTC)")


def list_devices(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = _PAGE,
    after: Annotated[
        str | None,
        typer.Option(metavar="PLACE", help="Begin behind this device id, or the `next` of the last page."),
    ] = None,
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help=f"One of {', '.join(get_args(DeviceStatus))}.")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Of this owner.")] = None,
    label: Annotated[str | None, typer.Option(help="With this label.")] = None,
    prefix: Annotated[str | None, typer.Option(help="Whose id begins so.")] = None,
    element_type: Annotated[str | None, typer.Option(help="With this kind of chip: atecc608b.")] = None,
    element_prefix: Annotated[
        str | None, typer.Option(metavar="HEX", help="Whose chip's serial number begins so.")
    ] = None,
    expiring_within: Annotated[
        int | None,
        typer.Option(min=0, metavar="DAYS", help="Whose certificate ends by then; soonest first."),
    ] = None,
    not_seen_for: Annotated[
        int | None,
        typer.Option(min=0, metavar="DAYS", help="Who did not authenticate for so long, longest first."),
    ] = None,
    never_seen: Annotated[bool, typer.Option("--never-seen", help="Who never authenticated.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Every page, one after the other.")] = False,
) -> None:
    """List the devices that all the options let through."""
    state = state_of(context)
    state.home.require_authority()
    if status not in (None, *get_args(DeviceStatus)):
        raise ConfigurationError(
            "bad-status", f"{status!r} is not a status", f"use one of {', '.join(get_args(DeviceStatus))}"
        )
    now = utc_now()
    wanted = DeviceFilter(
        status=cast("DeviceStatus | None", status),
        owner=owner,
        label=label,
        element_type=element_type,
        id_prefix=prefix,
        element_prefix=element_prefix,
        ends_before=None if expiring_within is None else now + _days(expiring_within),
        not_seen_since=None if not_seen_for is None else now - _days(not_seen_for),
        never_seen=never_seen,
    )
    with state.home.registry() as registry:
        if everything:
            _give_all(state, _pages(registry, wanted, after))
        else:
            _give(state, registry.find_devices(wanted, limit=limit, after=after))


def _days(days: int) -> timedelta:
    # A hundred years either way is as good as for ever, and is still a date.
    return timedelta(days=min(days, 36_500))


def _pages(registry: Registry, wanted: DeviceFilter, after: str | None) -> Iterator[DevicePage]:
    while True:
        page = registry.find_devices(wanted, limit=_PAGE, after=after)
        yield page
        after = page.next
        if after is None:
            return


def _give(state: State, page: DevicePage) -> None:
    if state.output.as_json:
        document: dict[str, Any] = {"devices": [_document(device) for device in page.devices]}
        state.output.json(document if page.next is None else {**document, "next": page.next})
        return
    state.output.table(_HEADINGS, [_row(device) for device in page.devices])
    if page.next is not None:
        state.output.note(f"there are more: --after {page.next}, or --all")


def _give_all(state: State, pages: Iterator[DevicePage]) -> None:
    """Give pages as they are read, in one document with --json; one that was cut off is no JSON."""
    if not state.output.as_json:
        for page in pages:
            state.output.table(_HEADINGS, [_row(device) for device in page.devices])
        return
    sys.stdout.write('{"devices": [')
    between = ""
    for page in pages:
        for device in page.devices:
            sys.stdout.write(between + json.dumps(_document(device)))
            between = ", "
    sys.stdout.write("]}\n")
    sys.stdout.flush()


def _document(device: Device) -> dict[str, Any]:
    seen = device.last_authenticated_at
    return {
        "device_id": device.device_id,
        "status": device.status,
        "element": {"type": device.element_type, "serial_number": device.element_serial},
        "last_authenticated_at": seen.isoformat() if seen else None,
        "owner": device.owner,
        "label": device.label,
    }


def _row(device: Device) -> tuple[str, ...]:
    seen = device.last_authenticated_at
    return (
        device.device_id,
        device.status,
        f"{device.element_type} {device.element_serial}" if device.element_serial else "none yet",
        f"{seen:%Y-%m-%d %H:%M:%S}" if seen else "never",
    )

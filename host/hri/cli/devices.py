"""`hri register`, `provision`, `authenticate`, `attest`, `show`, `renew`, `rotate`, `revoke`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from hri import authentication, lifecycle
from hri.ca.issuance import IssuedCertificate
from hri.cli import words
from hri.cli.confirmation import YesOption, confirm
from hri.cli.state import PortOption, State, state_of
from hri.context import Context
from hri.elements.board import BoardElement
from hri.provision import STEPS
from hri.provision import provision as provision_board
from hri.publication import publish_crls, publish_new_shards
from hri.registration import register_device
from hri.serial_numbers import serial_text
from hri.steps import OnStep
from hri.verify.decision import Decision

DeviceArgument = Annotated[str, typer.Argument(metavar="ID", help="Device id, see `hri list`.")]

_RENEW_STEPS = ("connect", "inspect", "csr", "state", "issue", "store", "authenticate", "activate")
_ROTATE_STEPS = ("connect", "inspect", "birth", "csr", "state", "issue", "store", "authenticate", "activate")


def register(
    context: typer.Context,
    device_id: Annotated[str, typer.Argument(metavar="ID", help="The name that the device is to have.")],
    element: Annotated[
        str | None,
        typer.Option(metavar="SERIAL", help="Its chip's serial number (default: whichever comes first)."),
    ] = None,
) -> None:
    """Put a device on record before it is provisioned, as provisioning.auto_enrollment: false asks for."""
    state = state_of(context)
    with state.context(unlocked=False) as opened:
        device = register_device(opened, device_id, element)
    state.output.result(
        {
            "device_id": device.device_id,
            "status": device.status,
            "element": {"type": device.element_type, "serial_number": device.element_serial},
        },
        f"device {device.device_id} is on record ({device.status}), chip {device.element_serial or 'any'}",
    )


def provision(
    context: typer.Context,
    port: PortOption = None,
    device_id: Annotated[
        str | None, typer.Option(help="Name of the device (default: derived from its first key).")
    ] = None,
    lock: Annotated[
        bool, typer.Option("--lock", help="Allow the permanent locks that a blank chip needs.")
    ] = False,
) -> None:
    """Make a device of a board: key, proof, certificate. Run it again to complete what was cut off."""
    state = state_of(context)
    with (
        state.context(unlocked=True) as opened,
        state.connected(port, opened) as connect,
        state.output.progress(STEPS, words.STEPS) as on_step,
    ):
        result = provision_board(connect, opened, device_id=device_id, lock=lock, on_step=on_step)
        publish_new_shards(opened, state.home.crl_path().parent)
    element = result.element
    state.output.result(
        {
            "device_id": result.device_id,
            "element": {"type": element.type, "serial_number": element.serial_number, "slot": element.slot},
            "certificate": result.certificate,
            "steps": [
                {"name": step.name, "milliseconds": round(step.milliseconds, 1)} for step in result.steps
            ],
        },
        f"device {result.device_id} is provisioned",
        f"  element  {element.type} {element.serial_number}, key in slot {element.slot}: permanent",
    )


def authenticate(context: typer.Context, port: PortOption = None) -> None:
    """Challenge the device on a port: is it who it says it is, and still trusted?"""
    _decide(state_of(context), port, authentication.authenticate)


def attest(context: typer.Context, port: PortOption = None) -> None:
    """Have the chip on a port prove where its key lives, and that it is locked."""
    _decide(state_of(context), port, authentication.attest)


def _decide(state: State, port: str | None, decide: Callable[[BoardElement, Context], Decision]) -> None:
    with state.context(unlocked=False) as opened, state.connected(port, opened) as connect:
        decision = decide(connect(), opened)
    status = state.output.decision(decision, decision.device_id or "an unknown device")
    if decision and "slot" in decision.evidence and not state.output.as_json:
        found = decision.evidence
        state.output.result(
            {},
            f"  the key lives in slot {found['slot']} of {found['element_type']} {found['serial_number']}",
            f"  it was born there, and cannot leave: configuration and locks are proved, evidence "
            f"{found['evidence']} on record",
        )
    raise typer.Exit(status)


def show(
    context: typer.Context,
    device_id: DeviceArgument,
    pem: Annotated[
        bool, typer.Option("--pem", help="Print the certificate by which it is known now, and nothing else.")
    ] = False,
) -> None:
    """Show all that is on record about a device, with its evidence appraised again."""
    state = state_of(context)
    with state.context(unlocked=False) as opened:
        if pem:
            state.output.raw(lifecycle.live_certificate_pem(opened, device_id))
            return
        report = lifecycle.device_report(opened, device_id)
    if state.output.as_json:
        state.output.json(report)
        return
    element = report["element"]
    state.output.result(
        report,
        f"{report['device_id']}  {report['status']}",
        f"  element  {element['type']} {element['serial_number'] or ''}",
        *(
            f"  {item['state']:<10} {item['serial_number']}, slot {item['slot']}, until {item['not_after']}"
            + (f", unattested: {item['unattested']}" if item["unattested"] else "")
            for item in report["certificates"]
        ),
        *(
            f"  birth {item['id']}  {'; '.join(item['reasons']) or 'accepted when appraised again now'}"
            for item in report["births"]
        ),
        *(f"  endorsed  {item['kind']} by {item['station']}" for item in report["endorsements"]),
    )


def renew(context: typer.Context, device_id: DeviceArgument, port: PortOption = None) -> None:
    """Give a device a new certificate for the key that it has."""
    _replace(state_of(context), device_id, port, lifecycle.renew, _RENEW_STEPS, words.STEPS)


def rotate(context: typer.Context, device_id: DeviceArgument, port: PortOption = None) -> None:
    """Give a device a new key, born in its chip, and a certificate for it."""
    said = {**words.STEPS, "birth": words.NEW_KEY}
    _replace(state_of(context), device_id, port, lifecycle.rotate, _ROTATE_STEPS, said)


def _replace(
    state: State,
    device_id: str,
    port: str | None,
    use_case: Callable[..., IssuedCertificate],
    names: tuple[str, ...],
    said: Mapping[str, str],
) -> None:
    with (
        state.context(unlocked=True) as opened,
        state.connected(port, opened) as connect,
        state.output.progress(names, said) as on_step,
    ):
        watcher: OnStep = on_step
        issued = use_case(connect, opened, device_id, on_step=watcher)
        publish_crls(opened, state.home.crl_path().parent, only_due=True)
    pem = issued.pem.decode("ascii")
    state.output.result(
        {"device_id": device_id, "serial_number": serial_text(issued.serial_number), "certificate": pem},
        f"device {device_id} has a new certificate, until {issued.not_after:%Y-%m-%d}",
        f"  serial number {serial_text(issued.serial_number)}",
    )


def revoke(
    context: typer.Context,
    device_id: DeviceArgument,
    reason: Annotated[str, typer.Option(help="As in RFC 5280: keyCompromise, cessationOfOperation, ...")],
    yes: YesOption = False,
) -> None:
    """Revoke a device for good and publish the revocation list."""
    state = state_of(context)
    confirm(f"Revoke {device_id} for good ({reason})?", yes=yes)
    with state.context(unlocked=True) as opened:
        listed = lifecycle.revoke(opened, device_id, reason, state.home.crl_path().parent)
    # A revocation is for good: what was revoked before keeps its reason, unless the new one is a compromise.
    stands = sorted({record.reason or "" for record in listed} - {"superseded", ""}) or [reason]
    state.output.result(
        {
            "device_id": device_id,
            "reason": stands[0],
            "certificates": [serial_text(record.serial_number) for record in listed],
            "crl": str(state.home.crl_path()),
        },
        f"device {device_id} is revoked ({', '.join(stands)}), with {len(listed)} certificates of its own",
        f"  revocation list: {state.home.crl_path()}",
    )

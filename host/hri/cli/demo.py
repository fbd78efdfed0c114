"""`hri demo`: one device gets its identity and proves it, and every impostor is refused."""

from __future__ import annotations

import logging
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog
import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from rich.markup import escape

from hri.acts import begin_logs
from hri.audit.recorder import Recorder
from hri.authentication import authenticate, check_answer
from hri.ca.authority import Authority
from hri.ca.issuance import IssueRequest
from hri.ca.log_keys import open_log_keys
from hri.ca.operator import OperatorKey
from hri.cli.output import Output
from hri.cli.state import state_of
from hri.cli.words import STEPS
from hri.config import load
from hri.context import Context, utc_now
from hri.elements.board import BoardElement
from hri.errors import PolicyRefusal
from hri.lifecycle import revoke
from hri.link import SerialLink
from hri.personalisation import LockRequired
from hri.provision import ProvisionResult, provision
from hri.registry import Registry
from hri.rig.atecc import Chip, open_chip
from hri.rig.boards import Board, BoardClock, open_board
from hri.rig.bus import Bus
from hri.rig.firmware import device_package
from hri.steps import StepEvent
from hri.verify.decision import Decision

_DEVICE = "device-001"
_OTHER = "device-002"
_CHIP = "atecc608b"
Connect = Callable[[], BoardElement]


@dataclass
class _Stage:
    """The demo's one screen and the scratch folder behind it."""

    output: Output
    folder: Path
    package: dict[str, bytes]
    context: Context
    links: list[SerialLink] = field(default_factory=list)
    steps: list[dict[str, object]] = field(default_factory=list)
    verdicts: list[dict[str, object]] = field(default_factory=list)

    def say(self, text: str = "") -> None:
        if not self.output.as_json:
            self.output.out.print(text)

    def head(self, text: str) -> None:
        self.say(f"\n[bold]{text}[/bold]")

    def done(self, name: str, words: str, milliseconds: int) -> None:
        self.steps.append({"name": name, "milliseconds": milliseconds})
        time = f"{milliseconds:>6,} ms" if milliseconds else ""
        self.say(f" [green]✓[/green] {name:16}{escape(words):<76}{time}")

    def verdict(self, who: str, *, trusted: bool, reason: str) -> None:
        self.verdicts.append({"who": who, "trusted": trusted, "reason": reason})
        mark, word = ("[green]✓", "trusted[/green]") if trusted else ("[red]✗", "refused[/red]")
        self.say(f" {mark} {who:56}{word}  {escape(reason)}")

    def connect_to(self, board: Board) -> Connect:
        def connect() -> BoardElement:
            self.links.append(SerialLink.open(board.port))
            return BoardElement(self.links[-1], authorise=self.context.authorise())

        return connect

    def hang_up(self) -> None:
        while self.links:
            self.links.pop().close()

    @contextmanager
    def board(self, kind: str, chip_name: str, flash: Path) -> Iterator[tuple[Board, Chip]]:
        """A running board with the chip and the flash of these names."""
        clock = BoardClock()
        chip = open_chip(_CHIP, state=self.folder / f"{chip_name}.chip", clock=clock, timing="typical")
        try:
            with open_board(kind, bus=Bus([chip]), flash=flash, package=self.package, clock=clock) as board:
                try:
                    yield board, chip
                finally:
                    self.hang_up()
        finally:
            chip.close()


def demo(context: typer.Context) -> None:
    """One device gets its identity and proves it, end to end, on virtual hardware."""
    output = state_of(context).output
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="hri-demo-") as scratch:
        folder = Path(scratch)
        with _authority(folder) as authority:
            stage = _Stage(output, folder, device_package(), authority)
            _play(stage)
            if output.as_json:
                output.json({"steps": stage.steps, "verdicts": stage.verdicts})


@contextmanager
def _authority(folder: Path) -> Iterator[Context]:
    passphrase, root_passphrase = (secrets.token_hex(16).encode() for _ in range(2))
    Authority.create(folder, root_passphrase=root_passphrase, ca_passphrase=passphrase, now=utc_now())
    authority = Authority.open(folder, passphrase)
    with Registry.open(folder / "hri.db") as registry:
        keys = open_log_keys(folder, passphrase, authority.root, partial(begin_logs, registry))
        yield Context(
            load(None),
            registry,
            authority,
            OperatorKey.open(folder, passphrase),
            station="demo",
            recorder=Recorder("demo", keys),
        )


def _play(stage: _Stage) -> None:
    pico_flash = stage.folder / "pico.flash"
    with stage.board("rpi_pico", "chip-a", pico_flash) as (board, chip):
        _provision(stage, board, chip)
        _impostors_at_the_ca(stage)
        stage.head("Who is recognised?")
        element = stage.connect_to(board)()
        _device_itself(stage, element)
        _old_answers(stage, element)
    with _second_chip(stage), stage.board("rpi_pico", "chip-b", _copied(pico_flash)) as (board, _):
        decision = authenticate(stage.connect_to(board)(), stage.context, device_id=_DEVICE)
        _refused(stage, "a perfect copy of its flash, with another chip", decision)
    with stage.board("rpi_pico", "chip-a", pico_flash) as (board, _):
        revoke(stage.context, _DEVICE, "keyCompromise", stage.folder / "crl")
        decision = authenticate(stage.connect_to(board)(), stage.context)
        _refused(stage, f"{_DEVICE} itself, after `hri revoke {_DEVICE}`", decision)
    stage.say("\nThe same commands work on a real board: hri provision --port /dev/ttyACM0")


def _provision(stage: _Stage, board: Board, chip: Chip) -> ProvisionResult:
    hello = stage.connect_to(board)().hello()
    stage.hang_up()
    stage.say(
        f"[bold]hri demo[/bold]: a device identity that cannot be copied\n"
        f"Emulated Raspberry Pi Pico, {hello.runtime}; on its I2C bus a blank virtual ATECC608B, "
        f"serial number {chip.serial_number.hex()}.\n"
        f"Root and issuing CA made: {escape(stage.context.authority.issuing.subject.rfc4514_string())}"
    )
    stage.head("Without --lock nothing is changed. The plan; what becomes permanent:")
    try:
        provision(stage.connect_to(board), stage.context, device_id=_DEVICE)
    except LockRequired as refused:
        for sentence in refused.plan.permanent:
            stage.say(f" ! {escape(sentence)}")
    stage.hang_up()
    stage.head(f"hri provision --device-id {_DEVICE} --lock{'':43}time in the emulated board")
    before = 0

    def on_step(event: StepEvent) -> None:
        nonlocal before
        spent = board.link.answering_us
        if event.phase == "begun":
            before = spent
        elif event.phase == "done" and event.name in STEPS:
            stage.done(event.name, STEPS[event.name], round((spent - before) / 1000))

    result = provision(stage.connect_to(board), stage.context, device_id=_DEVICE, lock=True, on_step=on_step)
    stage.hang_up()
    return result


def _impostors_at_the_ca(stage: _Stage) -> None:
    stage.head("Who gets a certificate?")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _DEVICE)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    records = [item.id for item in stage.context.registry.evidence(_DEVICE)]
    stage.verdict(f"{_DEVICE}: a key born in its chip, and proof of it", trusted=True, reason="")
    for who, evidence in (
        ("a key made in software, with a perfect request", ()),
        (f"the same, with {_DEVICE}'s own evidence", tuple(records)),
    ):
        request = IssueRequest(
            csr.public_bytes(Encoding.DER), _DEVICE, stage.context.certificate_profile, evidence
        )
        try:
            stage.context.issuer().issue(request, stage.context.now())
        except PolicyRefusal as refusal:
            stage.verdict(who, trusted=False, reason=f"{refusal.code}: {refusal.message}")
        else:
            raise RuntimeError("the CA issued to a key made in software")


def _device_itself(stage: _Stage, board: BoardElement) -> None:
    decision = authenticate(board, stage.context)
    if not decision:
        raise RuntimeError(f"the device was refused: {decision.reasons}")
    stage.verdict(f"{decision.device_id}, answering a fresh challenge", trusted=True, reason="")


def _old_answers(stage: _Stage, board: BoardElement) -> None:
    context = stage.context
    registry, verifier, ttl = context.registry, context.verifier, context.challenge_ttl

    def challenge() -> bytes:
        return registry.new_challenge("authenticate", _DEVICE, verifier, now=context.now(), ttl=ttl)

    first = challenge()
    answer = board.answer(first, verifier)
    if not check_answer(context, answer, first, device_id=_DEVICE):
        raise RuntimeError("a good answer was refused")
    replayed = check_answer(context, answer, first, device_id=_DEVICE)
    _refused(stage, "a recorded answer, played again", replayed)
    _refused(
        stage,
        "a recorded answer to another challenge",
        check_answer(context, answer, challenge(), device_id=_DEVICE),
    )


@contextmanager
def _second_chip(stage: _Stage) -> Iterator[None]:
    """A second chip with an honest identity of its own, made on a quicker board."""
    with stage.board("unix", "chip-b", stage.folder / "unix-flash") as (board, _):
        provision(stage.connect_to(board), stage.context, device_id=_OTHER, lock=True)
    yield


def _copied(flash: Path) -> Path:
    return Path(shutil.copyfile(flash, flash.with_name("copy.flash")))


def _refused(stage: _Stage, who: str, decision: Decision) -> None:
    if decision:
        raise RuntimeError(f"{who} was trusted")
    reason = decision.reasons[0]
    stage.verdict(who, trusted=False, reason=f"{reason.code.value}: {reason.detail}")

"""`hri ca ceremony`: the authority made to a script, in front of people, with a signed record."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from hri.audit.entry import Act
from hri.ca.ceremony import CeremonyPlan, hold_ceremony
from hri.ca.ceremony_record import CeremonyRecord, check_record, spoken
from hri.ca.files import read_input, write_atomically
from hri.ca.hierarchy import Hierarchy
from hri.ca.keyring import Keyring
from hri.ca.new_issuing import Wanted, new_generation
from hri.ca.parts import read_certificates
from hri.ca.signer import KeyFile, Signer
from hri.ceremony_script import ReadScript, Script
from hri.cli.signers import ModuleOption, Places, SignerKind, SignerOption, TokenOption
from hri.cli.state import State, state_of
from hri.context import utc_now
from hri.errors import ConfigurationError, PolicyRefusal
from hri.publication import publish_crls

app = typer.Typer()


@app.command()
def ceremony(
    context: typer.Context,
    script: Annotated[Path, typer.Option(help="What is to be made, YAML; docs/key-ceremony.md.")],
    record: Annotated[Path, typer.Option(help="File for the signed record.")],
    plan: Annotated[
        bool, typer.Option("--plan", help="Print the steps and the checksum; do nothing.")
    ] = False,
    people: Annotated[
        list[str] | None, typer.Option("--person", help="ROLE=NAME of who is there, one for each role.")
    ] = None,
    confirmed: Annotated[
        bool, typer.Option("--confirmed", help="Rehearsals only: everybody confirms everything.")
    ] = False,
    root_out: Annotated[Path | None, typer.Option(help="Folder for the root's key.")] = None,
    signer: SignerOption = SignerKind.file,
    root_signer: Annotated[SignerKind, typer.Option(help="Where the root's key is made.")] = SignerKind.file,
    module: ModuleOption = None,
    token: TokenOption = None,
) -> None:
    """Make the authority to a script, step by step, and sign the record with the root's key."""
    state = state_of(context)
    read = ReadScript.from_file(script)
    if plan:
        steps = read.steps()
        numbered = [f"{number}. {step}" for number, step in enumerate(steps, 1)]
        state.output.result(
            {"sha256": read.sha256, "steps": list(steps)}, f"script SHA-256 {read.sha256}", *numbered
        )
        return
    if state.home.has_authority() or record.exists():
        what = str(record) if record.exists() else str(state.home.path)
        raise ConfigurationError("ca-exists", f"{what} is there already", "use another --home and --record")
    present = _present(read.script, people or [])
    held = _Ceremony(state, CeremonyRecord(utc_now), present, rehearsal=confirmed)
    held.open(read)
    places = Places(state, state.home.config(), module, token)
    root_keys, keys = places.signers(root_signer, "root"), places.signers(signer, "ca")
    terms = read.script
    made = hold_ceremony(
        state.home.path,
        CeremonyPlan(terms.organisation, terms.name, terms.root_key_type, terms.key_type),
        root_keys=root_keys,
        keys=keys,
        root_out=root_out,
        now=utc_now(),
    )
    keyring = state.home.keyring(state.home.config())
    root_key = _opened(keyring, made.root_key)
    for ca in terms.issuing:
        wanted = Wanted(ca.name, ca.key_type, ca.terms(), timedelta(days=365 * ca.years))
        new_generation(state.home.path, wanted, keys=keys, root_signer=root_key, now=utc_now())
    text, refusal = held.close(root_key)
    write_atomically(record, text.encode())
    if refusal is not None:
        # The record stays, and says so; the home must not be used.
        raise refusal
    with state.context(unlocked=True) as opened:
        root = opened.authority.root
        fingerprint = root.fingerprint(hashes.SHA256()).hex()
        told = {"script_sha256": read.sha256, "root_sha256": fingerprint, "rehearsal": confirmed}
        opened.record(Act("ca-ceremony", details=told))
        publish_crls(opened, state.home.crl_path().parent)
    state.output.result(
        {"record": str(record), "root_fingerprint": fingerprint}, f"the signed record is in {record}"
    )


@app.command("check-record")
def check(
    context: typer.Context,
    record: Annotated[Path, typer.Argument(help="The record of a ceremony.")],
    root_cert: Annotated[Path | None, typer.Option(help="The root (default: this home's).")] = None,
) -> None:
    """Say whether a record of a ceremony is as the root signed it."""
    state = state_of(context)
    path = root_cert or state.home.path / "ca" / "root.pem"
    try:
        text = read_input(record, "the record").decode()
    except UnicodeDecodeError as error:
        raise PolicyRefusal("record-malformed", f"{record} is no text", "give the record") from error
    lines = check_record(text, read_certificates(path)[0])
    state.output.result({"lines": list(lines)}, *lines, "the root signed exactly this")


class _Ceremony:
    """What is said, asked and written down."""

    def __init__(
        self, state: State, record: CeremonyRecord, people: dict[str, str], *, rehearsal: bool
    ) -> None:
        self._state = state
        self._record = record
        self._people = people
        self._rehearsal = rehearsal

    def open(self, read: ReadScript) -> None:
        self._write(f"ceremony: {read.script.title}" + (", a rehearsal" if self._rehearsal else ""))
        self._write(f"script SHA-256 {read.sha256}")
        for role, name in self._people.items():
            self._write(f"present: {role}: {name}")
        for number, step in enumerate(read.steps(), 1):
            self._write(f"step {number}: {step}")
        self._confirm("the script is the one on the paper, and its checksum")

    def close(self, root_key: Signer) -> tuple[str, PolicyRefusal | None]:
        hierarchy = Hierarchy.read(self._state.home.path)
        made = [("root", hierarchy.root.certificate), *((ca.name, ca.certificate) for ca in hierarchy.cas)]
        for name, certificate in made:
            self._describe(name, certificate)
        try:
            self._confirm("the fingerprints, read aloud by one and compared by another")
        except PolicyRefusal as refusal:
            return self._record.signed(root_key), refusal
        return self._record.signed(root_key), None

    def _describe(self, name: str, certificate: x509.Certificate) -> None:
        self._write(f"made: {name}: {certificate.subject.rfc4514_string()}")
        self._write(f"made: {name}: until {certificate.not_valid_after_utc:%Y-%m-%d}")
        for line in spoken(certificate.fingerprint(hashes.SHA256())):
            self._write(f"made: {name}: SHA-256 {line}")

    def _confirm(self, what: str) -> None:
        for role, name in self._people.items():
            if not self._rehearsal and not typer.confirm(f"{role} {name}: {what}?", err=True):
                self._write(f"NOT confirmed by {name}: {what}")
                raise PolicyRefusal(
                    "not-confirmed", f"{name} does not confirm: {what}", "begin again with another --home"
                )
            self._write(f"confirmed by {name}: {what}")

    def _write(self, text: str) -> None:
        self._record.write(text)
        self._state.output.note(text)


def _present(script: Script, people: list[str]) -> dict[str, str]:
    """Return who has which role. Raises ConfigurationError: every role by a person of its own."""
    found = dict(text.partition("=")[::2] for text in people)
    names = [name.strip() for name in found.values()]
    if set(found) != set(script.roles) or not all(name and name.isprintable() for name in names):
        words = " ".join(f"--person {role}=NAME" for role in script.roles)
        raise ConfigurationError("people-missing", "every role needs somebody", words)
    if len({name.casefold() for name in names}) != len(names):
        raise ConfigurationError("people-missing", "one person has two roles", "a ceremony takes two people")
    return found


def _opened(keyring: Keyring, path: Path) -> Signer:
    return keyring.open(KeyFile(path.parent, path.stem), "root", "root")

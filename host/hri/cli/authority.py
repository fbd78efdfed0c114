"""`hri ca`: make the authority, hand out what is public of it, issue for a CSR by hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from hri.audit.entry import Act
from hri.ca import crl
from hri.ca.authority import Authority
from hri.ca.ceremony import CeremonyPlan, hold_ceremony
from hri.ca.files import read_input
from hri.ca.signer import KeyKind
from hri.cli import ceremony, hierarchy
from hri.cli.signers import KeyTypeOption, ModuleOption, Places, SignerKind, SignerOption, TokenOption
from hri.cli.state import State, state_of
from hri.context import utc_now
from hri.errors import ConfigurationError
from hri.manual_issue import issue_by_hand
from hri.publication import publish_crls, publish_new_shards
from hri.serial_numbers import serial_text

_LONGEST = 1 << 20

app = typer.Typer(help="The certification authority.", no_args_is_help=True)
app.add_typer(hierarchy.app)
app.add_typer(ceremony.app)


@app.command()
def init(
    context: typer.Context,
    organisation: Annotated[str | None, typer.Option(help="Organisation (O) in the CA certificates.")] = None,
    name: Annotated[str, typer.Option(help="Name of the authority, in the CA certificates.")] = "HRI",
    root_out: Annotated[
        Path | None, typer.Option(help="Put the root's key into this folder, off this machine's home.")
    ] = None,
    key_type: KeyTypeOption = KeyKind.P256,
    root_key_type: Annotated[
        KeyKind, typer.Option(help="The root's key; boards are provisioned under a p256 root only.")
    ] = KeyKind.P256,
    signer: SignerOption = SignerKind.file,
    root_signer: Annotated[SignerKind, typer.Option(help="Where the root's key is made.")] = SignerKind.file,
    module: ModuleOption = None,
    token: TokenOption = None,
) -> None:
    """Make a root CA, an issuing CA and an operator key."""
    state = state_of(context)
    config = state.home.config()
    if state.home.has_authority():
        raise ConfigurationError(
            "ca-exists", f"there is an authority in {state.home.path} already", "use it, or another --home"
        )
    if config.certificate_authority.type == "external":
        _begin(state, _adopted(state, Places(state, config, module, token)), "with the external authority")
        return
    places = Places(state, config, module, token)
    root_keys, keys = places.signers(root_signer, "root"), places.signers(signer, "ca")
    plan = CeremonyPlan(
        organisation or config.certificate_authority.organisation, name, root_key_type, key_type
    )
    hold_ceremony(state.home.path, plan, root_keys=root_keys, keys=keys, root_out=root_out, now=utc_now())
    made = Authority.open_public(state.home.path)
    _begin(state, made, "in the home" if root_out is None else "elsewhere")


def _adopted(state: State, places: Places) -> Authority:
    with state.home.external() as client:
        if client is None:
            raise TypeError("the authority is not external")
        # With the client: where its parts are not installed, that has been said already.
        from hri.external_authority import adopt

        return adopt(state.home.path, client, places.new_passphrase("ca"))


def _begin(state: State, made: Authority, root_key: str) -> None:
    """Record the new authority, publish its first list and tell of it."""
    with state.context(unlocked=True) as opened:
        opened.record(Act("ca-init", details=_made(made, root_key)))
        publish_crls(opened, state.home.crl_path().parent)
    fingerprint = made.root.fingerprint(hashes.SHA256()).hex()
    state.output.result(
        {
            "home": str(state.home.path),
            "root": made.root.subject.rfc4514_string(),
            "issuing": made.issuing.subject.rfc4514_string(),
            "root_fingerprint": fingerprint,
        },
        f"authority made in {state.home.path}",
        f"  root     {made.root.subject.rfc4514_string()}, SHA-256 {fingerprint}",
        f"  issuing  {made.issuing.subject.rfc4514_string()}",
    )


@app.command()
def export(
    context: typer.Context,
    root: Annotated[bool, typer.Option("--root", help="The root certificate, the trust anchor.")] = False,
    chain: Annotated[
        bool, typer.Option("--chain", help="Issuing and root certificate (the default).")
    ] = False,
    crl: Annotated[
        bool, typer.Option("--crl", help="The revocation list, made anew if it is out of date.")
    ] = False,
) -> None:
    """Print a public part of the authority as PEM."""
    state = state_of(context)
    if root + chain + crl > 1:
        raise ConfigurationError(
            "usage", "one of --root, --chain and --crl at a time", "see `hri ca export --help`"
        )
    authority = Authority.open_public(state.home.path)
    if crl:
        pem = _current_crl(state).public_bytes(Encoding.PEM)
    else:
        pem = authority.root_pem() if root else authority.chain_pem()
    if state.output.as_json:
        state.output.json({"pem": pem.decode("ascii")})
    else:
        state.output.raw(pem.decode("ascii"))


@app.command()
def issue(
    context: typer.Context,
    csr: Annotated[Path, typer.Option(help="PKCS#10 request, PEM or DER; - for standard input.")],
    profile: Annotated[str, typer.Option(help="Certificate profile.")] = "default",
    device_id: Annotated[
        str | None, typer.Option(help="Device id (default: the request's common name).")
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="State evidence for this very request, as the board gave it.")
    ] = None,
    unattested: Annotated[
        str | None, typer.Option(metavar="REASON", help="Issue without evidence; the reason stays on record.")
    ] = None,
) -> None:
    """Issue a certificate for a request from elsewhere; PEM on standard output."""
    state = state_of(context)
    if evidence is not None and unattested is not None:
        raise ConfigurationError(
            "usage", "--evidence and --unattested exclude each other", "give one of them"
        )
    request = _read(csr, "the request")
    proof = _read(evidence, "the evidence") if evidence else None
    with state.context(unlocked=True) as opened:
        issued = issue_by_hand(
            opened, request, profile=profile, device_id=device_id, evidence=proof, unattested=unattested
        )
        publish_new_shards(opened, state.home.crl_path().parent)
    if state.output.as_json:
        pem = issued.pem.decode("ascii")
        state.output.json(
            {
                "device_id": issued.device_id,
                "serial_number": serial_text(issued.serial_number),
                "certificate": pem,
            }
        )
    else:
        state.output.raw(issued.pem.decode("ascii"))


def _made(authority: Authority, root_key: str) -> dict[str, str]:
    return {
        "root": authority.root.subject.rfc4514_string(),
        "root_sha256": authority.root.fingerprint(hashes.SHA256()).hex(),
        "issuing": authority.issuing.subject.rfc4514_string(),
        "issuing_sha256": authority.issuing.fingerprint(hashes.SHA256()).hex(),
        "root_key": root_key,
    }


def _current_crl(state: State) -> x509.CertificateRevocationList:
    with state.home.context(unlocked=False) as opened:
        (*_, (name, authority)) = opened.publishing()
        path = state.home.crl_path().with_name(f"{name}.crl")
        published = crl.published(authority, opened.registry, path, now=opened.now())
    if published is not None:
        return published
    # It is only a copy of what the registry says, and is made again.
    state.output.note("the published revocation list is missing, damaged or out of date and is made anew")
    with state.context(unlocked=True) as opened:
        publish_crls(opened, state.home.crl_path().parent)
        return x509.load_der_x509_crl(crl.newest_full(authority, opened.registry, name).der)


def _read(path: Path, what: str) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read(_LONGEST)
    return read_input(path, what)

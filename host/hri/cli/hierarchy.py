"""`hri ca list` and what makes, renews and installs issuing CAs and roots."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from hri.audit.entry import Act
from hri.ca import new_issuing
from hri.ca.ca_certificate import CaTerms
from hri.ca.files import read_input, write_atomically
from hri.ca.hierarchy import Hierarchy, IssuingCa
from hri.ca.keys import open_signer
from hri.ca.name_limits import NameLimits
from hri.ca.new_issuing import Wanted
from hri.ca.parts import read_certificates
from hri.ca.root_rekeying import rekey_root as rekey
from hri.ca.signer import KeyKind, Signer, kind_of
from hri.cli.signers import ModuleOption, Places, SignerKind, SignerOption, TokenOption
from hri.cli.state import State, state_of
from hri.context import utc_now
from hri.errors import ConfigurationError
from hri.publication import publish_crls

app = typer.Typer()

_LONGEST_YEARS = 50
NameArgument = Annotated[str, typer.Argument(help="Name of the issuing CA: of a product or a factory.")]
KeyKindOption = Annotated[
    KeyKind | None, typer.Option("--key-type", help="Its key (default: as before, else p256).")
]
PermitOption = Annotated[
    list[str] | None,
    typer.Option("--permit", help="Names it may issue for: dns:example.com, dir:O=Example, ip:10.0.0.0/8."),
]
ExcludeOption = Annotated[list[str] | None, typer.Option("--exclude", help="Names it may not issue for.")]
PolicyOption = Annotated[
    list[str] | None, typer.Option("--policy", help="OID of a certificate policy it issues under.")
]
YearsOption = Annotated[int, typer.Option("--years", min=1, max=_LONGEST_YEARS, help="Validity.")]
RootKeyOption = Annotated[
    Path | None, typer.Option("--root-key", help="The root's key, where it is not in the home.")
]


def _terms(permit: list[str] | None, exclude: list[str] | None, policy: list[str] | None) -> CaTerms | None:
    """Return the terms that options give, None where they give none."""
    if not (permit or exclude or policy):
        return None
    try:
        policies = tuple(x509.ObjectIdentifier(text) for text in policy or ())
    except ValueError as error:
        raise ConfigurationError("bad-policy", "a policy is no OID", "write 1.3.6.1.4.1.99999.1") from error
    return CaTerms(NameLimits.parse(permit or (), exclude or ()), policies)


@app.command("list")
def list_cas(context: typer.Context) -> None:
    """List roots and issuing CAs, every generation."""
    state = state_of(context)
    hierarchy = Hierarchy.read(state.home.path)
    newest = {name: hierarchy.newest(name) for name in {ca.name for ca in hierarchy.cas}}
    described = [
        {
            "name": ca.name,
            "generation": ca.generation,
            "subject": ca.certificate.subject.rfc4514_string(),
            "key_type": kind_of(ca.certificate.public_key()),
            "not_after": ca.certificate.not_valid_after_utc.isoformat(),
            "root": ca.root.generation,
            "issues": newest[ca.name] == ca,
        }
        for ca in hierarchy.cas
    ]
    if state.output.as_json:
        roots = [
            {
                "generation": root.generation,
                "subject": root.certificate.subject.rfc4514_string(),
                "not_after": root.certificate.not_valid_after_utc.isoformat(),
                "fingerprint": root.certificate.fingerprint(hashes.SHA256()).hex(),
            }
            for root in hierarchy.roots
        ]
        state.output.json({"roots": roots, "issuing": described})
        return
    rows = [
        (str(one["name"]), str(one["generation"]), str(one["key_type"]), str(one["root"]),
         "issues" if one["issues"] else "kept", str(one["not_after"])[:10], str(one["subject"]))
        for one in described
    ]  # fmt: skip
    state.output.table(("name", "generation", "key", "root", "", "until", "subject"), rows)


@app.command("new-issuing")
def new_issuing_ca(
    context: typer.Context,
    name: NameArgument,
    key_type: KeyKindOption = None,
    permit: PermitOption = None,
    exclude: ExcludeOption = None,
    policy: PolicyOption = None,
    years: YearsOption = 10,
    root_key: RootKeyOption = None,
    signer: SignerOption = SignerKind.file,
    module: ModuleOption = None,
    token: TokenOption = None,
) -> None:
    """Make another issuing CA, signed by the root here and now."""
    state = state_of(context)
    if any(ca.name == name for ca in Hierarchy.read(state.home.path).cas):
        raise ConfigurationError("ca-exists", f"there is a CA {name!r}", f"`hri ca renew-issuing {name}`")
    wanted = Wanted(name, key_type, _terms(permit, exclude, policy), timedelta(days=365 * years))
    _make(state, wanted, root_key, Places(state, state.home.config(), module, token), signer)


@app.command("renew-issuing")
def renew_issuing(
    context: typer.Context,
    name: NameArgument,
    key_type: KeyKindOption = None,
    years: YearsOption = 10,
    root_key: RootKeyOption = None,
    signer: SignerOption = SignerKind.file,
    module: ModuleOption = None,
    token: TokenOption = None,
) -> None:
    """Give an issuing CA a new key under its name and terms; what the old key signed stays good."""
    state = state_of(context)
    Hierarchy.read(state.home.path).newest(name)
    wanted = Wanted(name, key_type, None, timedelta(days=365 * years))
    _make(state, wanted, root_key, Places(state, state.home.config(), module, token), signer)


@app.command()
def request(
    context: typer.Context,
    name: NameArgument,
    out: Annotated[Path, typer.Option(help="File for the request, PEM.")],
    key_type: KeyKindOption = None,
    signer: SignerOption = SignerKind.file,
    module: ModuleOption = None,
    token: TokenOption = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Forget the one that waits.")] = False,
) -> None:
    """Make the key of an issuing CA, new or renewed, and a request for a root that is kept offline."""
    state = state_of(context)
    if withdraw:
        new_issuing.withdraw_request(state.home.path, name)
        state.output.result({"withdrawn": name}, f"the request of {name} is forgotten")
        return
    keys = Places(state, state.home.config(), module, token).signers(signer, "ca")
    pem = new_issuing.request_generation(state.home.path, Wanted(name, key_type), keys=keys)
    write_atomically(out, pem)
    digest = _sha256(pem)
    state.output.result({"request": str(out), "sha256": digest}, f"request in {out}", f"  SHA-256 {digest}")


@app.command("sign-issuing")
def sign_issuing(
    context: typer.Context,
    csr: Annotated[Path, typer.Option(help="The request of `hri ca request`.")],
    root_key: Annotated[Path, typer.Option(help="The root's key file.")],
    root_cert: Annotated[Path, typer.Option(help="The root's certificate.")],
    out: Annotated[Path, typer.Option(help="File for the certificate, PEM.")],
    permit: PermitOption = None,
    exclude: ExcludeOption = None,
    policy: PolicyOption = None,
    years: YearsOption = 10,
) -> None:
    """Sign an issuing CA's request where the root's key is; needs no home."""
    state = state_of(context)
    key = open_signer(root_key, state.home.passphrases.get("root"), "root")
    pem = read_input(csr, "the request")
    certificate = new_issuing.sign_request(
        pem,
        read_certificates(root_cert)[0],
        key,
        terms=_terms(permit, exclude, policy) or CaTerms(),
        validity=timedelta(days=365 * years),
        now=utc_now(),
    )
    write_atomically(out, certificate.public_bytes(Encoding.PEM))
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
    state.output.result(
        {"certificate": str(out), "request_sha256": _sha256(pem), "fingerprint": fingerprint},
        f"certificate in {out}",
        f"  request      SHA-256 {_sha256(pem)}",
        f"  certificate  SHA-256 {fingerprint}",
    )


@app.command()
def install(
    context: typer.Context,
    name: NameArgument,
    cert: Annotated[Path, typer.Option(help="The certificate of `hri ca sign-issuing`.")],
) -> None:
    """Take the certificate for the request of an issuing CA, which issues from then on."""
    state = state_of(context)
    installed = new_issuing.install(state.home.path, name, read_certificates(cert)[0])
    with state.context(unlocked=False) as opened:
        opened.record(_issuing_act(installed))
    _tell(state, installed)


@app.command("rekey-root")
def rekey_root(
    context: typer.Context,
    key_type: Annotated[KeyKind, typer.Option(help="Its key; boards want p256.")] = KeyKind.P256,
    root_key: RootKeyOption = None,
    root_out: Annotated[Path | None, typer.Option(help="Folder for the new root's key.")] = None,
    root_signer: Annotated[SignerKind, typer.Option(help="Where it is made.")] = SignerKind.file,
    module: ModuleOption = None,
    token: TokenOption = None,
) -> None:
    """Give the root a new key, with certificates that lead from each to the other."""
    state = state_of(context)
    old = _root_signer(state, root_key)
    keys = Places(state, state.home.config(), module, token).signers(root_signer, "root")
    root = rekey(state.home.path, kind=key_type, keys=keys, old_signer=old, root_out=root_out, now=utc_now())
    fingerprint = root.certificate.fingerprint(hashes.SHA256()).hex()
    with state.context(unlocked=False) as opened:
        opened.record(
            Act("ca-root", details={"generation": root.generation, "root_sha256": bytes.fromhex(fingerprint)})
        )
    state.output.result(
        {"generation": root.generation, "root_fingerprint": fingerprint},
        f"root of generation {root.generation}, SHA-256 {fingerprint}",
        "  renew the issuing CAs below it: hri ca renew-issuing",
    )


def _make(state: State, wanted: Wanted, root_key: Path | None, places: Places, signer: SignerKind) -> None:
    root_signer = _root_signer(state, root_key)
    keys = places.signers(signer, "ca")
    made = new_issuing.new_generation(
        state.home.path, wanted, keys=keys, root_signer=root_signer, now=utc_now()
    )
    with state.context(unlocked=True) as opened:
        opened.record(_issuing_act(made))
        # Its list is there before its first certificate is.
        publish_crls(opened, state.home.crl_path().parent)
    _tell(state, made)


def _issuing_act(ca: IssuingCa) -> Act:
    certificate = ca.certificate
    details = {
        "name": ca.name,
        "generation": ca.generation,
        "issuing": certificate.subject.rfc4514_string(),
        "issuing_sha256": certificate.fingerprint(hashes.SHA256()),
        "root": ca.root.generation,
    }
    return Act("ca-issuing", details=details)


def _root_signer(state: State, root_key: Path | None) -> Signer:
    if root_key is not None:
        return open_signer(root_key, state.home.passphrases.get("root"), "root")
    file = Hierarchy.read(state.home.path).root.key
    if not file.path.exists():
        raise ConfigurationError(
            "root-elsewhere",
            "the root's key is not in this home",
            "give --root-key, or have it signed elsewhere: `hri ca request`",
        )
    return state.home.keyring(state.home.config()).open(file, "root", "root")


def _tell(state: State, ca: IssuingCa) -> None:
    subject = ca.certificate.subject.rfc4514_string()
    fingerprint = ca.certificate.fingerprint(hashes.SHA256()).hex()
    state.output.result(
        {"name": ca.name, "generation": ca.generation, "subject": subject, "fingerprint": fingerprint},
        f"{ca.name}, generation {ca.generation}: {subject}",
        f"  SHA-256 {fingerprint}",
    )


def _sha256(data: bytes) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize().hex()

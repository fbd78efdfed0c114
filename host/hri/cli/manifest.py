"""`hri manifest`: who vouches for the chips: read, verify, import and export manifests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.serialization import Encoding

from hri.ca.files import disk_errors, write_atomically
from hri.ca.manifest_signer import ManifestSigner
from hri.cli.state import state_of
from hri.context import utc_now
from hri.endorsing import export_manifest, import_manifest
from hri.errors import ConfigurationError
from hri.manifest import ManifestError, SignerValidity, TrustedSigners, read_manifest
from hri.manifest.file import LARGEST
from hri.manifest.signers import thumbprint

app = typer.Typer(help="Manifests: signed lists of chips and their keys.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The manifest, JSON.")]
CaOption = Annotated[
    Path, typer.Option("--ca", metavar="FILE", help="Certificates of the signers that you trust, PEM.")
]
ValidityOption = Annotated[
    SignerValidity, typer.Option(help="When the signer's certificate has to be valid.")
]


@app.command()
def verify(
    context: typer.Context,
    file: FileArgument,
    ca: CaOption,
    validity: ValidityOption = SignerValidity.AT_PROVISIONING,
) -> None:
    """Check every entry of a manifest against the signers you trust; nothing is recorded."""
    state = state_of(context)
    elements = read_manifest(_read(file), _signers(ca), now=utc_now(), validity=validity)
    chips = [
        {
            "element_serial": element.element_serial,
            "model": element.model,
            "slots": [key.slot for key in element.keys],
            "provisioned_at": element.provisioned_at and element.provisioned_at.isoformat(),
        }
        for element in elements
    ]
    words = [f"{len(elements)} chips, every entry signed by a signer you trust"]
    words += [f"  {chip['element_serial']}  {chip['model']}  slots {chip['slots']}" for chip in chips[:20]]
    state.output.result({"trusted": True, "chips": chips}, *words)


@app.command("import")
def import_(
    context: typer.Context,
    file: FileArgument,
    ca: CaOption,
    validity: ValidityOption = SignerValidity.AT_PROVISIONING,
) -> None:
    """Record the manifest's word for the attestation keys of its chips; all of them or none."""
    state = state_of(context)
    data, signers = _read(file), _signers(ca)
    own = ManifestSigner.certificate_of(state.home.path)
    with state.context(unlocked=False) as opened:
        done = import_manifest(
            opened,
            data,
            signers,
            validity=validity,
            own_thumbprint=thumbprint(own) if own is not None else None,
        )
    words = [f"chips endorsed: {done.recorded}, and {done.known} that were already"]
    if done.without_key:
        words.append(f"  {len(done.without_key)} without an attestation key are left out")
    state.output.result(
        {"recorded": done.recorded, "known": done.known, "without_key": list(done.without_key)}, *words
    )


@app.command()
def export(
    context: typer.Context,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to; - for standard output.")] = Path("-"),
    device_id: Annotated[
        list[str] | None, typer.Option("--device-id", help="Only this device; may be repeated.")
    ] = None,
) -> None:
    """Sign a manifest of the chips that this station personalised."""
    state = state_of(context)
    with state.context(unlocked=True) as opened:
        signer = ManifestSigner.open(
            state.home.path, state.home.passphrases.get("ca"), station=opened.station, now=opened.now()
        )
        manifest = export_manifest(opened, signer, device_id or ())
    if str(out) == "-":
        state.output.raw(manifest.decode("ascii"))
        return
    write_atomically(out, manifest)
    document = {"file": str(out), "signer": thumbprint(signer.certificate).hex()}
    state.output.result(
        document, f"manifest written to {out}; readers need what `hri manifest certificate` prints"
    )


@app.command()
def certificate(context: typer.Context) -> None:
    """Print the certificate of this station's manifest signer, for whoever is to trust it."""
    state = state_of(context)
    found = ManifestSigner.certificate_of(state.home.path)
    if found is None:
        raise ConfigurationError(
            "no-manifest-signer", "this station has signed no manifest yet", "run `hri manifest export` first"
        )
    pem = found.public_bytes(Encoding.PEM).decode("ascii")
    if state.output.as_json:
        state.output.json({"pem": pem})
    else:
        state.output.raw(pem)


def _read(path: Path) -> bytes:
    if str(path) == "-":
        data = sys.stdin.buffer.read(LARGEST + 1)
    else:
        with disk_errors(path), path.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ManifestError("manifest-malformed", f"{path} has more than {LARGEST} bytes")
    return data


def _signers(path: Path) -> TrustedSigners:
    with disk_errors(path):
        return TrustedSigners.from_pem(path.read_bytes())

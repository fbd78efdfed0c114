"""The openssl program as a judge that shares no code with ours."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .drafts import AT
from .world import Presented


def openssl_refusal(presented: Presented, folder: Path) -> str | None:
    """What `openssl verify` has against it, or None if it accepts; a list of every authority is asked for."""
    for file, certificates in (
        ("leaf.pem", [presented.leaf]),
        ("chain.pem", presented.chain),
        ("anchors.pem", presented.anchors),
    ):
        pem = (x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in certificates)
        (folder / file).write_bytes(b"".join(pem))
    lists = (x509.load_der_x509_crl(der).public_bytes(Encoding.PEM) for der in presented.crls)
    (folder / "lists.pem").write_bytes(b"".join(lists))
    done = subprocess.run(
        [
            *("openssl", "verify", "-x509_strict", "-crl_check_all", "-extended_crl"),
            *("-policy_check", "-policy", "anyPolicy"),
            *("-purpose", "sslclient", "-attime", str(int(AT.timestamp()))),
            *("-CAfile", "anchors.pem", "-untrusted", "chain.pem", "-CRLfile", "lists.pem", "leaf.pem"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = done.stdout + done.stderr
    if done.returncode == 0:
        return None
    found = re.search(r"error \d+ at \d+ depth lookup: (.*)", said)
    return found[1] if found else said.strip()

"""Writes a report into its folder: page, copy of the JUnit file, document that names both, signature."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hri.ca.files import disk_errors, write_atomically
from hri.testing.report.document import DOCUMENT, JUNIT, PAGE, SIGNATURE
from hri.testing.report.page import page
from hri.testing.report.signature import ReportKey, public_pem, spki_sha256


def check_writable(folder: Path) -> None:
    """Make the folder where need be, and raise StorageError where nothing can be written into it."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0")


def write_report(folder: Path, report: Mapping[str, Any], junit: bytes | None, key: ReportKey | None) -> None:
    """Write all parts, each at once or not at all; raises StorageError.

    The signature of an earlier report goes first and the new one comes last, so that at no time one stands
    beside a report that it is not of.
    """
    signer = spki_sha256(key.public) if key else None
    files = {PAGE: page(report, signer).encode()} | ({} if junit is None else {JUNIT: junit})
    named = {
        **report,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        "signer": {"spki_sha256": signer, "public_key": public_pem(key.public)} if key else None,
    }
    # ASCII with every other character escaped: nothing a board printed can command a terminal.
    document = (json.dumps(named, indent=1) + "\n").encode()
    with disk_errors(folder):
        (folder / SIGNATURE).unlink(missing_ok=True)
        if junit is None:
            (folder / JUNIT).unlink(missing_ok=True)
    for name, data in files.items():
        write_atomically(folder / name, data)
    write_atomically(folder / DOCUMENT, document)
    if key is not None:
        write_atomically(folder / SIGNATURE, key.sign(document))

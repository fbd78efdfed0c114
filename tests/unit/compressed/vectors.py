"""The vectors of compressed certificates, as host values."""

import json
from pathlib import Path
from typing import Any

from hri.compressed import Sources

_FILE = Path(__file__).parents[2] / "vectors" / "compressed_certificates.json"
VECTORS: dict[str, Any] = json.loads(_FILE.read_text())
CASES: list[dict[str, Any]] = VECTORS["cases"]
REFUSALS: list[dict[str, Any]] = VECTORS["refusals"]


def sources(case: dict[str, Any]) -> Sources:
    """The sources of a case; an authority of 20 bytes is known by its identifier alone."""
    authority = bytes.fromhex(case["authority_key"])
    known = {"authority_key_id": authority} if len(authority) == 20 else {"authority_key": authority}
    return Sources(
        bytes.fromhex(case["public_key"]),
        issuer=bytes.fromhex(case["issuer"]),
        element_serial=bytes.fromhex(case["element_serial"]),
        eui48=case["eui48"].encode() if case["eui48"] else None,
        **known,
    )


def named(cases: list[dict[str, Any]]) -> list[str]:
    return [case["name"] for case in cases]

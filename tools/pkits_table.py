"""Run NIST PKITS and write its refusals of valid paths into docs/path-validation.md, or `--check` it."""

import argparse
import json
import sys
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import cryptography_vectors
from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning
from hri.verify.certificate_policies import ANY_POLICY
from hri.verify.cose import MalformedError
from hri.verify.crl import RevocationLists
from hri.verify.leaf import load_certificate
from hri.verify.path_rules import PathPolicy, check_path
from hri.verify.revocation import RevocationPolicy
from hri.verify.trust import TrustStore

_ROOT = Path(__file__).resolve().parent.parent
PAGE = _ROOT / "docs" / "path-validation.md"
_TESTS = _ROOT / "tests" / "vectors" / "pkits.json"
_REFUSALS = _ROOT / "tests" / "conformance" / "pkits_refusals.toml"
_BEGIN, _END = "<!-- pkits: begin -->\n", "<!-- pkits: end -->\n"
# Within the validity of the suite's certificates and lists, which end with 2030.
_AT = datetime(2026, 1, 1, tzinfo=UTC)
_STRICT = RevocationPolicy(every_authority=True)


@dataclass(frozen=True)
class PkitsTest:
    """One test of the suite: certificates from the authority nearest the anchor to the one tested."""

    number: str
    title: str
    certificates: tuple[str, ...]
    accepted_policies: frozenset[x509.ObjectIdentifier]
    valid: bool

    @classmethod
    def from_json(cls, test: dict[str, Any]) -> "PkitsTest":
        """Read an entry of tests/vectors/pkits.json."""
        policies = frozenset(
            ANY_POLICY if name == "any" else x509.ObjectIdentifier(f"2.16.840.1.101.3.2.1.48.{name}")
            for name in test.get("accepted_policies", ())
        )
        return cls(
            test["number"], test["title"], tuple(test["certificates"]), policies, test["expect"] == "valid"
        )

    def refusal(self) -> str | None:
        """Say why path validation refuses, or None where it accepts; the lists of all tests are at hand."""
        try:
            path = [load_certificate(_read(f"certs/{name}")) for name in self.certificates]
            trust = TrustStore.from_der([_read("certs/TrustAnchorRootCertificate.crt")])
            lists = RevocationLists.from_der(_lists(), (*trust.anchors, *path))
        except MalformedError as error:
            return str(error)
        checked = check_path(
            path[-1],
            path[:-1],
            replace(trust, lists=lists),
            at=_AT,
            policy=PathPolicy(None, _STRICT, self.accepted_policies),
        )
        return "; ".join(reason.detail for reason in checked.reasons) or None


def all_tests() -> list[PkitsTest]:
    """Return the tests, in the suite's order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return [PkitsTest.from_json(test) for test in json.loads(_TESTS.read_bytes())["tests"]]


def justified() -> dict[str, str]:
    """Return why a valid path is refused, by the number of the test."""
    groups = tomllib.loads(_REFUSALS.read_text(encoding="utf-8"))["refusal"]
    return {number: group["reason"] for group in groups for number in group["tests"]}


def with_table(page: str, refused: list[PkitsTest]) -> str:
    """Return `page` with the table of the valid paths that were refused."""
    before, _, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not end:
        raise SystemExit(f"{PAGE} lacks the marks around the table")
    return f"{before}{_BEGIN}{''.join(_rows(refused))}{_END}{after}"


def _rows(refused: list[PkitsTest]) -> Iterator[str]:
    tests, why = all_tests(), justified()
    valid = sum(test.valid for test in tests)
    yield (
        f"\n{len(tests)} tests: {len(tests) - valid} paths to be refused, all of them refused; "
        f"{valid} valid paths, {valid - len(refused)} accepted, {len(refused)} refused:\n\n"
    )
    yield "| test | title | why it is refused |\n|---|---|---|\n"
    for test in refused:
        yield f"| {test.number} | {test.title} | {why[test.number]} |\n"
    yield "\n"


@cache
def _read(name: str) -> bytes:
    with cryptography_vectors.open_vector_file(f"x509/PKITS_data/{name}", "rb") as file:
        content: bytes = file.read()
    return content


@cache
def _lists() -> tuple[bytes, ...]:
    folder = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data" / "crls"
    return tuple(_read(f"crls/{path.name}") for path in sorted(folder.glob("*.crl")))


def main() -> int:
    """Write the table, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    page = PAGE.read_text(encoding="utf-8")
    wanted = with_table(page, [test for test in all_tests() if test.valid and test.refusal() is not None])
    if check:
        return int(page != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The openssl program judges issuing CAs of every kind, their limits, their renewal and a re-keyed root."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hri.ca.authority import Authority
from hri.ca.ca_certificate import CaTerms
from hri.ca.hierarchy import Hierarchy, IssuingCa
from hri.ca.keyring import Keyring, given
from hri.ca.keys import FileSigners, open_signer
from hri.ca.name_limits import NameLimits
from hri.ca.new_issuing import Wanted, new_generation
from hri.ca.profiles import Profile, SanTemplate
from hri.ca.root_rekeying import rekey_root
from hri.ca.signer import KeyKind

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the openssl program is not installed"
)
_KEYRING = Keyring(given({"ca": b"c"}))
_STRICT = ("-x509_strict", "-check_ss_sig", "-purpose", "sslclient")


def openssl(*arguments: str | Path, expect: int = 0) -> str:
    done = subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


@dataclass(frozen=True)
class Bench:
    """A home, made at the present time, and what goes through openssl."""

    folder: Path
    now: datetime

    def ca(self, name: str, root_key: Path | None = None, **words: object) -> IssuingCa:
        signer = open_signer(root_key or self.folder / "ca" / "root.key", b"r", "root")
        keys = FileSigners(b"c")
        return new_generation(self.folder, Wanted(name, **words), keys=keys, root_signer=signer, now=self.now)

    def leaf(self, ca: IssuingCa, profile: Profile | None = None, *, unchecked: bool = False) -> Path:
        profile = profile or Profile.checked("default", validity=timedelta(days=30))
        authority = ca.authority(_KEYRING)
        if unchecked:
            # As an issuing CA that fell into other hands would sign.
            authority._limits = None
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        der = authority.build(key, "dev-1", profile, serial_number=x509.random_serial_number(), now=self.now)
        path = self.folder / "leaf.pem"
        path.write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
        return path

    def write(self, name: str, *certificates: x509.Certificate) -> Path:
        path = self.folder / name
        path.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in certificates))
        return path

    def verify(
        self, leaf: Path, anchor: x509.Certificate, *between: x509.Certificate, expect: int = 0
    ) -> str:
        anchors, chain = self.write("anchors.pem", anchor), self.write("between.pem", *between)
        return openssl("verify", *_STRICT, "-CAfile", anchors, "-untrusted", chain, leaf, expect=expect)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    now = datetime.now(UTC)
    Authority.create(tmp_path, root_passphrase=b"r", ca_passphrase=b"c", now=now)
    return Bench(tmp_path, now)


def _profile(unit: str, host: str) -> Profile:
    subject, sans = [("O", "Example"), ("OU", unit)], [SanTemplate("dns", host)]
    return Profile.checked("p", validity=timedelta(days=1), subject=subject, sans=sans)


@pytest.mark.parametrize("kind", list(KeyKind))
def test_chains_of_every_kind_verify(bench: Bench, kind: KeyKind) -> None:
    made = bench.ca("factory-a", kind=kind)

    bench.verify(bench.leaf(made), made.root.certificate, made.certificate)

    text = openssl("x509", "-in", bench.folder / "between.pem", "-noout", "-text")
    words = {
        KeyKind.P256: "NIST CURVE: P-256",
        KeyKind.P384: "NIST CURVE: P-384",
        KeyKind.RSA3072: "Public-Key: (3072 bit)",
        KeyKind.RSA4096: "Public-Key: (4096 bit)",
    }
    assert words[kind] in text


def test_limits_and_policies_read_as_meant(bench: Bench) -> None:
    limits = NameLimits.parse(
        ["dir:O=Example,OU=Pumps", "dns:example.com", "ip:10.0.0.0/8"], ["dns:x.example.com"]
    )
    terms = CaTerms(limits, (x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"),))

    made = bench.ca("factory-a", terms=terms)

    bench.write("ca.pem", made.certificate)
    text = re.sub(r"\s+", " ", openssl("x509", "-in", bench.folder / "ca.pem", "-noout", "-text"))
    assert (
        "X509v3 Name Constraints: Permitted: DirName:O = Example, OU = Pumps DNS:example.com "
        "IP:10.0.0.0/255.0.0.0 Excluded: DNS:x.example.com" in text
    )
    assert "X509v3 Certificate Policies: Policy: 1.3.6.1.4.1.99999.1" in text
    assert "X509v3 Basic Constraints: critical CA:TRUE, pathlen:0" in text


def test_openssl_enforces_the_limits_too(bench: Bench) -> None:
    limits = NameLimits.parse(["dir:O=Example,OU=Pumps", "dns:example.com"], ["dns:x.example.com"])
    made = bench.ca("factory-a", terms=CaTerms(limits))
    between = (made.root.certificate, made.certificate)

    bench.verify(bench.leaf(made, _profile("Pumps", "{device_id}.example.com")), *between)
    for unit, host in (("Valves", "a.example.com"), ("Pumps", "a.example.org"), ("Pumps", "a.x.example.com")):
        said = bench.verify(bench.leaf(made, _profile(unit, host), unchecked=True), *between, expect=2)
        assert "subtree violation" in said


def test_a_policy_that_is_asked_for_is_found(bench: Bench) -> None:
    made = bench.ca("factory-a", terms=CaTerms(policies=(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"),)))

    # The leaf of a profile without policies has none: explicit policy fails, and the chain alone does not.
    leaf = bench.leaf(made)
    bench.verify(leaf, made.root.certificate, made.certificate)
    said = openssl(
        *("verify", "-explicit_policy", "-policy", "1.3.6.1.4.1.99999.1", "-policy_check"),
        *("-CAfile", bench.folder / "anchors.pem", "-untrusted", bench.folder / "between.pem", leaf),
        expect=2,
    )
    assert "no explicit policy" in said


def test_certificates_of_both_generations_verify(bench: Bench) -> None:
    old = Hierarchy.read(bench.folder).newest("issuing")
    before = bench.leaf(old).rename(bench.folder / "before.pem")
    new = bench.ca("issuing")

    for leaf in (before, bench.leaf(new)):
        bench.verify(leaf, old.root.certificate, old.certificate, new.certificate)


def test_either_root_alone_is_enough_after_a_new_one(bench: Bench) -> None:
    old = Hierarchy.read(bench.folder).newest("issuing")
    before = bench.leaf(old).rename(bench.folder / "before.pem")
    root_key = open_signer(bench.folder / "ca" / "root.key", b"r", "root")
    new = rekey_root(
        bench.folder,
        kind=KeyKind.P384,
        keys=FileSigners(b"r"),
        old_signer=root_key,
        root_out=None,
        now=bench.now,
    )
    renewed = bench.ca("issuing", bench.folder / "ca" / "roots" / "2" / "root.key")
    after = bench.leaf(renewed)
    assert new.new_with_old is not None
    assert new.old_with_new is not None

    bench.verify(after, new.certificate, renewed.certificate)
    bench.verify(after, old.root.certificate, renewed.certificate, new.new_with_old)
    bench.verify(before, new.certificate, old.certificate, new.old_with_new)
    bench.verify(before, old.root.certificate, old.certificate)
    bench.verify(after, old.root.certificate, renewed.certificate, expect=2)

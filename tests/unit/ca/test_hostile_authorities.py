"""Requests and certificates of CAs come from elsewhere: whatever they hold, the refusal is ours."""

from __future__ import annotations

import base64
import random
import shutil
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hri.ca.ca_certificate import CaTerms
from hri.ca.files import write_atomically
from hri.ca.hierarchy import Hierarchy
from hri.ca.keys import FileSigners, open_signer
from hri.ca.new_issuing import Wanted, install, request_generation, sign_request
from hri.ca.parts import read_certificates
from hri.errors import HriError

_SEED = 11
_ROUNDS = 600


def _pem(label: str, der: bytes) -> bytes:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n".encode()


def _mutated(der: bytes, source: random.Random) -> bytes:
    data = bytearray(der)
    for _ in range(source.randint(1, 3)):
        place = source.randrange(len(data))
        if source.random() < 0.7:
            data[place] ^= 1 << source.randrange(8)
        else:
            del data[place : place + source.randint(1, 6)]
    return bytes(data)


def test_a_mutated_request_is_signed_by_nobody(home: Path, now: datetime) -> None:
    own_key = open_signer(home / "ca" / "root.key", b"root secret", "root")
    root, source = Hierarchy.read(home).root.certificate, random.Random(_SEED)  # noqa: S311
    folder = home.parent / "hostile"
    shutil.copytree(home, folder, dirs_exist_ok=True)
    good = x509.load_pem_x509_csr(request_generation(folder, Wanted("a"), keys=FileSigners(b"x")))
    der, codes = good.public_bytes(Encoding.DER), set()

    for _ in range(_ROUNDS):
        changed = _mutated(der, source)
        try:
            sign_request(
                _pem("CERTIFICATE REQUEST", changed),
                root,
                own_key,
                terms=CaTerms(),
                validity=timedelta(days=1),
                now=now,
            )
        except HriError as refusal:
            codes.add(refusal.code)
        else:
            assert changed == der

    assert {"csr-malformed", "csr-signature"} <= codes


def test_a_mutated_certificate_is_installed_nowhere(home: Path, tmp_path: Path, now: datetime) -> None:
    own = tmp_path / "home"
    shutil.copytree(home, own)
    own_key = open_signer(own / "ca" / "root.key", b"root secret", "root")
    pem = request_generation(own, Wanted("a"), keys=FileSigners(b"x"))
    root, source = Hierarchy.read(own).root.certificate, random.Random(_SEED)  # noqa: S311
    good = sign_request(pem, root, own_key, terms=CaTerms(), validity=timedelta(days=1), now=now)
    der, codes = good.public_bytes(Encoding.DER), set()

    for _ in range(_ROUNDS):
        changed = _mutated(der, source)
        if changed == der:
            continue
        write_atomically(tmp_path / "a.pem", _pem("CERTIFICATE", changed))
        try:
            install(own, "a", read_certificates(tmp_path / "a.pem")[0])
        except HriError as refusal:
            codes.add(refusal.code)
        else:
            raise AssertionError(changed.hex())

    assert {"ca-broken", "not-for-this-request", "not-by-our-root"} <= codes
    assert install(own, "a", good).generation == 1

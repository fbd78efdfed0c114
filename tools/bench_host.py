"""Issuing and authenticating on one core, each beside the same cryptography calls alone in the same run."""

import datetime
import secrets
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench_entry import Entry, share_of_rate
from cbor2 import CBORTag, dumps
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store
from hri.acts import begin_logs
from hri.audit.recorder import LogKeys, Recorder
from hri.ca.authority import Authority
from hri.ca.issuance import Issuer, IssueRequest
from hri.ca.profiles import Profile
from hri.config import load
from hri.registry import Device, Registry
from hri.signed_note import NoteSigner
from hri.verify.authentication import authenticate
from hri.verify.path import TrustStore
from hri.verify.revocation import RevocationPolicy

_CN = x509.NameOID.COMMON_NAME
_SHA256 = ec.ECDSA(hashes.SHA256())
_GROUP = 64
_GROUPS = 24
_ROUNDS = 7
_AUTHENTICATIONS = 1500
_VERIFIER = "bench"


def best_rates(count: int, *works: Callable[[], None]) -> list[float]:
    """Return each work's rate, `count` things a run, in its fastest of some interleaved runs.

    Interleaved, and the fastest: whatever else the machine does then disturbs both sides alike, or neither.
    """
    best = [float("inf")] * len(works)
    for _ in range(_ROUNDS):
        for number, work in enumerate(works):
            begun = time.process_time()
            wall = time.perf_counter()
            work()
            spent = max(time.process_time() - begun, time.perf_counter() - wall)
            best[number] = min(best[number], spent)
    return [count / seconds for seconds in best]


def authority_in(home: Path, now: datetime.datetime) -> Authority:
    """Make an authority below a folder and return it open."""
    Authority.create(
        home, root_passphrase=b"bench root passphrase", ca_passphrase=b"bench passphrase", now=now
    )
    return Authority.open(home, b"bench passphrase")


def _csr(device_id: str) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(_CN, device_id)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return key, csr.public_bytes(Encoding.DER)


def _fixed_extensions(authority: Authority, profile: Profile) -> list[x509.Extension[x509.ExtensionType]]:
    """The extensions that do not differ between certificates; making them is not part of issuing one."""
    sample = authority.build(
        ec.generate_private_key(ec.SECP256R1()).public_key(),
        "sample",
        profile,
        serial_number=1,
        now=datetime.datetime.now(datetime.UTC),
    )
    own = (x509.SubjectKeyIdentifier.oid, x509.SubjectAlternativeName.oid)
    return [e for e in x509.load_der_x509_certificate(sample).extensions if e.oid not in own]


def _issuing(scratch: Path, now: datetime.datetime) -> Entry:
    authority = authority_in(scratch, now)
    profile: Profile = load(None).profile()
    count = _GROUP * _GROUPS
    csrs = [_csr(f"device-{number}")[1] for number in range(count)]
    signing_key = ec.generate_private_key(ec.SECP256R1())
    fixed = _fixed_extensions(authority, profile)
    keys = LogKeys(*(NoteSigner(f"bench/{log}", Ed25519PrivateKey.generate()) for log in ("log", "audit")))
    recorder = Recorder("bench", keys)

    def bare() -> None:
        for der in csrs:
            csr = x509.load_der_x509_csr(der)
            if not csr.is_signature_valid:
                raise ValueError("the bench made a bad CSR")
            key, device_id = csr.public_key(), str(csr.subject.get_attributes_for_oid(_CN)[0].value)
            own: list[tuple[bool, x509.ExtensionType]] = [
                (False, x509.SubjectKeyIdentifier.from_public_key(key)),
                (
                    False,
                    x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"urn:hri:{device_id}")]),
                ),
            ]
            x509.CertificateBuilder(
                issuer_name=authority.issuing.subject,
                subject_name=x509.Name([x509.NameAttribute(_CN, device_id)]),
                public_key=key,
                serial_number=x509.random_serial_number(),
                not_valid_before=now.replace(tzinfo=None),
                not_valid_after=(now + profile.validity).replace(tzinfo=None),
                extensions=[*fixed, *(x509.Extension(value.oid, how, value) for how, value in own)],
            ).sign(signing_key, hashes.SHA256()).public_bytes(Encoding.DER)

    def ours() -> None:
        issuer = Issuer(authority, registries.pop(), require_attestation=False, recorder=recorder)
        for start in range(0, count, _GROUP):
            batch = [
                IssueRequest(der, f"device-{start + place}", profile, unattested="bench")
                for place, der in enumerate(csrs[start : start + _GROUP])
            ]
            for outcome in issuer.issue_many(batch, now):
                if isinstance(outcome, Exception):
                    raise outcome

    with ExitStack() as stack:
        # A registry for every round, open and with the devices registered: that is not part of issuing.
        files = [scratch / f"bench-{number}.db" for number in range(_ROUNDS)]
        registries = [stack.enter_context(Registry.open(file)) for file in files]
        for registry in registries:
            registry.upsert_devices(
                [
                    Device(f"device-{place}", "atecc608b", f"{place:018x}", "provisioning", 0, now)
                    for place in range(count)
                ]
            )
            begin_logs(registry, keys)
        limit, rate = best_rates(count, bare, ours)
    return share_of_rate(rate, limit, "certificates a second, durable, 64 to a commit", 0.75)


def _authenticating(scratch: Path, now: datetime.datetime) -> Entry:
    authority = authority_in(scratch, now)
    profile: Profile = load(None).profile()
    device_id = "device-001"
    key, _ = _csr(device_id)
    leaf = authority.build(
        key.public_key(), device_id, profile, serial_number=x509.random_serial_number(), now=now
    )
    (issuing,) = authority.chain_der()
    root = authority.root.public_bytes(Encoding.DER)
    crl = authority.crl([], number=1, now=now, next_update=now + datetime.timedelta(days=7))
    trust = TrustStore.from_der([root], intermediates=[issuing], crls=[crl])
    answers = [_answer(key, device_id) for _ in range(_AUTHENTICATIONS)]
    at = now + datetime.timedelta(minutes=1)
    store = Store([authority.root])
    protected = dumps({1: -7})

    def bare() -> None:
        verifier = PolicyBuilder().store(store).time(at.replace(tzinfo=None)).build_client_verifier()
        for _, payload, signature in answers:
            certificate = x509.load_der_x509_certificate(leaf)
            verifier.verify(certificate, [x509.load_der_x509_certificate(issuing)])
            public_key = certificate.public_key()
            message = dumps(["Signature1", protected, b"", payload])
            assert isinstance(public_key, ec.EllipticCurvePublicKey)  # noqa: S101 - for the type checker
            public_key.verify(signature, message, _SHA256)

    def ours() -> None:
        for (answer, _, _), challenge in zip(answers, challenges, strict=True):
            decision = authenticate(
                answer, leaf, [issuing], trust, device_id=device_id, verifier=_VERIFIER, challenge=challenge,
                challenge_verdict="ok", at=at, revocation=RevocationPolicy.FAIL_OPEN,
            )  # fmt: skip
            if not decision.trusted:
                raise ValueError(f"the bench was refused: {decision.reasons}")

    challenges = [payload[-32:] for _, payload, _ in answers]
    limit, rate = best_rates(_AUTHENTICATIONS, bare, ours)
    return share_of_rate(rate, limit, "authentications a second", 0.8)


def _answer(key: ec.EllipticCurvePrivateKey, device_id: str) -> tuple[bytes, bytes, bytes]:
    payload = dumps(["hri/1 authenticate", _VERIFIER, device_id, secrets.token_bytes(32)])
    protected = dumps({1: -7})
    der = key.sign(dumps(["Signature1", protected, b"", payload]), _SHA256)
    r, s = decode_dss_signature(der)
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return dumps(CBORTag(18, [protected, {}, payload, raw])), payload, der


def measure() -> dict[str, Entry]:
    """Return the host's rates."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        return {
            "host.issue": _issuing(Path(one), now),
            "host.authenticate": _authenticating(Path(two), now),
        }

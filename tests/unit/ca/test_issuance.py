"""One live certificate a device, released after its commit, and the same answer to the same request."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hri.ca.authority import Authority
from hri.ca.issuance import GROUP, IssuedCertificate, Issuer, IssueRequest
from hri.ca.profiles import Profile
from hri.errors import HriError, StorageError
from hri.registry import Device, Registry

MakeCsr = Callable[..., bytes]
Make = Callable[..., IssueRequest]


@pytest.fixture
def issuer(authority: Authority, registry: Registry) -> Issuer:
    return Issuer(authority, registry, require_attestation=False)


@pytest.fixture
def request_for(make_csr: MakeCsr, profile: Profile) -> Make:
    def make(key: ec.EllipticCurvePrivateKey, device_id: str = "dev-1", **more: Any) -> IssueRequest:
        return IssueRequest(make_csr(key, device_id), device_id, profile, **more)

    return make


def _refusal(outcome: Callable[[], object]) -> str:
    with pytest.raises(HriError) as refused:
        outcome()
    return refused.value.code


def test_an_issued_certificate_is_the_recorded_one(
    issuer: Issuer, registry: Registry, request_for: Make, key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    issued = issuer.issue(request_for(key, slot=3), now)

    record = registry.certificate(issued.serial_number)
    certificate = x509.load_der_x509_certificate(issued.der)
    assert record is not None
    assert (record.der, record.state, record.slot) == (issued.der, "issued", 3)
    assert certificate.serial_number == issued.serial_number
    assert certificate.public_key() == key.public_key()
    assert certificate.not_valid_before_utc == issued.not_before == record.not_before
    assert certificate.not_valid_after_utc == issued.not_after == record.not_after
    assert issued.fingerprint == certificate.fingerprint(hashes.SHA256()).hex()
    assert x509.load_pem_x509_certificate(issued.pem) == certificate
    assert issued.pem == certificate.public_bytes(Encoding.PEM)


def test_serial_numbers_are_long_and_differ(
    issuer: Issuer, request_for: Make, key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    first = issuer.issue(request_for(key), now)
    second = issuer.issue(request_for(ec.generate_private_key(ec.SECP256R1()), "dev-2"), now)

    assert first.serial_number != second.serial_number
    # Of two random 159-bit numbers neither is below 2**96 within the age of the universe.
    assert min(first.serial_number, second.serial_number) > 1 << 96
    assert max(first.serial_number, second.serial_number) < 1 << 159


@pytest.mark.parametrize("confirmed", [False, True])
def test_the_same_request_gives_the_same_certificate(
    issuer: Issuer,
    registry: Registry,
    request_for: Make,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    confirmed: bool,
) -> None:
    first = issuer.issue(request_for(key), now)
    if confirmed:
        registry.activate(first.serial_number, now)

    again = issuer.issue(request_for(key), now + timedelta(days=30))

    assert again == first
    assert len(registry.certificates("dev-1")) == 1


@pytest.mark.parametrize("confirmed", [False, True])
def test_another_key_is_refused_while_a_certificate_lives(
    issuer: Issuer,
    registry: Registry,
    request_for: Make,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    confirmed: bool,
) -> None:
    first = issuer.issue(request_for(key), now)
    if confirmed:
        registry.activate(first.serial_number, now)
    other = ec.generate_private_key(ec.SECP256R1())

    with pytest.raises(HriError) as refused:
        issuer.issue(request_for(other), now)

    assert refused.value.code == "live-certificate"
    assert refused.value.exit_status == 1
    assert "hri rotate" in refused.value.hint
    assert "hri renew" in refused.value.hint
    assert len(registry.certificates("dev-1")) == 1


def test_a_replacement_takes_over_only_when_it_is_confirmed(
    issuer: Issuer, registry: Registry, request_for: Make, key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    old = issuer.issue(request_for(key), now)
    registry.activate(old.serial_number, now)
    other = ec.generate_private_key(ec.SECP256R1())
    day = timedelta(days=1)

    new = issuer.issue(request_for(other, replaces=old.serial_number), now + day)
    before = [record.state for record in registry.certificates("dev-1")]
    registry.activate(new.serial_number, now + 2 * day)
    after = [(record.state, record.revoked_at, record.reason) for record in registry.certificates("dev-1")]

    assert before == ["active", "issued"]
    assert after == [("superseded", now + 2 * day, "superseded"), ("active", None, None)]
    assert [entry.serial_number for entry in registry.revoked()] == [old.serial_number]


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_repeated_replacement_gives_the_same_certificate(
    issuer: Issuer,
    registry: Registry,
    request_for: Make,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    confirmed: bool,
) -> None:
    old = issuer.issue(request_for(key), now)
    registry.activate(old.serial_number, now)
    renewal = request_for(key, replaces=old.serial_number)
    new = issuer.issue(renewal, now)
    if confirmed:
        registry.activate(new.serial_number, now)

    again = issuer.issue(renewal, now)

    assert again == new != old


def test_only_the_active_certificate_can_be_replaced(
    issuer: Issuer, registry: Registry, request_for: Make, key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    assert _refusal(lambda: issuer.issue(request_for(key, replaces=12345), now)) == "not-active"
    assert registry.certificates("dev-1") == ()


def test_an_expired_certificate_makes_room(
    issuer: Issuer, registry: Registry, request_for: Make, key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    old = issuer.issue(request_for(key), now)
    registry.activate(old.serial_number, now)
    other = ec.generate_private_key(ec.SECP256R1())

    new = issuer.issue(request_for(other), old.not_after)
    registry.activate(new.serial_number, old.not_after)

    assert [record.state for record in registry.certificates("dev-1")] == ["superseded", "active"]


def test_an_expired_certificate_that_was_never_confirmed_makes_room(
    issuer: Issuer, registry: Registry, request_for: Make, key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    old = issuer.issue(request_for(key), now)
    other = ec.generate_private_key(ec.SECP256R1())

    issuer.issue(request_for(other), old.not_after)

    assert [record.state for record in registry.certificates("dev-1")] == ["superseded", "issued"]


@pytest.mark.parametrize(("device_id", "code"), [("dev-9", "unknown-device"), ("root", "reserved-device-id")])
def test_devices_that_are_not_registered_get_none(
    issuer: Issuer,
    request_for: Make,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    device_id: str,
    code: str,
) -> None:
    assert _refusal(lambda: issuer.issue(request_for(key, device_id), now)) == code


def test_a_revoked_device_gets_none(
    issuer: Issuer, registry: Registry, request_for: Make, key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    registry.revoke("dev-1", "keyCompromise", now)

    assert _refusal(lambda: issuer.issue(request_for(key), now)) == "device-revoked"


def test_a_request_in_another_devices_name_is_refused(
    issuer: Issuer, make_csr: MakeCsr, profile: Profile, key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    request = IssueRequest(make_csr(key, "dev-2"), "dev-1", profile)

    assert _refusal(lambda: issuer.issue(request, now)) == "csr-names-another-device"


def test_a_batch_keeps_refusals_in_their_places(
    issuer: Issuer, registry: Registry, request_for: Make, profile: Profile, now: datetime
) -> None:
    registry.upsert_devices(
        [Device(f"n-{i}", "atecc608b", f"aa{i:02}", "provisioning", 0, now) for i in range(3)]
    )
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    requests = [
        request_for(keys[0], "n-0"),
        IssueRequest(b"junk", "n-1", profile),
        request_for(keys[1], "unknown-1"),
        request_for(keys[2], "n-2"),
        request_for(keys[2], "n-2"),
        request_for(keys[1], "n-2"),
    ]

    outcomes = issuer.issue_many(requests, now)

    codes = [outcome.code if isinstance(outcome, HriError) else outcome.device_id for outcome in outcomes]
    assert codes == ["n-0", "csr-malformed", "unknown-device", "n-2", "n-2", "live-certificate"]
    assert outcomes[3] == outcomes[4]
    assert len(registry.certificates("n-2")) == 1


def test_a_group_has_a_limit(
    issuer: Issuer, request_for: Make, key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    with pytest.raises(ValueError, match="64"):
        issuer.issue_many([request_for(key)] * (GROUP + 1), now)


def test_a_serial_number_is_never_given_twice(
    authority: Authority,
    registry: Registry,
    request_for: Make,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> None:
    numbers = iter([77, 77, 78])
    issuer = Issuer(authority, registry, require_attestation=False, serial_numbers=lambda: next(numbers))

    first = issuer.issue(request_for(key), now)
    second = issuer.issue(request_for(ec.generate_private_key(ec.SECP256R1()), "dev-2"), now)

    assert (first.serial_number, second.serial_number) == (77, 78)


class _FailingRegistry(Registry):
    @contextmanager
    def _write(self) -> Iterator[Any]:
        with super()._write() as connection:
            yield connection
            raise OSError(28, "No space left on device")


def test_nothing_is_released_when_the_commit_fails(
    authority: Authority, request_for: Make, key: ec.EllipticCurvePrivateKey, now: datetime, tmp_path: Any
) -> None:
    with Registry.open(tmp_path / "r.db") as good:
        good.upsert_device(Device("dev-1", "atecc608b", None, "provisioning", 0, now))
    with Registry.open(tmp_path / "r.db") as good, _FailingRegistry.open(tmp_path / "r.db") as failing:
        issuer = Issuer(authority, failing, require_attestation=False)

        with pytest.raises(StorageError):
            issuer.issue(request_for(key), now)

        assert good.certificates("dev-1") == ()


def test_a_change_between_decision_and_record_is_noticed(
    authority: Authority,
    registry: Registry,
    request_for: Make,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> None:
    def revoked_meanwhile() -> int:
        registry.revoke("dev-1", "keyCompromise", now)
        return 5

    issuer = Issuer(authority, registry, require_attestation=False, serial_numbers=revoked_meanwhile)

    assert _refusal(lambda: issuer.issue(request_for(key), now)) == "device-revoked"
    assert registry.certificates("dev-1") == ()


class TestAttestation:
    """`security.require_attestation`: a key's birth and this request's state, both accepted."""

    @pytest.fixture
    def strict(self, authority: Authority, registry: Registry) -> Issuer:
        return Issuer(authority, registry)

    def _evidence(
        self, registry: Registry, now: datetime, kind: Any, key: ec.EllipticCurvePrivateKey, **more: Any
    ) -> int:
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
        values = {
            "device_id": "dev-1",
            "element_serial": "0123ab",
            "cose": b"evidence",
            "challenge": bytes(32),
            "verifier": "hri",
            "verdict": {"trusted": True},
            "now": now,
            "public_key": point,
            **more,
        }
        return registry.record_evidence(kind, **values)

    def test_birth_and_state_together_suffice(
        self, strict: Issuer, registry: Registry, request_for: Make, key: Any, now: datetime
    ) -> None:
        plain = request_for(key)
        csr_sha256 = hashlib.sha256(plain.csr_der).digest()
        birth = self._evidence(registry, now, "birth", key)
        state = self._evidence(registry, now, "state", key, csr_sha256=csr_sha256)

        issued = strict.issue(IssueRequest(plain.csr_der, "dev-1", plain.profile, (birth, state)), now)

        record = registry.certificate(issued.serial_number)
        assert isinstance(issued, IssuedCertificate)
        assert record is not None
        assert record.evidence == (birth, state)

    @pytest.mark.parametrize(
        "missing",
        ["all", "birth", "state", "number", "birth verdict", "state verdict", "birth key", "state csr"],
    )
    def test_without_one_of_them_there_is_no_certificate(
        self, strict: Issuer, registry: Registry, request_for: Make, key: Any, now: datetime, missing: str
    ) -> None:
        plain = request_for(key)
        other = ec.generate_private_key(ec.SECP256R1())
        refused = {"verdict": {"trusted": False}}
        csr_sha256 = bytes(32) if missing == "state csr" else hashlib.sha256(plain.csr_der).digest()
        birth = self._evidence(
            registry,
            now,
            "birth",
            other if missing == "birth key" else key,
            **(refused if missing == "birth verdict" else {}),
        )
        more = refused if missing == "state verdict" else {}
        state = self._evidence(registry, now, "state", key, csr_sha256=csr_sha256, **more)
        numbers = {"all": (), "birth": (state,), "state": (birth,), "number": (birth, 99)}

        request = IssueRequest(plain.csr_der, "dev-1", plain.profile, numbers.get(missing, (birth, state)))

        assert _refusal(lambda: strict.issue(request, now)) == "unattested"

    def test_evidence_of_one_device_buys_nothing_for_another(
        self, strict: Issuer, registry: Registry, make_csr: MakeCsr, profile: Profile, key: Any, now: datetime
    ) -> None:
        csr_der = make_csr(key, None)
        csr_sha256 = hashlib.sha256(csr_der).digest()
        birth = self._evidence(registry, now, "birth", key)
        state = self._evidence(registry, now, "state", key, csr_sha256=csr_sha256)
        forged = self._evidence(registry, now, "state", key, csr_sha256=csr_sha256, device_id="dev-2")
        moved = self._evidence(
            registry, now, "state", key, csr_sha256=csr_sha256, device_id="dev-2", element_serial="0123cd"
        )

        for numbers in ((birth, state), (birth, forged), (birth, moved)):
            request = IssueRequest(csr_der, "dev-2", profile, numbers)
            assert _refusal(lambda request=request: strict.issue(request, now)) == "unattested"
        assert strict.issue(IssueRequest(csr_der, "dev-1", profile, (birth, state)), now)

    def test_the_operators_reason_stands_in_and_stays_on_record(
        self, strict: Issuer, registry: Registry, request_for: Make, key: Any, now: datetime
    ) -> None:
        issued = strict.issue(request_for(key, unattested="bench board"), now)

        record = registry.certificate(issued.serial_number)
        assert record is not None
        assert record.unattested == "bench board"

    def test_an_empty_reason_is_none(
        self, strict: Issuer, request_for: Make, key: Any, now: datetime
    ) -> None:
        assert _refusal(lambda: strict.issue(request_for(key, unattested=""), now)) == "unattested"

"""Issuing: check, sign, record, and only then release.

A certificate leaves this module after the commit that records it. A process killed before that has signed
something that nobody saw; killed after it, the same request returns the recorded certificate.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.x509 import random_serial_number

from hri.audit.recorder import NOBODY, Recorder
from hri.ca.authority import Authority
from hri.ca.csr import CheckedCsr, check_csr
from hri.ca.device_id import check_device_id
from hri.ca.profiles import Profile
from hri.ca.shards import Shards
from hri.errors import HriError, PolicyRefusal, StorageError
from hri.log import get_logger
from hri.registry import (
    CertificateRecord,
    ConcurrentIssuance,
    EvidenceRecord,
    IssuanceState,
    LiveCertificate,
    Registry,
    ShardedUrl,
    require_not_barred,
)

GROUP = 64
# Each time somebody else succeeded, so this many in a row means something else is wrong.
_DECISIONS = 50
_SHARDS_KEPT_LONGER = timedelta(days=30)
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class IssueRequest:
    """A request for a certificate.

    `evidence` are the numbers, in the registry, of the birth and the state evidence of the request's key;
    `unattested` is the operator's reason for doing without, and stays on record. `replaces` is the serial
    number of the device's active certificate where this one shall take its place.
    """

    csr_der: bytes
    device_id: str
    profile: Profile
    evidence: tuple[int, ...] = ()
    unattested: str | None = None
    replaces: int | None = None
    slot: int | None = None


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate that the registry knows."""

    device_id: str
    serial_number: int
    der: bytes
    not_before: datetime
    not_after: datetime

    @property
    def pem(self) -> bytes:
        """Return the certificate as PEM (RFC 7468)."""
        text = base64.b64encode(self.der)
        lines = [text[start : start + 64] for start in range(0, len(text), 64)]
        return b"\n".join([b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""])

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the certificate in lower-case hex."""
        return hashlib.sha256(self.der).hexdigest()


Outcome = IssuedCertificate | HriError


@dataclass(frozen=True, slots=True)
class _Proved:
    """A checked request, and the chip (serial number, hex) that is proved to hold its key."""

    csr: CheckedCsr
    chip: str | None


@dataclass(slots=True)
class _Decision:
    """What a batch leads to, if the registry still is as it was when this was decided."""

    outcomes: list[Outcome | CertificateRecord | int] = field(default_factory=list)
    records: list[CertificateRecord] = field(default_factory=list)
    retired: list[int] = field(default_factory=list)


class Issuer:
    """Issues from one authority into one registry; safe to share between threads."""

    def __init__(
        self,
        authority: Authority,
        registry: Registry,
        *,
        require_attestation: bool = True,
        serial_numbers: Callable[[], int] = random_serial_number,
        recorder: Recorder = NOBODY,
    ) -> None:
        """Take the parts, the policy, the source of serial numbers (159 random bits), and who issues."""
        self._authority = authority
        self._registry = registry
        self._require_attestation = require_attestation
        self._serial_numbers = serial_numbers
        self._shards_kept: dict[Shards, datetime] = {}
        self._recorder = recorder

    def issue(self, request: IssueRequest, now: datetime) -> IssuedCertificate:
        """Issue one certificate, or return the recorded one where the same was asked for before.

        The same is: the same device and key, the same `replaces`, and a certificate that is live at `now`.

        Raises PolicyRefusal, ConfigurationError, StorageError.
        """
        outcome = self.issue_many([request], now)[0]
        if isinstance(outcome, HriError):
            raise outcome
        return outcome

    def issue_many(self, requests: Sequence[IssueRequest], now: datetime) -> list[Outcome]:
        """Issue for up to 64 requests with one durable commit; a refusal takes its request's place.

        Raises StorageError, and then nothing was issued; ValueError for more than 64 requests.
        """
        if len(requests) > GROUP:
            raise ValueError(f"at most {GROUP} requests go into one commit")
        checked = self._checked(requests)
        wanted = {request.device_id for request in requests}
        for _ in range(_DECISIONS):
            state = self._registry.issuance_state(wanted)
            decision = self._decide(requests, checked, state, now)
            if not decision.records:
                break
            try:
                self._registry.record_certificates(
                    decision.records, expected=state, retired=decision.retired, recorder=self._recorder
                )
            except ConcurrentIssuance:
                continue
            break
        else:
            raise StorageError("database-busy", "other processes issue for the same devices", "try again")
        return self._released(decision)

    def _checked(self, requests: Sequence[IssueRequest]) -> list[_Proved | HriError]:
        """Check what does not depend on other certificates, once, however often the decision is repeated."""
        numbers = frozenset(number for request in requests for number in request.evidence)
        evidence = self._registry.evidence_by_id(numbers)
        results: list[_Proved | HriError] = []
        for request in requests:
            try:
                check_device_id(request.device_id)
                csr = check_csr(request.csr_der)
                if csr.subject_cn not in (None, request.device_id):
                    raise PolicyRefusal(
                        "csr-names-another-device",
                        f"the request names {csr.subject_cn!r}, not the device {request.device_id!r}",
                        "make a request whose common name is the device id, or that has none",
                    )
                results.append(_Proved(csr, self._attested_chip(request, csr, evidence)))
            except HriError as refusal:
                results.append(refusal)
        return results

    def _attested_chip(
        self, request: IssueRequest, csr: CheckedCsr, evidence: dict[int, EvidenceRecord]
    ) -> str | None:
        """Return the serial number of the chip that is proved to hold the key, None where none need be."""
        if not self._require_attestation or request.unattested:
            return None
        mine = [evidence[number] for number in request.evidence if number in evidence]
        accepted = [item for item in mine if item.verdict.get("trusted") is True]
        born = {
            item.element_serial
            for item in accepted
            if item.kind == "birth" and item.public_key == csr.public_bytes
        }
        bound = {
            item.element_serial
            for item in accepted
            if item.kind == "state"
            and (item.public_key, item.csr_sha256, item.device_id)
            == (csr.public_bytes, csr.sha256, request.device_id)
        }
        if not born and any(item.kind == "birth" for item in accepted):
            raise _unattested("the evidence is of another key")
        if not born:
            raise _unattested("no evidence that the key was born in a chip")
        if not born & bound:
            raise _unattested("no evidence of the chip's state for this very request and device")
        return min(born & bound)

    def _decide(
        self,
        requests: Sequence[IssueRequest],
        checked: Sequence[_Proved | HriError],
        state: dict[str, IssuanceState],
        now: datetime,
    ) -> _Decision:
        decision = _Decision()
        new: dict[str, tuple[CheckedCsr, CertificateRecord]] = {}
        for request, proved in zip(requests, checked, strict=True):
            if isinstance(proved, HriError):
                decision.outcomes.append(proved)
                continue
            csr = proved.csr
            try:
                sibling = new.get(request.device_id)
                if sibling is not None:
                    # Asked for twice in one batch: the first one's certificate, or none.
                    if sibling[0].public_key_sha256 != csr.public_key_sha256:
                        raise _live(request.device_id, "another request in this batch")
                    decision.outcomes.append(sibling[1])
                    continue
                found = self._applicable(request, proved, state.get(request.device_id), now)
                if isinstance(found, int):
                    decision.outcomes.append(found)
                    continue
                replaces, retired = found
                record = self._sign(request, csr, replaces, now)
            except HriError as refusal:
                decision.outcomes.append(refusal)
                continue
            new[request.device_id] = (csr, record)
            decision.outcomes.append(record)
            decision.records.append(record)
            decision.retired += retired
        return decision

    def _applicable(
        self, request: IssueRequest, proved: _Proved, state: IssuanceState | None, now: datetime
    ) -> int | tuple[int | None, list[int]]:
        """Return the recorded certificate's serial number, or what a new one replaces and retires."""
        if state is None:
            raise PolicyRefusal(
                "unknown-device",
                f"the registry has no device {request.device_id}",
                "provision it with `hri provision`, which registers it",
            )
        require_not_barred(request.device_id, state.status)
        if proved.chip is not None and proved.chip != state.element_serial:
            raise _unattested("the evidence is of another chip than the device's")
        # A certificate that ends this second is of no use to anybody.
        moment = int(now.timestamp()) * 1_000_000
        fresh = [item for item in state.live if item.not_after > moment]
        active = next((item for item in state.live if item.state == "active"), None)
        for item in fresh:
            if _answers(item, proved.csr, request.replaces):
                return int(item.serial_number, 16)
        pending = next((item for item in fresh if item.state == "issued"), None)
        if pending is not None:
            raise _live(request.device_id, f"certificate {pending.serial_number}, issued and not confirmed")
        current = None if active is None else int(active.serial_number, 16)
        if active is not None and active in fresh and request.replaces != current:
            raise _live(request.device_id, f"certificate {active.serial_number}, active")
        if request.replaces not in (None, current):
            raise PolicyRefusal(
                "not-active",
                f"{request.replaces:040x} is not the active certificate of {request.device_id}",
                "`hri show` names the active one",
            )
        retired = [int(item.serial_number, 16) for item in state.live if item.state == "issued"]
        return current, retired

    def _sign(
        self, request: IssueRequest, csr: CheckedCsr, replaces: int | None, now: datetime
    ) -> CertificateRecord:
        if request.profile.template is not None:
            return self._sign_to_template(request, csr, replaces, now)
        serial_number = self._serial_numbers()
        not_before, not_after = self._authority.validity(request.profile, now)
        self._keep_shards(request.profile, not_after)
        der = self._authority.build(
            csr.public_key,
            request.device_id,
            request.profile,
            serial_number=serial_number,
            now=now,
            point=csr.public_bytes,
        )
        return CertificateRecord(
            serial_number,
            request.device_id,
            der,
            csr.public_key_sha256,
            "issued",
            now,
            not_before,
            not_after,
            slot=request.slot,
            replaces=replaces,
            evidence=request.evidence,
            unattested=request.unattested,
        )

    def _keep_shards(self, profile: Profile, until: datetime) -> None:
        """Have the shard that a certificate will point to published for as long as the certificate lives."""
        shards = profile.shards
        if shards is None or until <= self._shards_kept.get(shards, datetime.min.replace(tzinfo=UTC)):
            return
        # Some time more, so that this is written once in that time and not with every certificate.
        kept = until + _SHARDS_KEPT_LONGER
        issuer = self._authority.key_identifier
        self._registry.keep_shards(issuer, ShardedUrl(shards.count, shards.url), kept)
        self._shards_kept[shards] = kept

    def _sign_to_template(
        self, request: IssueRequest, csr: CheckedCsr, replaces: int | None, now: datetime
    ) -> CertificateRecord:
        device = self._registry.device(request.device_id)
        serial = device.element_serial if device else None
        made = self._authority.build_to_template(
            csr.public_key,
            request.device_id,
            request.profile,
            now=now,
            element_serial=bytes.fromhex(serial) if serial else None,
        )
        if self._registry.certificate(made.serial_number) is not None:
            # The serial number is a hash of key and dates, and those are whole hours.
            raise PolicyRefusal(
                "same-certificate",
                f"the device {request.device_id} had a certificate to {request.profile.name} in this hour",
                "wait for the next hour: the format knows no minutes",
            )
        return CertificateRecord(
            made.serial_number,
            request.device_id,
            made.der,
            csr.public_key_sha256,
            "issued",
            now,
            made.not_before,
            made.not_after,
            slot=request.slot,
            replaces=replaces,
            evidence=request.evidence,
            unattested=request.unattested,
        )

    def _released(self, decision: _Decision) -> list[Outcome]:
        if decision.records:
            serials = [f"{record.serial_number:040x}" for record in decision.records]
            _log.info("certificates issued", serial_numbers=serials)
        released: list[Outcome] = []
        for outcome in decision.outcomes:
            if isinstance(outcome, int):
                known = self._registry.certificate(outcome)
                if known is None:
                    raise StorageError("database-damaged", "a certificate vanished", "restore the registry")
                outcome = known
            if isinstance(outcome, CertificateRecord):
                outcome = IssuedCertificate(
                    outcome.device_id,
                    outcome.serial_number,
                    outcome.der,
                    outcome.not_before,
                    outcome.not_after,
                )
            released.append(outcome)
        return released


def _answers(item: LiveCertificate, csr: CheckedCsr, replaces: int | None) -> bool:
    """Say whether a live certificate is what an earlier, identical request led to."""
    if item.public_key_sha256 != csr.public_key_sha256:
        return False
    if replaces is None:
        return True
    return item.replaces is not None and int(item.replaces, 16) == replaces


def _live(device_id: str, which: str) -> PolicyRefusal:
    return PolicyRefusal(
        "live-certificate",
        f"the device {device_id} has another live certificate ({which})",
        "renew with `hri renew`, change the key with `hri rotate`, or finish what was begun by running the "
        "same command again",
    )


def _unattested(message: str) -> PolicyRefusal:
    return PolicyRefusal(
        "unattested",
        message,
        "provision the device with `hri provision`; security.require_attestation asks for this",
    )

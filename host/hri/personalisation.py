"""From a blank chip to a permanent identity key: the ceremony of docs/profile.md, from wherever it stands.

Every decision is taken from what the chip and the registry hold now, never from memory of an earlier run. So
a run that was cut off anywhere is completed by running it again.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property

from hri.acts import irrevocable
from hri.audit.entry import Act
from hri.context import Context
from hri.elements.atecc.crc import crc16
from hri.elements.atecc.lint import Finding, lint
from hri.elements.atecc.plan import Plan, differing_bytes, plan
from hri.elements.atecc.profile import Profile
from hri.elements.board import BoardElement, ElementInfo
from hri.errors import DeviceError, PolicyRefusal
from hri.evidence import Birth, obtain_birth, public_key_sha256, recorded_birth, refusal
from hri.link.errors import DeviceRefused
from hri.registry import Device, Endorsement
from hri.steps import Steps
from hri.verify.endorsement import STATION_FIRST_SEEN

_LOCKED_ELSEWHERE = (
    "use the home folder from which the chip was provisioned: "
    "a permanent key cannot be taken over without its record"
)


class LockRequired(PolicyRefusal):
    """The chip needs a permanent lock that was not asked for; `plan` says what would be done."""

    def __init__(self, the_plan: Plan) -> None:
        super().__init__(
            "lock-required",
            "to become a device this chip must be locked for good, and --lock was not given; nothing is done",
            "run the same command with --lock once you agree to the plan; --device-id names the device for "
            "life, and without it the name is derived from its first key",
        )
        self.plan = the_plan


class LintRefused(PolicyRefusal):
    """The configuration would brick or weaken the chip; `findings` are all that lint found, warnings too."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        worst = next(finding for finding in findings if finding.severity == "error")
        where = "" if worst.slot is None else f"slot {worst.slot}: "
        super().__init__(
            "lint",
            f"the configuration would spoil this chip: {where}{worst.message}",
            "nothing was changed; `hri chip lint`, with the same --profile, shows all that is wrong",
        )
        self.findings = findings

    def __reduce__(self) -> tuple[type[LintRefused], tuple[tuple[Finding, ...]]]:  # type: ignore[override]
        return type(self), (self.findings,)


def checked_configuration(info: ElementInfo, profile: Profile) -> bytes:
    """Return the 128 bytes that the profile gives this chip; raises LintRefused for what lint refuses."""
    wanted = profile.config_bytes(info.config)
    findings = tuple(lint(wanted, present=info.config, profile=profile))
    if any(finding.severity == "error" for finding in findings):
        raise LintRefused(findings)
    return wanted


@dataclass(frozen=True, slots=True)
class Identity:
    """A key that a chip holds for good, in one slot; `birth` is None only where policy asks for none."""

    element_type: str
    serial: bytes
    slot: int
    public_key: bytes
    birth: Birth | None


def register(context: Context, identity: Identity, device_id: str) -> Device:
    """Bind device id and chip to each other for life; repeating it changes nothing.

    An empty `device_id` derives it: SHA-256 of the key's SubjectPublicKeyInfo in lower-case hex.
    """
    name, serial = device_id or public_key_sha256(identity.public_key), identity.serial.hex()
    present = context.registry.device(name)
    if present and present.element_serial == serial and present.status != "registered":
        return present
    return context.registry.upsert_device(
        Device(
            device_id=name,
            element_type=identity.element_type,
            element_serial=serial,
            status="provisioning",
            slot=identity.slot,
            created_at=context.now(),
        )
    )


class Personalisation:
    """Leads the chip of one board to its permanent key; `device_id` is the operator's, empty to derive it."""

    def __init__(
        self,
        board: BoardElement,
        context: Context,
        steps: Steps,
        *,
        lock: bool,
        device_id: str = "",
        profile: Profile | None = None,
    ) -> None:
        self._board = board
        self._context = context
        self._steps = steps
        self._lock = lock
        self._device_id = device_id
        self._profile = profile or context.chip_profile

    def run(self, info: ElementInfo) -> Identity:
        """Do what is left to do on the chip that `info` describes.

        Raises LockRequired before anything is changed where a lock is missing and was not asked for,
        PolicyRefusal for a chip that is not ours to change, DeviceError.
        """
        with self._steps.step("plan"):
            self.refuse_foreign(info)
            if not self._is_complete(info):
                self._refuse_unendorsable(info)
            if not self._lock and not self._is_complete(info):
                raise LockRequired(plan(info.config, self._profile))
        if not info.config_locked:
            with self._steps.step("configure"):
                self.write_configuration(info)
            with self._steps.step("lock-config"):
                info = self.lock_configuration()
        if not info.data_locked:
            with self._steps.step("personalise"):
                self.write_data(info)
            with self._steps.step("lock-data"):
                info = self.lock_data(info)
        if not info.slot_locked(self._profile.attestation_slot):
            with self._steps.step("attestation-key"):
                info = self._endorse(info)
        return self._identity(info)

    @cached_property
    def _contents(self) -> dict[int, bytes]:
        operator = self._context.opened_operator().public_bytes
        return self._profile.data_slots(operator, self._context.root_public_bytes)

    def _is_complete(self, info: ElementInfo) -> bool:
        slots = (self._profile.attestation_slot, self._profile.identity_slot)
        return info.config_locked and info.data_locked and all(info.slot_locked(slot) for slot in slots)

    def refuse_foreign(self, info: ElementInfo) -> None:
        """Raise PolicyRefusal for a chip that was locked with something else, or by somebody else."""
        serial = info.serial_number.hex()
        obstacle = plan(info.config, self._profile).obstacle
        if obstacle:
            raise PolicyRefusal(
                "foreign-configuration",
                f"chip {serial}: {obstacle}",
                "a configuration zone cannot be unlocked; `hri chip info` shows this one",
            )
        if not info.data_locked or self._profile.kind != "device":
            return
        for slot in (self._profile.operator_slot, self._profile.trust_anchor_slot):
            wanted = self._contents[slot]
            if self._board.read_slot(slot, 0, len(wanted)) != wanted:
                raise PolicyRefusal(
                    "foreign-operator",
                    f"chip {serial} belongs to another authority, by its {self._profile.slots[slot].title}",
                    _LOCKED_ELSEWHERE,
                )

    def _refuse_unendorsable(self, info: ElementInfo) -> None:
        """Raise PolicyRefusal where no endorsement could count at the end: nothing is locked for that."""
        policy = self._context.attestation_policy()
        if not self._context.config.security.require_attestation:
            return
        if STATION_FIRST_SEEN in policy.accepted_endorsements:
            return
        serial = info.serial_number.hex()
        kinds = {claim.kind for claim in self._context.endorsements(serial)}
        if kinds.isdisjoint(policy.accepted_endorsements):
            raise PolicyRefusal(
                "unendorsed",
                f"no manifest vouches for chip {serial}, and security.accept_first_seen is off",
                "nothing was changed; `hri manifest import` puts its maker's manifest on record",
            )

    def write_configuration(self, info: ElementInfo) -> None:
        """Write the profile's configuration and read it back; raises PolicyRefusal where lint refuses it."""
        wanted = checked_configuration(info, self._profile)
        if info.config != wanted and self._board.write_config(info.serial_number, wanted) != wanted:
            raise _unsaved("the configuration zone")

    def require_device_profile(self) -> None:
        """Raise PolicyRefusal where hri does not know what belongs into the data slots."""
        if self._profile.kind != "device":
            raise PolicyRefusal(
                "not-a-device-profile",
                f"hri does not know what belongs into the data slots of {self._profile.name}",
                "write and lock the data zone with your own tool, or use the hri-device profile",
            )

    def lock_configuration(self) -> ElementInfo:
        """Lock the configuration zone for good, with the CRC of what is read now; return the chip after it.

        Raises PolicyRefusal where what is read is not the profile.
        """
        info = self._board.chip_info()
        wanted = checked_configuration(info, self._profile)
        if info.config != wanted:
            raise PolicyRefusal(
                "not-configured",
                "the chip does not hold the configuration that is to be locked",
                "write it first with `hri chip apply`",
            )
        with self._locking(info, "configuration zone"):
            locked = self._board.lock_config(info.serial_number, crc16(info.config))
            after = self._board.chip_info()
            if not after.config_locked or differing_bytes(locked, wanted):
                raise _unsaved("the lock of the configuration zone")
        return after

    def write_data(self, info: ElementInfo) -> None:
        """Write every data slot in full; until the zone is locked none of them can be read back.

        Raises LintRefused for a profile that lint refuses, whoever locked its configuration.
        """
        checked_configuration(info, self._profile)
        for slot, content in self._contents.items():
            self._board.write_slot(info.serial_number, slot, 0, content)

    def lock_data(self, info: ElementInfo) -> ElementInfo:
        """Lock the data zone for good, with the CRC of what `write_data` writes; return the chip after it."""
        with self._locking(info, "data zone"):
            try:
                self._board.lock_data(info.serial_number, self._profile.data_crc(self._contents))
            except DeviceRefused as refused:
                # The answer to an earlier attempt was lost: what matters is what the chip now holds.
                if refused.code != "locked":
                    raise
            after = self._board.chip_info()
            if not after.data_locked:
                raise _unsaved("the lock of the data zone")
            self.refuse_foreign(after)
        return after

    def _locking(self, info: ElementInfo, what: str) -> AbstractContextManager[None]:
        serial = info.serial_number.hex()
        told = {"chip": serial, "lock": what}
        return irrevocable(self._context, "chip-lock", self._device_id or serial, told)

    def _endorse(self, info: ElementInfo) -> ElementInfo:
        slot, serial = self._profile.attestation_slot, info.serial_number
        on_record = self._context.endorsements(serial.hex())
        if not on_record:
            self._record_endorsement(info, self._board.generate_key(serial, slot))
        elif self._board.public_key(slot) not in {claim.attestation_key for claim in on_record}:
            raise PolicyRefusal(
                "endorsement-conflict",
                f"the attestation key of chip {serial.hex()} is not the one on record",
                "do not use this chip: somebody made a new key in it after it was first seen",
            )
        with self._locking(info, f"slot {slot}"):
            self._board.lock_slot(serial, slot)
            after = self._board.chip_info()
            if not after.slot_locked(slot):
                raise _unsaved("the lock of the attestation slot")
        return after

    def _record_endorsement(self, info: ElementInfo, key: bytes) -> None:
        if self._board.public_key(self._profile.attestation_slot) != key:
            raise _unsaved("the attestation key")
        self._context.registry.record_endorsement(
            Endorsement(
                kind="station-first-seen",
                element_serial=info.serial_number.hex(),
                attestation_key=key,
                seen_at=self._context.now(),
                station=self._context.station,
                chip_state="personalised",
            ),
            recorded=self._context.recorded(Act("endorse", info.serial_number.hex())),
        )

    def _identity(self, info: ElementInfo) -> Identity:
        slot, serial = self._profile.identity_slot, info.serial_number
        if info.slot_locked(slot):
            return self._permanent(info)
        with self._steps.step("birth"):
            born = self._born(info)
        with self._steps.step("lock-identity"), self._locking(info, f"slot {slot}"):
            self._board.lock_slot(serial, slot)
            after = self._board.chip_info()
            if not after.slot_locked(slot):
                raise _unsaved("the lock of the identity slot")
            if self._board.public_key(slot) != born.public_key:
                raise _unsaved("the identity key")
        return born

    def _born(self, info: ElementInfo) -> Identity:
        """Return the key of the identity slot: the recorded one if it is still there, or a new one."""
        slot, serial = self._profile.identity_slot, info.serial_number
        present = self._present_key(slot)
        if present is not None:
            birth = recorded_birth(self._context, serial.hex(), slot, present)
            if birth is not None:
                return Identity(info.type, serial, slot, present, birth)
            self._refuse_to_replace(serial)
        recorded = obtain_birth(self._board, self._context, serial, slot, device_id=self._device_id)
        if recorded.reasons and self._context.config.security.require_attestation:
            raise refusal("birth", recorded.reasons)
        claims = recorded.appraisal.claims
        key = claims.public_key if claims else self._board.public_key(slot)
        born = Identity(info.type, serial, slot, key, Birth(recorded.id, claims) if claims else None)
        if self._device_id:
            # The operator's name is bound to the chip before the key is permanent. A derived one has to wait:
            # until the slot is locked another key could still take this one's place.
            register(self._context, born, self._device_id)
        return born

    def _present_key(self, slot: int) -> bytes | None:
        try:
            return self._board.public_key(slot)
        except DeviceRefused as refused:
            # A slot in which no key was made yet answers GenKey (public) with an error status.
            if refused.code == "chip-refused":
                return None
            raise

    def _refuse_to_replace(self, serial: bytes) -> None:
        device = self._context.registry.device_by_element(serial.hex())
        if device and self._context.registry.live_certificate(device.device_id):
            raise PolicyRefusal(
                "key-in-use",
                f"the key of device {device.device_id} is not the recorded one, and a certificate is live",
                f"look into it, then `hri revoke {device.device_id} --reason key-compromise`",
            )

    def _permanent(self, info: ElementInfo) -> Identity:
        slot, serial = self._profile.identity_slot, info.serial_number
        key = self._board.public_key(slot)
        birth = recorded_birth(self._context, serial.hex(), slot, key)
        if birth is None and self._context.config.security.require_attestation:
            raise PolicyRefusal(
                "no-birth-record",
                f"the identity key of chip {serial.hex()} is permanent, and its birth is not on record here",
                _LOCKED_ELSEWHERE,
            )
        return Identity(info.type, serial, slot, key, birth)


def _unsaved(what: str) -> DeviceError:
    return DeviceError(
        "chip-fault",
        f"{what} did not read back as it was written",
        "look at the wiring and the supply of the chip, then run the same command again",
    )

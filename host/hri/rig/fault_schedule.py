"""Which of the armed faults is due at a byte, at an address, or between two transfers."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import NamedTuple

from hri.rig.fault_campaign import CampaignRun
from hri.rig.faults import EVERY, AnyFault, Campaign, Device, Fault, Plan, Positioned, Slow, Traffic


class Due(NamedTuple):
    """A fault that strikes now, and the armed one it comes from."""

    fault: Positioned
    armed: AnyFault


class _Waiting:
    """A fault that waits for its position; ``strikes`` counts what a position alone does not bound."""

    def __init__(self, fault: Positioned) -> None:
        self.fault = fault
        self.strikes = 0

    def at_byte(self, position: int, transfer: int, byte: int) -> bool:
        fault = self.fault
        if fault.at is None or isinstance(fault, Traffic):
            return False
        if fault.transfer is None:
            return fault.at <= position < fault.at + fault.count
        if fault.at == 0 or fault.transfer not in (EVERY, transfer):
            return False
        return fault.at <= byte < fault.at + fault.count

    def at_address(self, transfer: int) -> bool:
        fault = self.fault
        if fault.at != 0 or isinstance(fault, Traffic):
            return False
        if fault.transfer == EVERY:
            return True
        return fault.transfer == transfer and self.strikes < fault.count

    def before(self, position: int, transfer: int) -> bool:
        fault = self.fault
        if not isinstance(fault, Traffic):
            return False
        if fault.transfer == EVERY:
            return True
        due = position >= fault.at if fault.transfer is None else transfer >= fault.transfer
        return due and self.strikes < fault.count

    def strike(self) -> Due:
        self.strikes += 1
        return Due(self.fault, self.fault)


class FaultSchedule:
    """Faults in the order they were armed; all that are due strike."""

    def __init__(self, faults: Iterable[AnyFault], random: Random) -> None:
        self._waiting: list[_Waiting] = []
        self._campaigns: list[CampaignRun] = []
        for fault in faults:
            if isinstance(fault, Campaign):
                self._campaigns.append(CampaignRun(fault, random.getrandbits(64)))
            elif not isinstance(fault, Slow | Device):
                self._waiting.append(_Waiting(fault))

    def at_byte(self, position: int, transfer: int, byte: int) -> list[Due]:
        """Return what hits data byte ``position``, which is ``byte`` of ``transfer``."""
        due = [one.strike() for one in self._waiting if one.at_byte(position, transfer, byte)]
        for run in self._campaigns:
            if run.at == position:
                due.append(Due(run.fault, run.campaign))
                run.advance()
        return due

    def at_address(self, transfer: int) -> list[Due]:
        """Return what hits the address byte of ``transfer``."""
        return [one.strike() for one in self._waiting if one.at_address(transfer)]

    def refuses(self, position: int) -> bool:
        """Return whether the address is refused because the byte to follow it, ``position``, is."""
        faults = [one.fault for one in self._waiting if one.at_byte(position, 0, 0)]
        faults += [run.fault for run in self._campaigns if run.at == position]
        return any(isinstance(fault, Plan) and fault.fault is Fault.NACK for fault in faults)

    def before(self, position: int, transfer: int) -> list[Traffic]:
        """Return the traffic that comes before ``transfer``, which would begin with byte ``position``."""
        due = [one.strike().fault for one in self._waiting if one.before(position, transfer)]
        return [fault for fault in due if isinstance(fault, Traffic)]

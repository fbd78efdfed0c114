"""Many devices at once: each is provisioned once, and stays who it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from hil_bench import PASSPHRASES, hri
from hri.authentication import authenticate
from hri.boards import BoardError
from hri.context import Context
from hri.elements.board import BoardElement
from hri.home import Home, Passphrases
from hri.link import SerialLink
from hri.provision import ProvisionResult, provision
from hri.rig.fleet import Fleet, Member

pytestmark = pytest.mark.timeout(600)
COUNT = 200
AT_ONCE = 8
END_S = 30


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    made = hri(home, "ca", "init")
    assert made.status == 0, made.err
    return home


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet(COUNT, folder=tmp_path_factory.mktemp("fleet")) as fleet:
        yield fleet


def opened(home: Path) -> Home:
    return Home(home, Passphrases(PASSPHRASES), environ={})


def element(link: SerialLink, context: Context) -> BoardElement:
    retry = context.retry_policy()
    return BoardElement(link, authorise=context.authorise(), retry=retry, sleep=context.sleep)


def provisioned(home: Path, member: Member) -> ProvisionResult:
    with opened(home).context(unlocked=True) as context, SerialLink.open(member.port) as link:
        board = element(link, context)
        return provision(lambda: board, context, device_id=member.name, lock=True)


def recognised(home: Path, member: Member) -> tuple[bool, str | None]:
    with opened(home).context(unlocked=False) as context, SerialLink.open(member.port) as link:
        decision = authenticate(BoardElement(link), context)
        return bool(decision), decision.device_id


def test_two_hundred_devices_are_provisioned_in_one_run_none_lost_none_doubled(
    home: Path, fleet: Fleet
) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda member: provisioned(home, member), fleet.members))

    chips = {member.name: member.serial_number for member in fleet.members}
    assert {result.device_id: result.element.serial_number for result in results} == chips
    certificates = [x509.load_pem_x509_certificate(result.certificate.encode()) for result in results]
    assert len({certificate.serial_number for certificate in certificates}) == COUNT
    assert len({certificate.public_key().public_numbers() for certificate in certificates}) == COUNT
    with opened(home).context(unlocked=False) as context:
        devices = {device.device_id: device for device in context.registry.devices(limit=COUNT + 1)}
        assert set(devices) == set(chips)
        active = Counter(
            certificate.state for name in devices for certificate in context.registry.certificates(name)
        )
    assert active == {"active": COUNT}


def test_each_of_them_is_recognised_as_itself(home: Path, fleet: Fleet) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        decisions = list(pool.map(lambda member: recognised(home, member), fleet.members))
    assert decisions == [(True, member.name) for member in fleet.members]


def test_one_member_can_lose_its_power_and_its_cable_without_the_others(home: Path, fleet: Fleet) -> None:
    victim, other = fleet.members[0], fleet.members[-1]
    assert fleet.tell(victim.name, "power-off")["power"] is False
    assert recognised(home, other) == (True, other.name)
    assert fleet.tell(victim.name, "power-on")["power"] is True
    assert fleet.tell(victim.name, "detach")["attached"] is False
    assert not Path(victim.port).exists()
    fleet.tell(victim.name, "attach")
    assert recognised(home, victim) == (True, victim.name)


def test_an_order_that_makes_no_sense_is_refused_and_the_fleet_goes_on(fleet: Fleet) -> None:
    with pytest.raises(BoardError, match="explode"):
        fleet.tell(fleet.members[0].name, "explode")
    with pytest.raises(BoardError, match="no d-9999"):
        fleet.tell("d-9999", "reset")
    assert fleet.tell(fleet.members[0].name, "reset")["power"] is True


def test_the_same_folder_has_the_same_chips_again(tmp_path: Path) -> None:
    with Fleet(2, folder=tmp_path) as first:
        before = [(member.name, member.serial_number) for member in first.members]
        with pytest.raises(BoardError, match="in use"), Fleet(2, folder=tmp_path):
            pass
    with Fleet(2, folder=tmp_path) as second:
        assert [(member.name, member.serial_number) for member in second.members] == before


def boards_of(process: int) -> list[str]:
    listed = subprocess.run(["ps", "-e", "-o", "ppid=,pid="], capture_output=True, text=True, check=True)
    children: dict[str, list[str]] = {}
    for line in listed.stdout.splitlines():
        parent, child = line.split()
        children.setdefault(parent, []).append(child)
    found, todo = [], [str(process)]
    while todo:
        todo += children.get(todo.pop(), [])
        found = todo[:] + found
    return sorted(set(found))


def gone(pids: list[str]) -> bool:
    return not any(Path("/proc", pid).exists() for pid in pids)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_no_board_outlives_its_command(end: signal.Signals) -> None:
    command = subprocess.Popen(
        [sys.executable, "-m", "hri.cli", "--json", "rig", "fleet", "--count", "3"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ,
    )
    try:
        members = json.loads(command.stdout.readline())["members"]
        assert len({member["port"] for member in members}) == 3
        running = boards_of(command.pid)
        assert len(running) >= 4
        command.send_signal(end)
        command.wait(END_S)
        until = time.monotonic() + END_S
        while not gone(running) and time.monotonic() < until:
            time.sleep(0.05)
        assert gone(running)
    finally:
        command.kill()
        command.wait()
        command.stdout.close()

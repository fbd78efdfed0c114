"""A port is one program's alone, and free for the next one as soon as it is closed."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hri.flash.repl import SerialRepl
from hri.link.errors import PortBusy
from hri.link.port import Port


@pytest.fixture
def name() -> Iterator[str]:
    master, slave = os.openpty()
    yield os.ttyname(slave)
    os.close(slave)
    os.close(master)


def copies_of(name: str) -> list[int]:
    """Copy this process's open files that are the port, as fork(2) does before another program is run."""
    files = [int(entry) for entry in os.listdir("/proc/self/fd")]
    return [os.dup(file) for file in files if os.path.realpath(f"/proc/self/fd/{file}") == name]


def test_an_open_port_is_refused_to_a_second(name: str) -> None:
    first = Port(name)
    first.open()
    with pytest.raises(PortBusy, match="is in use"):
        Port(name).open()
    first.close()


def test_a_closed_port_is_free_though_a_process_that_is_being_started_still_has_it(name: str) -> None:
    first = Port(name)
    first.open()
    copies = copies_of(name)
    first.close()
    again = Port(name)
    again.open()
    again.close()
    for copy in copies:
        os.close(copy)


def test_a_raw_repl_leaves_its_port_as_free(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    copies: list[int] = []
    monkeypatch.setattr(SerialRepl, "_enter", lambda _: copies.extend(copies_of(name)))
    with SerialRepl(name, restart=False):
        pass
    again = Port(name)
    again.open()
    again.close()
    for copy in copies:
        os.close(copy)

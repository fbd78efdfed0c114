"""One authority for all, a registry and a blank board for each."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hri.ca.authority import Authority
from hri.ca.operator import OperatorKey
from hri.config import Config
from hri.context import Context
from hri.elements.board import BoardElement
from hri.registry import Registry
from unit.provision.soft_board import SoftBoard

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, OperatorKey]:
    home = tmp_path_factory.mktemp("home")
    made = Authority.create(home, root_passphrase=b"root", ca_passphrase=b"ca", now=NOW)
    return made, OperatorKey.open(home, b"ca")


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry.open(":memory:") as opened:
        yield opened


@pytest.fixture
def context(authority: tuple[Authority, OperatorKey], registry: Registry) -> Context:
    made, operator = authority
    return Context(Config(), registry, made, operator, station="test", now=lambda: NOW, sleep=lambda _: None)


@pytest.fixture
def board() -> SoftBoard:
    return SoftBoard()


@pytest.fixture
def connect(board: SoftBoard, context: Context):
    return lambda: BoardElement(
        board, authorise=context.authorise(), retry=context.retry_policy(), sleep=context.sleep
    )

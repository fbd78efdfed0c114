"""One authority for all; for each test a registry, a provisioned board and the application."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hri.acts import begin_logs
from hri.audit.recorder import Recorder
from hri.ca.authority import Authority
from hri.ca.operator import OperatorKey
from hri.config import Config
from hri.context import Context, utc_now
from hri.elements.board import BoardElement
from hri.provision import provision
from hri.registry import Registry
from unit.logs.conftest import KEYS
from unit.provision.soft_board import SoftBoard
from unit.server.serving import AppClient

DEVICE = "device-1"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, OperatorKey]:
    home = tmp_path_factory.mktemp("home")
    made = Authority.create(home, root_passphrase=b"root", ca_passphrase=b"ca", now=utc_now())
    return made, OperatorKey.open(home, b"ca")


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry.open(":memory:") as opened:
        yield opened


@pytest.fixture
def context(authority: tuple[Authority, OperatorKey], registry: Registry) -> Context:
    made, operator = authority
    recorder = Recorder("test@here", KEYS)
    begin_logs(registry, KEYS)
    return Context(
        Config(), registry, made, operator, station="test", sleep=lambda _: None, recorder=recorder
    )


@pytest.fixture
def client(context: Context, tmp_path: Path) -> AppClient:
    return AppClient(context, tmp_path / "crl")


@pytest.fixture
def board() -> SoftBoard:
    return SoftBoard()


@pytest.fixture
def device(board: SoftBoard, context: Context) -> str:
    element = BoardElement(board, authorise=context.authorise(), sleep=context.sleep)
    provision(lambda: element, context, device_id=DEVICE, lock=True)
    return DEVICE

"""A served home on SQLite for a module's tests, with a provisioned board whose key signs in software."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hri.elements.board import BoardElement
from hri.provision import provision
from hri.rig.runtimes import RuntimeUnavailableError
from libest import Libest, find
from system.server.processes import ServedHome, ServerProcess, serving
from unit.provision.soft_board import SoftBoard

DEVICE = "device-1"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> ServedHome:
    return ServedHome(tmp_path_factory.mktemp("served") / "home")


@pytest.fixture(scope="module")
def server(served: ServedHome) -> Iterator[ServerProcess]:
    with serving(served) as running:
        yield running


def provisioned(served: ServedHome, device_id: str, serial: bytes) -> SoftBoard:
    """A board that is a device of a served home."""
    board = SoftBoard(serial)
    with served.context() as context:
        element = BoardElement(board, authorise=context.authorise(), sleep=context.sleep)
        provision(lambda: element, context, device_id=device_id, lock=True)
    return board


def shown(board: SoftBoard, folder: Path) -> tuple[Path, Path]:
    """The board's certificate and key as files, for a TLS client."""
    certificate, key = folder / "device.pem", folder / "device.key"
    leaf = x509.load_der_x509_certificate(board.record["certificate"])
    chain = [x509.load_der_x509_certificate(der) for der in board.record["chain"]]
    certificate.write_bytes(b"".join(item.public_bytes(Encoding.PEM) for item in [leaf, *chain]))
    key.write_bytes(board.keys[0].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, key


@pytest.fixture(scope="module")
def board(served: ServedHome) -> SoftBoard:
    return provisioned(served, DEVICE, bytes.fromhex("0123aabbccddee01ee"))


@pytest.fixture(scope="session")
def libest() -> Libest:
    """Cisco's EST client and server; without them the test is skipped, and says why."""
    try:
        return find()
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))

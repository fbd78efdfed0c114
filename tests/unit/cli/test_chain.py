"""`hri chip chain` on the command line."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from unit.chip_chain.vendor import Vendor
from unit.provision.served_board import served


@pytest.fixture
def vendor(tmp_path):
    made = Vendor()
    (tmp_path / "root.pem").write_bytes(made.root.public_bytes(Encoding.PEM))
    return made


def test_a_preprovisioned_chip_shows_its_chain(hri, vendor, tmp_path):
    board = vendor.chip()
    with served(board) as port:
        ran = hri("--json", "chip", "chain", "--port", port, "--roots", str(tmp_path / "root.pem"))
        assert ran.status == 0, ran.err
        assert (ran.json["trusted"], ran.json["variant"]) == (True, "tngtls")
        device, signer = (x509.load_pem_x509_certificate(one.encode()) for one in ran.json["certificates"])
        assert signer.subject.rfc4514_string().startswith("CN=Crypto Authentication Signer 2C60")
        assert device.issuer == signer.subject

        words = hri("chip", "chain", "--port", port, "--roots", str(tmp_path / "root.pem"), "--pem")
        assert words.out.startswith("trusted")
        assert words.out.count("-----BEGIN CERTIFICATE-----") == 2
        assert "answered a fresh challenge" in words.err


def test_a_chip_of_another_root_is_not_trusted(hri, vendor, tmp_path):
    with served(Vendor().chip()) as port:
        ran = hri("--json", "chip", "chain", "--port", port, "--roots", str(tmp_path / "root.pem"))
    assert ran.status == 1
    assert [reason["code"] for reason in ran.json["reasons"]] == ["chain-invalid"]
    assert vendor.root


def test_our_own_chip_with_its_chain_in_its_slots_is_read_too(hri, board, port, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.yaml").write_text("identity:\n  certificate:\n    template: hri-device\n")
    assert hri("ca", "init").status == 0
    assert hri("provision", "--port", port, "--lock").status == 0
    (tmp_path / "chain.pem").write_text(hri("ca", "export", "--chain").out)
    ran = hri("--json", "chip", "chain", "--port", port, "--roots", str(tmp_path / "chain.pem"))
    assert ran.status == 0, ran.out + ran.err
    assert ran.json["templates"] == ["hri-device"]
    assert board.record is not None
    stored = x509.load_der_x509_certificate(board.record["certificate"])
    assert x509.load_pem_x509_certificate(ran.json["certificates"][0].encode()) == stored

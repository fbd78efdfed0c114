"""`hri crl publish` and `hri ocsp produce`: what is written where, and what a second run does."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

SHARDED = """
identity:
  certificate_authority:
    crl_url: http://ca.test/crl/issuing-{shard}.crl
    crl_shards: 2
"""


def test_a_list_that_is_not_due_is_left_alone(hri, tmp_path):
    hri("ca", "init")

    due, anyway = hri("--json", "crl", "publish", "--due"), hri("--json", "crl", "publish")

    assert (due.status, due.json["written"]) == (0, [])
    assert (anyway.status, anyway.json["written"]) == (0, ["issuing.crl"])
    crl = x509.load_der_x509_crl((tmp_path / "home/crl/issuing.crl").read_bytes())
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 2


def test_the_shard_of_a_certificate_is_published_when_it_is_provisioned(hri, port, tmp_path):
    hri("ca", "init")
    (tmp_path / "home/config.yaml").write_text(SHARDED)

    ran = hri("--json", "provision", "--port", port, "--device-id", "d1", "--lock")

    leaf = x509.load_pem_x509_certificate(ran.json["certificate"].encode())
    (point,) = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    name = str(point.full_name[0].value).rpartition("/")[2]
    scope = x509.load_der_x509_crl((tmp_path / "home/crl" / name).read_bytes()).extensions
    assert scope.get_extension_for_class(x509.IssuingDistributionPoint).value.full_name == point.full_name


@pytest.mark.usefixtures("provisioned")
def test_answers_are_made_ahead_and_replaced_when_a_device_is_revoked(hri, tmp_path):
    folder = tmp_path / "answers"

    first = hri("--json", "ocsp", "produce", str(folder))
    again = hri("--json", "ocsp", "produce", str(folder))
    hri("revoke", "d1", "--reason", "keyCompromise")
    after = hri("--json", "ocsp", "produce", str(folder), "--hash", "sha1", "--hash", "sha256")

    assert [(ran.json["written"], ran.json["kept"]) for ran in (first, again, after)] == [
        (1, 0),
        (0, 1),
        (2, 0),
    ]
    answers = [ocsp.load_der_ocsp_response(path.read_bytes()) for path in files(folder)]
    assert {answer.certificate_status for answer in answers} == {ocsp.OCSPCertStatus.REVOKED}


@pytest.mark.usefixtures("provisioned")
def test_producing_needs_the_passphrase(hri, tmp_path, monkeypatch):
    monkeypatch.delenv("HRI_CA_PASSPHRASE")

    ran = hri("--json", "ocsp", "produce", str(tmp_path / "answers"))

    assert (ran.status, ran.error["code"]) == (2, "no-passphrase")
    assert not (tmp_path / "answers").exists()


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]

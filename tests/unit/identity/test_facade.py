"""The mission document's names, over a board in software on a pty."""

import contextlib
import hashlib
from datetime import UTC, datetime, timedelta

import hri
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from hri import (
    CertificateAuthority,
    CertificateRequest,
    DeviceIdentityManager,
    KeyType,
    SecureElementManager,
    SecureElementType,
)
from hri.errors import ConfigurationError, PolicyRefusal, StorageError
from hri.personalisation import LockRequired
from hri.verify.decision import ReasonCode
from unit.provision.served_board import served
from unit.provision.soft_board import SoftBoard

CHALLENGE = hashlib.sha256(b"test_challenge").digest()


def write_ca(folder, encryption=None):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test CA")])
    usage = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    (folder / "ca_key.pem").write_bytes(pem)
    (folder / "ca_cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("HRI_CONFIG", "HRI_DATABASE_URL", "HRI_CA_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HRI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HRI_LOCK", "any")
    monkeypatch.chdir(tmp_path)
    write_ca(tmp_path)
    return tmp_path


@pytest.fixture
def board(folder, monkeypatch):  # noqa: ARG001 - its environment
    board = SoftBoard()
    with served(board) as port:
        monkeypatch.setenv("HRI_PORT", port)
        yield board


@pytest.fixture
def ca(folder):  # noqa: ARG001 - its files
    authority = CertificateAuthority(ca_key_path="ca_key.pem", ca_cert_path="ca_cert.pem")
    with contextlib.closing(authority.registry):
        yield authority


@pytest.fixture
def element(board):  # noqa: ARG001 - its port
    return SecureElementManager(element_type=SecureElementType.ATECC608A, interface="i2c", address="0x60")


@pytest.fixture
def manager(element, ca):
    return DeviceIdentityManager(secure_element=element, certificate_authority=ca, require_attestation=True)


def software_key():
    return ec.generate_private_key(ec.SECP256R1()).public_key()


def pem(key):
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_every_name_is_importable_from_hri():
    assert all(getattr(hri, name) for name in hri.__all__)
    with pytest.raises(AttributeError):
        hri.no_such_name  # noqa: B018 - the access is what is tested


def test_the_documents_example_works(manager, element):
    identity = manager.provision_device(device_id="device-001", key_type=KeyType.ECC, validity_days=365)

    signature = element.sign_data(CHALLENGE, "device-001")

    assert identity.device_id == "device-001"
    assert identity.certificate_issuer == "CN=Test CA"
    assert identity.certificate_valid_from.tzinfo is not None
    assert identity.attestation_data["births"]
    assert manager.authenticate_device("device-001", identity.certificate, signature, CHALLENGE) is True


def test_another_challenge_device_or_key_is_refused(manager, element):
    identity = manager.provision_device("device-001")
    signature = element.sign_data(CHALLENGE, "device-001")

    other = manager.decide("device-001", identity.certificate, signature, hashlib.sha256(b"other").digest())
    renamed = manager.decide("device-002", identity.certificate, signature, CHALLENGE)
    garbage = manager.decide("device-001", b"garbage", signature, CHALLENGE)

    assert other.codes == (ReasonCode.SIGNATURE_INVALID,)
    assert renamed.codes == (ReasonCode.DEVICE_ID_MISMATCH,)
    assert garbage.codes == (ReasonCode.MALFORMED,)
    assert manager.authenticate_device("device-001", b"garbage", signature, CHALLENGE) is False


def test_provisioning_twice_gives_the_same_identity(manager):
    assert (
        manager.provision_device("device-001").certificate
        == manager.provision_device("device-001").certificate
    )


def test_a_blank_chip_is_not_locked_unless_the_environment_allows_it(manager, board, monkeypatch):
    monkeypatch.setenv("HRI_LOCK", "0123000000000000ee")
    with pytest.raises(LockRequired):
        manager.provision_device("device-001")
    assert board.changes == []
    monkeypatch.setenv("HRI_LOCK", board.serial.hex())

    assert manager.provision_device("device-001").certificate


def test_rotation_replaces_key_and_certificate(manager, element):
    before = manager.provision_device("device-001")

    after = manager.rotate_certificate("device-001")

    signature = element.sign_data(CHALLENGE, "device-001")
    assert after.public_key != before.public_key
    assert manager.authenticate_device("device-001", after.certificate, signature, CHALLENGE)
    assert ReasonCode.REVOKED in manager.decide("device-001", before.certificate, signature, CHALLENGE).codes


def test_a_revoked_device_is_refused_and_on_the_list(manager, element, ca):
    identity = manager.provision_device("device-001")
    signature = element.sign_data(CHALLENGE, "device-001")

    ca.revoke_certificate("device-001")

    decision = manager.decide("device-001", identity.certificate, signature, CHALLENGE)
    assert decision.codes == (ReasonCode.REVOKED,)
    assert len(x509.load_der_x509_crl((ca.folder / "crl" / "issuing.crl").read_bytes())) == 1


def test_the_key_pair_is_born_once_and_stays(element, manager, board):
    public_key, handle = element.generate_key_pair(key_type=KeyType.ECC, key_id="device-001")

    assert element.generate_key_pair(key_id="device-001") == (public_key, handle)
    assert load_pem_public_key(public_key) == board.keys[0].public_key()
    assert element.sign_data(b"data", handle)
    assert (
        load_pem_public_key(manager.provision_device("device-001").public_key) == board.keys[0].public_key()
    )


@pytest.mark.usefixtures("board")
def test_the_quick_start_works_with_a_home(monkeypatch):
    from hri.cli.app import run

    monkeypatch.setenv("HRI_CA_PASSPHRASE", "words")
    monkeypatch.setenv("HRI_ROOT_PASSPHRASE", "words")
    assert run(["ca", "init"]) == 0
    se = SecureElementManager(element_type=SecureElementType.ATECC608A, interface="i2c")

    public_key, key_handle = se.generate_key_pair(key_type=KeyType.ECC, key_id="device-001")
    signature = se.sign_data(b"data", key_handle)

    assert load_pem_public_key(public_key)
    assert signature


@pytest.mark.usefixtures("manager")
def test_attestation_is_fresh_evidence_with_a_decision(element):
    _, handle = element.generate_key_pair(key_id="device-001")

    attestation = element.get_attestation(handle)

    assert attestation["trusted"] is True
    assert attestation["device_id"] == "device-001"


def test_without_a_home_or_an_authority_the_way_to_one_is_told(element):
    with pytest.raises(ConfigurationError, match="no authority"):
        element.generate_key_pair(key_id="device-001")


@pytest.mark.parametrize(
    "wrong", [{"key_type": KeyType.RSA, "key_size": 2048}, {"curve": "secp384r1"}, {"key_size": 384}]
)
def test_keys_that_the_chip_cannot_hold_are_refused(element, wrong):
    with pytest.raises(ConfigurationError, match="ATECC608"):
        element.generate_key_pair(**wrong)


@pytest.mark.parametrize("kind", [SecureElementType.TPM_2_0, SecureElementType.SE050, SecureElementType.HSM])
def test_elements_of_later_versions_are_refused_with_the_reason(kind):
    with pytest.raises(ConfigurationError, match="not supported in this version"):
        SecureElementManager(element_type=kind)


def test_another_interface_or_address_is_refused():
    for wrong in ({"interface": "spi"}, {"address": "0x35"}):
        with pytest.raises(ConfigurationError):
            SecureElementManager(SecureElementType.ATECC608A, **wrong)


def test_another_hash_and_an_unknown_handle_are_refused(element):
    with pytest.raises(ConfigurationError, match="SHA-256"):
        element.sign_data(b"data", b"slot:0", hash_algorithm="sha512")
    with pytest.raises(ConfigurationError, match="nobody"):
        element.sign_data(b"data", "nobody")


def test_a_bare_public_key_gets_a_certificate_that_says_so_on_record(ca):
    key = software_key()
    request = CertificateRequest(
        "soft-1", pem(key), {"CN": "soft-1", "O": "Example Corp"}, ["digital_signature", "key_encipherment"],
        ["client_auth"], 30,
    )  # fmt: skip

    certificate = x509.load_pem_x509_certificate(ca.create_certificate(request))

    assert certificate.public_key() == key
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_encipherment) == (True, False)
    assert "Example Corp" in certificate.subject.rfc4514_string()
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc < timedelta(days=31)
    assert ca.registry.live_certificate("soft-1").unattested
    assert x509.load_pem_x509_certificate(ca.create_certificate(request)) == certificate


def test_a_revocation_while_a_certificate_is_made_wins(ca, monkeypatch):
    build = ca.authority.build

    def revoked_meanwhile(*arguments, **named):
        ca.revoke_certificate("soft-1")
        return build(*arguments, **named)

    monkeypatch.setattr(ca.authority, "build", revoked_meanwhile)

    with pytest.raises(StorageError, match="another process changes"):
        ca.create_certificate(CertificateRequest("soft-1", pem(software_key())))

    assert ca.registry.device("soft-1").status == "revoked"
    assert ca.registry.certificates("soft-1") == ()


def test_a_second_key_for_a_live_device_is_refused(ca):
    ca.create_certificate(CertificateRequest("soft-1", pem(software_key())))

    with pytest.raises(PolicyRefusal, match="live certificate"):
        ca.create_certificate(CertificateRequest("soft-1", pem(software_key())))


def test_a_device_with_a_chip_gets_no_certificate_for_a_key_made_elsewhere(manager, ca):
    manager.provision_device("device-001")

    with pytest.raises(PolicyRefusal, match="has a secure element"):
        ca.create_certificate(CertificateRequest("device-001", pem(software_key())))


def test_what_is_no_key_is_refused(ca):
    with pytest.raises(PolicyRefusal):
        ca.create_certificate(CertificateRequest("soft-1", b"garbage"))


def test_an_encrypted_key_takes_the_passphrase_from_the_environment(folder, monkeypatch):
    write_ca(folder, BestAvailableEncryption(b"words"))
    monkeypatch.setenv("HRI_CA_PASSPHRASE", "words")

    authority = CertificateAuthority("ca_key.pem", "ca_cert.pem")

    with contextlib.closing(authority.registry):
        assert authority.ca_cert.subject.rfc4514_string() == "CN=Test CA"

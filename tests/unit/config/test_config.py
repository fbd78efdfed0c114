"""The mission document's YAML is read as it stands, and every key has a consequence."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hri.config import Config, load
from hri.errors import ConfigurationError

MISSION = Path(__file__).parents[2] / "vectors" / "mission.yaml"


def _load(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, environ or {})


def _section(tmp_path: Path, section: str, **values: Any) -> Config:
    return _load(tmp_path, yaml.safe_dump({"identity": {section: values}}))


class TestTheMissionDocument:
    @pytest.fixture
    def config(self) -> Config:
        return load(MISSION, {})

    def test_every_value_arrives(self, config: Config) -> None:
        assert (config.secure_element.type, config.secure_element.interface) == ("atecc608a", "i2c")
        assert config.secure_element.address == 0x60
        assert config.cryptography.curve == "secp256r1"
        assert config.provisioning.model_dump() == {
            "auto_enrollment": True,
            "enrollment_timeout": 300,
            "retry_attempts": 3,
            "retry_delay": 10,
        }
        assert config.security.require_attestation
        assert config.security.enforce_key_rotation
        assert config.security.key_rotation_days == 365
        assert config.security.revoke_on_compromise

    def test_its_profile(self, config: Config) -> None:
        profile = config.profile()

        assert profile.validity == timedelta(days=365)
        assert profile.key_usage == {"digital_signature"}
        assert profile.extended_key_usage == ("client_auth", "server_auth")
        assert [san.value for san in profile.sans] == ["device.example.com"]

    def test_what_has_no_effect_is_said(self, config: Config) -> None:
        keys = [warning.partition(":")[0] for warning in config.warnings]

        assert keys == [
            "certificate_authority.url",
            "certificate_authority.api_key",
            "certificate.key_usage",
            "certificate.subject_alt_names",
        ]

    def test_the_unset_api_key_is_an_error_only_where_it_is_used(self, config: Config) -> None:
        api_key = config.certificate_authority.api_key
        assert api_key is not None

        with pytest.raises(ConfigurationError) as refused:
            api_key.get({})

        assert refused.value.code == "unset-variable"
        assert "CA_API_KEY" in refused.value.hint
        assert api_key.get({"CA_API_KEY": "token"}) == "token"

    def test_the_api_key_never_shows(self) -> None:
        config = load(MISSION, {"CA_API_KEY": "s3cr3t-token"})

        assert "s3cr3t" not in repr(config) + str(config) + str(config.model_dump())
        assert "CA_API_KEY" not in repr(config.certificate_authority)


def test_without_a_file_the_defaults_hold() -> None:
    config = load(None)

    assert config == Config()
    assert config.security.require_attestation
    assert config.warnings == ()


def test_an_identity_without_keys_is_the_defaults(tmp_path: Path) -> None:
    assert _load(tmp_path, "identity: {}") == Config()


@pytest.mark.parametrize(
    ("section", "values", "says"),
    [
        ("secure_element", {"type": "se050"}, "se050 is not supported in this version"),
        ("secure_element", {"type": "tpm2.0"}, "tpm2.0 is not supported in this version"),
        ("secure_element", {"type": "hsm"}, "hsm is not supported in this version"),
        ("secure_element", {"type": "atecc108"}, "secure_element.type"),
        ("secure_element", {"interface": "spi"}, "use i2c"),
        ("secure_element", {"address": "0x35"}, "0x35"),
        ("secure_element", {"address": "sixty"}, "is not a number"),
        ("cryptography", {"key_type": "rsa"}, "P-256 keys only"),
        ("cryptography", {"key_size": 384}, "256 bits"),
        ("cryptography", {"curve": "secp384r1"}, "secp256r1 only"),
        ("cryptography", {"hash_algorithm": "sha512"}, "SHA-256 digests only"),
        ("certificate", {"validity_days": 0}, "validity_days"),
        ("certificate", {"validity_days": "365"}, "validity_days"),
        ("certificate", {"validity_days": True}, "validity_days"),
        ("certificate", {"key_usage": ["sign"]}, "'sign' is unknown"),
        ("certificate", {"subject": {"CN": "x"}}, "'CN' is unknown"),
        ("certificate", {"subject_alt_names": [{"type": "dns", "value": "a b"}]}, "not a valid dns"),
        ("certificate", {"subject_alt_names": [{"type": "dns"}]}, "subject_alt_names.0.value"),
        ("certificate_authority", {"type": "external"}, "needs certificate_authority.url"),
        ("certificate_authority", {"type": "imaginary"}, "certificate_authority.type"),
        ("provisioning", {"retry_attempts": -1}, "retry_attempts"),
        ("provisioning", {"enrollment_timeout": 0}, "enrollment_timeout"),
        ("provisioning", {"auto_enrollment": "perhaps"}, "auto_enrollment"),
        ("security", {"require_atestation": False}, "security.require_atestation: is not a key that exists"),
        ("securty", {}, "securty: is not a key that exists"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(
    tmp_path: Path, section: str, values: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        _section(tmp_path, section, **values)

    assert refused.value.exit_status == 2
    assert says in refused.value.message


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    text = "identity: {cryptography: {key_size: 1}, security: {challenge_ttl: 0}}"

    with pytest.raises(ConfigurationError) as refused:
        _load(tmp_path, text)

    assert "key_size" in refused.value.message
    assert "challenge_ttl" in refused.value.message


def test_no_value_is_repeated_in_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        _section(tmp_path, "security", require_attestation="hunter2")

    assert "hunter2" not in refused.value.message


@pytest.mark.parametrize("address", ['"0x60"', "0x60", "96", '"96"'])
def test_an_address_is_a_number_or_its_text(tmp_path: Path, address: str) -> None:
    text = f"identity: {{secure_element: {{address: {address}}}}}"

    assert _load(tmp_path, text).secure_element.address == 0x60


def test_variables_are_expanded_and_unset_ones_refused(tmp_path: Path) -> None:
    text = 'identity: {secure_element: {port: "${PORT}"}, verifier: "lab-${N}"}'

    config = _load(tmp_path, text, {"PORT": "/dev/ttyACM0", "N": "7"})

    assert (config.secure_element.port, config.verifier) == ("/dev/ttyACM0", "lab-7")
    with pytest.raises(ConfigurationError) as refused:
        _load(tmp_path, text, {"N": "7"})
    assert "secure_element.port needs the environment variable PORT" in refused.value.message


def test_enforced_rotation_cuts_the_validity(tmp_path: Path) -> None:
    text = "identity: {certificate: {validity_days: 730}, security: {key_rotation_days: 90}}"

    config = _load(tmp_path, text)

    assert config.profile().validity == timedelta(days=90)
    assert any("cut from 730 to 90" in warning for warning in config.warnings)


def test_without_enforcement_the_validity_stands(tmp_path: Path) -> None:
    text = (
        "identity: {certificate: {validity_days: 730},"
        " security: {enforce_key_rotation: false, key_rotation_days: 90}}"
    )

    config = _load(tmp_path, text)

    assert config.profile().validity == timedelta(days=730)
    assert config.warnings == ()


@pytest.mark.parametrize("key", ["require_attestation", "revoke_on_compromise", "accept_first_seen"])
def test_a_weakened_policy_is_warned_about(tmp_path: Path, key: str) -> None:
    config = _section(tmp_path, "security", **{key: False})

    assert [warning.partition(":")[0] for warning in config.warnings] == [f"security.{key}"]


def test_subject_and_templates_reach_the_profile(tmp_path: Path) -> None:
    config = _section(
        tmp_path,
        "certificate",
        subject={"C": "US", "O": "Example Corp"},
        subject_alt_names=[{"type": "uri", "value": "https://x/{device_id}"}],
    )

    profile = config.profile()

    assert profile.subject_name("d").rfc4514_string() == "CN=d,O=Example Corp,C=US"
    assert len(list(profile.alternative_names("d"))) == 2
    assert config.warnings == ()


def test_another_profile_than_default_is_unknown() -> None:
    with pytest.raises(ConfigurationError) as refused:
        Config().profile("gold")

    assert refused.value.code == "unknown-profile"


def test_other_sections_of_the_file_are_warned_about(tmp_path: Path) -> None:
    assert _load(tmp_path, "identity: {}\nlogging: {}").warnings == (
        "logging: ignored, only `identity` is read",
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a YAML mapping"),
        ("- a", "not a YAML mapping"),
        ("security: {}", "no section `identity`"),
        ("identity: 3", "no section `identity`"),
        ("identity: {", "is not YAML, line"),
        ("identity: {verifier: a, verifier: b}", "given twice"),
        ("identity: &a {verifier: a}\nsecurity: *a", "line 2: aliases are not taken"),
        ("identity: &a [*a]", "aliases are not taken"),
        ("identity: !!python/object/apply:os.getcwd []", "is not YAML"),
        ("identity: " + "[" * 5000, "is not YAML"),
        ("#" * (1 << 20) + "\nidentity: {}", "more than"),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        _load(tmp_path, text)

    assert says in refused.value.message


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xff\xfe\x00\xd8identity")

    with pytest.raises(ConfigurationError):
        load(path, {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path / "config.yaml", {})

    assert "config.yaml" in refused.value.message


def test_the_document_names_every_key_and_no_other() -> None:
    text = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()
    documented = set(re.findall(r"^\| `([a-z0-9_.]+)` \|", text, re.M))
    keys = set()
    for name, field in Config.model_fields.items():
        section = getattr(field.annotation, "model_fields", None)
        keys |= {f"{name}.{key}" for key in section} if section else {name}
    assert documented == keys - {"warnings"}

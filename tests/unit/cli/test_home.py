"""Where the home is, and where passphrases come from, in which order."""

from pathlib import Path

import pytest
from hri.errors import ConfigurationError
from hri.home import Home, Passphrases


def test_the_option_comes_before_the_environment(tmp_path):
    assert Home.locate(tmp_path / "a", {"HRI_HOME": str(tmp_path / "b")}) == tmp_path / "a"
    assert Home.locate(None, {"HRI_HOME": str(tmp_path / "b")}) == tmp_path / "b"
    assert Home.locate(None, {}).name == "hri"


def test_sources_are_asked_in_their_order(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"from the file\nrest\n")
    file.chmod(0o640)
    sources = {
        "from the environment": {
            "HRI_CA_PASSPHRASE": "from the environment",
            "HRI_CA_PASSPHRASE_FILE": str(file),
        },
        "from the file": {"HRI_CA_PASSPHRASE_FILE": str(file)},
        "from the keyring": {},
    }

    for expected, environ in sources.items():
        passphrases = Passphrases(environ, keyring=lambda _: "from the keyring", ask=lambda _: b"asked")
        assert passphrases.get("ca") == expected.encode()
        assert not passphrases.prompted("ca")
    asked = Passphrases({}, keyring=lambda _: None, ask=lambda _: b"asked")
    assert asked.get("ca") == b"asked"
    assert asked.prompted("ca")


@pytest.mark.parametrize("environ", [{}, {"HRI_ROOT_PASSPHRASE": ""}, {"HRI_CA_PASSPHRASE": "other"}])
def test_none_or_an_empty_one_is_refused(environ):
    with pytest.raises(ConfigurationError, match="root passphrase"):
        Passphrases(environ).get("root")


@pytest.mark.parametrize("mode", [0o644, 0o602, 0o666])
def test_a_file_that_everybody_may_use_is_refused(tmp_path, mode):
    file = tmp_path / "file"
    file.write_bytes(b"words\n")
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match="everybody") as refused:
        Passphrases({"HRI_CA_PASSPHRASE_FILE": str(file)}).get("ca")
    assert "chmod 600" in refused.value.hint


def test_the_configuration_may_lie_elsewhere(tmp_path: Path):
    file = tmp_path / "elsewhere.yaml"
    file.write_text("identity:\n  verifier: press\n")

    home = Home(tmp_path, Passphrases({}), environ={"HRI_CONFIG": str(file)})

    assert home.config().verifier == "press"

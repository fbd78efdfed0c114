"""A SoftHSM2 token of the tests' own, in a folder of theirs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PIN = "4711"
LABEL = "hri tests"
_DEADLINE_S = 60


@dataclass(frozen=True)
class SoftToken:
    """Where the module and its settings are."""

    module: str
    label: str
    settings: Path

    def tool(self, *arguments: str, expect: int = 0) -> str:
        """Run pkcs11-tool, which shares no code with ours, on the token; return what it says."""
        command = ["pkcs11-tool", "--module", self.module, "--token-label", self.label, "--pin", PIN]
        done = subprocess.run(
            [*command, *arguments],
            env={"PATH": "/usr/bin:/bin", "SOFTHSM2_CONF": str(self.settings)},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_DEADLINE_S,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == expect, said
        return said


@pytest.fixture(scope="session")
def soft_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftToken]:
    """One token for the whole run, because a PKCS#11 module belongs to the process."""
    pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed")
    module = next(Path("/usr/lib").glob("*/softhsm/libsofthsm2.so"), None)
    for program in ("softhsm2-util", "pkcs11-tool"):
        if module is None or shutil.which(program) is None:
            pytest.skip("softhsm2 and opensc are not installed")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    settings = folder / "softhsm2.conf"
    settings.write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(settings))
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--so-pin", "8151", "--pin", PIN],
            check=True,
            capture_output=True,
            timeout=_DEADLINE_S,
        )
        yield SoftToken(str(module), LABEL, settings)

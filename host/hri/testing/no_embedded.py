"""Says what to install where a test asks for `dut` and pytest-embedded is not there."""

from __future__ import annotations

import pytest


@pytest.fixture
def dut() -> None:
    """pytest-embedded's device under test; fails here, as pytest-embedded is not loaded."""
    pytest.fail(
        "`dut` is a fixture of pytest-embedded, which is not installed or turned off; "
        "pip install 'hri[pytest]', and leave -p no:pytest_embedded out",
        pytrace=False,
    )

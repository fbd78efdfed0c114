"""What the plugin keeps with pytest's configuration."""

from __future__ import annotations

from typing import Any

import pytest

from hri.testing.options import Options

OPTIONS = pytest.StashKey[Options]()
RUN = pytest.StashKey[Any]()
"""The `hri.testing.run.Run` of this process, whose module is imported when a board is asked for."""

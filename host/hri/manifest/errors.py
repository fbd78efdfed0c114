"""Why a manifest is refused."""

from __future__ import annotations

from hri.errors import PolicyRefusal


class ManifestError(PolicyRefusal):
    """A manifest, or one entry of it, that is refused; nothing of it counts."""

    def __init__(
        self, code: str, message: str, hint: str = "ask whoever made the manifest for a new one"
    ) -> None:
        super().__init__(code, message, hint)


def malformed(message: str) -> ManifestError:
    """Return the error for what is not in the format."""
    return ManifestError("manifest-malformed", message)

"""A device identity whose private key is born in a secure element and never leaves it."""

# Once for the whole package: in every module it would cost each board its bytes again.
try:
    from micropython import const as const
except ImportError:
    const = int  # type: ignore[assignment,misc]

__version__ = "0.1.0"

try:
    from hashlib import sha256  # type: ignore[attr-defined]
except ImportError:
    # CircuitPython's hashlib has its algorithms by name only.
    from hashlib import new  # type: ignore[attr-defined]

    def sha256(data):  # type: ignore[no-redef]
        """Return the hash of `data`, to which more can be added."""
        return new("sha256", data)

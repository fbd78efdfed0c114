"""A device identity whose private key is born in a secure element and never leaves it."""

__version__ = "0.1.0"

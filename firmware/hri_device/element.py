"""What every secure element offers to the roles built on it (csr, attestation, service).

The base for elements that offer a part of it. One that offers all need not derive from it, and spares its
board the memory.
"""

# ruff: noqa: ARG002 - the arguments are the interface

from .errors import SecureElementError


class SecureElement:
    """A chip that holds private keys; each method is one act on it and leaves it asleep.

    Digests are 32 bytes (SHA-256), public keys 64 (X then Y, big-endian), signatures 64 (r then s,
    big-endian), all on P-256. Every method raises SecureElementError, or one of its kinds, where the element
    fails or refuses, and ValueError for an argument of the wrong length or range.
    """

    @property
    def type(self):
        """The kind of element, as "atecc608b"."""
        return self._missing()

    def revision(self):
        """Return the revision of the silicon (bytes)."""
        return self._missing()

    def random(self, n=32):
        """Return `n` bytes from the element's random number generator."""
        return self._missing()

    def public_key(self, slot):
        """Return the public key (64 bytes) of the private key in `slot`."""
        return self._missing()

    def generate_key(self, slot):
        """Create a new private key in `slot` and return its public key (64 bytes)."""
        return self._missing()

    def sign(self, slot, digest):
        """Return the signature (64 bytes) of `digest` (32 bytes) by the key in `slot`."""
        return self._missing()

    def verify(self, slot, digest, signature):
        """Return whether `signature` of `digest` is by the public key stored in `slot`."""
        return self._missing()

    def read_slot(self, slot, length, offset=0):
        """Return `length` bytes from `offset` of what `slot` holds in clear."""
        return self._missing()

    def write_slot(self, slot, data, offset=0):
        """Write `data` in clear into `slot` at `offset`."""
        return self._missing()

    def is_slot_locked(self, slot):
        """Return whether what `slot` holds can never be changed again."""
        return self._missing()

    def lock_slot(self, slot):
        """Make what `slot` holds permanent. This cannot be undone."""
        return self._missing()

    def birth(self, slot, nonce, attestation_slot):
        """Create a key in `slot` and have the attestation key sign that it was born there.

        `nonce` is the verifier's 20 bytes. Returns (random, public key, signature, attestation public key).
        """
        return self._missing()

    def state(self, slot, nonce, attestation_slot):
        """Have the attestation key sign the key in `slot`, its policy and the element's configuration.

        `nonce` is the verifier's 20 bytes. Returns (random, public key, signature, attestation public key,
        configuration).
        """
        return self._missing()

    def _missing(self):
        raise SecureElementError("not offered by this element")

"""The operator's key, with which changes to provisioned chips are authorised."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hri.ca.files import write_atomically
from hri.ca.keyring import Keyring
from hri.ca.keys import encrypted_pem
from hri.ca.signer import KeyFile, KeyKind, check_kind
from hri.errors import ConfigurationError

_PROTECTED = cbor2.dumps({1: -7}, canonical=True)
_COSE_SIGN1 = 18
_PURPOSE = "hri/1 authorise"


class OperatorKey:
    """A P-256 key, encrypted under the CA passphrase in the home folder, or in a token."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public_bytes = point[1:]

    @classmethod
    def create(cls, home: Path, passphrase: bytes) -> OperatorKey:
        """Open the operator key of a home folder, making it first where there is none.

        `Authority.create` makes it with the authority; this is for homes that lost it.

        Raises ConfigurationError and StorageError.
        """
        path = home / "ca" / "operator.key"
        if not path.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            write_atomically(home / "ca" / "operator.pem", public)
            write_atomically(path, encrypted_pem(key, passphrase, "operator"), 0o600)
        return cls.open(home, passphrase)

    @classmethod
    def open(cls, home: Path, passphrase: bytes) -> OperatorKey:
        """Open the operator key of a home folder. Raises ConfigurationError and StorageError."""
        return cls.unlock(home, Keyring.of_passphrase(passphrase))

    @classmethod
    def unlock(cls, home: Path, keyring: Keyring) -> OperatorKey:
        """Open the operator key of a home folder, wherever it is.

        Raises ConfigurationError, StorageError and DeviceError (a token).
        """
        file = KeyFile(home / "ca", "operator")
        if not file.path.exists():
            raise ConfigurationError(
                "no-operator-key",
                f"there is no operator key in {home}",
                "make the authority with `hri ca init`",
            )
        key = keyring.open(file, "operator")
        check_kind(key.public_key(), frozenset({KeyKind.P256}), "operator")
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("a P-256 key is an elliptic-curve key")
        return cls(key)

    def sign_authorisation(
        self, verifier: str, device_id: str, nonce: bytes, op: str, args: Mapping[str, Any]
    ) -> bytes:
        """Return the COSE_Sign1 that lets a provisioned device carry out one request (docs/protocol.md).

        `nonce` is the device's (32 bytes); `device_id` is the chip's serial number in hex where no device id
        is stored; `args` is the request's argument map, bound by the SHA-256 of its deterministic CBOR.
        """
        # cbor2 sorts keys by length first (RFC 7049); for text keys below 24 bytes that is RFC 8949's order.
        digest = hashlib.sha256(cbor2.dumps(dict(args), canonical=True)).digest()
        payload = cbor2.dumps([_PURPOSE, verifier, device_id, nonce, op, digest], canonical=True)
        to_sign = cbor2.dumps(["Signature1", _PROTECTED, b"", payload], canonical=True)
        r, s = decode_dss_signature(self._key.sign(to_sign, ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return cbor2.dumps(cbor2.CBORTag(_COSE_SIGN1, [_PROTECTED, {}, payload, signature]), canonical=True)

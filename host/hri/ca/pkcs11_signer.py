"""Keys that never leave a token, in the shape in which cryptography's builders take private keys.

What is signed is hashed here, because tokens differ in which hashes they know; the token gets the digest for
CKM_ECDSA, and the DigestInfo of RFC 8017 section 9.2 for CKM_RSA_PKCS.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding
from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo, Prehashed, encode_dss_signature

from hri.ca.pkcs11_token import Token
from hri.ca.pkcs11_uri import KeyUri
from hri.ca.signer import CURVES, RSA_BITS, Derive, KeyKind, NewKey, Signer
from hri.errors import ConfigurationError, DeviceError
from hri.log import get_logger

if TYPE_CHECKING:
    from pkcs11 import Session

_log = get_logger(__name__)
# DER of DigestInfo up to the digest (RFC 8017 section 9.2, note 1).
_DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}


class TokenEcKey(ec.EllipticCurvePrivateKey):
    """An elliptic-curve key in a token."""

    def __init__(self, token: Token, key_id: bytes, public_key: ec.EllipticCurvePublicKey) -> None:
        self._token = token
        self._key_id = key_id
        self._public_key = public_key

    @property
    def curve(self) -> ec.EllipticCurve:
        """The curve."""
        return self._public_key.curve

    @property
    def key_size(self) -> int:
        """Bits of the curve."""
        return self._public_key.key_size

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Return the public key."""
        return self._public_key

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """Return the ECDSA signature (DER) of data, or of a digest with `Prehashed`. Raises DeviceError."""
        octets = (self.key_size + 7) // 8
        if not isinstance(signature_algorithm, ec.ECDSA):
            raise UnsupportedAlgorithm("keys in tokens sign ECDSA only")
        # FIPS 186-4 section 6.4: the leftmost bits, as many as the order has.
        digest = _digest(bytes(data), signature_algorithm.algorithm)[:octets]
        raw = _sign(self._token, self._key_id, digest, "ECDSA")
        if len(raw) != 2 * octets:
            raise DeviceError("hsm-failed", "the token gave no ECDSA signature", "report this to its vendor")
        return encode_dss_signature(int.from_bytes(raw[:octets], "big"), int.from_bytes(raw[octets:], "big"))

    def exchange(self, *_args: Any) -> NoReturn:
        """Refuse: the key signs only."""
        raise _signs_only()

    def private_numbers(self) -> NoReturn:
        """Refuse: the key cannot leave its token."""
        raise _stays()

    def private_bytes(self, *_args: Any) -> NoReturn:
        """Refuse: the key cannot leave its token."""
        raise _stays()

    def __copy__(self) -> TokenEcKey:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> TokenEcKey:
        return self


class TokenRsaKey(rsa.RSAPrivateKey):
    """An RSA key in a token; it signs RSASSA-PKCS1-v1_5."""

    def __init__(self, token: Token, key_id: bytes, public_key: rsa.RSAPublicKey) -> None:
        self._token = token
        self._key_id = key_id
        self._public_key = public_key

    @property
    def key_size(self) -> int:
        """Bits of the modulus."""
        return self._public_key.key_size

    def public_key(self) -> rsa.RSAPublicKey:
        """Return the public key."""
        return self._public_key

    def sign(
        self,
        data: Any,
        padding: AsymmetricPadding,
        algorithm: Prehashed | NoDigestInfo | hashes.HashAlgorithm,
    ) -> bytes:
        """Return the signature of data, or of a digest with `Prehashed`. Raises DeviceError."""
        if not isinstance(padding, _PKCS1) or isinstance(algorithm, NoDigestInfo):
            raise UnsupportedAlgorithm("keys in tokens sign RSASSA-PKCS1-v1_5 only")
        name = (algorithm._algorithm if isinstance(algorithm, Prehashed) else algorithm).name
        if name not in _DIGEST_INFO:
            raise UnsupportedAlgorithm(f"no authority signs with {name}")
        return _sign(
            self._token, self._key_id, _DIGEST_INFO[name] + _digest(bytes(data), algorithm), "RSA_PKCS"
        )

    def decrypt(self, *_args: Any) -> NoReturn:
        """Refuse: the key signs only."""
        raise _signs_only()

    def private_numbers(self) -> NoReturn:
        """Refuse: the key cannot leave its token."""
        raise _stays()

    def private_bytes(self, *_args: Any) -> NoReturn:
        """Refuse: the key cannot leave its token."""
        raise _stays()

    def __copy__(self) -> TokenRsaKey:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> TokenRsaKey:
        return self


_PKCS1 = padding.PKCS1v15


class TokenSigners:
    """Makes keys in a token, which cannot leave it."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def generate(self, label: str, kind: KeyKind) -> NewKey:
        """Make a key that can be neither extracted nor read, and check that it is so.

        Raises ConfigurationError and DeviceError, and then leaves no key behind, unless the token fell
        silent: what it may hold then has this label.
        """
        # The id, not the label, finds it again: labels may be given twice.
        key_id = secrets.token_bytes(16)
        token = self._token
        token.call(
            lambda session: _generate(session, key_id, label, kind), f"making {label!r}", repeatable=False
        )

        def discard() -> None:
            token.call(lambda session: _destroy(session, key_id), f"removing {label!r}")

        try:
            signer = open_in_token(token, key_id, label)
        except BaseException:
            discard()
            raise
        uri = KeyUri(token.module, token.label, key_id, label)
        return NewKey(signer, ".uri", f"{uri}\n".encode(), discard)


def open_in_token(token: Token, key_id: bytes, whose: str) -> Signer:
    """Return the key with this id.

    Raises ConfigurationError (there is none, or it can be extracted) and DeviceError.
    """
    public_key = token.call(lambda session: _read_public(session, key_id, whose), f"opening the {whose} key")
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return TokenEcKey(token, key_id, public_key)
    return TokenRsaKey(token, key_id, public_key)


def derivation(token: Token, key_id: bytes, whose: str) -> Derive | None:
    """Return what derives 32 bytes for a purpose by a secret beside a key: HMAC-SHA-256 in the token.

    None where the token made no such secret with the key. Raises DeviceError.
    """
    if not token.call(lambda session: bool(_secrets(session, key_id)), f"opening the {whose} secret"):
        return None

    def derive(purpose: str) -> bytes:
        def work(session: Session) -> bytes:
            from pkcs11 import Attribute, Mechanism

            found = _secrets(session, key_id)
            if len(found) != 1 or found[0][Attribute.EXTRACTABLE] or not found[0][Attribute.SENSITIVE]:
                raise ConfigurationError(
                    "key-extractable",
                    f"the secret beside the {whose} key is gone, or can be taken out of its token",
                    "restore it from the token's backup",
                )
            derived: bytes = found[0].sign(purpose.encode(), mechanism=Mechanism.SHA256_HMAC)
            return derived

        return token.call(work, f"deriving from the {whose} secret")

    return derive


def _secrets(session: Session, key_id: bytes) -> list[Any]:
    from pkcs11 import Attribute, ObjectClass

    return list(session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.ID: key_id}))


def _generate(session: Session, key_id: bytes, label: str, kind: KeyKind) -> None:
    from pkcs11 import Attribute, KeyType, MechanismFlag
    from pkcs11.util.ec import encode_named_curve_parameters

    private = {
        Attribute.EXTRACTABLE: False,
        Attribute.SENSITIVE: True,
        Attribute.PRIVATE: True,
        Attribute.SIGN: True,
    }
    terms: dict[str, Any] = {
        "id": key_id,
        "label": label,
        "store": True,
        "capabilities": MechanismFlag.SIGN | MechanismFlag.VERIFY,
        "private_template": private,
    }
    _generate_secret(session, key_id, label)
    if kind in RSA_BITS:
        session.generate_keypair(KeyType.RSA, RSA_BITS[kind], **terms)
        return
    curve = encode_named_curve_parameters(CURVES[kind].name)
    parameters = session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: curve}, local=True)
    parameters.generate_keypair(**terms)


def _generate_secret(session: Session, key_id: bytes, label: str) -> None:
    """Make the secret beside a key, from which others are derived; not all tokens have such."""
    from pkcs11 import Attribute, KeyType, MechanismFlag
    from pkcs11.exceptions import FunctionNotSupported, MechanismInvalid

    secret = {Attribute.EXTRACTABLE: False, Attribute.SENSITIVE: True, Attribute.PRIVATE: True}
    terms: dict[str, Any] = {"id": key_id, "label": label, "store": True, "template": secret}
    try:
        session.generate_key(KeyType.GENERIC_SECRET, 256, capabilities=MechanismFlag.SIGN, **terms)
    except (FunctionNotSupported, MechanismInvalid):
        _log.warning("the token makes no secrets for HMAC; the CA passphrase protects other keys", key=label)


def _destroy(session: Session, key_id: bytes) -> None:
    from pkcs11 import Attribute

    for found in list(session.get_objects({Attribute.ID: key_id})):
        found.destroy()


def _private_key(session: Session, key_id: bytes, whose: str) -> Any:
    from pkcs11 import Attribute, ObjectClass

    template = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: key_id}
    found: list[Any] = list(session.get_objects(template))
    if len(found) != 1:
        raise ConfigurationError(
            "no-such-key",
            f"the token holds {len(found) or 'no'} keys with the id of the {whose} key",
            "connect the token that holds it, or restore it from the token's backup",
        )
    return found[0]


def _read_public(session: Session, key_id: bytes, whose: str) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    from pkcs11 import Attribute, KeyType, ObjectClass

    private = _private_key(session, key_id, whose)
    if private[Attribute.EXTRACTABLE] or not private[Attribute.SENSITIVE]:
        raise ConfigurationError(
            "key-extractable",
            f"the {whose} key can be taken out of its token",
            "make a new one with hri, which forbids that",
        )
    template = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.ID: key_id}
    public: Any = next(iter(session.get_objects(template)), None)
    if public is None:
        raise ConfigurationError(
            "no-such-key", f"the token holds no public half of the {whose} key", "restore it from its backup"
        )
    if public.key_type == KeyType.RSA:
        exponent, modulus = public[Attribute.PUBLIC_EXPONENT], public[Attribute.MODULUS]
        numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big"))
        return numbers.public_key()
    return _ec_public(public[Attribute.EC_PARAMS], public[Attribute.EC_POINT], whose)


def _ec_public(parameters: bytes, point: bytes, whose: str) -> ec.EllipticCurvePublicKey:
    from pkcs11.util.ec import encode_named_curve_parameters

    for curve in CURVES.values():
        octets = (curve.key_size + 7) // 8
        # CKA_EC_POINT is an OCTET STRING around the point; some tokens leave the wrapping out.
        raw = point[-(2 * octets + 1) :]
        if bytes(parameters) == encode_named_curve_parameters(curve.name):
            return ec.EllipticCurvePublicKey.from_encoded_point(curve, raw)
    raise ConfigurationError("bad-key", f"the {whose} key is on no curve for authorities", "use p256 or p384")


def _sign(token: Token, key_id: bytes, data: bytes, mechanism: str) -> bytes:
    def work(session: Session) -> bytes:
        from pkcs11 import Mechanism

        key = _private_key(session, key_id, "signing")
        signature: bytes = key.sign(data, mechanism=Mechanism[mechanism])
        return signature

    return token.call(work, "signing")


def _digest(data: bytes, algorithm: Prehashed | hashes.HashAlgorithm) -> bytes:
    if isinstance(algorithm, Prehashed):
        return data
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()


def _signs_only() -> ConfigurationError:
    return ConfigurationError("key-signs-only", "a key in a token only signs", "use another key for that")


def _stays() -> ConfigurationError:
    return ConfigurationError(
        "key-in-token", "a key in a token cannot be taken out of it", "back it up with the token's own tools"
    )

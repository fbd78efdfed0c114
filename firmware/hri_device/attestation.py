"""Evidence of where a key lives: what is signed and with which nonce (docs/protocol.md, "What is signed")."""

from hashlib import sha256

from . import cbor, cose

_BIRTH = "hri/1 birth"
_STATE = "hri/1 state"
# GenKey modes, as they go into the digest that the attestation slot signs (508A datasheet, GenKey).
_CREATE = 0x0C
_PUBLIC = 0x08


def num_in(purpose, challenge, verifier, device_id, csr_digest):
    """Return the 20 bytes that the chip's Nonce command mixes in.

    `challenge` and `csr_digest` are 32 bytes; the latter is SHA-256 of the empty string while no CSR can be.
    """
    return sha256(cbor.encode([purpose, challenge, verifier, device_id, csr_digest])).digest()[:20]


def birth(element, slot, attestation_slot, challenge, verifier, device_id):
    """Create the key in `slot` and return the evidence of its birth: a COSE_Sign1 by the new key.

    Raises what the element raises. The slot must not be locked.
    """
    nonce = num_in(_BIRTH, challenge, verifier, device_id, sha256(b"").digest())
    parts = element.birth(slot, nonce, attestation_slot)
    proof = _proof(parts, element.read_config(), slot, attestation_slot, _CREATE)
    return _sign(element, slot, [_BIRTH, verifier, device_id, challenge, proof])


def state(element, csr_digest, slot, attestation_slot, challenge, verifier, device_id):
    """Return the evidence of the state of the key in `slot` and of the whole chip: a COSE_Sign1 by that key.

    `csr_digest` is SHA-256 of the CSR that the evidence goes with. Raises what the element raises.
    """
    nonce = num_in(_STATE, challenge, verifier, device_id, csr_digest)
    parts = element.state(slot, nonce, attestation_slot)
    proof = _proof(parts, parts[4], slot, attestation_slot, _PUBLIC)
    proof["csr"] = csr_digest
    return _sign(element, slot, [_STATE, verifier, device_id, challenge, proof])


def _proof(parts, config, slot, attestation_slot, mode):
    return {
        "type": "atecc608",
        # SN[0:4], RevNum and SN[4:9], out of one reading of the zone, so that they cannot contradict it
        # (508A datasheet, table of the configuration zone).
        "serial_number": config[:4] + config[8:13],
        "revision": config[4:8],
        "slot": slot,
        "attestation_slot": attestation_slot,
        "public_key": parts[1],
        "attestation_key": parts[3],
        "random": parts[0],
        "signature": parts[2],
        "mode": mode,
        "config": config,
    }


def _sign(element, slot, payload):
    return cose.sign1(cbor.encode(payload), lambda digest: element.sign(slot, digest))

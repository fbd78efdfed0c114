"""Evidence of where a key lives: what is signed and with which nonce (docs/protocol.md, "What is signed")."""

from . import cbor, const, cose, sha256

# GenKey modes, as they go into the digest that the attestation slot signs (508A datasheet, GenKey).
_CREATE = const(0x0C)
_PUBLIC = const(0x08)


def num_in(purpose, challenge, verifier, device_id, csr_digest):
    """Return the 20 bytes that the chip's Nonce command mixes in.

    `challenge` and `csr_digest` are 32 bytes; the latter is SHA-256 of the empty string while no CSR can be.
    """
    return sha256(cbor.encode([purpose, challenge, verifier, device_id, csr_digest])).digest()[:20]


def birth(element, *bound):
    """Create a key and return the evidence of its birth: a COSE_Sign1 by the new key.

    `bound` is slot, attestation slot, challenge (32 bytes), verifier, device id (empty while not yet known).
    Raises what the element raises; the slot must not be locked.
    """
    return _evidence(element, "hri/1 birth", _CREATE, sha256(b"").digest(), *bound)


def state(element, csr_digest, *bound):
    """Return the evidence of the present state of a key and of the whole chip: a COSE_Sign1 by that key.

    `csr_digest` is SHA-256 of the CSR that the evidence goes with; `bound` is as for birth. Raises what the
    element raises.
    """
    return _evidence(element, "hri/1 state", _PUBLIC, csr_digest, *bound)


def _evidence(element, purpose, mode, csr_digest, slot, attestation_slot, challenge, verifier, device_id):
    nonce = num_in(purpose, challenge, verifier, device_id, csr_digest)
    if mode == _CREATE:
        parts = element.birth(slot, nonce, attestation_slot)
        config = element.read_config()
    else:
        parts = element.state(slot, nonce, attestation_slot)
        config = parts[4]
    proof = {
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
    if mode == _PUBLIC:
        proof["csr"] = csr_digest
    payload = cbor.encode([purpose, verifier, device_id, challenge, proof])
    return cose.sign1(element, slot, payload)

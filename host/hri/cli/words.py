"""What the steps of provisioning, renewal and rotation do, in words for people."""

from __future__ import annotations

STEPS = {
    "configure": "configuration written, read back and compared, all 128 bytes",
    "lock-config": "configuration zone locked with the CRC of what was read back",
    "personalise": "operator's and root's public keys written, all other slots cleared",
    "lock-data": "data zone locked with the CRC of what was written",
    "attestation-key": "attestation key born in slot 1, put on record, slot 1 locked",
    "birth": "identity key born in slot 0; the chip signs that it was",
    "lock-identity": "slot 0 locked: this key can never be replaced, by anyone",
    "csr": "certificate request, signed in the chip",
    "state": "the chip signs: this request, this key, this configuration, these locks",
    "issue": "the CA has checked both proofs and issues",
    "store": "certificate stored on the device and in the registry",
    "authenticate": "a fresh challenge, answered",
}
"""Those that a person wants to see done; a step in another slot than 0 has words of its own."""

NEW_KEY = "a new key born in the chip's next free slot; the chip signs that it was"

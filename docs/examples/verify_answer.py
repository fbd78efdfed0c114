"""A back end: is the device that answers really the one it should be? Needs three files and no CA.

hri ca export --root > root.pem;  hri ca export --chain > chain.pem;  hri ca export --crl > crl.pem
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hri.verify.authentication import authenticate
from hri.verify.decision import Decision
from hri.verify.trust import TrustStore


def load(folder: Path) -> TrustStore:
    """Read the files once, and again when there is a newer CRL."""
    root, chain, crl = ((folder / name).read_bytes() for name in ("root.pem", "chain.pem", "crl.pem"))
    return TrustStore.from_pem(root, intermediates=chain, crls=crl)


def is_it(
    trust: TrustStore, device_id: str, ask: Callable[[bytes, str], tuple[bytes, bytes]], verifier: str
) -> Decision:
    """Send a fresh challenge by your own transport: `ask` returns the answer and the certificate (DER).

    Over a serial port, for a first try:

        with hri.link.SerialLink.open("/dev/ttyACM0") as link:
            said = hri.elements.board.BoardElement(link).answer(challenge, verifier)
        return said.answer, said.certificate
    """
    challenge = secrets.token_bytes(32)
    answer, certificate = ask(challenge, verifier)
    return authenticate(
        answer,
        certificate,
        (),
        trust,
        device_id=device_id,
        verifier=verifier,
        challenge=challenge,
        # The challenge never left this function, so it is fresh. One that is kept in a database has to be
        # unexpired, given to this device, and used up by this answer.
        challenge_verdict="ok",
        at=datetime.now(UTC),
    )

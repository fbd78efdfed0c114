"""OCSP answers made ahead: one file a certificate, which any static web server can serve.

A file's path is that of a GET request below the responder's address, as the server sees it once it has undone
the URL encoding (RFC 6960 appendix A.1): the base64 of the request. A slash in it is a folder, and slashes in
a row are one, which is how file systems and web servers read a path.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from hri.ca.crl import CLOCK_STEP, clock_went_back
from hri.ca.files import disk_errors, write_atomically
from hri.ca.ocsp import Responder, issuer_hashes
from hri.ca.ocsp_messages import Standing
from hri.ca.ocsp_source import RegistrySource
from hri.errors import StorageError
from hri.log import get_logger
from hri.registry.folder_lock import exclusive

_log = get_logger(__name__)
_GOOD, _REVOKED = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED


@dataclass(frozen=True, slots=True)
class Produced:
    """How many answers were written, were good for longer, and were taken away after their certificate."""

    written: int
    kept: int
    removed: int


@dataclass(frozen=True, slots=True)
class _Present:
    """What an answer that is there says, and when."""

    since: datetime
    until: datetime
    said: tuple[ocsp.OCSPCertStatus, datetime | None, x509.ReasonFlags | None]

    @classmethod
    def read(cls, path: Path) -> _Present | None:
        """Return the answer in a file, None where there is none."""
        try:
            answer = ocsp.load_der_ocsp_response(path.read_bytes())
            said = answer.certificate_status, answer.revocation_time_utc, answer.revocation_reason
            until = answer.next_update_utc
            return None if until is None else cls(answer.this_update_utc, until, said)
        except (OSError, ValueError):
            return None

    def says(self, standing: Standing) -> bool:
        """Say whether this is still so."""
        if standing.revoked_at is None:
            return self.said == (_GOOD, None, None)
        since, reason = standing.revoked_at.replace(microsecond=0), x509.ReasonFlags(standing.reason)
        return self.said == (_REVOKED, since, reason)


class Producer:
    """Keeps a folder of answers for the unexpired certificates of one issuing CA; several take turns."""

    def __init__(
        self,
        issuing: x509.Certificate,
        source: RegistrySource,
        responder: Responder,
        folder: Path,
        *,
        overlap: timedelta,
        algorithms: Sequence[hashes.HashAlgorithm],
    ) -> None:
        """Take the parts; an answer is replaced `overlap` before its end.

        `algorithms` are those with which clients name the issuer: SHA-1 mostly, SHA-256 by some.
        """
        self._source = source
        self._responder = responder
        self._folder = folder
        self._overlap = overlap
        self._issuers = [(issuer_hashes(issuing, algorithm), algorithm) for algorithm in algorithms]

    def produce(self, now: datetime, *, clock_was_ahead: bool = False) -> Produced:
        """Write every answer that is missing, damaged, changed or soon to end; remove those not needed.

        `clock_was_ahead` accepts dates before those of the answers that are there. Raises StorageError and
        ConfigurationError (the clock went back).
        """
        with disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        with disk_errors(self._folder), exclusive(self._folder, "producing OCSP answers"):
            written = kept = 0
            wanted: set[Path] = set()
            for serial_number, standing in self._source.unexpired(now):
                for request in self._requests(serial_number):
                    path = self._folder / answer_path(request)
                    wanted.add(path)
                    present = _Present.read(path)
                    if present is not None and not clock_was_ahead and now < present.since - CLOCK_STEP:
                        raise clock_went_back("OCSP answer", present.since, "hri ocsp produce")
                    if present is not None and present.says(standing) and now < present.until - self._overlap:
                        kept += 1
                        continue
                    self._write(path, request, now)
                    written += 1
            removed = self._remove_others(wanted)
        _log.info("OCSP answers produced", written=written, kept=kept, removed=removed)
        return Produced(written, kept, removed)

    def _requests(self, serial_number: int) -> Iterator[bytes]:
        for (name_hash, key_hash), algorithm in self._issuers:
            builder = ocsp.OCSPRequestBuilder()
            asked = builder.add_certificate_by_hash(name_hash, key_hash, serial_number, algorithm)
            yield asked.build().public_bytes(Encoding.DER)

    def _write(self, path: Path, request: bytes, now: datetime) -> None:
        answer = self._responder.answer(request, now)
        status = ocsp.load_der_ocsp_response(answer).response_status
        if status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise StorageError(
                "no-ocsp-answer",
                f"the responder says {status.name.lower()}",
                "see the log for why, and run the command again",
            )
        write_atomically(path, answer)

    def _remove_others(self, wanted: set[Path]) -> int:
        """Take away answers about certificates that have expired; what is no answer of ours stays."""
        removed = 0
        for path in self._folder.rglob("*"):
            if path not in wanted and path.is_file() and self._is_answer(path):
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _is_answer(self, path: Path) -> bool:
        try:
            answer = ocsp.load_der_ocsp_response(path.read_bytes())
            named = {(one.issuer_name_hash, one.issuer_key_hash) for one in answer.responses}
        except (OSError, ValueError):
            return False
        return bool(named & {hashed for hashed, _ in self._issuers})


def answer_path(request: bytes) -> Path:
    """Return the path of the file that answers a request, below the folder that is served."""
    return Path(*filter(None, base64.b64encode(request).decode("ascii").split("/")))

"""The Merkle log for those who watch it: checkpoint, tiles and entries (C2SP tlog-tiles; docs/log.md)."""

from __future__ import annotations

import hashlib

from fastapi import APIRouter, Response

from hri.errors import StorageError
from hri.log_files import signed_end, tile_file
from hri.server.caching import FOR_EVER, IfNoneMatch, cacheable, for_caches
from hri.server.service import Service, ServiceOf
from hri.signed_note import NoteVerifier

router = APIRouter(prefix="/log", tags=["log"])
_TEXT = "text/plain; charset=utf-8"
_BYTES = "application/octet-stream"
_CHECKPOINT_S = 5


@router.get("/checkpoint", response_class=Response)
def checkpoint(service: ServiceOf, if_none_match: IfNoneMatch = None) -> Response:
    """The signed end of the log (C2SP tlog-checkpoint)."""
    note, end = signed_end(service.context.registry, _verifier(service))
    tag = f"{end.size}-{hashlib.sha256(note.encode()).hexdigest()[:16]}"
    return cacheable(note.encode(), _TEXT, for_caches(f"max-age={_CHECKPOINT_S}", tag), if_none_match)


@router.get("/tile/entries/{place:path}", response_class=Response)
def entries(service: ServiceOf, place: str, if_none_match: IfNoneMatch = None) -> Response:
    """Up to 256 entries, each with its certificate: not for everybody, for they name every device."""
    return _file(service, f"tile/entries/{place}", "private", if_none_match)


@router.get("/tile/{level:int}/{place:path}", response_class=Response)
def tile(service: ServiceOf, level: int, place: str, if_none_match: IfNoneMatch = None) -> Response:
    """Up to 256 hashes of the tree."""
    return _file(service, f"tile/{level}/{place}", "public", if_none_match)


def _file(service: Service, path: str, whose: str, if_none_match: str | None) -> Response:
    content = tile_file(service.context.registry, _verifier(service), path)
    # The path says what is in it for good, its width included.
    headers = for_caches(f"{whose}, {FOR_EVER}", path.replace("/", "-"))
    return cacheable(content, _BYTES, headers, if_none_match)


def _verifier(service: Service) -> NoteVerifier:
    keys = service.context.recorder.keys
    if keys is None:
        raise StorageError("log-unsigned", "the keys of the log are not open", "start with the CA passphrase")
    return keys.certificates.verifier

"""What has to be done again and again for an authority to stay of use: policies, lists, answers, the log."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives import hashes

from hri.context import Context
from hri.lifecycle_run import run_policies
from hri.log import get_logger
from hri.log_export import export_log
from hri.publication import OcspKeys, produce_ocsp, publish_crls

_SHA1 = hashes.SHA1()  # noqa: S303 - names an issuer, proves nothing
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of work; `folder` is whose files it keeps, None for work on the registry alone."""

    name: str
    folder: Path | None
    work: Callable[[], object]

    def is_ours(self, context: Context, every: timedelta) -> bool:
        """Take the turn, once in `every` among all who keep this registry, or this folder on this machine.

        Raises StorageError.
        """
        name = self.name
        if self.folder is not None:
            where = f"{context.station}:{self.folder.absolute()}"
            name += f"-{hashlib.sha256(where.encode()).hexdigest()[:12]}"
        return context.registry.take_turn(name, every, context.now())


@dataclass(frozen=True, slots=True)
class Folders:
    """Where files are kept up to date; OCSP answers and the log only where there is a folder for them."""

    crl: Path
    ocsp: Path | None = None
    log: Path | None = None


def upkeep_steps(context: Context, folders: Folders, ocsp_keys: OcspKeys | None) -> Iterator[Step]:
    """Return the steps, each safe to repeat and to be killed in; `ocsp_keys` sign OCSP answers, if we do.

    What a step raises is HriError; the others do not depend on it.
    """
    keys = context.recorder.keys
    yield Step("policies", None, partial(_apply_policies, context, folders.crl))
    yield Step("lists", folders.crl, partial(publish_crls, context, folders.crl, only_due=True))
    if folders.ocsp is not None and ocsp_keys is not None:
        algorithms = (_SHA1, hashes.SHA256())
        work = partial(produce_ocsp, context, ocsp_keys, folders.ocsp, algorithms=algorithms)
        yield Step("answers", folders.ocsp, work)
    if keys is not None:
        yield Step("log", None, partial(context.registry.sequence, keys.certificates))
    if keys is not None and folders.log is not None:
        verifier = keys.certificates.verifier
        yield Step("log-files", folders.log, partial(export_log, context.registry, verifier, folders.log))


def _apply_policies(context: Context, crl_folder: Path) -> None:
    """Do what needs no board; renewals and rotations wait for theirs. Raises the last error of an act."""
    failed = None
    for outcome in run_policies(context, crl_folder, apply=True, boards={}):
        act, error = outcome.act, outcome.error
        if outcome.how == "done":
            _log.info("policy applied", act=act.kind, device_id=act.device_id, because=act.because)
        elif error is not None:
            _log.error("policy failed", act=act.kind, device_id=act.device_id, code=error.code)
            failed = error
    if failed is not None:
        raise failed

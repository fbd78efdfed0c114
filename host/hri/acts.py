"""Acts on their way into the audit log: what was meant, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from hri.audit.entry import DONE, FAILED, INTENT, REFUSED, Act, Entry
from hri.audit.recorder import LogKeys, Recorder
from hri.checkpoint import Checkpoint
from hri.context import Context, utc_now
from hri.errors import HriError, PolicyRefusal, StorageError
from hri.log import get_logger
from hri.registry import Recorded, Registry
from hri.signed_note import NoteError
from hri.verify.decision import Decision

_log = get_logger(__name__)


@dataclass(slots=True)
class Telling:
    """What will be said of an act; the block that does it may add to it."""

    subject: str | None
    details: dict[str, Any] = field(default_factory=dict)


@contextmanager
def outcome(
    context: Context, act: str, subject: str | None, details: Mapping[str, Any] | None = None
) -> Iterator[Telling]:
    """Record how the block ended: done, refused or failed with the code of its error.

    A process killed in it leaves nothing; `irrevocable` is for what must not go untold.
    """
    telling = Telling(subject, dict(details or {}))
    try:
        yield telling
    except (Exception, KeyboardInterrupt) as error:
        how = REFUSED if isinstance(error, PolicyRefusal) else FAILED
        reason = error.code if isinstance(error, HriError) else type(error).__name__
        # Where the registry itself failed there is nowhere to write that to; the error goes on.
        with suppress(StorageError):
            context.record(Act(act, telling.subject, how, reason, telling.details))
        raise
    context.record(Act(act, telling.subject, DONE, None, telling.details))


@contextmanager
def irrevocable(
    context: Context, act: str, subject: str | None, details: Mapping[str, Any]
) -> Iterator[None]:
    """Record what is about to be done for good before the block, and how it ended after it.

    An intent without an outcome means that nobody knows: look at the chip. Raises StorageError before
    anything is done where the intent cannot be recorded.
    """
    context.record(Act(act, subject, INTENT, None, details))
    with outcome(context, act, subject, details):
        yield


def record_refusal(context: Context, act: str, decision: Decision) -> None:
    """Record a decision that said no, with the codes of its reasons; one that said yes is in the registry."""
    if decision.trusted:
        return
    codes = ", ".join(dict.fromkeys(reason.code.value for reason in decision.reasons))
    context.record(Act(act, decision.device_id, REFUSED, codes))


def record_configuration(context: Context) -> None:
    """Record the configuration if it is not the one that was seen last; secrets are left out.

    Where nothing is signed a registry that cannot be written does not stop those who only read.
    """
    # What may be secret is looked up late, and says its name only.
    values = context.config.model_dump(mode="json", fallback=repr)
    text = json.dumps(values, sort_keys=True)
    last = context.registry.last_configuration()
    try:
        if last is not None and Entry.from_bytes(last.entry).act.details.get("json") == text:
            return
    except ValueError:
        # A damaged entry is for `hri audit verify` to tell of; it is no reason to leave out the next.
        _log.warning("the last entry of the configuration is damaged", entry=last and last.number)
    try:
        context.record(Act("configuration", details={"json": text}))
    except StorageError:
        if context.recorder.keys is not None:
            raise
        _log.warning("a changed configuration could not be recorded")


def begin_logs(registry: Registry, keys: LogKeys) -> None:
    """Sign both logs as they are, whatever signed them before, and place what waits.

    Raises StorageError where they are damaged.
    """
    registry.sign_audit(keys.audit, anew=True)
    registry.sign_log_anew(keys.certificates)
    registry.sequence(keys.certificates)


def begin_with_new_keys(registry: Registry, actor: str, keys: LogKeys, *, anew: bool = False) -> None:
    """Begin both logs with keys that were just made, and record that they were.

    Raises StorageError where other keys have signed already and `anew` does not allow for that.
    """
    ends = ((registry.log_head(), keys.certificates), (registry.audit_head(), keys.audit))
    for head, signer in ends:
        if head.checkpoint is None or not head.size or anew:
            continue
        try:
            Checkpoint.opened(head.checkpoint, signer)
        except NoteError as error:
            raise StorageError(
                "log-keys-lost",
                "the logs were signed with keys that are not in this home",
                "restore ca/log-signers.pem from a backup; `hri log begin` signs anew with other keys",
            ) from error
    begin_logs(registry, keys)
    told = {"certificates": keys.certificates.verifier.to_text(), "audit": keys.audit.verifier.to_text()}
    act = Act("logs-begun", reason="new keys", details=told)
    registry.record_acts(Recorded(Recorder(actor, keys), (act,)), utc_now())

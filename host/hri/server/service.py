"""What every route works with, and how it gets at it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from hri.attested_issue import NetworkRequest, issue_for
from hri.audit.recorder import Recorder
from hri.ca.issuance import IssuedCertificate
from hri.ca.ocsp import Responders
from hri.context import Context
from hri.publication import OcspKeys, ocsp_responders
from hri.server.callers import Caller, Callers
from hri.server.current_crls import CurrentCrls
from hri.server.metrics import Metrics
from hri.server.peer import Peer, peer_of
from hri.server.readiness import Readiness
from hri.server.remembered import OcspAnswer, Remembered, Standings

CALLER_KEY = "hri.caller"


@dataclass(frozen=True, slots=True)
class Service:
    """One opened home, as it is served. `crl_folder` is where revocation lists are published.

    `responder` answers OCSP requests from `standings`, None where that is the external authority's to do.
    """

    context: Context
    callers: Callers
    crl_folder: Path
    current_crls: CurrentCrls
    readiness: Readiness
    standings: Standings
    responder: Responders | None = None
    ocsp_answers: Remembered[bytes, OcspAnswer] = field(default_factory=Remembered)
    metrics: Metrics = field(default_factory=Metrics)

    @classmethod
    def of(
        cls, context: Context, callers: Callers, crl_folder: Path, ocsp_keys: OcspKeys | None = None
    ) -> Service:
        """Return the service of an opened home; without `ocsp_keys` it answers no OCSP requests."""
        crls, standings = CurrentCrls(context, crl_folder), Standings(context.now)
        responder = None
        if ocsp_keys is not None:
            responder = ocsp_responders(context, ocsp_keys, through=standings.through)
        return cls(context, callers, crl_folder, crls, Readiness(context), standings, responder)

    def acting(self, caller: Caller) -> Context:
        """Return the context in which the audit log names this caller as who acts."""
        recorder = Recorder(f"{caller.role}:{caller.name}", self.context.recorder.keys)
        return replace(self.context, recorder=recorder)

    def forget_standing(self) -> None:
        """Have lists and answers looked at anew: something was revoked here."""
        self.current_crls.forget()
        self.standings.forget()
        self.ocsp_answers.forget()

    def issued(self, caller: Caller, request: NetworkRequest) -> IssuedCertificate:
        """Issue on a caller's request. Raises what `issue_for` raises."""
        issued = issue_for(self.acting(caller), request)
        self.metrics.issued.inc()
        return issued


async def _service(request: Request) -> Service:
    found = request.app.state.service
    if not isinstance(found, Service):
        raise TypeError("the application was made without a service")
    return found


async def _caller(request: Request) -> Caller:
    found = request.scope.get(CALLER_KEY)
    if not isinstance(found, Caller):
        raise TypeError("a route that needs a caller is not public")
    return found


async def _peer(request: Request) -> Peer | None:
    return peer_of(request.scope)


ServiceOf = Annotated[Service, Depends(_service)]
CallerOf = Annotated[Caller, Depends(_caller)]
PeerOf = Annotated[Peer | None, Depends(_peer)]

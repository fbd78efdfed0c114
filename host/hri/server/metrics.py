"""What is counted, for Prometheus. One registry an application, so that two in one process do not mix."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from hri.verify.decision import Decision

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "hri_http_requests", "Requests answered.", ("method", "route", "status"), registry=self._registry
        )
        self.seconds = Histogram(
            "hri_http_request_seconds",
            "Time from the whole request to the answer.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._decisions = Counter(
            "hri_decisions",
            "Decisions: trusted, or by each reason code.",
            ("reason",),
            registry=self._registry,
        )
        self.issued = Counter("hri_certificates_issued", "Certificates handed out.", registry=self._registry)
        self.storage_errors = Counter(
            "hri_storage_errors", "Failures of database or disk.", ("code",), registry=self._registry
        )
        self.upkeep = Counter(
            "hri_upkeep_turns",
            "Turns at each step of upkeep: done here, done elsewhere, or failed.",
            ("step", "outcome"),
            registry=self._registry,
        )
        self.ocsp_answers = Counter(
            "hri_ocsp_answers", "OCSP answers by their status.", ("status",), registry=self._registry
        )

    def decided(self, decision: Decision) -> None:
        """Count a decision under each of its reasons."""
        for code in decision.codes or ("trusted",):
            self._decisions.labels(str(code)).inc()

    def text(self) -> bytes:
        """Return everything in the text format of Prometheus."""
        return generate_latest(self._registry)

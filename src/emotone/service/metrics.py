"""Figures of the service, as Prometheus reads them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """All figures, in a registry of their own, so that one process may hold several services."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.registry = registry
        self.requests = Counter(
            "emotone_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self.request_seconds = Histogram(
            "emotone_request_seconds",
            "From a request's head to its whole answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.judging_seconds = Histogram(
            "emotone_judging_seconds", "To decode and judge one recording.", buckets=_SECONDS, registry=registry
        )
        self.audio_seconds = Counter("emotone_audio_seconds", "Sound that was judged.", registry=registry)
        self.running = Gauge("emotone_running", "Recordings being judged.", registry=registry)
        self.waiting = Gauge("emotone_waiting", "Requests that wait for their turn.", registry=registry)
        self.streams = Gauge("emotone_streams", "Live streams.", registry=registry)
        self.jobs = Gauge("emotone_jobs", "Jobs that are kept.", ("state",), registry=registry)

    def text(self) -> bytes:
        """All of them, in Prometheus's text format."""
        return generate_latest(self.registry)

"""Metrics of the service, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """All metrics, in their own registry, so that one process can hold several services."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.registry = registry
        self.requests = Counter(
            "emotone_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self.request_seconds = Histogram(
            "emotone_request_seconds",
            "From the head of a request to the end of its response.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.recognition_seconds = Histogram(
            "emotone_recognition_seconds",
            "Time to decode and classify one recording.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.audio_seconds = Counter("emotone_audio_seconds", "Seconds of classified recordings.", registry=registry)
        self.running = Gauge("emotone_running", "Recordings that are being classified.", registry=registry)
        self.waiting = Gauge("emotone_waiting", "Requests in the queue.", registry=registry)
        self.streams = Gauge("emotone_streams", "Live streams.", registry=registry)
        self.jobs = Gauge("emotone_jobs", "Stored jobs.", ("state",), registry=registry)

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self.registry)

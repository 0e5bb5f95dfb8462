"""All settings of the service.

Conventions: sizes in bytes, times in seconds, as the suffixes say. The defaults suit a service for one machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from emotone.cores import available_cores
from emotone.service.access.keys import ApiKey
from emotone.service.access.proxies import Network

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """Address, access and limits of the service.

    Attributes:
        host: the address to listen at.
        port: the port; 0 for any free one.
        model: a model file; None for the shipped one.
        data_dir: folder for jobs and uploads; readable by its owner only.
        api_keys: callers need one of these; empty if anyone may call.
        cors_origins: web origins other than its own that may call it, such as `https://example.org`.
        allowed_hosts: host names it answers to; empty for the loopback names where it listens there, else for any.
        root_path: the path that it appears under behind a reverse proxy, such as `/emotone`.
        trusted_proxies: addresses whose `X-Forwarded-…` headers are believed.
        max_upload_bytes: of a recording that is answered at once.
        max_job_upload_bytes: of a recording that becomes a job.
        max_duration_s: of a recording that is answered at once.
        max_job_duration_s: of a recording that becomes a job.
        max_running: recordings processed at the same time; default: the number of cores.
        max_waiting: length of the queue; further requests get 429.
        max_receiving: uploads on their way at the same time.
        max_streams: live streams at the same time.
        max_connections: open connections.
        request_timeout_s: processing time of a recording that is answered at once.
        job_timeout_s: processing time of a job.
        header_timeout_s: for a client to send the whole head of a request.
        idle_timeout_s: between two pieces of a body, or two messages of a live stream.
        min_upload_rate: bytes per second that a client must reach once `idle_timeout_s` has gone by.
        max_stream_s: length of a live stream.
        max_stream_message_bytes: of one message of a live stream.
        max_queued_jobs: jobs that wait; further ones get 429.
        max_job_bytes: of all recordings of jobs that have not ended, together.
        short_job_bytes: a job with a smaller recording may run beside longer ones.
        job_attempts: how often a job is started before it counts as failed: one that ends the service must not be
            restarted forever.
        job_retention_s: how long a finished job is kept.
        drain_s: after SIGTERM, time to finish running requests.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    model: Path | None = None
    data_dir: Path = Path("emotone-data")
    api_keys: tuple[ApiKey, ...] = ()
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    root_path: str = ""
    trusted_proxies: tuple[Network, ...] = ()
    max_upload_bytes: int = 64 * MIB
    max_job_upload_bytes: int = 2048 * MIB
    max_duration_s: float = 15 * 60.0
    max_job_duration_s: float = 12 * 3600.0
    max_running: int = field(default_factory=available_cores)
    max_waiting: int = 64
    max_receiving: int = 128
    max_streams: int = 16
    max_connections: int = 512
    request_timeout_s: float = 60.0
    job_timeout_s: float = 2 * 3600.0
    header_timeout_s: float = 10.0
    idle_timeout_s: float = 15.0
    min_upload_rate: float = 1024.0
    max_stream_s: float = 3600.0
    max_stream_message_bytes: int = MIB // 4
    max_queued_jobs: int = 100
    max_job_bytes: int = 20_480 * MIB
    short_job_bytes: int = 16 * MIB
    job_attempts: int = 3
    job_retention_s: float = 7 * 86_400.0
    drain_s: float = 30.0

    @property
    def hosts(self) -> tuple[str, ...]:
        """Host names it answers to; `*` for any.

        Names are checked where it listens on loopback alone, so that a web page cannot reach it by a name of its own
        that it points there (DNS rebinding).
        """
        if self.allowed_hosts:
            return self.allowed_hosts
        return ("localhost", "127.0.0.1", "[::1]") if is_loopback(self.host) else ("*",)

    @property
    def is_private(self) -> bool:
        """Whether it serves this machine alone."""
        return is_loopback(self.host) and not self.root_path and not self.trusted_proxies


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone.

    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

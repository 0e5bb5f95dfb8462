"""`emotone serve`: the recognizer over HTTP, and its page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from emotone.extras import require_library

if TYPE_CHECKING:
    from emotone.service.access.proxies import Network

_MIB = 1 << 20


def serve(
    host: Annotated[str, typer.Option(envvar="EMOTONE_HOST", help="Listen at this address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, envvar="EMOTONE_PORT", help="Listen at this port.")] = 8000,
    model: Annotated[
        Path | None,
        typer.Option(
            envvar="EMOTONE_MODEL",
            help="A model file, or OWNER/NAME on the Hugging Face hub. [default: the shipped model]",
        ),
    ] = None,
    data_dir: Annotated[Path, typer.Option(envvar="EMOTONE_DATA_DIR", help="Folder for jobs and uploads.")] = Path(
        "emotone-data"
    ),
    api_keys: Annotated[
        Path | None,
        typer.Option(envvar="EMOTONE_API_KEYS", help="A file of hashed keys; callers need one of them."),
    ] = None,
    new_key: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Print a new key for NAME and its line for the file, and exit."),
    ] = None,
    cors_origin: Annotated[
        list[str] | None, typer.Option(help="Allow calls from web pages of this origin, such as https://example.org.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="Answer to this host name only. [default: loopback names, or any]")
    ] = None,
    root_path: Annotated[
        str,
        typer.Option(metavar="PATH", help="Path below which a reverse proxy serves this, such as /emotone."),
    ] = "",
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="Believe X-Forwarded-... headers from this address or network."),
    ] = None,
    max_upload: Annotated[
        int, typer.Option(min=1, envvar="EMOTONE_MAX_UPLOAD", help="Largest upload in MiB that is answered at once.")
    ] = 64,
    max_job_upload: Annotated[
        int, typer.Option(min=1, envvar="EMOTONE_MAX_JOB_UPLOAD", help="Largest upload in MiB of a job.")
    ] = 2048,
    max_duration: Annotated[
        float,
        typer.Option(
            min=1, envvar="EMOTONE_MAX_DURATION", help="Longest recording in seconds that is answered at once."
        ),
    ] = 900.0,
    max_running: Annotated[
        int | None, typer.Option(min=1, help="Recordings processed at the same time. [default: the number of cores]")
    ] = None,
    max_waiting: Annotated[int, typer.Option(min=1, help="Length of the queue of requests.")] = 64,
    timeout: Annotated[
        float, typer.Option(min=1, help="Processing time in seconds of a recording that is answered at once.")
    ] = 60.0,
    drain: Annotated[float, typer.Option(min=1, help="Seconds after SIGTERM to finish what runs.")] = 30.0,
) -> None:
    """Serve the recognizer over HTTP and WebSocket, and a page at `/`.

    It listens on this machine only, unless --host is given. After SIGTERM it finishes running requests.
    """
    for library in ("fastapi", "uvicorn"):
        require_library(library, "emotone serve", "serve")
    from emotone.service.access.keys import new_key as make_key
    from emotone.service.access.keys import read_keys
    from emotone.service.options import ServiceOptions

    if new_key is not None:
        key, stored = make_key(new_key)
        print(f"key, shown this once: {key}")
        print(f"line for the file:    {stored.name}:{stored.digest}")
        return
    from emotone.service.server.serving import serve as serve_with

    given: dict[str, Any] = {} if max_running is None else {"max_running": max_running}
    serve_with(
        ServiceOptions(
            host=host,
            port=port,
            model=model,
            data_dir=data_dir,
            api_keys=read_keys(api_keys) if api_keys else (),
            cors_origins=tuple(map(_origin, cors_origin or ())),
            allowed_hosts=tuple(allowed_host or ()),
            root_path=_root_path(root_path),
            trusted_proxies=tuple(map(_network, trusted_proxy or ())),
            drain_s=drain,
            max_upload_bytes=max_upload * _MIB,
            max_job_upload_bytes=max_job_upload * _MIB,
            max_duration_s=max_duration,
            max_waiting=max_waiting,
            request_timeout_s=timeout,
            **given,
        )
    )


def _root_path(word: str) -> str:
    from emotone.service.access.proxies import root_path_of

    try:
        return root_path_of(word)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--root-path") from error


def _network(word: str) -> Network:
    from emotone.service.access.proxies import network_of

    try:
        return network_of(word)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--trusted-proxy") from error


def _origin(word: str) -> str:
    """As a browser sends it; another form would never match, without a message."""
    parts = urlsplit(word)
    if parts.scheme not in ("http", "https") or not parts.netloc or word != f"{parts.scheme}://{parts.netloc}":
        raise typer.BadParameter(
            f"{word!r}; expected an origin such as https://example.org", param_hint="--cors-origin"
        )
    return word

"""A service with the tiny model, called in the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from fastapi.testclient import TestClient

from emotone.service.app import create_app, make_context
from emotone.service.options import ServiceOptions
from emotone.service.workers.process import WorkerPool

Serve = Callable[..., TestClient]


class SharedPool(WorkerPool):
    """Worker processes that outlive a service: to start one takes longer than most tests."""

    def close(self) -> None:
        pass

    def retire(self) -> None:
        pass


_pools: dict[tuple[Path | None, int], SharedPool] = {}


def shared_pool(model: Path | None, most: int, nice: int = 0) -> SharedPool:
    # Of normal priority: a test must not wait for what else the machine does.
    if (model, nice) not in _pools:
        _pools[model, nice] = SharedPool(model, most)
    return _pools[model, nice]


@pytest.fixture(scope="session", autouse=True)
def end_pools() -> Iterator[None]:
    yield
    for pool in _pools.values():
        WorkerPool.close(pool)


@contextmanager
def client_of(options: ServiceOptions) -> Iterator[TestClient]:
    app = create_app(make_context(options, shared_pool))
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def client(tiny_model: Path, tmp_path: Path) -> Iterator[TestClient]:
    """The service as it is by default."""
    with client_of(ServiceOptions(model=tiny_model, data_dir=tmp_path / "data")) as client:
        yield client


@pytest.fixture
def serve(tiny_model: Path, tmp_path: Path) -> Iterator[Serve]:
    """Starts a service with options of one's own."""
    opened = []

    def start(**options: object) -> TestClient:
        data_dir = tmp_path / f"data-{len(opened)}"
        context = client_of(ServiceOptions(**{"model": tiny_model, "data_dir": data_dir, **options}))  # type: ignore[arg-type]
        opened.append(context)
        return context.__enter__()

    yield start
    for context in reversed(opened):
        context.__exit__(None, None, None)


@pytest.fixture(scope="session")
def angry_clip(clips_dir: Path) -> bytes:
    """A real clip of two seconds."""
    return (clips_dir / "emodb" / "03a01Wa.flac").read_bytes()

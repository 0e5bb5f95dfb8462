"""A small hub on 127.0.0.1: the part of the Hugging Face hub's HTTP interface that its client needs to fetch a file."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


def commit_of(revision: str) -> str:
    """A commit's hash, made of the revision's name."""
    return hashlib.sha1(revision.encode()).hexdigest()


@dataclass
class Repository:
    """What one repository holds, and how it answers.

    Attributes:
        revisions: revision -> file name -> content.
        status: that every request gets in the place of an answer; 0 for none.
        code: the error code that goes with it.
        says: size that is said of every file, in bytes; None for the true one.
        breaks_off: how many downloads end in the middle; -1 for all.
        resumes: whether a download may go on where it broke off.
        endless: send without end, and without saying how much.
        token: that a request must bear; empty if everybody may read it.
    """

    revisions: dict[str, dict[str, bytes]]
    status: int = 0
    code: str = ""
    says: int | None = None
    breaks_off: int = 0
    resumes: bool = True
    endless: bool = False
    token: str = ""


@dataclass
class Hub:
    """The server: its repositories, and every request that it got."""

    endpoint: str
    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub, while the block lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.hub = Hub(f"http://127.0.0.1:{server.server_address[1]}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.hub  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def _answer(self, *, with_content: bool) -> None:
        hub: Hub = self.server.hub  # type: ignore[attr-defined]
        path = unquote(urlsplit(self.path).path)
        hub.requests.append(f"{self.command} {path}")
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            repo, rest = "/".join(parts[2:4]), parts[4:]
            kind, revision, name = "info", "/".join(rest[1:]) or "main", ""
        elif parts[2:3] != ["resolve"]:
            self._refuse(404, "")
            return
        else:
            repo, kind = "/".join(parts[:2]), "file"
            revision, name = parts[3], "/".join(parts[4:])
        repository = hub.repositories.get(repo)
        if repository is None or self.headers.get("authorization", "").removeprefix("Bearer ") != repository.token:
            self._refuse(401 if kind == "info" else 404, "RepoNotFound")
        elif repository.status:
            self._refuse(repository.status, repository.code)
        else:
            known = {commit_of(key): key for key in repository.revisions}
            revision = known.get(revision, revision)
            if revision not in repository.revisions:
                self._refuse(404, "RevisionNotFound")
            elif kind == "info":
                self._info(repo, repository, revision)
            elif name not in repository.revisions[revision]:
                self._refuse(404, "EntryNotFound")
            else:
                self._file(repository, revision, name, with_content)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", f"made-up {code or status}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _info(self, repo: str, repository: Repository, revision: str) -> None:
        siblings = [
            {"rfilename": name, "size": len(content) if repository.says is None else repository.says}
            for name, content in repository.revisions[revision].items()
        ]
        content = json.dumps(
            {"_id": "1", "id": repo, "modelId": repo, "sha": commit_of(revision), "siblings": siblings, "tags": []}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _file(self, repository: Repository, revision: str, name: str, with_content: bool) -> None:
        content = repository.revisions[revision][name]
        start = 0
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes=") and repository.resumes:
            start = int(asked.removeprefix("bytes=").split("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", commit_of(revision))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if repository.endless and with_content:
            self._without_end()
            return
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if not with_content:
            return
        if repository.breaks_off:
            repository.breaks_off -= 1
            self.wfile.write(content[start : start + max(1, (len(content) - start) // 2)])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(content[start:])

    def _without_end(self) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        block = bytes(2**16)
        try:
            while True:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
        except OSError:  # The client has had enough.
            return

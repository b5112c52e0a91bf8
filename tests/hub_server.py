"""A hub on 127.0.0.1 with the real one's paths and headers, its CDN on another port, and faults as asked.

    with HubServer() as hub:
        hub.add_repository("InstaDeepAI/x", COMMIT, {"config.json": b"{}", "model.safetensors": b"..."})
        hub.fault("model.safetensors", CUT)
        ...  # HF_ENDPOINT=hub.url, or endpoint=hub.url
        hub.requests  # [("HEAD", "/InstaDeepAI/x/resolve/main/config.json"), ...]

A data set's repository is named datasets/...

Small files are served by the hub itself, after a redirect within it, and have their git sha1 as etag; files
that the real hub keeps in LFS are redirected to the CDN, with their sha256 and size in X-Linked-*.
"""

from __future__ import annotations

import csv
import hashlib
import re
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LFS = (".safetensors", ".joblib", ".bin", ".fna", ".fa", ".parquet")
# Faults of the content, one GET each
CUT, STALL, HTML, POINTER, FLIP = "cut", "stall", "html", "pointer", "flip"
# Faults of the answer, HEAD and GET; a number is an HTTP status
NO_HEADERS, GATED, NO_REPOSITORY, NO_REVISION = "no headers", "gated", "no repository", "no revision"
ANSWERS = {
    GATED: (403, "GatedRepo"),
    NO_REPOSITORY: (401, "RepoNotFound"),
    NO_REVISION: (404, "RevisionNotFound"),
}
PAGE = b"<!DOCTYPE html><html><body>Please log in to the network.</body></html>"
RESOLVE = re.compile(r"/(?P<repository>(?:datasets/)?[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")
INNER = "/api/resolve-cache/models"


def etag_of(file: str, content: bytes) -> str:
    """Returns a file's etag on the hub: sha256 of LFS files, else the git sha1."""
    if file.endswith(LFS):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def pointer_to(content: bytes) -> bytes:
    """Returns the git-lfs pointer of a file."""
    digest = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n".encode()


@dataclass
class State:
    """What the hub holds, and what it was asked."""

    files: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)  # (repository, commit) ->
    branches: dict[tuple[str, str], str] = field(default_factory=dict)  # (repository, branch) -> commit
    faults: dict[str, list] = field(default_factory=lambda: defaultdict(list))
    requests: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)  # of each request
    arrived: threading.Event = field(default_factory=threading.Event)  # a stalled answer has begun
    closing: threading.Event = field(default_factory=threading.Event)
    hub: str = ""
    cdn: str = ""


class Handler(BaseHTTPRequestHandler):
    """What the hub and its CDN have in common."""

    protocol_version = "HTTP/1.1"
    state: State

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""

    def do_HEAD(self) -> None:
        self._note()
        self.answer()

    def do_GET(self) -> None:
        self.do_HEAD()

    def answer(self) -> None:
        raise NotImplementedError

    def send(self, status: int, headers: dict[str, str], body: bytes = b"", kind: object = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        if self.command == "HEAD":
            return
        self.wfile.write(body[: len(body) * 6 // 10] if kind in (CUT, STALL) else body)
        self.wfile.flush()
        if kind == STALL:
            self.state.arrived.set()
            self.state.closing.wait(60)

    def content(self, file: str, content: bytes, headers: dict[str, str]) -> None:
        """Sends a file, or the part asked for, or what a fault makes of it."""
        faults = self.state.faults[file]
        of_content = faults and faults[0] in (CUT, STALL, HTML, POINTER, FLIP) and self.command == "GET"
        kind = faults.pop(0) if of_content else None
        if kind in (HTML, POINTER):
            return self.send(200, headers, PAGE if kind == HTML else pointer_to(content))
        if kind == FLIP:
            middle = len(content) // 2
            content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        asked = re.match(r"bytes=(\d+)-(\d*)$", self.headers.get("Range", ""))
        if asked and int(asked[1]) < len(content):
            start, end = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
            headers = {**headers, "Content-Range": f"bytes {start}-{end}/{len(content)}"}
            return self.send(206, headers, content[start : end + 1], kind)
        return self.send(200, headers, content, kind)

    def _note(self) -> None:
        self.state.requests.append((self.command, self.path))
        self.state.headers.append({key.lower(): value for key, value in self.headers.items()})


class HubHandler(Handler):
    """Answers /{repository}/resolve/{revision}/{file}."""

    def answer(self) -> None:
        inner = self.path.startswith(INNER)
        parts = RESOLVE.fullmatch(unquote(self.path.removeprefix(INNER)))
        if parts is None:
            return self.send(404, {}, b"Not Found")
        repository, revision, file = parts["repository"], parts["revision"], parts["file"]
        if (status := self._status(file)) is not None:
            return self.send(*status)
        if all(repository != known for known, _ in self.state.files):
            return self._refuse(NO_REPOSITORY)
        commit = self.state.branches.get((repository, revision), revision)
        if (repository, commit) not in self.state.files:
            return self._refuse(NO_REVISION)
        files, headers = self.state.files[repository, commit], {"X-Repo-Commit": commit}
        if file not in files:
            return self.send(404, {**headers, "X-Error-Code": "EntryNotFound"}, b"Entry not found")
        content = files[file]
        if self._is_next(file, NO_HEADERS):
            return self.send(200, {}, content)
        if file.endswith(LFS):
            linked = {"X-Linked-Etag": f'"{etag_of(file, content)}"', "X-Linked-Size": str(len(content))}
            location = f"{self.state.cdn}/{repository}/resolve/{commit}/{file}?Signature=x"
            return self.send(302, {**headers, **linked, "Location": location})
        if not inner:
            return self.send(307, {**headers, "Location": f"{INNER}/{repository}/resolve/{commit}/{file}"})
        return self.content(file, content, {**headers, "ETag": f'"{etag_of(file, content)}"'})

    def _is_next(self, file: str, *kinds: object) -> bool:
        faults = self.state.faults[file]
        return bool(faults) and faults[0] in kinds and faults.pop(0) is not None

    def _status(self, file: str) -> tuple | None:
        faults = self.state.faults[file]
        if faults and isinstance(faults[0], int):
            return faults.pop(0), {"Retry-After": "0"}, b"a fault"
        if faults and faults[0] in ANSWERS:
            status, code = ANSWERS[faults.pop(0)]
            return status, {"X-Error-Code": code, "X-Error-Message": code}
        return None

    def _refuse(self, kind: str) -> None:
        status, code = ANSWERS[kind]
        self.send(status, {"X-Error-Code": code, "X-Error-Message": code})


class CdnHandler(Handler):
    """Answers what the hub redirects to: the content alone, without the hub's headers."""

    def answer(self) -> None:
        parts = RESOLVE.fullmatch(unquote(self.path.partition("?")[0]))
        content = self.state.files[parts["repository"], parts["revision"]][parts["file"]]
        faults = self.state.faults[f"cdn:{parts['file']}"]
        if faults:
            return self.send(faults.pop(0), {"Retry-After": "0"}, b"a fault")
        return self.content(parts["file"], content, {"ETag": '"cdn"'})


class _Server(ThreadingHTTPServer):
    """A server that says nothing of clients that leave."""

    def handle_error(self, *_: object) -> None:
        """Keeps quiet."""


class HubServer:
    """A hub and its CDN while the context is open."""

    def __init__(self) -> None:
        self._state = State()
        self._servers = [
            _Server(("127.0.0.1", 0), type("Bound", (kind,), {"state": self._state}))
            for kind in (HubHandler, CdnHandler)
        ]
        self._state.hub, self._state.cdn = (
            f"http://127.0.0.1:{server.server_port}" for server in self._servers
        )
        self._threads = [
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            for server in self._servers
        ]

    def __enter__(self) -> HubServer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._state.closing.set()
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()

    @property
    def url(self) -> str:
        """The address for HF_ENDPOINT."""
        return self._state.hub

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Method and path of every request, the CDN's among them."""
        return self._state.requests

    @property
    def headers(self) -> list[dict[str, str]]:
        """The headers of every request, names in lower case."""
        return self._state.headers

    def add_repository(
        self, repository: str, revision: str, files: dict[str, bytes], branch: str = "main"
    ) -> None:
        """Adds a commit; the branch points to it afterwards."""
        self._state.files[repository, revision] = dict(files)
        self._state.branches[repository, branch] = revision

    def add_folder(self, repository: str, revision: str, folder: Path, branch: str = "main") -> None:
        """Adds a folder's files as a commit."""
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        self.add_repository(repository, revision, files, branch)

    def fault(self, file: str, *kinds: object) -> None:
        """Makes the next answers for a file misbehave, in turn; `cdn:<file>` takes statuses of the CDN."""
        self._state.faults[file] += kinds

    def mend(self) -> None:
        """Forgets the faults that are left."""
        self._state.faults.clear()

    def forget(self) -> None:
        """Forgets the requests so far."""
        self._state.requests.clear()
        self._state.headers.clear()

    def wait_for_stall(self, timeout_s: float = 30) -> bool:
        """Waits until a stalled answer has sent its part."""
        return self._state.arrived.wait(timeout_s)

    def asked(self, file: str, method: str = "GET") -> int:
        """Counts the requests for a file's content: at the CDN for LFS files."""
        start = "/" if file.endswith(LFS) else INNER
        return sum(
            verb == method
            and path.startswith(start)
            and path.partition("?")[0].endswith(f"/{file}")
            and ("Signature" in path or not file.endswith(LFS))
            for verb, path in self.requests
        )


class _Hurry:
    """Python's time, without its sleep."""

    def __getattr__(self, name: str) -> object:
        return getattr(time, name)

    def sleep(self, _: float) -> None:
        """Returns at once."""


def without_pauses(monkeypatch) -> None:
    """Makes the hub's client and ours, in this process, try again at once and use no proxy."""
    from huggingface_hub import close_session, file_download
    from huggingface_hub.utils import _http

    from dnalm.checkpoints import hub_client

    for module in (file_download, _http, hub_client):
        monkeypatch.setattr(module, "time", _Hurry())
    monkeypatch.setenv("no_proxy", "*")
    close_session()


def edit_row(table: Path, target: Path, name: str, /, **values: str) -> Path:
    """Writes a copy of models.tsv with other values in a model's row."""
    with open(table, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    for row in rows:
        row.update(values if row["model"] == name else {})
    with open(target, "w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return target


def write_pins(target: Path, repository: str, revision: str, files: dict[str, bytes]) -> Path:
    """Writes a table of pins as resources/checkpoints.tsv is."""
    lines = ["hub_repository\trevision\tfile\tbytes\tsha256"]
    for name, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        lines.append(f"{repository}\t{revision}\t{name}\t{len(content)}\t{digest}")
    target.write_text("\n".join(lines) + "\n")
    return target


_WITH_TABLE = """
import runpy, sys
from pathlib import Path

table, sys.argv = sys.argv[1], sys.argv[2:]
sys.path.insert(0, str(Path(sys.argv[0]).parent))
from dnalm.checkpoints import registry

registry.MODELS = Path(table)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def with_table(table: Path, script: Path, *words: str) -> list[str]:
    """Returns the command line that runs a script with another table of models."""
    return [sys.executable, "-c", _WITH_TABLE, str(table), str(script), *words]

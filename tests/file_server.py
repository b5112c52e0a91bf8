"""Servers on 127.0.0.1 for tests of downloads: http that misbehaves as asked, and a small ftp."""

from __future__ import annotations

import hashlib
import io
import re
import socket
import threading
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

CUT = "cut"  # answers with the whole length and sends 60 % of it
STALL = "stall"  # likewise, and keeps the connection open


@dataclass
class Site:
    """What the server holds and how it behaves; `requests` is what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, list] = field(
        default_factory=lambda: defaultdict(list)
    )  # path -> statuses or CUT, in turn
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    ranges: bool = True
    etags: bool = True
    minds_if_range: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    closing: threading.Event = field(default_factory=threading.Event)

    def asked(self, path: str) -> list[dict[str, str]]:
        """Returns the headers of every request for a path."""
        return [headers for asked, headers in self.requests if asked == path]

    def etag(self, path: str) -> str:
        """Returns the strong ETag of the file's present content."""
        return f'"{hashlib.sha256(self.files[path]).hexdigest()[:16]}"'


class Handler(BaseHTTPRequestHandler):
    """Answers GET from the site's files: ranges, ETags, faults."""

    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""

    def do_GET(self) -> None:
        site, path = self.site, self.path
        site.requests.append((path, dict(self.headers)))
        answer = site.answers[path].pop(0) if site.answers[path] else 200
        if isinstance(answer, int) and answer != 200:
            return self._send(answer, b"<html>a fault</html>", {"Retry-After": "0"})
        if path not in site.files:
            return self._send(404, b"<html>no such file</html>", {})
        content, headers = site.files[path], dict(site.headers)
        if site.etags:
            headers["ETag"] = site.etag(path)
        asked = re.match(r"bytes=(\d+)-$", self.headers.get("Range", ""))
        same = not site.minds_if_range or self.headers.get("If-Range") == headers.get("ETag")
        if not (asked and site.ranges and same):
            return self._send(200, content, headers, answer)
        start = int(asked[1])
        if start >= len(content):
            return self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return self._send(206, content[start:], headers, answer)

    def _send(self, status: int, body: bytes, headers: dict[str, str], answer: object = None) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) * 6 // 10] if answer in (CUT, STALL) else body)
        self.wfile.flush()
        if answer == STALL:
            self.site.closing.wait(30)
        self.close_connection = True


class HttpServer:
    """Serves a Site while the context is open."""

    def __init__(self) -> None:
        self.site = Site()
        handler = type("SiteHandler", (Handler,), {"site": self.site})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.site.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Site:
        self._thread.start()
        return self.site

    def __exit__(self, *_: object) -> None:
        self.site.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class FtpServer:
    """Serves one file to one client at a time, as much of ftp as a download needs."""

    def __init__(self, path: str, content: bytes) -> None:
        self.path, self.content = path, content
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"ftp://127.0.0.1:{self._socket.getsockname()[1]}{path}"
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> FtpServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.create_connection(self._socket.getsockname()):
            pass  # wakes the last accept
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        client, _ = self._socket.accept()
        with client, client.makefile("rwb") as stream, socket.create_server(("127.0.0.1", 0)) as data:
            folder = ""
            answers = {"USER": "331 name", "PASS": "230 in", "TYPE": "200 type", "QUIT": "221 bye"}

            def say(text: str) -> None:
                stream.write(text.encode() + b"\r\n")
                stream.flush()

            say("220 ready")
            for line in stream:
                command, _, argument = line.decode().strip().partition(" ")
                if command in answers:
                    say(answers[command])
                elif command == "CWD":
                    folder += f"/{argument}"
                    say("250 there")
                elif command == "PASV":
                    host, port = data.getsockname()
                    say(f"227 ({host.replace('.', ',')},{port >> 8},{port & 255})")
                elif command == "RETR" and f"{folder}/{argument}" == self.path:
                    say(f"150 sending ({len(self.content)} bytes)")
                    with data.accept()[0] as connection:
                        connection.sendall(self.content)
                    say("226 done")
                else:
                    say("550 no")


def bsd_sum(content: bytes) -> str:
    """Returns what `sum` prints: a rotating 16-bit sum and the blocks of 1 KiB."""
    total = 0
    for byte in content:
        total = ((total >> 1) + ((total & 1) << 15) + byte) % 65536
    return f"{total:05d} {-(-len(content) // 1024)}"


def ensembl_folder(site: Site, folder: str, files: dict[str, bytes], separator: str = " ") -> None:
    """Adds a folder of Ensembl's ftp site with its CHECKSUMS."""
    for name, content in files.items():
        site.files[f"{folder}/{name}"] = content
    lines = [separator.join([*bsd_sum(content).split(), name]) for name, content in files.items()]
    site.files[f"{folder}/CHECKSUMS"] = ("\n".join(lines) + "\n").encode()


def ncbi_zip(accession: str, files: dict[str, bytes], md5: dict[str, str] | None = None) -> bytes:
    """Returns an archive as NCBI datasets sends it."""
    members = {f"ncbi_dataset/data/{accession}/{name}": content for name, content in files.items()}
    sums = {name: hashlib.md5(content).hexdigest() for name, content in members.items()} | (md5 or {})  # noqa: S324
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.md", "# NCBI Datasets\n")
        archive.writestr("ncbi_dataset/data/assembly_data_report.jsonl", "{}\n")
        archive.writestr("ncbi_dataset/data/dataset_catalog.json", "{}\n")
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("md5sum.txt", "".join(f"{value}  {name}\n" for name, value in sums.items()))
    return data.getvalue()


def path_of(url: str) -> str:
    """Returns a URL's path and query."""
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def names_in(folder: Path) -> list[str]:
    """Returns the names in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

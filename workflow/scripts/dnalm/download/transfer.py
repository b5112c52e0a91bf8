"""One file over http, https, ftp or file: resumed where it was cut, retried where that can help."""

from __future__ import annotations

import hashlib
import http.client
import logging
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dnalm.download.part import Part
from dnalm.errors import UserError

SCHEMES = ("http", "https", "ftp", "file")
CHUNK_BYTES = 1 << 20
TIMEOUT_S = 60.0
RETRIES = 4
PAUSE_S = 2.0  # before the first retry; doubled each time
LONGEST_PAUSE_S = 60.0
BROKEN = (TimeoutError, ConnectionError, http.client.IncompleteRead, http.client.RemoteDisconnected)
log = logging.getLogger("dnalm")


class _TryAgainError(Exception):
    """A fault that may pass by itself; `pause_s` where the server says how long to wait."""

    def __init__(self, problem: str, pause_s: float | None = None) -> None:
        super().__init__(problem)
        self.pause_s = pause_s


def is_url(source: str) -> bool:
    """Tells a URL from a path."""
    return re.match(r"^[a-zA-Z][a-zA-Z0-9+.-]*://", source) is not None


def local_name(key: str) -> str:
    """Returns a file name for a URL: its last part, made safe, after a short digest of the whole."""
    last = re.sub(r"[^A-Za-z0-9._-]", "_", key.split("?")[0].rstrip("/").rsplit("/", 1)[-1])[-100:]
    return f"{hashlib.sha256(key.encode()).hexdigest()[:8]}-{last or 'download'}"


def fetch(
    url: str,
    target: str | Path,
    retries: int = RETRIES,
    pause_s: float = PAUSE_S,
    timeout_s: float = TIMEOUT_S,
) -> Path:
    """Downloads a URL to `target`, which is complete or absent; a file that is there is kept.

    What arrived before a cut is kept as `<target>.part` and taken up by the next run, if the server
    says that the file is still the same. Retries follow timeouts, cut connections, 429 and 5xx.

    Raises:
        UserError: refused, not found, an HTML page, no space, or still failing after the retries.
    """
    target = Path(target)
    if target.exists():
        return target
    if urlsplit(url).scheme.lower() not in SCHEMES:
        raise UserError(url, "unknown kind of URL", f"Use one of {', '.join(SCHEMES)}.")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Part(target)
    try:
        _persist(url, part, retries, pause_s, timeout_s)
        part.publish()
    finally:
        part.release()
    return target


def _persist(url: str, part: Part, retries: int, pause_s: float, timeout_s: float) -> None:
    for attempt in range(retries + 1):
        try:
            return _transfer(url, part, timeout_s)
        except _TryAgainError as fault:
            if attempt == retries:
                raise UserError(
                    url,
                    f"{fault}, after {retries + 1} attempts",
                    "Run again later: what has arrived is kept.",
                ) from fault
            pause = min(pause_s * 2**attempt if fault.pause_s is None else fault.pause_s, LONGEST_PAUSE_S)
            log.warning("%s: %s; trying again in %.0f s", url, fault, pause)
            time.sleep(pause)


def read_text(url: str, timeout_s: float = TIMEOUT_S) -> str | None:
    """Returns a small text file, None where the server does not have it or cannot be asked."""
    try:
        with _opened(url, {}, timeout_s) as response:
            return str(response.read(CHUNK_BYTES).decode("utf-8", errors="replace"))
    except (UserError, _TryAgainError, *BROKEN):
        return None


@contextmanager
def _opened(url: str, headers: dict[str, str], timeout_s: float) -> Iterator[Any]:
    """Opens a URL; faults become a UserError, or a _TryAgainError where trying again may help."""
    request = urllib.request.Request(  # noqa: S310 (the scheme was checked)
        url, headers={"User-Agent": "dnalm", "Accept-Encoding": "identity", **headers}
    )
    try:
        response = urllib.request.urlopen(request, timeout=timeout_s)  # noqa: S310
    except urllib.error.HTTPError as fault:
        raise _http_fault(url, fault) from fault
    except urllib.error.URLError as fault:
        if isinstance(fault.reason, BROKEN):
            raise _TryAgainError(f"no answer ({fault.reason})") from fault
        raise UserError(
            url, f"cannot be opened ({fault.reason})", "Check the URL and the network."
        ) from fault
    except BROKEN as fault:
        raise _TryAgainError(f"no answer ({fault!r})") from fault
    with response:
        yield response


def _http_fault(url: str, fault: urllib.error.HTTPError) -> Exception:
    with fault:
        start = fault.read(60)
    if fault.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
        return _TryAgainError("the server refused to resume")
    if fault.code == http.client.TOO_MANY_REQUESTS or fault.code >= 500:
        wait = fault.headers.get("Retry-After", "")
        return _TryAgainError(f"HTTP status {fault.code}", float(wait) if wait.isdecimal() else None)
    return UserError(
        url, f"HTTP status {fault.code} {fault.reason} (body starts {start!r})", "Check the URL."
    )


def _transfer(url: str, part: Part, timeout_s: float) -> None:
    """Asks once for what is missing and appends it to the part."""
    validator, headers = part.about.get("validator"), {}
    if part.size and validator and part.about.get("url") == url:
        headers = {"Range": f"bytes={part.size}-", "If-Range": str(validator)}
    else:
        part.discard()
    try:
        with _opened(url, headers, timeout_s) as response:
            _continue_or_restart(url, part, response)
            _append(url, part, response)
    except _TryAgainError:
        if headers and part.size >= part.about.get("bytes", 0):
            part.discard()  # longer than the whole, or refused: nothing to resume
        raise


def _continue_or_restart(url: str, part: Part, response: Any) -> None:
    """Drops the part unless the answer continues it; notes how long the whole is and its validator."""
    headers: Message = response.headers
    resumed = re.match(r"bytes (\d+)-\d+/(\d+)$", headers.get("Content-Range", ""))
    about = {"url": url, "validator": _validator(headers)}
    if part.size and response.status == http.client.PARTIAL_CONTENT:
        same = about["validator"] in (None, part.about.get("validator"))
        if not (resumed and int(resumed[1]) == part.size and same):
            part.discard()
            raise _TryAgainError("the file on the server changed; starting again", 0.0)
        log.info("%s: resuming at byte %d", url, part.size)
        about = {**about, "validator": part.about.get("validator"), "bytes": int(resumed[2])}
    else:
        if part.size:
            log.warning("%s: the server sends the whole file, or it changed; starting again", url)
            part.discard()
        if (length := headers.get("Content-Length", "")).isdecimal():
            about["bytes"] = int(length)
    part.describe(about)


def _validator(headers: Message) -> str | None:
    """Returns what identifies this version of the file: a strong ETag, else the date."""
    etag = headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")


def _append(url: str, part: Part, response: Any) -> None:
    total = part.about.get("bytes")
    free = shutil.disk_usage(part.path.parent).free
    if total is not None and total - part.size > free:
        raise UserError(
            part.path.parent, f"{free} bytes free, {total - part.size} needed for {url}", "Free space."
        )
    at_start = part.size == 0
    try:
        with open(part.path, "ab") as handle:
            while chunk := response.read(CHUNK_BYTES):
                if at_start and chunk.lstrip().startswith(b"<"):
                    handle.truncate(0)
                    raise UserError(
                        url,
                        f"answers with an HTML or XML page (status {response.status}, starts {chunk[:60]!r})",
                        "Check the URL in a browser.",
                    )
                handle.write(chunk)
                at_start = False
    except BROKEN as fault:
        raise _TryAgainError(f"cut after {part.size} of {total or '?'} bytes") from fault
    if total is not None and part.size < total:
        raise _TryAgainError(f"cut after {part.size} of {total} bytes")
    if total is not None and part.size > total:
        raise _TryAgainError(f"{part.size} bytes arrived, {total} expected")

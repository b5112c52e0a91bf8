"""A headless Chromium for tests of pages: what it loads, says and draws. No package is needed.

It is driven through its DevTools protocol over two pipes (`--remote-debugging-pipe`): JSON messages, each
ended by a zero byte, go in by file descriptor 3 and come out by 4.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no page of a test reaches a network, whatever it asks for
    "--remote-debugging-pipe",
)
ON_PIPES = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4);"
    "os.execv(sys.argv[3], sys.argv[3:])"
)  # in a process of its own: a fork of the tests' process, which has threads, must run no Python
FREE_FD = 10  # the pipes' own numbers begin here, so that 3 and 4 are free
ANSWER_S = 120
PHONE_PX = 600  # narrower windows behave like a phone's
LOCAL = ("file:", "data:", "blob:", "about:")


def find():
    """Returns Chromium's path; without one the test is skipped, and where CI=true it fails."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    reason = f"no Chromium on the PATH (looked for {', '.join(NAMES)})"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class Chromium:
    """One window of a browser that is started with this object and ended by `close`.

    Attributes:
        console: (level, text) of each message of the page and of the browser about it.
        exceptions: text of each exception that nothing caught.
        requests: URL of each request, whether answered, refused or failed.
    """

    def __init__(self):
        self._last, self._buffer = 0, b""
        self._forget()
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        (read_in, self._to), (self._from, write_out) = _pipe(), _pipe()
        try:
            command = [find(), *FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"]
            self._process = subprocess.Popen(
                [sys.executable, "-c", ON_PIPES, str(read_in), str(write_out), *command],
                pass_fds=(read_in, write_out),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            os.close(self._to), os.close(self._from)
            self._profile.cleanup()
            raise
        finally:
            os.close(read_in), os.close(write_out)
        try:
            target = self._call("Target.createTarget", url="about:blank")["targetId"]
            self._session = None
            answer = self._call("Target.attachToTarget", targetId=target, flatten=True)
            self._session = answer["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log"):
                self._call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    _session = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _forget(self):
        self.console, self.exceptions, self.requests, self._loaded = [], [], [], False

    def open(self, path, width=1280, height=900):
        """Loads a file in a window of this size; what earlier pages said and loaded is forgotten."""
        phone = width < PHONE_PX
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self._call("Emulation.setDeviceMetricsOverride", **metrics)
        self._call("Emulation.setTouchEmulationEnabled", enabled=phone)
        self._forget()
        answer = self._call("Page.navigate", url=Path(path).resolve().as_uri())
        assert not answer.get("errorText"), f"{path}: {answer['errorText']}"
        self._until(lambda: self._loaded, f"{path} to load", ANSWER_S)

    def evaluate(self, javascript):
        """Returns the value of an expression, awaited where it is a promise; it must be plain data."""
        options = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        answer = self._call("Runtime.evaluate", expression=javascript, **options)
        if fault := answer.get("exceptionDetails"):
            raise AssertionError(f"{javascript}: {_text_of(fault)}")
        return answer["result"].get("value")

    def wait_for(self, javascript, seconds=60):
        """Waits until an expression is true."""
        self._until(lambda: self.evaluate(javascript), javascript, seconds)

    def click(self, selector):
        """Presses the mouse on the middle of the element, which is moved into view."""
        name = json.dumps(selector)
        place = self.evaluate(
            f"(() => {{const one = document.querySelector({name}); if (!one) return null;"
            'one.scrollIntoView({block: "center", behavior: "instant"});'  # a page's own may be slow
            "const box = one.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        assert place, f"no element {selector}"
        for kind in ("mousePressed", "mouseReleased"):
            event = {"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1}
            self._call("Input.dispatchMouseEvent", **event)

    def media(self, kind):
        """Shows the page as on another medium, such as print; an empty text ends that."""
        self._call("Emulation.setEmulatedMedia", media=kind)

    def screenshot(self, path, whole=False):
        """Writes a PNG of the window, or of the whole page."""
        answer = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **(
            {"clip": self._page_box()} if whole else {}
        ))  # fmt: skip
        Path(path).write_bytes(base64.b64decode(answer["data"]))

    def _page_box(self):
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}

    @property
    def errors(self):
        """Exceptions, and messages of level error."""
        return self.exceptions + [text for level, text in self.console if level == "error"]

    @property
    def foreign_requests(self):
        """URLs that are neither of a file nor inside the page."""
        return [url for url in self.requests if not url.startswith(LOCAL)]

    def _call(self, method, **parameters):
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + ANSWER_S
        while True:
            answer = self._receive(end, method)
            if answer.get("id") == self._last:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def _until(self, is_reached, what, seconds):
        end = time.monotonic() + seconds
        while not is_reached():
            assert time.monotonic() < end, f"waited {seconds} s for {what}; errors: {self.errors}"
            self.evaluate("new Promise(done => setTimeout(done, 50))")

    def _receive(self, end, what):
        """Returns the next message, after noting what it tells."""
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], max(0, end - time.monotonic()))
            assert ready, f"Chromium did not answer {what} within {ANSWER_S} s"
            data = os.read(self._from, 1 << 20)
            assert data, f"Chromium ended (exit status {self._process.poll()}) before it answered {what}"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(line)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, method, told):
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.exceptions.append(_text_of(told["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            words = [str(one.get("value", one.get("description", ""))) for one in told["args"]]
            self.console.append((told["type"], " ".join(words)))
        elif method == "Log.entryAdded":
            self.console.append((told["entry"]["level"], told["entry"]["text"]))

    def close(self):
        """Ends this browser and its own processes, and removes its profile."""
        with suppress(OSError, AssertionError):
            self._session = None
            self._call("Browser.close")
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # the group that was started above
        self._process.wait()
        os.close(self._to), os.close(self._from)
        self._profile.cleanup()


def _pipe():
    ends = os.pipe()
    moved = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, FREE_FD) for end in ends)
    for end in ends:
        os.close(end)
    return moved


def _text_of(fault):
    return fault.get("exception", {}).get("description") or fault.get("text", "")

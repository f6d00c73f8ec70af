"""A page in a real browser, controlled through two pipes by the protocol of Chromium's developer tools.

Used by the tests of pages that run scripts, and by `bench/explorer.py`. Nothing but Chromium is needed.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 120.0  # seconds for one answer, on a machine that is busy


class Page:
    """One page. `value` runs JavaScript in it; `press` and `click` simulate a user."""

    def __init__(self, to: int, back: int):
        self._to, self._back, self._held, self._number, self._session = to, back, b"", 0, ""
        self.requests: list[str] = []
        self.errors: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command, and what it returns. **Raises:** `RuntimeError` for what the browser refuses, `TimeoutError`."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + PATIENCE
        while True:
            found = self._next(until)
            if found.get("id") == self._number:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']}")
                return found["result"]
            self._note(found)

    def _next(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._held:
            if not select.select([self._back], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError("the browser gives no answer")
            self._held += os.read(self._back, 2**20) or _gone()
        first, _, self._held = self._held.partition(b"\0")
        return json.loads(first)

    def _note(self, event: Mapping[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(str(params["exceptionDetails"]))
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.errors.append(params["entry"]["text"])

    def open(self, path: Path) -> None:
        """Load a file, and wait until its scripts have run."""
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")

    def value(self, script: str) -> Any:
        """What an expression gives, as JSON. **Raises:** `RuntimeError` with what the page threw."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(str(found["exceptionDetails"]))
        return found["result"].get("value")

    def wait(self, script: str) -> None:
        """Until an expression is true. **Raises:** `TimeoutError`."""
        until = time.monotonic() + PATIENCE
        while not self.value(script):
            if time.monotonic() > until:
                raise TimeoutError(f"never true: {script}; the page's errors: {self.errors}")
            time.sleep(0.02)

    def press(self, key: str, times: int = 1) -> None:
        """A key such as `ArrowRight`, in whatever has the focus."""
        codes = {"ArrowRight": 39, "ArrowLeft": 37, "End": 35, "Home": 36, "Tab": 9, "Enter": 13}
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key])

    def click(self, selector: str) -> None:
        """The middle of the first element that fits a selector."""
        box = self.value(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)}); one.scrollIntoView({{block: 'center'}});"
            " const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def look(self, *, width: int = 1280, height: int = 900, dark: bool = False, whole: bool = True) -> bytes:
        """A PNG of the page in a window of that size, whole or as far as the window reaches."""
        self.window(width, height, dark=dark)
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(shot["data"])

    def window(self, width: int, height: int, *, dark: bool = False) -> None:
        """The size of the window and the colours that its reader prefers."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])


def _gone() -> bytes:
    raise RuntimeError("the browser has ended")


@contextmanager
def page(*flags: str) -> Iterator[Page]:
    """A context with a page in a headless browser, which is closed at the end. **Raises:** `RuntimeError` without a browser."""
    if BROWSER is None:
        raise RuntimeError("Chromium must be on the path")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        theirs_in, to = os.pipe()
        back, theirs_out = os.pipe()
        command = [BROWSER, "--headless=new", "--no-sandbox", "--remote-debugging-pipe", f"--user-data-dir={folder}", *flags]
        process = _started(command, theirs_in, theirs_out)
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield Page(to, back)
        finally:
            os.close(to)
            os.close(back)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with what it has started
            process.wait()


def _started(command: Sequence[str], reads: int, writes: int) -> subprocess.Popen:
    """Start the browser. It expects its pipes as file descriptors 3 and 4, to which a shell moves them from other numbers."""
    high = [fcntl.fcntl(one, fcntl.F_DUPFD, 10) for one in (reads, writes)]
    try:
        return subprocess.Popen(
            ["bash", "-c", f'exec 3<&{high[0]} 4>&{high[1]}; exec "$@"', "bash", *command],
            pass_fds=high,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    finally:
        for one in high:
            os.close(one)

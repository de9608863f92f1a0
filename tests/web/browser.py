"""Headless Chromium for tests: open a page, inspect it, click, wait.

    async with Browser() as browser:
        page = await browser.open("http://127.0.0.1:8000/docs")
        await page.click("#show")
        await page.until("document.querySelectorAll('.seat').length === 50")

Expressions are JavaScript and see the page's globals, including those that its scripts declare with `let` or
`const`. `browser_install` chooses the browser; it only connects to the test's own servers.
"""

import asyncio
import base64
import json
import os
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections import deque
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.processes import end
from tests.web.browser_install import VARIABLE, installed_chromium
from tests.web.devtools import DevTools, DevToolsError
from tests.web.inspected import Inspected, ScriptError

START_SECONDS = 120.0
STOP_SECONDS = 10.0
LOAD_SECONDS = 60.0
CONSOLE_LINES = 1000
"""Number of console messages that are kept per page: the latest."""

_POLL_SECONDS = 0.02
_SWITCHES = (
    "--headless",
    # Tests may run as root, where Chromium's sandbox does not work; the pages are our own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    # No background requests, and no throttled timers in pages without focus.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--disable-background-timer-throttling",
    # Pages with the test's own content (`Browser.open`) have no network address that Chromium could check
    # before it allows a WebSocket to loopback.
    "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
    "--remote-debugging-port=0",
)


class PageError(Exception):
    """A page could not be loaded, or an element does not exist."""


class ConsoleMessage(NamedTuple):
    """A console message of a page.

    Attributes:
        level: the method of `console`, e.g. "log"; "exception" for an uncaught exception.
        text: its arguments, joined by spaces.
    """

    level: str
    text: str


class Browser:
    """A browser with its own profile, as a context manager that removes both at the end.

    Args:
        redirected: host:port to connect to by host:port in URLs, for pages with hard-coded addresses.
    """

    def __init__(self, redirected: Mapping[str, str] | None = None) -> None:
        self._redirected = redirected or {}
        self._devtools: DevTools
        self._owned = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as owned:
            profile = Path(
                owned.enter_context(
                    tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
                )
            )
            process = await _launch(profile, self._redirected)
            owned.push_async_callback(end, process, STOP_SECONDS)
            self._devtools = await owned.enter_async_context(DevTools(await _address(process, profile)))
            self._owned = owned.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._owned.aclose()

    async def open(self, url: str, html: str | None = None) -> "Page":
        """Open a page in a new tab and wait until it is loaded.

        Args:
            url: its URL.
            html: its content, instead of the server's response. The page still has the origin of the URL.

        Raises:
            PageError: it could not be loaded.
        """
        target = await self._devtools.send("Target.createTarget", url="about:blank")
        attached = await self._devtools.send(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        page = Page(self._devtools, target["targetId"], attached["sessionId"])
        await page.load(url, html)
        return page


class Page(Inspected):
    """A tab.

    Args:
        devtools: the browser.
        target: the tab's id.
        session: id that marks the browser's messages about the tab.

    Attributes:
        console: console messages and uncaught exceptions, oldest first.
    """

    def __init__(self, devtools: DevTools, target: str, session: str) -> None:
        self._devtools = devtools
        self._target = target
        self._session = session
        self._loaded = asyncio.Event()
        self._requests: asyncio.Queue[str] = asyncio.Queue()
        self.console: deque[ConsoleMessage] = deque(maxlen=CONSOLE_LINES)
        devtools.listen(session, self._take_event)

    @property
    def errors(self) -> list[str]:
        """Uncaught exceptions and messages of level error."""
        return [said.text for said in self.console if said.level in ("exception", "error")]

    async def load(self, url: str, html: str | None = None) -> None:
        """Go to a URL and wait until it is loaded, as `Browser.open` does.

        Raises:
            PageError: it could not be loaded.
        """
        await self._send("Page.enable")
        await self._send("Runtime.enable")
        self._loaded.clear()
        navigating = self._send("Page.navigate", url=url)
        async with asyncio.timeout(LOAD_SECONDS):
            if html is None:
                navigated = await navigating
            else:
                await self._send("Fetch.enable", patterns=[{"resourceType": "Document"}])
                navigated, _ = await asyncio.gather(navigating, self._stand_in(html))
                await self._send("Fetch.disable")
            if "errorText" in navigated:
                raise PageError(f"{url}: {navigated['errorText']}")
            await self._loaded.wait()

    async def evaluate(self, expression: str) -> Any:
        """See `Inspected`."""
        result = await self._send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in result:
            raise ScriptError(_thrown(result["exceptionDetails"]))
        return result["result"].get("value")

    @property
    def said(self) -> str:
        """Return the console messages, one per line."""
        return "\n".join(f"{level}: {text}" for level, text in self.console)

    async def click(self, selector: str) -> None:
        """Click in the middle of the first element that matches a CSS selector, with the mouse.

        Raises:
            PageError: no element matches.
        """
        middle = await self.evaluate(
            f"(() => {{ const element = document.querySelector({json.dumps(selector)});"
            " if (!element) return null;"
            " element.scrollIntoView({ block: 'center', behavior: 'instant' });"
            " const box = element.getBoundingClientRect();"
            " return { x: box.x + box.width / 2, y: box.y + box.height / 2 }; })()"
        )
        if middle is None:
            raise PageError(f"no element {selector}")
        for kind in ("mousePressed", "mouseReleased"):
            await self._send("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **middle)

    async def close(self) -> None:
        """Close the tab."""
        self._devtools.forget(self._session)
        await self._devtools.send("Target.closeTarget", targetId=self._target)

    async def _send(self, method: str, **parameters: Any) -> dict[str, Any]:
        return await self._devtools.send(method, self._session, **parameters)

    async def _stand_in(self, html: str) -> None:
        """Answer the request for the document instead of the server."""
        await self._send(
            "Fetch.fulfillRequest",
            requestId=await self._requests.get(),
            responseCode=200,
            responseHeaders=[{"name": "Content-Type", "value": "text/html; charset=utf-8"}],
            body=base64.b64encode(html.encode()).decode(),
        )

    def _take_event(self, method: str, parameters: dict[str, Any]) -> None:
        match method:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Fetch.requestPaused":
                self._requests.put_nowait(parameters["requestId"])
            case "Runtime.consoleAPICalled":
                text = " ".join(map(_shown, parameters["args"]))
                self.console.append(ConsoleMessage(parameters["type"], text))
            case "Runtime.exceptionThrown":
                self.console.append(ConsoleMessage("exception", _thrown(parameters["exceptionDetails"])))


def _shown(value: dict[str, Any]) -> str:
    """Format a JavaScript value (`Runtime.RemoteObject`) like the console."""
    return str(value["value"]) if "value" in value else value.get("description", value["type"])


def _thrown(details: dict[str, Any]) -> str:
    return _shown(details["exception"]) if "exception" in details else details["text"]


def _executable() -> tuple[Path, dict[str, str]]:
    """Return the program and the variables it needs."""
    if named := os.environ.get(VARIABLE):
        return Path(named), {}
    folder = installed_chromium()
    assert folder.exists(), (
        f"The browser of the tests is not installed. `make browser` installs it, or "
        f"`{sys.executable} -m tests.web.browser_install`; or set {VARIABLE} to the path of a Chromium."
    )
    libraries, fonts = folder / "al2023" / "lib", folder / "fonts"
    return folder / "chromium", {"LD_LIBRARY_PATH": str(libraries), "FONTCONFIG_PATH": str(fonts)}


async def _launch(profile: Path, redirected: Mapping[str, str]) -> Process:
    program, variables = _executable()
    rules = ",".join(f"MAP {address} {elsewhere}" for address, elsewhere in redirected.items())
    with (profile / "log").open("wb") as log:
        return await asyncio.create_subprocess_exec(
            program,
            *_SWITCHES,
            f"--user-data-dir={profile}",
            f"--host-resolver-rules={rules}",
            "about:blank",
            env={**os.environ, "HOME": str(profile), **variables},
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
        )


async def _address(process: Process, profile: Path) -> str:
    """Return the browser's DevTools URL, which it writes into its profile."""
    file = profile / "DevToolsActivePort"
    async with asyncio.timeout(START_SECONDS):
        while not (file.exists() and file.read_text().count("\n") == 1):
            if process.returncode is not None:
                raise DevToolsError(f"the browser did not start:\n{(profile / 'log').read_text()}")
            await asyncio.sleep(_POLL_SECONDS)
    port, path = file.read_text().splitlines()
    return f"ws://127.0.0.1:{port}{path}"

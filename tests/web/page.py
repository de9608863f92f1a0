"""A page in the tests' browser: found and acted on by what a user perceives, roles and accessible names.

Everything waits until it is possible, at most `PATIENCE_SECONDS`, so tests need no pauses. Expressions are
JavaScript and see the page's globals, including those that its scripts declare with `let` or `const`.
"""

import asyncio
import base64
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tests.web.axe import violations_in
from tests.web.devtools import DevTools, DevToolsError
from tests.web.inspected import Inspected, ScriptError
from tests.web.keys import key_events

LOAD_SECONDS = 60.0
PATIENCE_SECONDS = 60.0
CONSOLE_LINES = 1000
"""Number of console messages that are kept per page: the latest."""

_POLL_SECONDS = 0.02
# The text that a page shows, also in shadow roots, which innerText leaves out.
_TEXT = """
(() => {
  const roots = [document.body];
  const texts = [];
  for (const root of roots) {
    texts.push(root.innerText ?? [...root.children].map((child) => child.innerText ?? '').join('\\n'));
    for (const element of root.querySelectorAll('*')) if (element.shadowRoot) roots.push(element.shadowRoot);
  }
  return texts.join('\\n').replace(/\\s+/g, ' ');
})()
"""
# Point at which a click would reach an element: its middle (of its first line), once it stays where it is.
# Null if something else covers it.
_MIDDLE = """
async function () {
  const place = () => {
    const box = this.getClientRects()[0];
    return box ? [box.x + box.width / 2, box.y + box.height / 2] : [-1, -1];
  };
  const before = place();
  const frame = () => new Promise((resolve) => { requestAnimationFrame(resolve); setTimeout(resolve, 200); });
  await frame();
  await frame();
  const [x, y] = place();
  if (before[0] !== x || before[1] !== y) return null;
  let hit = document.elementFromPoint(x, y);
  while (hit?.shadowRoot) {
    const inner = hit.shadowRoot.elementFromPoint(x, y);
    if (!inner || inner === hit) break;
    hit = inner;
  }
  for (let node = hit; node; node = node.parentNode ?? node.host) {
    if (node === this || node.control === this) return [x, y];
  }
  return null;
}
"""
# True if no animation runs that will end: contrasts are wrong in the middle of one.
_STILL = """
(() => {
  const roots = [document];
  for (const root of roots)
    for (const element of root.querySelectorAll('*')) if (element.shadowRoot) roots.push(element.shadowRoot);
  return roots.flatMap((root) => root.getAnimations())
    .every((one) => one.playState !== 'running' || one.effect?.getTiming().iterations === Infinity);
})()
"""
_FOCUSED = """
(() => {
  let element = document.activeElement;
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  return element;
})()
"""

Name = str | re.Pattern[str]
T = TypeVar("T")


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


class Element(NamedTuple):
    """An element as the accessibility tree has it.

    Attributes:
        role, name, description: as a screen reader is told.
        properties: e.g. "disabled", "focused", "checked".
        node: its id in the browser.
    """

    role: str
    name: str
    description: str
    properties: dict[str, Any]
    node: int


class Page(Inspected):
    """A tab.

    Args:
        devtools: the browser.
        target: the tab's id.
        session: id that marks the browser's messages about the tab.
        pictures: folder for pictures; None if it takes none.

    Attributes:
        console: console messages and uncaught exceptions, oldest first.
    """

    def __init__(self, devtools: DevTools, target: str, session: str, pictures: Path | None = None) -> None:
        self._devtools = devtools
        self._target = target
        self._session = session
        self._pictures = pictures
        self._loaded = asyncio.Event()
        self._stand_ins: dict[str, dict[str, Any]] = {}
        self._intercepted: set[str] = set()
        self._answering: set[asyncio.Task[None]] = set()
        self._reported: list[str] = []
        self._allowed: list[str] = []
        self.console: deque[ConsoleMessage] = deque(maxlen=CONSOLE_LINES)
        devtools.listen(session, self._take_event)

    # Faults of the page

    @property
    def errors(self) -> list[str]:
        """Uncaught exceptions and messages of level error."""
        return [said.text for said in self.console if said.level in ("exception", "error")]

    @property
    def troubles(self) -> list[str]:
        """Errors in the console, failed requests and violations of the policy that are not allowed."""
        return [
            trouble
            for trouble in (*self.errors, *self._reported)
            if not any(re.search(pattern, trouble) for pattern in self._allowed)
        ]

    def allow(self, pattern: str) -> None:
        """Expect troubles that match a regular expression, e.g. "status of 409"."""
        self._allowed.append(pattern)

    @property
    def said(self) -> str:
        """Return the console messages, one per line."""
        return "\n".join([*(f"{level}: {text}" for level, text in self.console), *self._reported])

    # Loading.

    async def load(self, url: str, html: str | None = None) -> None:
        """Go to a URL and wait until it is loaded, as `Browser.open` does.

        Raises:
            PageError: it could not be loaded.
        """
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.send(f"{domain}.enable")
        # Every page believes that it has the focus, however many there are.
        await self.send("Emulation.setFocusEmulationEnabled", enabled=True)
        self._loaded.clear()
        async with asyncio.timeout(LOAD_SECONDS):
            if html is None:
                navigated = await self.send("Page.navigate", url=url)
            else:
                async with self.answering(url, 200, html, "text/html; charset=utf-8"):
                    navigated = await self.send("Page.navigate", url=url)
            if "errorText" in navigated:
                raise PageError(f"{url}: {navigated['errorText']}")
            await self._loaded.wait()

    async def reload(self) -> None:
        """Load the page again and wait until it is loaded."""
        self._loaded.clear()
        await self.send("Page.reload")
        async with asyncio.timeout(LOAD_SECONDS):
            await self._loaded.wait()

    async def at(self, path: str) -> None:
        """Wait until the page has a path (and query, if `path` has one)."""
        part = "location.pathname + location.search" if "?" in path else "location.pathname"
        await self.until(f"{part} === {json.dumps(path)}", PATIENCE_SECONDS)

    async def close(self) -> None:
        """Close the tab."""
        self._devtools.forget(self._session)
        await self._devtools.send("Target.closeTarget", targetId=self._target)

    # Looking.

    async def evaluate(self, expression: str) -> Any:
        """See `Inspected`."""
        result = await self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in result:
            raise ScriptError(_thrown(result["exceptionDetails"]))
        return result["result"].get("value")

    async def text(self) -> str:
        """The text that the page shows, also in shadow roots, with single spaces."""
        return str(await self.evaluate(_TEXT))

    async def shows(self, text: str) -> None:
        """Wait until the page shows a text."""

        async def shown() -> bool | None:
            return text in await self.text() or None

        await self._eventually(shown, f"{text!r} is not shown")

    async def hides(self, text: str) -> None:
        """Wait until the page does not show a text any more."""

        async def hidden() -> bool | None:
            return text not in await self.text() or None

        await self._eventually(hidden, f"{text!r} is still shown")

    async def all(self, role: str, name: Name | None = None) -> list[Element]:
        """The elements with a role, and with a name that is equal or matches a pattern, in their order."""
        document = await self.send("Runtime.evaluate", expression="document")
        given = {"accessibleName": name} if isinstance(name, str) else {}
        found = await self.send(
            "Accessibility.queryAXTree", objectId=document["result"]["objectId"], role=role, **given
        )
        elements = [_element(node) for node in found["nodes"] if not node["ignored"]]
        return [
            element for element in elements if not isinstance(name, re.Pattern) or name.search(element.name)
        ]

    async def find(self, role: str, name: Name) -> Element:
        """Wait until exactly one element has a role and a name.

        Raises:
            PageError: there is none, or there are several.
        """

        async def only() -> Element | None:
            found = await self.all(role, name)
            return found[0] if len(found) == 1 else None

        return await self._eventually(only, f"no single {role} {name!r}")

    async def focused(self) -> str:
        """Role and name of the element that has the keyboard focus, e.g. "button Buy"."""
        active = await self.send("Runtime.evaluate", expression=_FOCUSED)
        tree = await self.send(
            "Accessibility.getPartialAXTree", objectId=active["result"]["objectId"], fetchRelatives=False
        )
        element = _element(tree["nodes"][0])
        return f"{element.role} {element.name}".strip()

    async def accessibility_violations(self) -> list[str]:
        """Return axe-core's findings once nothing moves: one line per rule and element."""
        await self.until(_STILL, PATIENCE_SECONDS)
        return await violations_in(self)

    async def picture(self, name: str) -> Path:
        """Take a picture of the page as it is now, NAME.png in the folder of pictures."""
        assert self._pictures is not None, "Give the browser a folder for pictures."
        self._pictures.mkdir(parents=True, exist_ok=True)
        file = self._pictures / f"{name}.png"
        file.write_bytes(await self.screenshot())
        return file

    async def screenshot(self) -> bytes:
        """The page as it is now, as a PNG."""
        taken = await self.send("Page.captureScreenshot", format="png")
        return base64.b64decode(taken["data"])

    # Acting.

    async def click_on(self, role: str, name: Name) -> None:
        """Click on the element with a role and a name, once it is enabled and nothing covers it.

        Raises:
            PageError: that does not become possible.
        """
        await self.click_at(*await self.middle_of(role, name))

    async def middle_of(self, role: str, name: Name) -> tuple[float, float]:
        """Return the point at which to click an element, once it is enabled and nothing covers it.

        Raises:
            PageError: that does not become possible.
        """

        async def middle() -> tuple[float, float] | None:
            found = await self.all(role, name)
            if len(found) != 1 or found[0].properties.get("disabled"):
                return None
            return await self._clickable(found[0].node)

        return await self._eventually(middle, f"cannot click on {role} {name!r}")

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
            " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        if middle is None:
            raise PageError(f"no element {selector}")
        await self.click_at(*middle)

    async def click_at(self, x: float, y: float) -> None:
        """Click at a point of the window, in CSS pixels."""
        await self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            await self.send("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, x=x, y=y)

    async def fill(self, name: Name, text: str, role: str = "textbox") -> None:
        """Replace the text of a field, as if typed.

        Args:
            name: its label.
            text: the new text.
            role: "textbox", "searchbox", "spinbutton" or "combobox".
        """
        field = await self.find(role, name)
        await self.send("DOM.focus", backendNodeId=field.node)
        await self.press("a", "Control")
        await self.press("Backspace")
        await self.send("Input.insertText", text=text)

    async def press(self, key: str, *modifiers: str) -> None:
        """Press and release a key: a character, or a name such as "Enter", "Tab", "ArrowLeft".

        Args:
            key: the key.
            modifiers: of "Alt", "Control", "Meta", "Shift".
        """
        for event in key_events(key, modifiers):
            await self.send("Input.dispatchKeyEvent", **event)

    # Circumstances.

    async def resize(self, width: int, height: int, *, scale: float = 1, touch: bool = False) -> None:
        """Set the size of the window in CSS pixels, and whether it is touched."""
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=touch,
        )
        await self.send("Emulation.setTouchEmulationEnabled", enabled=touch)

    async def prefer(self, **features: str) -> None:
        """Set what the user prefers, e.g. `color_scheme="dark", reduced_motion="reduce"`."""
        listed = [
            {"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()
        ]
        await self.send("Emulation.setEmulatedMedia", features=listed)

    async def go_offline(self, offline: bool = True) -> None:
        """Take the network away from the page, or give it back. Allows the failed requests that follow."""
        self.allow("net::ERR_INTERNET_DISCONNECTED")
        await self._network(offline, 0)

    async def delay_responses(self, seconds: float) -> None:
        """Let each response take at least some seconds."""
        await self._network(False, seconds * 1000)

    async def _network(self, offline: bool, latency: float) -> None:
        await self.send(
            "Network.emulateNetworkConditions",
            offline=offline,
            latency=latency,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )

    @asynccontextmanager
    async def answering(
        self, url: str, status: int, body: str = "", media_type: str = "application/json"
    ) -> AsyncIterator[None]:
        """Answer requests instead of the server, e.g. with a status of 500.

        Args:
            url: of the requests; `*` stands for any characters.
            status: of the answers; the page's trouble with it is allowed.
            body: their content.
            media_type: its type.
        """
        self.allow(f"status of {status}")
        self._stand_ins[url] = {
            "responseCode": status,
            "responseHeaders": [{"name": "Content-Type", "value": media_type}],
            "body": base64.b64encode(body.encode()).decode(),
        }
        self._intercepted.add(url)
        patterns = [{"urlPattern": pattern} for pattern in self._intercepted]
        await self.send("Fetch.enable", patterns=patterns)
        try:
            yield
        finally:
            # Requests go on being intercepted: Chromium can lose one that is on its way to us when that ends.
            del self._stand_ins[url]

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a DevTools command for this page and return its result."""
        return await self._devtools.send(method, self._session, **parameters)

    # Within.

    async def _eventually(self, attempt: Callable[[], Awaitable[T | None]], failure: str) -> T:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    try:
                        result = await attempt()
                    except (DevToolsError, ScriptError):
                        # An element was replaced between two commands, or the whole page.
                        result = None
                    if result is not None:
                        return result
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            shown = await self.text()
            raise PageError(f"{failure}; the page shows: {shown[:1000]}\n{self.said}") from None

    async def _clickable(self, node: int) -> tuple[float, float] | None:
        """The middle of an element, if it does not move and a click there reaches it."""
        await self.send("DOM.scrollIntoViewIfNeeded", backendNodeId=node)
        resolved = await self.send("DOM.resolveNode", backendNodeId=node)
        middle = await self.send(
            "Runtime.callFunctionOn",
            objectId=resolved["object"]["objectId"],
            functionDeclaration=_MIDDLE,
            awaitPromise=True,
            returnByValue=True,
        )
        point: list[float] | None = middle["result"].get("value")
        return (point[0], point[1]) if point else None

    async def _answer(self, request_id: str, url: str) -> None:
        """Answer an intercepted request; newer stand-ins take precedence."""
        for pattern, answer in reversed(self._stand_ins.items()):
            if re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), url):
                await self.send("Fetch.fulfillRequest", requestId=request_id, **answer)
                return
        await self.send("Fetch.continueRequest", requestId=request_id)

    def _take_event(self, method: str, parameters: dict[str, Any]) -> None:
        match method:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Fetch.requestPaused":
                answering = self._answer(parameters["requestId"], parameters["request"]["url"])
                task = asyncio.create_task(answering)
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
            case "Runtime.consoleAPICalled":
                text = " ".join(map(_shown, parameters["args"]))
                self.console.append(ConsoleMessage(parameters["type"], text))
            case "Runtime.exceptionThrown":
                self.console.append(ConsoleMessage("exception", _thrown(parameters["exceptionDetails"])))
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                entry = parameters["entry"]
                self._reported.append(f"{entry['text']} {entry.get('url', '')}".strip())


def _element(node: dict[str, Any]) -> Element:
    def value(name: str) -> str:
        return str(node.get(name, {}).get("value", ""))

    properties = {entry["name"]: entry["value"].get("value") for entry in node.get("properties", [])}
    return Element(
        value("role"), value("name"), value("description"), properties, node.get("backendDOMNodeId", 0)
    )


def _shown(value: dict[str, Any]) -> str:
    """Format a JavaScript value (`Runtime.RemoteObject`) like the console."""
    return str(value["value"]) if "value" in value else value.get("description", value["type"])


def _thrown(details: dict[str, Any]) -> str:
    return _shown(details["exception"]) if "exception" in details else details["text"]

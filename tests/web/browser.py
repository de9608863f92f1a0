"""Headless Chromium for tests: open pages, act in them as users do, wait for what they show.

    async def test_a_film_leads_to_its_halls(browser: Browser, house: House) -> None:
        page = await browser.open(f"{house.base_url}/")
        await page.click_on("link", "Brass and Thunder")
        await page.shows("Choose a time")

The fixture `browser` checks at the end of each test that no page has had trouble (`Page.troubles`). A browser
of one's own is `async with Browser() as browser`.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.web.chromium_process import running_chromium
from tests.web.devtools import DevTools
from tests.web.page import Page, PageError

__all__ = ["PICTURES", "Browser", "Page", "PageError"]

PICTURES = "FRONTROW_TEST_PICTURES"
"""Variable with the folder in which to keep the pictures that tests take."""


class Browser:
    """A browser, as a context manager that closes its pages at the end.

    Args:
        redirected: host:port to connect to by host:port in URLs, for pages with hard-coded addresses.
        address: DevTools URL of a running browser to share; by default, this one is started and ended.
        pictures: folder for pictures, if the environment names none.

    Attributes:
        pages: the pages that have been opened.
    """

    def __init__(
        self,
        redirected: Mapping[str, str] | None = None,
        *,
        address: str | None = None,
        pictures: Path | None = None,
    ) -> None:
        self._redirected = redirected
        self._address = address
        chosen = os.environ.get(PICTURES)
        self._pictures = Path(chosen) if chosen else pictures
        self._devtools: DevTools
        self._owned = AsyncExitStack()
        self._context: str
        self.pages: list[Page] = []

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as owned:
            address = self._address or await _start(owned, self._redirected)
            self._devtools = await owned.enter_async_context(DevTools(address))
            self._context = await self._new_context(owned)
            self._owned = owned.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._owned.aclose()

    async def open(self, url: str, html: str | None = None, *, apart: bool = False) -> Page:
        """Open a page in a new tab and wait until it is loaded.

        Args:
            url: its URL.
            html: its content, instead of the server's response. The page still has the origin of the URL.
            apart: whether it shares no storage with other pages, as a page of somebody else.

        Raises:
            PageError: it could not be loaded.
        """
        context = await self._new_context(self._owned) if apart else self._context
        target = await self._send("Target.createTarget", url="about:blank", browserContextId=context)
        attached = await self._send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = Page(self._devtools, target["targetId"], attached["sessionId"], self._pictures)
        self.pages.append(page)
        await page.load(url, html)
        return page

    @property
    def troubles(self) -> list[str]:
        """The troubles of all pages."""
        return [trouble for page in self.pages for trouble in page.troubles]

    async def _send(self, method: str, **parameters: Any) -> dict[str, Any]:
        return await self._devtools.send(method, **parameters)

    async def _new_context(self, owned: AsyncExitStack) -> str:
        """A profile without anything stored; removed at the end with all its tabs."""
        created = await self._send("Target.createBrowserContext")
        context: str = created["browserContextId"]
        owned.push_async_callback(self._send, "Target.disposeBrowserContext", browserContextId=context)
        return context


async def _start(owned: AsyncExitStack, redirected: Mapping[str, str] | None) -> str:
    process = running_chromium(redirected)
    address = await asyncio.to_thread(process.__enter__)
    owned.push_async_callback(asyncio.to_thread, process.__exit__, None, None, None)
    return address

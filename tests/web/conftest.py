"""Runs the client in Node and in Chromium, with the guides' cinema as the server."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from tornado.ioloop import IOLoop

from tests.api.venue import Venue
from tests.contracts.guide_cinema import GuideCinema
from tests.house import House
from tests.inbox import Inbox
from tests.web.browser import Browser
from tests.web.chromium_process import running_chromium
from tests.web.demo_house import DemoHouse
from tests.web.inspected import Inspected
from tests.web.node import SCRIPTS, NodeTab

_TROUBLES = pytest.StashKey[list[str]]()

OpenTab = Callable[[str], AbstractAsyncContextManager[Inspected]]

_PAGE = f"""
<!DOCTYPE html>
<title>Seats</title>
<script type="module">
import * as frontrow from '/client/index.js';
globalThis.frontrow = frontrow;
{(SCRIPTS / "actions.mjs").read_text()}
</script>
"""


@asynccontextmanager
async def in_node(url: str) -> AsyncIterator[Inspected]:
    """A Node process with the client's files."""
    async with NodeTab() as tab:
        yield tab


@asynccontextmanager
async def in_chromium(chromium: str, url: str) -> AsyncIterator[Inspected]:
    """A page of the server in a running browser, with the client that the server serves."""
    async with Browser(address=chromium) as browser:
        page = await browser.open(f"{url}/", html=_PAGE)
        yield page
        assert page.errors == []


@pytest.fixture(scope="session")
def chromium() -> Iterator[str]:
    """The DevTools URL of a browser that all tests of a process share."""
    with running_chromium() as address:
        yield address


@pytest.fixture
def browser(
    request: pytest.FixtureRequest, chromium: str, tmp_path: Path, io_loop: IOLoop
) -> Iterator[Browser]:
    """The shared browser, without anything stored. At the end no page may have had trouble (`Page.allow`)."""
    browser = Browser(address=chromium, pictures=tmp_path / "pictures")
    io_loop.run_sync(browser.__aenter__)
    yield browser
    io_loop.run_sync(partial(browser.__aexit__, None, None, None))
    assert request.node.stash[_TROUBLES] == []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Function) -> None:
    """Look for troubles before any server ends: its pages may be in trouble then."""
    if isinstance(browser := item.funcargs.get("browser"), Browser):
        item.stash[_TROUBLES] = browser.troubles


@pytest.fixture
def house(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[House]:
    """The real server with a database of its own."""
    house = House(database_url, tmp_path)
    io_loop.run_sync(house.open)
    yield house
    io_loop.run_sync(house.close)


@pytest.fixture
def demo(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[DemoHouse]:
    """The real server with what the demo has."""
    house = DemoHouse(database_url, tmp_path)
    io_loop.run_sync(house.open)
    yield house
    io_loop.run_sync(house.close)


@pytest.fixture
def shop(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path, inbox: Inbox, io_loop: IOLoop
) -> Iterator[DemoHouse]:
    """The demo's server, under a path prefix, sending mail to the inbox, with a test payment unless told."""
    house = DemoHouse(
        database_url,
        tmp_path,
        smtp_url=inbox.url,
        path_prefix="/tickets",
        guest_purchase=True,
        test_payment=getattr(request, "param", True),
    )
    io_loop.run_sync(house.open)
    yield house
    io_loop.run_sync(house.close)


@pytest.fixture(params=["node", "chromium"])
def open_tab(request: pytest.FixtureRequest) -> OpenTab:
    """Opens a tab of a server, in Node and Chromium in turn."""
    return in_node if request.param == "node" else partial(in_chromium, request.getfixturevalue("chromium"))


@pytest.fixture
def cinema(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[GuideCinema]:
    """The cinema of the guides, on the real server."""
    cinema = GuideCinema(database_url, tmp_path)
    io_loop.run_sync(cinema.open)
    yield cinema
    io_loop.run_sync(cinema.close)


@pytest.fixture
def venue(io_loop: IOLoop) -> Iterator[Venue]:
    """The REST API without a database."""

    async def start() -> Venue:
        return Venue()

    venue = io_loop.run_sync(start)
    yield venue
    io_loop.run_sync(venue.close)

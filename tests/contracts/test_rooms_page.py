"""The rooms guide's test page, verbatim, in a browser.

The page connects to port 8001, which the browser redirects to the test's server.
"""

from pathlib import Path

import pytest

from tests.contracts.conftest import OpenCinema
from tests.contracts.shapes import assert_shows
from tests.web.browser import Browser

PAGE = Path(__file__).parent / "js" / "rooms_test_client.html"
ADDRESS_IN_THE_PAGE = "localhost:8001"
ROOM = "test_room"
MALICE = "<img src=x onerror=\"document.title = 'harm'\">Eva<script>document.title = 'harm'</script>"


def painted(seat: str, state: str) -> str:
    return f"document.getElementById('seat_{seat}').className === 'seat {state}'"


@pytest.mark.gen_test(timeout=180)
async def test_the_guides_test_page_works_as_written(open_cinema: OpenCinema) -> None:
    cinema = await open_cinema()
    at = {ADDRESS_IN_THE_PAGE: cinema.base_url.removeprefix("http://")}
    async with Browser(at) as browser, cinema.room_client("eva") as eva:
        page = await browser.open(f"http://{ADDRESS_IN_THE_PAGE}/", html=PAGE.read_text())
        await eva.join(ROOM)
        await page.click("button[onclick='connect()']")
        await page.until("document.getElementById('status').textContent === 'Conectado'")
        await page.until("document.getElementById('logs').textContent.includes('Unido a sala: test_room')")

        await page.click("#seat_B3")
        await page.until(painted("B3", "selected"))
        received = await eva.next_message()
        assert_shows(received, {"type": "seat_selected", "seat_id": "B3", "user_info": {"name": "Test User"}})
        assert received["client_id"].startswith("test_")

        await eva.select("C4", ROOM, name=MALICE)
        await page.until(painted("C4", "selected"))
        await eva.release("C4", ROOM)
        await page.until(painted("C4", "available"))
        # The page inserts messages into its HTML.
        assert await page.evaluate("document.querySelectorAll('#logs img, #logs script').length") == 0
        assert await page.evaluate("document.title") == "WebSocket Test Client"

        await page.click("button[onclick='disconnect()']")
        await page.until("document.getElementById('status').textContent === 'Desconectado'")
        assert page.errors == []

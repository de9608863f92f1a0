"""Halls for tests of the web component, and pages of another site's kind that show them."""

from typing import Any

from frontrow.demo import hall_with_aisles
from tests.catalogue.programme import make_room, make_screening
from tests.house import House
from tests.web.browser import Browser
from tests.web.page import Page


def page_with_hall(attributes: str, server: str = "") -> str:
    """The HTML of a page that embeds the component, with the strictest policy that admits it.

    Args:
        attributes: of the component.
        server: origin of the server, if it is not the page's.
    """
    source = server or "'self'"
    policy = f"default-src 'none'; script-src {source}; connect-src {source}"
    if server:
        policy += f" {server.replace('http', 'ws', 1)}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><title>A hall</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<script type="module" src="{server}/client/frontrow-seats.js"></script>
</head>
<body><main><h1>A hall</h1><frontrow-seats {attributes}></frontrow-seats></main></body>
</html>"""


async def demo_screening(house: House) -> tuple[int, list[dict[str, Any]]]:
    """Create a screening in a hall like the demo's. Returns its id and the seats."""
    room_id = await make_room(house)
    plan = [
        {"row_label": row, "seat_number": number, "seat_type": kind, "x": x, "y": y}
        for row, number, kind, x, y in hall_with_aisles(12, (5, 10, 5))
    ]
    made = await house.admin.send("POST", f"/api/v1/rooms/{room_id}/seats/bulk", {"seats": plan})
    assert made.status == 201, made.body
    return await make_screening(house, room_id), made.json


async def open_hall(
    browser: Browser,
    house: House,
    screening: int,
    user_id: int | None = None,
    *,
    base_url: str = "",
    site: str = "",
    before: str = "",
) -> Page:
    """Open a page with a hall, and wait until its seats are known.

    Args:
        browser: opens it.
        house: the server.
        screening: what to show.
        user_id: whose page it is; None for a guest.
        base_url: where the browser finds the server, if not directly.
        site: URL of the page, if it is on another site.
        before: JavaScript to run before the page's own.
    """
    server = base_url or house.base_url
    attributes = f'screening="{screening}"'
    if user_id is not None:
        attributes += f' token="{house.token(user_id)}"'
    if not site:
        # By default it is the server of the script.
        attributes += f' server="{server}"'
    page = await browser.open("about:blank", apart=True)
    await page.send("Page.addScriptToEvaluateOnNewDocument", source=before)
    await page.load(site or f"{server}/", page_with_hall(attributes, server if site else ""))
    await page.evaluate(_RECORD)
    await page.until("hall.connection === 'live' && hall.seats.length > 0")
    return page


def status_of(row: str, number: int) -> str:
    """JavaScript for the status of a seat."""
    return f"hall.seats.find((seat) => seat.row === '{row}' && seat.number === {number}).status"


def chosen(*seats: str) -> str:
    """JavaScript that is true if the cart has just these seats, such as "C8"."""
    return (
        f"hall.cart.seats.map((seat) => seat.row + seat.number).sort().join() === '{','.join(sorted(seats))}'"
    )


def heard(name: str) -> str:
    """JavaScript for the details of all events of a name."""
    return f"heard.filter(([type]) => type === '{name}').map(([, detail]) => detail)"


_EVENTS = (
    "ready selection hold release expiry offered free booked conflict warning sales checkout connection "
    "unauthorized error"
)
_RECORD = f"""
(() => {{
  globalThis.hall = document.querySelector('frontrow-seats');
  globalThis.heard = [];
  for (const name of '{_EVENTS}'.split(' '))
    hall.addEventListener(name, (event) => heard.push([name, event.detail]));
}})()
"""

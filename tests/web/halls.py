"""Halls for tests of the web component, and pages of another site's kind that show them."""

from typing import Any

from frontrow.demo import hall_with_aisles
from tests.catalogue.programme import make_room, make_screening
from tests.house import House
from tests.web.browser import Browser
from tests.web.page import Page

# As strict as a page can be that uses the component from the server's own address.
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"


def page_with_hall(attributes: str, *, root: str = "", body: str = "", policy: str = POLICY) -> str:
    """The HTML of a page that embeds the component.

    Args:
        attributes: of the component.
        root: attributes of the document.
        body: more content.
        policy: content security policy.
    """
    return f"""<!doctype html>
<html lang="en" {root}>
<head>
<meta charset="utf-8"><title>A hall</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<script type="module" src="/client/frontrow-seats.js"></script>
</head>
<body><main><h1>A hall</h1><frontrow-seats {attributes}></frontrow-seats>{body}</main></body>
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
    browser: Browser, house: House, screening: int, user_id: int | None = None, **page: Any
) -> Page:
    """Open a page with a hall, of a user or of a guest, and wait until its seats are known."""
    token = "" if user_id is None else f' token="{house.token(user_id)}"'
    html = page_with_hall(f'screening="{screening}"{token}', **page)
    opened = await browser.open(f"{house.base_url}/", html, apart=True)
    await opened.evaluate(_RECORD)
    await opened.until("hall.connection === 'live'")
    return opened


_EVENTS = "ready selection hold release expiry booked conflict checkout connection unauthorized error"
_RECORD = f"""
(() => {{
  globalThis.hall = document.querySelector('frontrow-seats');
  globalThis.heard = [];
  for (const name of '{_EVENTS}'.split(' '))
    hall.addEventListener(name, (event) => heard.push([name, event.detail]));
}})()
"""

"""`<frontrow-seats>` in Chromium, against the real server."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.api.caller import RESERVATIONS, Caller
from tests.database import execute
from tests.house import House
from tests.web.browser import Browser
from tests.web.halls import chosen, demo_screening, heard, open_hall, status_of
from tests.web.network import Network
from tests.web.page import Page

pytestmark = pytest.mark.gen_test(timeout=180)

USER, OTHER, THIRD = 7, 8, 9


# By the server's clock; the minutes of a slow test may have begun to pass.
_FIVE_MINUTES_LEFT = r"/Reserved for another [2-5]:\d\d/.test(hall.shadowRoot.textContent)"
_ZOOMED = "hall.shadowRoot.querySelector('.stage').hasAttribute('data-zoomed')"
_PARTY = "hall.shadowRoot.querySelector('[aria-label=\"Number of seats\"]')"
_PLACE = """
(({ x, y, width, height }) => [x + width / 2, y + height / 2])(
  hall.shadowRoot.querySelector('[aria-label="%s"]').getBoundingClientRect())
"""


async def _place(page: Page, name: str) -> tuple[float, float]:
    """The middle of a seat in the window."""
    x, y = await page.evaluate(_PLACE % name)
    return x, y


@asynccontextmanager
async def opened(database_url: str, data_dir: Path, **settings: object) -> AsyncIterator[House]:
    house = House(database_url, data_dir, **settings)
    await house.open()
    try:
        yield house
    finally:
        await house.close()


async def test_guests_and_users_choose_in_the_same_hall(house: House, browser: Browser) -> None:
    screening, _ = await demo_screening(house)
    # The user's computer is an hour ahead; only the server's clock counts.
    user = await open_hall(
        browser, house, screening, USER, before="Date.now = () => performance.timeOrigin + 36e5"
    )
    guest = await open_hall(browser, house, screening)
    await user.resize(1100, 900)

    await user.click_on("button", "Row C seat 8")
    await user.until(chosen("C8"))
    await guest.until(f"{status_of('C', 8)} === 'reserved'")
    await guest.click_on("button", "Row D seat 9")
    await guest.until(f"{chosen('D9')} && hall.cart.expiresAt")
    await user.until(f"{status_of('D', 9)} === 'reserved'")
    for page in (user, guest):
        await page.until(_FIVE_MINUTES_LEFT)
    assert (await user.find("button", "Row C seat 8")).properties["pressed"] == "true"
    assert (await guest.find("button", "Row C seat 8")).properties["disabled"]
    assert (
        await guest.find("button", "Row C seat 8")
    ).description == "reserved by somebody else, Standard, 12.50"
    await user.picture("seats-user")
    for page in (user, guest):
        assert await page.accessibility_violations() == []

    # The guest logs in: the page gives a function for tokens, and the seats become the user's.
    await guest.evaluate(f"hall.token = () => Promise.resolve('{house.token(OTHER)}'); 0")
    await guest.until(f"hall.cart.guestId === null && {chosen('D9')}")
    async with asyncio.timeout(60):  # the page shows its choice before the server has answered
        while len((await house.user(OTHER).send("GET", f"{RESERVATIONS}/my-reservations")).json) != 1:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    before = await user.evaluate("hall.cart.expiresAt")
    await user.click_on("button", "More time")
    await user.until(f"hall.cart.expiresAt > '{before}'")
    await user.click_on("button", "Row K seat 10")
    await user.until(f"{chosen('C8', 'K10')} && hall.cart.total === 30")
    await user.click_on("button", "Continue to checkout")
    assert len(await user.evaluate(f"{heard('checkout')}[0].seats")) == 2
    await user.click_on("button", "Give back Row C seat 8")
    await user.until(chosen("K10"))
    await guest.until(f"{status_of('C', 8)} === 'available'")
    ids = await user.evaluate("hall.cart.seats.map((seat) => seat.id)")
    await house.user(USER).book(screening, ids)
    await user.until(f"{chosen()} && {status_of('K', 10)} === 'booked'")
    assert len(await user.evaluate(heard("booked"))) == 1
    assert await user.evaluate(f"{heard('expiry')}.length + {heard('conflict')}.length") == 0


async def test_properties_that_were_set_before_the_element_was_defined_count(
    house: House, browser: Browser
) -> None:
    screening, seats = await demo_screening(house)
    page = await open_hall(browser, house, screening)
    # In a document without a window no element is defined.
    await page.evaluate(f"""
      globalThis.early = document.implementation.createHTMLDocument('').createElement('frontrow-seats');
      Object.assign(early, {{ screening: {screening}, token: () => '{house.token(USER)}' }});
      document.body.append(early);
    """)
    await page.until(f"early.connection === 'live' && early.seats.length === {len(seats)}")
    assert await page.evaluate("early.cart.guestId") is None
    assert await page.evaluate("Object.keys(early)") == []


async def test_the_best_seats_are_chosen_by_a_button(house: House, browser: Browser) -> None:
    screening, _ = await demo_screening(house)
    user = await open_hall(browser, house, screening, USER)
    guest = await open_hall(browser, house, screening)
    places = "hall.cart.seats.map((seat) => [seat.row, seat.number])"
    await user.evaluate(f"{_PARTY}.value = '3'")
    for page, size in ((user, 3), (guest, 2)):
        await page.click_on("button", "Best seats")
        await page.until(f"hall.cart.seats.length === {size}")
        rows, numbers = zip(*sorted(await page.evaluate(places)), strict=True)
        assert (len({*rows}), numbers) == (1, tuple(range(numbers[0], numbers[0] + size)))
    taken = await guest.evaluate(places)
    await user.until(" && ".join(f"{status_of(row, number)} === 'reserved'" for row, number in taken))
    assert await user.accessibility_violations() == []

    user.allow("status of 409")
    # A block beside the aisle has five seats, two of which are wheelchair places.
    for page in (user, guest):
        assert await page.evaluate("hall.holdBest(6, { accessible: true })") is False
        await page.until("/at most 5 are/.test(hall.shadowRoot.textContent)")
        assert await page.evaluate(f"{_PARTY}.value") == "5"
        problems = await page.evaluate(heard("error"))
        assert [(one["code"], one["largest"]) for one in problems] == [("no_adjacent_seats", 5)]
        assert await page.evaluate("hall.holdBest(2, { maxPrice: 1 })") is False
        await page.until("/No such seats are free/.test(hall.shadowRoot.textContent)")
    assert len(await user.evaluate(places)) == 3


async def test_pages_of_other_sites_embed_it(house: House, browser: Browser) -> None:
    screening, seats = await demo_screening(house)
    fast = "Date.now = () => performance.timeOrigin + 36e5"
    await house.user(USER).reserve(screening, [seats[50]["id"]])
    page = await open_hall(browser, house, screening, USER, site="http://localhost:9/halls", before=fast)
    await page.until(_FIVE_MINUTES_LEFT)
    await page.click_on("button", "Row C seat 8")
    await page.until(chosen("C8", "C11"))
    guest = await open_hall(browser, house, screening, site="http://localhost:9/halls")
    await guest.click_on("button", "Row D seat 9")
    await page.until(f"{status_of('D', 9)} === 'reserved'")


async def test_the_keyboard_alone_is_enough(house: House, browser: Browser) -> None:
    screening, _ = await demo_screening(house)
    page = await open_hall(browser, house, screening, USER)
    await page.resize(1100, 900)
    await page.find("searchbox", "Find a seat")
    await page.evaluate("hall.shadowRoot.querySelector('.zoom button:nth-child(2)').focus()")
    await page.press("Tab")
    assert await page.focused() == "button Row A seat 1"
    for key, seat in (
        ("ArrowRight", "Row A seat 2"),
        ("ArrowDown", "Row B seat 2"),
        ("End", "Row B seat 20"),
        ("ArrowRight", "Row B seat 20"),
        ("ArrowUp", "Row A seat 20"),
        ("Home", "Row A seat 1"),
        ("PageDown", "Row F seat 1"),
    ):
        await page.press(key)
        assert await page.focused() == f"button {seat}", key
    # Over an aisle.
    for _ in range(5):
        await page.press("ArrowRight")
    assert await page.focused() == "button Row F seat 6"
    await page.shows("Row F seat 6 available, Standard, 12.50")
    await page.press("Enter")
    await page.until(chosen("F6"))
    await page.shows("Row F seat 6 is reserved for you. 1 seat, 12.50 in all.")
    assert await page.focused() == "button Row F seat 6"

    await page.press("+")
    await page.until(_ZOOMED)
    await page.picture("seats-zoomed")
    for key in ("ArrowLeft",) * 5:
        await page.press(key)
    await page.find("button", "Row F seat 1")
    # The first press closes the tooltip, the second shows the whole hall.
    await page.press("Escape")
    await page.press("Escape")
    await page.until(f"!{_ZOOMED}")

    await page.fill("Find a seat", "row l seat 20", "searchbox")
    await page.press("Enter")
    assert await page.focused() == "button Row L seat 20"
    await page.press(" ")
    await page.until(chosen("F6", "L20"))
    await page.press("Enter")
    await page.until(chosen("F6"))
    await page.fill("Find a seat", "Z 99", "searchbox")
    await page.press("Enter")
    await page.shows("There is no seat “Z 99”.")

    await page.click_on("checkbox", re.compile("VIP"))
    await page.picture("seats-filtered")

    # The mouse: the wheel zooms in, dragging moves without choosing a seat.
    seat = await _place(page, "Row F seat 8")
    await page.send(
        "Input.dispatchMouseEvent", type="mouseWheel", x=seat[0], y=seat[1], deltaX=0, deltaY=-300
    )
    await page.until(_ZOOMED)
    before = await _place(page, "Row F seat 8")
    for kind, x in (("mousePressed", 500), ("mouseMoved", 540), ("mouseMoved", 560), ("mouseReleased", 560)):
        await page.send(
            "Input.dispatchMouseEvent", type=kind, button="left", buttons=1, clickCount=1, x=x, y=400
        )
    await page.until(f"{_PLACE % 'Row F seat 8'}[0] > {before[0] + 30}")
    assert await page.evaluate(chosen("F6"))
    assert await page.accessibility_violations() == []


async def test_trouble_is_told_calmly(database_url: str, tmp_path: Path, browser: Browser) -> None:
    async with opened(database_url, tmp_path, hold_seconds=4) as house, Network(house.server.port) as network:
        screening, seats = await demo_screening(house)
        other = house.user(OTHER)
        page = await open_hall(browser, house, screening, USER, base_url=network.url)
        await page.resize(1100, 900)

        # Somebody else was faster, and the page does not know yet.
        page.allow("status of 409")
        taken = seats[30]["id"]
        await other.book(screening, [taken])
        await page.evaluate(f"hall.hold([{taken}])")
        assert await page.evaluate(f"{heard('conflict')}[0].code") == "seats_unavailable"
        await page.shows("was taken a moment ago")
        await page.picture("seats-conflict")
        assert await page.accessibility_violations() == []
        await page.click_on("button", "Close this message")
        await page.until("hall.shadowRoot.querySelector('.notice').hidden")

        page.allow("net::ERR_|WebSocket connection")
        network.admitting = False
        network.cut()
        await page.shows("The connection was lost.")
        await page.picture("seats-reconnecting")
        assert await page.evaluate("hall.hold([hall.seats[40].id])") is False
        await page.shows("The server cannot be reached.")
        await other.book(screening, [seats[31]["id"]])
        network.admitting = True
        await page.until("hall.connection === 'live' && hall.seats[31].status === 'booked'")
        await page.hides("The connection was lost.")

        # Four seconds later.
        await page.evaluate("hall.hold([hall.seats[100].id])")
        await page.until(f"{heard('expiry')}.length === 1 && {chosen()}")
        await page.shows("Your time for")
        assert await page.evaluate("hall.seats[100].status") == "available"

        # The user logs out elsewhere; the hall stays visible.
        logged_in = Caller(house.base_url, await page.evaluate("hall.token"))
        assert (await logged_in.send("POST", "/api/v1/auth/logout")).status == 204
        await page.until(f"{heard('unauthorized')}.length === 1 && hall.connection === 'closed'")
        await page.shows("You are no longer logged in.")
        await page.shows("Available")


async def test_a_user_waits_for_seats(house: House, browser: Browser) -> None:
    screening, seats = await demo_screening(house)
    tickets: dict[int, tuple[Caller, int]] = {}
    for first in range(0, len(seats), 10):
        owner = house.user(100 + first)
        sold = await owner.book(screening, [seat["id"] for seat in seats[first : first + 10]])
        assert sold.status == 201, sold.body
        tickets |= {ticket["seat_id"]: (owner, ticket["id"]) for ticket in sold.json}
    page = await open_hall(browser, house, screening, USER)
    await page.resize(1100, 900)
    wanted = await page.evaluate("hall.seats.find(({ row, number }) => row === 'C' && number === 8).id")
    owner, ticket = tickets[wanted]

    await page.evaluate(f"hall.focusSeat({wanted})")
    await page.press("Enter")
    await page.click_on("button", "Tell me when it is free")
    await page.shows("We will tell you here when Row C seat 8 is free.")
    assert (await owner.cancel_ticket(ticket)).status == 204
    await page.shows("Row C seat 8 is free now.")
    assert len(await page.evaluate(heard("free"))) == 1
    (again,) = (await owner.book(screening, [wanted])).json

    await page.until(f"{status_of('C', 8)} === 'booked'")
    await page.click_on("button", "Join the waiting list")
    await page.shows("You are number 1 in line, for 1.")
    await page.picture("seats-waiting")
    assert await page.accessibility_violations() == []
    assert (await owner.cancel_ticket(again["id"])).status == 204
    await page.until(chosen("C8"))
    await page.shows("It is your turn. Row C seat 8 reserved for you")
    await page.until("hall.cart.expiresAt !== null")
    assert len(await page.evaluate(heard("offered"))) == 1


async def test_it_suits_every_page(house: House, browser: Browser) -> None:
    screening, seats = await demo_screening(house)
    await house.user(OTHER).reserve(screening, [seat["id"] for seat in seats[100:108]])
    await house.user(THIRD).book(screening, [seat["id"] for seat in seats[140:146]])
    await house.user(USER).reserve(screening, [seats[87]["id"], seats[88]["id"]])
    page = await open_hall(browser, house, screening, USER)
    assert await page.evaluate("hall.seats.filter(({ status }) => status !== 'available').length") == 16

    async def looks_well(name: str, width: int, height: int) -> None:
        await page.resize(width, height)
        assert await page.accessibility_violations() == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off"
        await page.picture(name)

    await looks_well("seats-light", 1280, 800)
    await looks_well("seats-320", 320, 900)
    x, y = await _place(page, "Row F seat 10")
    await page.resize(320, 900, touch=True)
    for kind, spread in (("touchStart", 20), ("touchMove", 40), ("touchMove", 80), ("touchEnd", 0)):
        fingers = [{"x": x - spread, "y": y}, {"x": x + spread, "y": y}] if spread else []
        await page.send("Input.dispatchTouchEvent", type=kind, touchPoints=fingers)
    await page.until(_ZOOMED)
    await page.picture("seats-pinched")
    await page.evaluate("hall.showAll()")
    await page.resize(320, 900)
    await page.click_on("button", "Row A seat 5")
    await page.until("hall.cart.seats.length === 3")
    await page.prefer(color_scheme="dark")
    await page.evaluate("document.body.style.background = '#131118', document.body.style.color = 'white'")
    await looks_well("seats-dark-320", 320, 900)
    await looks_well("seats-dark", 1280, 800)
    await page.evaluate("document.documentElement.dir = 'rtl'")
    await looks_well("seats-rtl", 1280, 800)
    # A theme by variables takes effect at once.
    await page.evaluate("hall.setAttribute('theme', 'light')")
    await page.evaluate("hall.style.setProperty('--frontrow-available', 'rgb(200, 100, 0)')")
    await page.evaluate("hall.style.setProperty('--frontrow-background', '#fff8ee')")
    await page.until(f"{_PIXEL} === '200,100,0'")
    await looks_well("seats-themed", 1280, 800)
    await page.evaluate("hall.texts = { screen: 'Bühne' }")
    await looks_well("seats-texts", 1280, 800)
    # A wrong currency or language costs the page its number format, not the hall.
    await page.evaluate("hall.currency = 'NONSENSE', document.documentElement.lang = 'xx_!!'")
    await page.evaluate("hall.reload()")
    await page.shows("37.50 in all")


# A pixel near the corner of a free seat, without its number.
_PIXEL = """
(() => {
  const button = hall.shadowRoot.querySelector('[aria-label="Row B seat 1"]').getBoundingClientRect();
  const canvas = hall.shadowRoot.querySelectorAll('.stage canvas')[1];
  const box = canvas.getBoundingClientRect();
  const density = canvas.width / box.width;
  const x = (button.x - box.x + button.width * 0.22) * density;
  const y = (button.y - box.y + button.height / 2) * density;
  return [...canvas.getContext('2d').getImageData(x, y, 1, 1).data.slice(0, 3)].join();
})()
"""

ROWS, SEATS_PER_ROW = 200, 250
SEATS_PER_STEP, STEPS, STEP_SECONDS = 50, 20, 0.1
FRAME_MS = 33
"""Time of a frame at 30 frames a second."""
MOVING_FRAME_MS = 100
"""Moving draws all visible seats in every frame."""
LARGE_HALL = f"""
WITH room AS (INSERT INTO rooms (cinema_id, name) SELECT id, 'Arena' FROM cinemas LIMIT 1 RETURNING id),
made AS (
    INSERT INTO seats (room_id, row_label, seat_number, x, y)
    SELECT room.id, 'R' || y, x, x + (x - 1) / 50 * 2, y + (y - 1) / 40 FROM room,
    generate_series(1, {ROWS}) AS y, generate_series(1, {SEATS_PER_ROW}) AS x
)
INSERT INTO screenings (room_id, title, starts_at, ends_at, price)
SELECT id, 'Brass', now() + interval '1 day', now() + interval '1 day 2 hours', 10 FROM room RETURNING id
"""  # noqa: S608 - its only parts are the numbers above


async def test_fifty_thousand_seats_stay_fluent(database_url: str, tmp_path: Path, browser: Browser) -> None:
    async with opened(database_url, tmp_path, held_seats_limit=1000) as house:
        await demo_screening(house)
        ((screening,),) = execute(database_url, LARGE_HALL)
        page = await open_hall(browser, house, screening, USER)
        await page.resize(1280, 900)
        assert await page.evaluate("hall.seats.length") == ROWS * SEATS_PER_ROW
        await page.picture("seats-50000")

        changes = _change_seats(house, screening, await page.evaluate("hall.seats.map((seat) => seat.id)"))
        await _measure(page, changes, "standing still", FRAME_MS)
        await page.evaluate("hall.shadowRoot.querySelector('.zoom button:nth-child(2)').click()")
        changes = _change_seats(house, screening, await page.evaluate("hall.seats.map((seat) => seat.id)"))
        await _measure(page, changes, "moving", MOVING_FRAME_MS, _PAN)
        # The changes have arrived: the last ones are there too.
        assert (
            await house.user(OTHER).reserve(screening, [await page.evaluate("hall.seats[7].id")])
        ).status == 201
        await page.until("hall.seats[7].status === 'reserved'")
        await page.evaluate("hall.focusSeat(hall.seats[30000].id)")
        assert await page.focused() == "button Row R121 seat 1"
        await page.picture("seats-50000-zoomed")
        assert await page.accessibility_violations() == []


async def _measure(
    page: Page, changes: Awaitable[None], what: str, limit_ms: float, motion: str = ""
) -> None:
    """Assert that a frame costs the page little enough, while seats change.

    It judges processor time, which other programs on the machine do not lengthen.
    """
    await page.send("Performance.enable", timeDomain="threadTicks")
    await page.evaluate(
        f"(() => {{ {motion or 'const at = () => 0;'} let n = 0; globalThis.frames = 0;"
        " at('pointerdown', 0); const draw = () => { at('pointermove', n++); frames++; globalThis.next ="
        " requestAnimationFrame(draw); }; draw(); })()"
    )
    started, seconds = time.monotonic(), await _processor_seconds(page)
    await changes
    await page.evaluate("cancelAnimationFrame(next)")
    seconds = await _processor_seconds(page) - seconds
    frames = await page.evaluate("frames")
    await page.send("Performance.disable")
    cost = 1000 * seconds / frames
    rate = frames / (time.monotonic() - started)
    print(
        f"50,000 seats, {what}: {cost:.1f} ms of processor time per frame, {rate:.0f} frames/s here and now"
    )
    assert cost <= limit_ms


async def _processor_seconds(page: Page) -> float:
    """Processor time that the page's main thread has used."""
    metrics = (await page.send("Performance.getMetrics"))["metrics"]
    return next(float(entry["value"]) for entry in metrics if entry["name"] == "TaskDuration")


_PAN = """
const stage = hall.shadowRoot.querySelector('.stage');
const box = stage.getBoundingClientRect();
const point = { bubbles: true, pointerId: 1, button: 0, buttons: 1, pointerType: 'mouse' };
const at = (type, n) => stage.dispatchEvent(new PointerEvent(type, {
  ...point, clientX: box.x + 400 + 300 * Math.sin(n / 20), clientY: box.y + 300 + 200 * Math.cos(n / 15) }));
"""


async def _change_seats(house: House, screening: int, seat_ids: list[int]) -> None:
    """Change 500 seats a second: users reserve fifty seats and give them back."""
    for step in range(STEPS):
        first = step // 2 * SEATS_PER_STEP * 23 % (len(seat_ids) - SEATS_PER_STEP)
        toggled = house.user(100 + step // 2).toggle(screening, *seat_ids[first : first + SEATS_PER_STEP])
        assert (await toggled).status == 200
        await asyncio.sleep(STEP_SECONDS)

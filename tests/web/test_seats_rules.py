"""The organiser's rules in `<frontrow-seats>`: seats that are kept back or would be left alone."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.catalogue.programme import SCREENINGS
from tests.house import House
from tests.web.browser import Browser
from tests.web.halls import chosen, demo_screening, heard, open_hall, status_of

pytestmark = pytest.mark.gen_test(timeout=180)

USER, OTHER = 7, 8


async def test_seats_that_are_kept_back_are_for_who_has_the_code(house: House, browser: Browser) -> None:
    screening, _ = await demo_screening(house)
    stranger = await open_hall(browser, house, screening, USER)
    reader = await open_hall(browser, house, screening, OTHER)
    guest = await open_hall(browser, house, screening)
    (seat_id,) = await stranger.evaluate(
        "hall.seats.filter((seat) => seat.row === 'C' && seat.number === 8).map((seat) => seat.id)"
    )
    channel = {"name": "press", "code": "ink-and-paper-2026"}
    assert (await house.admin.send("POST", "/api/v1/admin/channels", channel)).status == 201
    block = {"label": "Press", "kind": "channel", "channel": "press", "seat_ids": [seat_id]}
    made = await house.admin.send("POST", f"/api/v1/admin/screenings/{screening}/blocks", block)
    assert made.status == 201
    for page in (stranger, reader, guest):
        await page.until(f"{status_of('C', 8)} === 'booked'")
    for page in (reader, guest):
        await page.evaluate(f"hall.accessCode = '{channel['code']}'; 0")
        await page.until(f"hall.seats.length > 0 && {status_of('C', 8)} === 'available'")
        await page.click_on("button", "Row C seat 8")
        await page.until(chosen("C8"))
        await stranger.until(f"{status_of('C', 8)} === 'reserved'")
        await page.click_on("button", "Give back Row C seat 8")
        await stranger.until(f"{status_of('C', 8)} === 'booked'")
        await page.until(f"{chosen()} && {status_of('C', 8)} === 'available'")
    # Seats that are blocked later are shown to them as such, without loading anything again.
    (next_id,) = await stranger.evaluate(
        "hall.seats.filter((seat) => seat.row === 'C' && seat.number === 9).map((seat) => seat.id)"
    )
    block["seat_ids"] = [next_id]
    made = await house.admin.send("POST", f"/api/v1/admin/screenings/{screening}/blocks", block)
    assert made.status == 201
    await stranger.until(f"{status_of('C', 9)} === 'booked'")
    for page in (reader, guest):
        await page.click_on("button", "Row C seat 9")
        await page.until(chosen("C9"))
        await page.click_on("button", "Give back Row C seat 9")
        await page.until(chosen())


async def test_seats_that_would_leave_one_alone_are_explained(house: House, browser: Browser) -> None:
    screening, _ = await demo_screening(house)
    enforced = await house.admin.send("PUT", f"{SCREENINGS}/{screening}", {"orphan_rule": "enforce"})
    assert enforced.status == 200
    user = await open_hall(browser, house, screening, USER)
    guest = await open_hall(browser, house, screening)
    user.allow("status of 409")
    for page, row in ((user, "C"), (guest, "D")):
        await page.resize(1100, 900)
        await page.click_on("button", f"Row {row} seat 2")
        await page.shows(
            f"Row {row} seat 2 would leave Row {row} seat 1 alone between taken seats or an aisle. "
            "These are possible:"
        )
        assert await page.evaluate(f"{heard('error')}[0].alternatives.length") == 3
        assert await page.accessibility_violations() == []
        await page.click_on("button", f"Take Row {row} seat 1")
        await page.until(chosen(f"{row}1"))
        await page.until("hall.shadowRoot.querySelector('.notice').hidden")
        assert await page.focused() == f"button Row {row} seat 1"
    await user.picture("seats-alternatives")


async def test_a_warning_offers_other_seats_in_place_of_those_that_one_has(
    house: House, browser: Browser
) -> None:
    screening, _ = await demo_screening(house)
    warned = await house.admin.send("PUT", f"{SCREENINGS}/{screening}", {"orphan_rule": "warn"})
    assert warned.status == 200
    user = await open_hall(browser, house, screening, USER)
    guest = await open_hall(browser, house, screening)
    for page, row in ((user, "C"), (guest, "D")):
        await page.resize(1100, 900)
        await page.click_on("button", f"Row {row} seat 2")
        await page.shows(f"Row {row} seat 2: reserved for you. This leaves Row {row} seat 1 alone")
        await page.until(chosen(f"{row}2"))
        (warning,) = await page.evaluate(heard("warning"))
        assert (warning["code"], len(warning["alternatives"])) == ("would_strand_seat", 3)
        assert await page.accessibility_violations() == []
        await page.click_on("button", f"Take Row {row} seat 1")
        await page.until(chosen(f"{row}1"))
        await page.until("hall.shadowRoot.querySelector('.notice').hidden")
        assert await page.focused() == f"button Row {row} seat 1"
        assert len(await page.evaluate(heard("expiry"))) == 0
    await user.click_on("button", "Row C seat 4")
    await user.shows("This leaves")
    await user.picture("seats-warning")


async def test_the_opening_of_sales_is_told(house: House, browser: Browser) -> None:
    screening, _ = await demo_screening(house)
    opening = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    changed = await house.admin.send("PUT", f"{SCREENINGS}/{screening}", {"sales_start": opening})
    assert changed.status == 200, changed.body
    user = await open_hall(browser, house, screening, USER)
    guest = await open_hall(browser, house, screening)
    user.allow("status of 409")
    for page, row in ((user, "C"), (guest, "D")):
        await page.click_on("button", f"Row {row} seat 8")
        await page.shows("Seats for this screening are not on sale now.")
    clock = house.server._clock
    clock._wall = lambda: time.time() + 301
    clock.follow()
    for page, row in ((user, "C"), (guest, "D")):
        await page.shows("Seats are on sale now.")
        assert await page.evaluate(heard("sales")) == [{"open": True}]
        await page.click_on("button", f"Row {row} seat 8")
        await page.until(chosen(f"{row}8"))

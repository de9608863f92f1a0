"""`<frontrow-seats>` in Chromium, against the real server."""

import pytest

from tests.house import House
from tests.web.browser import Browser
from tests.web.halls import demo_screening, open_hall

pytestmark = pytest.mark.gen_test


async def test_a_user_and_a_guest_choose_seats_in_the_same_hall(house: House, browser: Browser) -> None:
    screening, _ = await demo_screening(house)
    user = await open_hall(browser, house, screening, 7)
    guest = await open_hall(browser, house, screening)
    await user.resize(1100, 900)
    await user.click_on("button", "Row C seat 8")
    await guest.until("hall.seats.find((s) => s.row === 'C' && s.number === 8).status === 'reserved'")
    await guest.click_on("button", "Row D seat 9")
    await guest.until("hall.cart.seats.length === 1 && hall.cart.expiresAt")
    await user.until("hall.seats.find((s) => s.row === 'D' && s.number === 9).status === 'reserved'")
    await user.until("hall.cart.seats.length === 1")
    assert await user.accessibility_violations() == []
    assert await guest.accessibility_violations() == []
    await user.picture("user")
    await guest.picture("guest")

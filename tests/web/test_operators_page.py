"""The operator's page in Chromium: watching, acting by hand, playing a history back, surviving trouble."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from tornado.ioloop import IOLoop

from tests.api.caller import Caller
from tests.box_office import make_event, make_type
from tests.catalogue.members import AUTH, PASSWORD, Member, member
from tests.catalogue.programme import add_seats, make_room, make_screening
from tests.database import execute
from tests.house import House
from tests.web.browser import Browser, Page

pytestmark = pytest.mark.gen_test(timeout=240)

ROWS, SEATS_PER_ROW = "ABCDEFGH", 14
BOSS = "boss@home.example"


# Colours change over several frames, element by element.
_UNTIL_DRAWN = """
(async () => {
  do await new Promise(requestAnimationFrame); while (document.getAnimations().length);
  await new Promise(requestAnimationFrame);
})()
"""


class Stage(NamedTuple):
    """A server with a hall on sale, an administrator, and two customers."""

    house: House
    screening_id: int
    seat_ids: Sequence[int]
    ada: Member
    bob: Member
    boss: Member

    async def open(self, browser: Browser, path: str = "/ops", who: Member | None = None) -> Page:
        """Open a page as an administrator or as somebody else, who is logged in already."""
        login = await self.house.guest.send(
            "POST", f"{AUTH}/login", {"email": (who or self.boss).email, "password": PASSWORD}
        )
        page = await browser.open(f"{self.house.base_url}/ops", apart=True)
        tokens = {
            "access": login.json["access_token"],
            "refresh": login.json["refresh_token"],
            "renewAt": 4_000_000_000_000,
        }
        await page.evaluate(f"localStorage.setItem('frontrow.login', {json.dumps(json.dumps(tokens))})")
        await page.resize(1280, 900)
        await page.load(f"{self.house.base_url}{path}")
        return page

    async def open_hall(self, browser: Browser) -> Page:
        page = await self.open(browser, f"/ops/screenings/{self.screening_id}")
        await page.shows("The hall now")
        return page


@pytest.fixture
def stage(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[Stage]:
    house = House(database_url, tmp_path)

    async def built() -> Stage:
        await house.open()
        boss = await member(house, BOSS, full_name="Grace Boss")
        execute(database_url, "UPDATE users SET is_admin = true WHERE email = %s", BOSS)
        ada = await member(house, full_name="Ada Byron")
        bob = await member(house, "bob@home.example", full_name="Bob Example")
        room_id = await make_room(house)
        seat_ids = await add_seats(house, room_id, ROWS, SEATS_PER_ROW)
        return Stage(house, await make_screening(house, room_id), seat_ids, ada, bob, boss)

    yield io_loop.run_sync(built)
    io_loop.run_sync(house.close)


async def looked_at(page: Page, name: str) -> None:
    """Check a state of the page for accessibility, and keep pictures of it in both colour schemes."""
    for scheme in ("light", "dark"):
        await page.prefer(color_scheme=scheme, reduced_motion="reduce")
        await page.evaluate(_UNTIL_DRAWN)
        await page.picture(f"{name}-{scheme}")
        assert await page.accessibility_violations() == [], (name, scheme)


async def test_only_administrators_see_anything(browser: Browser, stage: Stage) -> None:
    page = await browser.open(f"{stage.house.base_url}/ops", apart=True)
    await page.shows("Log in first")
    assert "Brass" not in await page.text()
    assert await page.all("table") == []
    await looked_at(page, "ops-anonymous")
    customer = await stage.open(browser, f"/ops/screenings/{stage.screening_id}", stage.ada)
    await customer.shows("For administrators")
    assert "Brass" not in await customer.text()
    assert await customer.accessibility_violations() == []


async def test_an_operator_watches_and_acts(browser: Browser, stage: Stage) -> None:
    page = await stage.open(browser)
    await page.shows("Brass and Thunder")
    await page.shows(f"0 sold, 0 held, {len(stage.seat_ids)} free")
    await stage.ada.reserve(stage.screening_id, stage.seat_ids[:2])
    await stage.bob.book(stage.screening_id, stage.seat_ids[2:5])
    await page.shows(f"3 sold, 2 held, {len(stage.seat_ids) - 5} free")
    await looked_at(page, "ops-overview")
    await page.fill("Find a screening", "nothing of this name", "searchbox")
    await page.shows("Nothing matches")
    assert await page.accessibility_violations() == []
    await page.fill("Find a screening", "thunder", "searchbox")
    await page.click_on("link", "Brass and Thunder")
    await page.shows("The hall now")

    # The keyboard alone finds a seat, and shows who had it.
    hall = await page.find("application", re.compile("^Hall of 112 seats"))
    await page.send("DOM.focus", backendNodeId=hall.node)
    await page.shows("Row A seat 1, held by Ada Byron")
    await page.press("ArrowRight")
    await page.shows("Row A seat 2, held by Ada Byron")
    await page.press("Enter")
    await page.shows("Who had it when")
    await page.shows("held by Ada Byron")
    await looked_at(page, "ops-screening")

    await page.click_on("button", "Release…")
    await page.shows("Ada Byron loses Row A seat 2.")
    await looked_at(page, "ops-release")
    await page.click_on("button", "Release 1 seat")
    await page.shows("1 seat released.")
    await page.shows("released of Ada Byron")
    await page.shows("by hand: Grace Boss")

    await page.click_on("button", "Sell by hand…")
    page.allow("status of 404")
    await page.fill("Account", "nobody@home.example")
    await page.click_on("button", "Find")
    await page.shows("There is no such account.")
    await page.fill("Account", "ada@home.example")
    await page.click_on("button", "Find")
    await page.shows("gets the tickets")
    await looked_at(page, "ops-sell")
    await page.click_on("button", "Sell to Ada Byron")
    await page.shows("1 seat sold to Ada Byron for €12.50.")
    await page.shows("sold to Ada Byron")

    await page.click_on("button", "Cancel the booking…")
    await page.shows("Cancel this booking?")
    await page.press("Escape")
    await page.hides("Cancel this booking?")
    await page.click_on("button", "Cancel the booking…")
    await page.click_on("button", "Cancel the booking")
    await page.shows("The booking of Row A seat 2 is cancelled.")
    await page.shows("cancelled of Ada Byron")

    await page.send("DOM.focus", backendNodeId=hall.node)
    await page.press("ArrowRight")
    await page.press(" ")
    await page.shows("Row A seat 2, Row A seat 3")
    await page.press("Escape")
    await page.hides("Row A seat 2, Row A seat 3")

    await page.click_on("link", "All screenings")
    await page.resize(320, 800)
    await looked_at(page, "ops-overview-narrow")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320


async def test_a_customer_at_the_counter_is_served(browser: Browser, stage: Stage) -> None:
    made = await stage.house.guest.send("POST", "/api/public/guests", {})
    guest = Caller(stage.house.base_url, made.json["data"]["accessToken"])
    seats = {"screening_id": stage.screening_id, "seat_ids": list(stage.seat_ids[:1])}
    await guest.send("POST", "/api/v1/seat-reservations/reserve", seats)
    page = await stage.open_hall(browser)
    hall = await page.find("application", re.compile("^Hall of 112 seats"))
    await page.send("DOM.focus", backendNodeId=hall.node)
    await page.press("Enter")
    await page.click_on("button", "Sell by hand…")
    await page.click_on("button", "New guest")
    await page.fill("Name", "Cleo Counter")
    await page.shows("the customer takes over the hold")
    await page.click_on("button", "Cash")
    await page.fill("Reference", "till 2, 4711")
    await looked_at(page, "ops-counter")
    await page.click_on("button", "Sell to Cleo Counter")
    await page.shows("1 seat sold to Cleo Counter for €12.50.")
    await page.shows("sold to Cleo Counter")

    await page.send("DOM.focus", backendNodeId=hall.node)
    await page.press("ArrowRight")
    await page.press("Enter")
    await page.click_on("button", "Reserve…")
    await page.fill("Account", "bob@home.example")
    await page.click_on("button", "Find")
    await page.click_on("button", "Reserve for Bob Example")
    await page.shows("1 seat reserved for Bob Example.")
    await page.click_on("button", "Sell by hand…")
    await page.click_on("button", "Bob Example")
    await page.click_on("button", "Given away")
    await page.fill("Reason", "Press")
    await page.click_on("button", "Give to Bob Example")
    await page.shows("1 seat given to Bob Example.")

    # Looks are stored every few seconds, and the panel is loaded with the page.
    await page.load(f"{stage.house.base_url}/ops/screenings/{stage.screening_id}")
    await page.shows("What sells")
    await page.shows("of what was held is paid")
    await page.find("region", "By door")
    await looked_at(page, "ops-funnel")
    listed = await stage.house.admin.send("GET", f"/api/v1/tickets/?screening_id={stage.screening_id}")
    assert {(ticket["price"], ticket["vouched_by"], ticket["reason"]) for ticket in listed.json} == {
        (12.5, "counter", None),
        (0, None, "Press"),
    }


async def test_tickets_of_an_event_are_sold_by_quantity(browser: Browser, stage: Stage) -> None:
    event_id = await make_event(stage.house)
    kind = await make_type(stage.house, event_id, capacity=10)
    page = await stage.open(browser, f"/ops/screenings/{event_id}")
    await page.click_on("button", "Sell Standing…")
    await page.shows("Sell 1 ticket by hand")
    await page.fill("How many", "101", "spinbutton")
    await page.shows("Enter a number from 1 to 100.")
    await page.fill("How many", "11", "spinbutton")
    await page.click_on("button", "New guest")
    await page.fill("Name", "Cleo Counter")
    await page.click_on("button", "Card")
    page.allow("status of 409")
    await page.click_on("button", "Sell to Cleo Counter")
    await page.shows("Not enough tickets: 11 requested, 10 tickets are left")
    await page.fill("How many", "2", "spinbutton")
    await looked_at(page, "ops-counter-tickets")
    await page.click_on("button", "Sell to Cleo Counter")
    await page.shows("2 tickets sold to Cleo Counter for €51.00.")

    await page.click_on("button", "Reserve Standing…")
    assert await page.all("button", "New guest") == []
    await page.fill("How many", "3", "spinbutton")
    await page.fill("Account", "bob@home.example")
    await page.click_on("button", "Find")
    await page.click_on("button", "Reserve for Bob Example")
    await page.shows("3 tickets reserved for Bob Example.")
    row = "document.querySelector('.table-frame tbody tr').innerText"
    await page.until(f"/2\\s+3\\s+0\\s+5/.test({row})")
    await looked_at(page, "ops-tickets")
    await page.resize(320, 800)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    listed = await stage.house.admin.send("GET", f"/api/v1/tickets/?screening_id={event_id}")
    assert [(one["price"], one["vouched_by"]) for one in listed.json] == [(25.5, "counter")] * 2
    own = await stage.bob.send("GET", "/api/public/reservations")
    assert [(one["ticketType"]["id"], one["quantity"]) for one in own.json["data"]] == [(kind, 3)]


_KEEP_FILES = """
globalThis.files = [];
const made = URL.createObjectURL.bind(URL);
URL.createObjectURL = (file) => (files.push(file), made(file));
0
"""


async def test_seats_are_kept_back_and_released(browser: Browser, stage: Stage) -> None:
    channel = {"name": "press", "code": "ink-and-paper-2026"}
    assert (await stage.house.admin.send("POST", "/api/v1/admin/channels", channel)).status == 201
    page = await stage.open_hall(browser)
    hall = await page.find("application", re.compile("^Hall of 112 seats"))
    await page.send("DOM.focus", backendNodeId=hall.node)
    await page.press("Enter")
    await page.press("ArrowRight")
    await page.press(" ")
    await page.shows("Row A seat 1, Row A seat 2")
    await page.click_on("button", "Keep back…")
    await page.fill("Label", "Press, front row")
    await page.click_on("radio", re.compile("^for a channel"))
    await page.fill("Channel", "presse")
    page.allow("status of 422")
    await page.click_on("button", "Keep back")
    await page.shows("does not refer to an existing record")
    await page.fill("Channel", "press")
    await looked_at(page, "ops-keep-back")
    await page.click_on("button", "Keep back")
    await page.shows("Row A seat 1, Row A seat 2 kept back.")
    refused = await stage.ada.reserve(stage.screening_id, stage.seat_ids[:1])
    assert refused.json["blocked"] == [stage.seat_ids[0]]

    await page.press("Escape")
    await page.send("DOM.focus", backendNodeId=hall.node)
    await page.press("Enter")
    await page.click_on("button", "Put on sale…")
    await page.shows("Press, front row (press) loses Row A seat 2.")
    await looked_at(page, "ops-put-on-sale")
    await page.click_on("button", "Put them on sale")
    await page.shows("The seats are on sale.")
    assert (await stage.ada.reserve(stage.screening_id, [stage.seat_ids[1]])).status == 201
    assert (await stage.bob.reserve(stage.screening_id, [stage.seat_ids[0]])).code == "seats_unavailable"

    await page.evaluate(_KEEP_FILES)
    await page.click_on("button", "CSV")
    await page.until("files.length === 1")
    begin, *lines = (await page.evaluate("files[0].text()")).strip().splitlines()
    assert begin.endswith("period,begins_at,ends_at,door,looked,held,lapsed,released,paid,revenue")
    assert [line.split(",")[3:6] for line in lines if ",rest," in line][-1][2] == "1"


async def test_a_history_is_played_back(browser: Browser, stage: Stage) -> None:
    rows = [stage.seat_ids[at : at + SEATS_PER_ROW] for at in range(0, len(stage.seat_ids), SEATS_PER_ROW)]
    for row in rows[:4]:
        await stage.bob.book(stage.screening_id, row[:3])
        await stage.ada.reserve(stage.screening_id, row[3:5])
    await stage.ada.book(stage.screening_id, rows[0][3:4])
    page = await stage.open_hall(browser)
    await page.shows("held, new to old 7")
    await page.click_on("button", "Play the history back")
    await page.shows("The hall then")
    await page.shows("9 of 9")
    await page.shows("1 seat sold by Ada Byron")
    slider = await page.find("slider", "Position in the history")
    await page.send("DOM.focus", backendNodeId=slider.node)
    await page.press("ArrowLeft")
    await page.shows("8 of 9")
    await page.shows("held, new to old 8")
    await looked_at(page, "ops-playback")
    await page.press("Home")
    await page.shows("Before the first event")
    await page.shows(f"free {len(stage.seat_ids)}")
    await page.click_on("button", "Forward one")
    await page.shows("3 seats sold by Bob Example")
    await page.click_on("button", "Play")
    await page.shows("9 of 9")
    await page.shows("sold, new to old 13")
    await page.click_on("button", "Back to now")
    await page.shows("The hall now")


async def test_tickets_are_checked_in_at_the_door(browser: Browser, stage: Stage) -> None:
    soon = "UPDATE screenings SET starts_at = now() + interval '1 h', ends_at = now() + interval '3 h'"
    execute(stage.house.database_url, soon)
    booked = (await stage.ada.book(stage.screening_id, stage.seat_ids[:2])).json
    first, second = [(await stage.ada.ticket(ticket["id"])).json["code"] for ticket in booked]
    page = await stage.open(browser, f"/ops/check-in/{stage.screening_id}")
    await page.shows("0 of 2 admitted")
    await page.shows("Ready")
    await looked_at(page, "ops-check-in")
    await page.fill("Gate", "North")

    async def scan(code: str) -> None:
        # A scanner types the code and Enter, wherever the page has put the focus.
        await page.fill("Code", code)
        await page.press("Enter")

    await scan(first)
    await page.shows("Admitted")
    await page.shows("Row A, seat 1")
    await page.shows("Ada Byron")
    await page.shows("1 of 2 admitted")
    await looked_at(page, "ops-check-in-admitted")
    page.allow("status of 4")
    await scan(first)
    await page.shows("Already in")
    await page.shows("at the gate North")
    await looked_at(page, "ops-check-in-refused")
    await scan("nonsense")
    await page.shows("Unknown code")
    await page.click_on("button", "Take back: Row A, seat 1")
    await page.shows("Taken back")
    await page.shows("0 of 2 admitted")
    # The focus is where the scanner types again.
    assert await page.evaluate("document.activeElement.name") == "code"
    await page.resize(320, 800)
    await scan(second)
    await page.shows("Row A, seat 2")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320


async def test_the_log_level_of_a_server_is_changed(browser: Browser, stage: Stage) -> None:
    page = await stage.open(browser)
    await page.shows("Running since")
    await page.evaluate(
        "(() => { const box = document.querySelector('select[aria-label^=\"Log level\"]');"
        " box.value = box.value === 'error' ? 'warning' : 'error';"
        " box.dispatchEvent(new Event('change', { bubbles: true })); })()"
    )
    await page.shows("a restart goes back to its settings")
    assert await page.accessibility_violations() == []
    await page.click_on("button", "Leave it")
    await page.hides("a restart goes back to its settings")


async def test_the_page_survives_trouble(browser: Browser, stage: Stage) -> None:
    page = await stage.open_hall(browser)
    await page.shows("Live")
    # The last answer stays, whatever fails.
    async with page.answering(f"{stage.house.base_url}/api/v1/ops/overview", 500):
        await page.shows("Reconnecting…")
        await page.shows("Brass and Thunder")
        await looked_at(page, "ops-trouble")
    await page.shows("Live")
    await page.go_offline()
    await page.shows("The server cannot be reached")
    await page.go_offline(False)
    await page.hides("The server cannot be reached")
    await stage.ada.reserve(stage.screening_id, stage.seat_ids[:1])
    await page.shows("held, new to old 1")
    # Logged out elsewhere: nothing of the page is left.
    token = json.loads(await page.evaluate("localStorage.getItem('frontrow.login')"))["access"]
    stage.boss.token = token
    page.allow("status of 401")
    page.allow("WebSocket")
    assert (await stage.boss.log_out()).status == 204
    await page.shows("You have been logged out")
    await page.shows("Log in first")
    assert "Brass" not in await page.text()


_POSIX_LANGUAGE = """
Object.defineProperty(Navigator.prototype, 'language', { get: () => 'en-US@posix', configurable: true })
"""


async def test_the_page_copes_with_a_language_that_is_none_and_owns_up_to_its_bugs(
    browser: Browser, stage: Stage
) -> None:
    page = await stage.open(browser)
    await page.send("Page.addScriptToEvaluateOnNewDocument", source=_POSIX_LANGUAGE)
    await page.reload()
    await page.shows(f"0 sold, 0 held, {len(stage.seat_ids)} free")
    await page.until("document.querySelector('.uplot canvas') !== null")
    # A script that fails is no outage.
    await page.send("Network.setCacheDisabled", cacheDisabled=True)
    page.allow("No such colour")
    script = "throw new RangeError('No such colour')"
    async with page.answering("*/assets/overview-*.js", 200, script, "text/javascript"):
        await page.reload()
        await page.shows("This page has failed")
        assert "cannot be reached" not in await page.text()


DEAD_LETTERS = """
INSERT INTO outbox (kind, subject, payload, status, attempts, finished_at, error)
SELECT 'mail', 'booking ' || number, jsonb_build_object('cause', 'booked', 'booking_id', number),
       'dead', 33, now(), '[Errno 111] Connect call failed (''192.0.2.7'', 587)'
FROM generate_series(0, 2) AS number
"""


async def test_messages_that_could_not_be_delivered_are_retried(browser: Browser, stage: Stage) -> None:
    execute(stage.house.database_url, DEAD_LETTERS)
    page = await stage.open(browser, "/ops")
    await page.click_on("link", "Deliveries")
    await page.shows("Connect call failed")
    await looked_at(page, "ops-deliveries")
    await page.click_on("button", re.compile("^Retry booking 1,"))
    await page.shows("1 message is delivered again.")
    await page.click_on("button", "Retry all on this page")
    await page.shows("2 messages are delivered again.")
    await page.shows("Everything could be delivered.")
    # There are no such bookings, so nothing is left to be delivered.
    await page.click_on("button", "Delivered")
    await page.shows("booking 0")
    await page.shows("booking 2")
    await page.resize(320, 800)
    await looked_at(page, "ops-deliveries-narrow")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320


async def test_webhooks_are_tested_disabled_and_their_log_is_read(browser: Browser, stage: Stage) -> None:
    made = await stage.house.admin.send(
        "POST", "/api/v1/admin/webhooks", {"url": "https://shop.example/hook", "events": ["booking.created"]}
    )
    assert made.status == 201, made.body
    execute(stage.house.database_url, "UPDATE webhooks SET url = 'http://127.0.0.1:8001/hook'")
    page = await stage.open(browser, "/ops")
    await page.click_on("link", "Webhooks")
    await page.shows("http://127.0.0.1:8001/hook")
    await page.click_on("button", re.compile("^Test http"))
    await page.shows("Must not be a private, local or reserved address.")
    await page.click_on("button", re.compile("^Log of"))
    await page.shows("Nothing fails.")
    await page.click_on("button", "Given up")
    await page.shows("webhook.test")
    await looked_at(page, "ops-webhooks")
    await page.click_on("button", re.compile("^Send again webhook.test"))
    await page.shows("webhook.test, position 1: Must not be a private")
    await page.click_on("button", re.compile("^Disable"))
    await page.shows("An administrator has disabled it.")
    await page.click_on("button", re.compile("^Enable"))
    await page.shows("gets events again")
    await page.resize(320, 800)
    await looked_at(page, "ops-webhooks-narrow")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320


async def test_refunds_are_recorded_as_paid_back(browser: Browser, stage: Stage) -> None:
    for number, payment_id in enumerate(("pay-unvouched", "pay-vouched")):
        booked = await stage.ada.book(
            stage.screening_id, stage.seat_ids[number : number + 1], payment_id=payment_id
        )
        cancelled = await stage.ada.send("DELETE", f"/api/v1/tickets/{booked.json[0]['id']}")
        assert cancelled.status < 300
    execute(
        stage.house.database_url,
        "UPDATE payments SET vouched_by = 'service' WHERE payment_id = 'pay-vouched'",
    )
    page = await stage.open(browser, "/ops")
    await page.click_on("link", "Refunds")
    await page.shows("pay-unvouched")
    await page.shows("the buyer only")
    ((email, year),) = execute(
        stage.house.database_url,
        "SELECT email, extract(year FROM owed_at)::int FROM refunds, users "
        "WHERE holder = 'user:' || users.id LIMIT 1",
    )
    await page.shows(email)
    await page.shows(f"{year}, ")
    await looked_at(page, "ops-refunds")

    await page.click_on("button", re.compile("^Record as paid back: pay-vouched"))
    await page.shows("Has 12.50")
    await page.fill("Reference", "re_1")
    await page.click_on("button", "It has been paid back")
    await page.shows("for pay-vouched recorded as paid back.")

    await page.click_on("button", re.compile("^Record as paid back: pay-unvouched"))
    await page.shows("It may never have arrived.")
    await page.fill("Reference", "re_2")
    assert await page.evaluate("document.querySelector('dialog .button').disabled")
    await page.click_on("checkbox", "I have seen that the payment arrived")
    await looked_at(page, "ops-refund-unvouched")
    await page.click_on("button", "It has been paid back")
    await page.shows("Nothing is owed.")
    await page.click_on("button", "Paid back")
    await page.shows("re_1")
    await page.shows("re_2")
    await page.resize(320, 800)
    await looked_at(page, "ops-refunds-narrow")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320

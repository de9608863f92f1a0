"""Customers move tickets, and give them to others, on the page of their tickets."""

import pytest

from tests.api.caller import TICKETS, Caller
from tests.box_office import ADA, Guest, data, make_event, make_type
from tests.catalogue.programme import SCREENINGS, add_seats, make, make_room, make_screening
from tests.web.browser import Browser
from tests.web.demo_house import DemoHouse
from tests.web.looks import checked
from tests.web.page import Page
from tests.web.shopping import logged_in

pytestmark = pytest.mark.gen_test(timeout=420)


async def twice_shown(shop: DemoHouse) -> tuple[list[int], list[int]]:
    """Create a film with two screenings, in a hall with a dearer seat. Returns ids: theirs, and of seats."""
    room = await make_room(shop, "Twice shown")
    seats = await add_seats(shop, room)
    vip = {"seats": [{"row_label": "V", "seat_number": 1, "seat_type": "vip"}]}
    (dearer,) = await make(shop, f"/api/v1/rooms/{room}/seats/bulk", vip)
    film = (await make(shop, "/api/v1/movies/", {"title": "Low Water", "duration_minutes": 90}))["id"]
    screenings = [await make_screening(shop, room, at, movie_id=film) for at in (12, 18)]
    return screenings, [*seats, dearer["id"]]


async def focus(page: Page, role: str, name: str) -> None:
    await page.send("DOM.focus", backendNodeId=(await page.find(role, name)).node)


async def choose_seat(page: Page, name: str) -> None:
    """Choose a seat of the hall with the keyboard."""
    await focus(page, "button", name)
    await page.press("Enter")


async def place_of(user: Caller, ticket: int) -> tuple[int, int, float]:
    shown = (await user.ticket(ticket)).json
    return shown["screening_id"], shown["seat_id"], shown["price"]


async def test_a_ticket_moves_to_another_seat_and_another_screening(
    shop: DemoHouse, browser: Browser
) -> None:
    (first, second), seats = await twice_shown(shop)
    page, user = await logged_in(shop, browser)
    (ticket,) = (await user.book(first, seats[:1], payment_id="pi_move")).json
    await page.load(f"{shop.base_url}/my-tickets")
    await page.click_on("link", "Move Row A, seat 1")
    await page.find("heading", "Move a ticket")
    await choose_seat(page, "Row A seat 2")
    await page.shows("This costs the same.")
    await checked(page, "move-a-ticket")
    await page.click_on("button", "Move the ticket")
    await page.shows("Your ticket is moved.")
    assert await place_of(user, ticket["id"]) == (first, seats[1], ticket["price"])

    await page.click_on("link", "Move Row A, seat 2")
    await focus(page, "combobox", "Screening")
    await page.press("ArrowDown")
    await choose_seat(page, "Row V seat 1")
    await page.shows("This costs €5.00 more.")
    page.allow("status of 409")
    assert (await shop.user(8).reserve(second, [seats[-1]])).status == 201
    await page.click_on("button", "Pay €5.00 (test) and move")
    await page.shows("Somebody else has this seat now.")
    await shop.user(8).cancel_reservations(second)
    await page.click_on("button", "Pay €5.00 (test) and move")
    await page.shows("Your ticket is moved.")
    assert await place_of(user, ticket["id"]) == (second, seats[-1], ticket["price"] + 5)

    await shop.admin.send("PUT", f"{SCREENINGS}/{second}", {"moves_allowed": False})
    await page.click_on("link", "Move Row V, seat 1")
    await choose_seat(page, "Row A seat 3")
    await page.shows("This costs €5.00 less.")
    await page.click_on("button", "Move the ticket")
    await page.shows("The organiser does not let tickets be moved")
    await checked(page, "move-refused")


async def test_a_ticket_of_an_event_moves_to_another_type(shop: DemoHouse, browser: Browser) -> None:
    kind = await make_type(shop, event := await make_event(shop))
    balcony = await make_type(shop, event, "Balcony", price=20)
    page, user = await logged_in(shop, browser)
    guest = Guest(shop, None, user.token)
    (ticket,) = data(await guest.purchase(await guest.reserved(kind), ADA))["tickets"]
    await page.load(f"{shop.base_url}/my-tickets/{ticket['id']}/move")
    await page.click_on("radio", "Balcony, €20.00")
    await page.shows("This costs €5.50 less.")
    await checked(page, "move-to-a-type")
    await page.click_on("button", "Move the ticket")
    await page.shows("Your ticket is moved.")
    assert (await user.ticket(int(ticket["id"]))).json["ticket_type_id"] == int(balcony)


async def test_a_ticket_is_given_to_somebody_else(shop: DemoHouse, browser: Browser) -> None:
    (screening, _), seats = await twice_shown(shop)
    page, user = await logged_in(shop, browser)
    (ticket,) = (await user.book(screening, seats[:1], payment_id="pi_give")).json
    before = (await user.ticket(ticket["id"])).json["code"]
    await page.load(f"{shop.base_url}/my-tickets")
    await page.shows(before)
    await page.click_on("button", "Give Row A, seat 1 to somebody else")
    await page.fill("Name", "Grace Hopper")
    await checked(page, "give-a-ticket")
    await page.press("Enter")
    await page.shows("Row A, seat 1 is for Grace Hopper now.")
    given = (await user.ticket(ticket["id"])).json
    assert given["holder_name"] == "Grace Hopper" and given["code"] != before
    await page.shows(given["code"])
    await page.shows("For Grace Hopper")

    await shop.admin.send("PUT", f"{SCREENINGS}/{screening}", {"transfers_allowed": False})
    page.allow("status of 409")
    await page.click_on("button", "Give Row A, seat 1 to somebody else")
    await page.fill("Name", "Bob Bird")
    await page.click_on("button", "Give it away")
    await page.shows("The organiser does not let tickets be given to others")
    assert (await user.send("PATCH", f"{TICKETS}/{ticket['id']}", {"holder_name": "B"})).status == 409

"""The box office in Chromium: a guest's way, a user's way by keyboard, events, lost passwords, all states."""

import re

import pytest

from tests.api.caller import Caller
from tests.catalogue.programme import SCREENINGS
from tests.inbox import Inbox
from tests.web.browser import Browser
from tests.web.demo_house import FIRST_USER, PASSWORD, DemoHouse
from tests.web.looks import checked
from tests.web.page import Page
from tests.web.shopping import logged_in, small_hall

pytestmark = pytest.mark.gen_test(timeout=420)

FILM = "The Cartographer's Tide"
EMAIL = "grace@home.example"


async def test_a_guest_buys_two_seats_and_cancels_one(
    shop: DemoHouse, browser: Browser, inbox: Inbox
) -> None:
    page = await browser.open(f"{shop.base_url}/")
    await page.shows(FILM)
    await page.shows("Night of the Brass Bands")
    await checked(page, "what-is-on")

    await page.click_on("link", FILM)
    await page.shows("A map maker finds a coastline that moves.")
    await page.shows("Great Hall")
    await checked(page, "film")
    links = await page.all("link", re.compile(f"{FILM}, "))
    await page.click_on("link", links[0].name) if len(links) == 1 else await page.click(".time")

    await page.find("button", "Row C seat 8")
    screening = await page.evaluate("Number(location.pathname.split('/').at(-1))")
    neighbour = await browser.open(f"{shop.base_url}/screenings/{screening}", apart=True)
    await neighbour.find("button", "Row C seat 8")
    await page.click_on("button", "Row C seat 8")
    await page.click_on("button", "Row C seat 9")
    await page.shows("2 seats")
    await neighbour.until(_status("C", 9, "reserved"))
    await checked(page, "hall")
    await neighbour.picture("hall-of-a-neighbour")
    await neighbour.close()

    await page.click_on("button", re.compile("Continue to checkout"))
    await page.shows("Row C, seat 9")
    await page.shows("21.98")
    await checked(page, "checkout")
    await page.reload()
    await page.click_on("button", "Try a declined payment")
    await page.shows("The test payment was declined")
    await page.fill("Name", "Grace Example")
    await page.fill("E-mail", EMAIL)
    await page.reload()
    await page.until("document.querySelector('input[name=email]')?.value === 'grace@home.example'")
    assert await page.evaluate("document.querySelector('input[name=fullName]').value") == "Grace Example"
    await page.click_on("button", "Pay €21.98 (test)")
    await page.shows("Thank you")
    await page.until("document.querySelectorAll('img.qr').length === 2")
    await checked(page, "my-tickets")
    assert (await inbox.next_mail())["To"] == EMAIL
    await page.click_on("button", "Show the QR code of Row C, seat 8")
    await page.shows("Show this code at the door")
    await checked(page, "qr-code")
    await page.press("Escape")
    await page.click_on("button", "Cancel Row C, seat 8")
    await page.shows("cannot be undone")
    await checked(page, "cancelling")
    await page.click_on("button", "Cancel this ticket")
    await page.hides("cannot be undone")
    await page.shows("Row C, seat 8 is cancelled.")
    await page.until("document.querySelectorAll('img.qr').length === 1")
    assert "Row C, seat 8" in (await inbox.next_mail()).get_body(("plain",)).get_content()
    await page.until("document.activeElement !== document.body")
    assert await page.evaluate("sessionStorage.getItem('frontrow.draft/tickets checkout')") is None

    # Lost on this computer, and found on another one.
    other = await browser.open(f"{shop.base_url}/my-tickets", apart=True)
    await other.shows("You have no tickets yet")
    await checked(other, "no-tickets")
    await other.click("summary")
    await other.fill("E-mail", EMAIL)
    await other.click_on("button", "Send me a link")
    await other.shows("a mail with links")
    letter = (await inbox.next_mail()).get_body(("plain",)).get_content()
    (link,) = re.findall(r"/my-tickets#guest=\S+", letter)
    await other.load("about:blank")
    await other.load(shop.base_url + link)
    await other.shows("Row C, seat 9")
    assert await other.evaluate("location.hash") == ""


def _status(row: str, number: int, status: str) -> str:
    """An expression: whether a seat of the hall has a status."""
    return (
        "document.querySelector('frontrow-seats')?.seats"
        f".find((one) => one.row === '{row}' && one.number === {number})?.status === '{status}'"
    )


async def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until an element has the focus: role and name, or the beginning of both."""
    for _ in range(80):
        await page.press("Tab")
        if (await page.focused()).startswith(wanted):
            return
    raise AssertionError(f"{wanted} cannot be reached with Tab; the focus is on {await page.focused()}")


async def type_into(page: Page, field: str, text: str) -> None:
    await tab_to(page, f"textbox {field}")
    await page.send("Input.insertText", text=text)


async def test_a_user_buys_with_the_keyboard_alone(shop: DemoHouse, browser: Browser) -> None:
    page = await browser.open(f"{shop.base_url}/")
    await page.shows(FILM)
    await tab_to(page, f"link {FILM}, ")
    await page.press("Enter")
    await page.find("button", "Row C seat 8")
    await tab_to(page, "button Row ")
    await page.press("ArrowRight")
    await page.press("ArrowDown")
    chosen = (await page.focused()).removeprefix("button ")
    await page.press("Enter")
    await page.shows("1 seat")
    await tab_to(page, "button Continue to checkout")
    await page.press("Enter")
    await page.shows("left to pay")

    # Chosen as a guest, bought as a user.
    await tab_to(page, "link Log in instead")
    await page.press("Enter")
    await page.find("textbox", "E-mail")
    await checked(page, "login")
    await type_into(page, "E-mail", FIRST_USER)
    await type_into(page, "Password", "a wrong password")
    await page.press("Enter")
    await page.shows("do not match")
    await checked(page, "login-refused")
    page.allow("status of 401")
    await page.fill("Password", PASSWORD)
    await page.press("Enter")
    await page.shows(f"Tickets go to {FIRST_USER}")
    await checked(page, "checkout-of-a-user")
    await tab_to(page, "button Pay ")
    await page.press("Enter")
    await page.shows("Thank you")
    await page.shows(chosen.replace(" seat", ", seat"))
    await page.shows("Log out")

    # The log-in ends elsewhere; what was a user's is no longer shown.
    token = await page.evaluate("JSON.parse(localStorage.getItem('frontrow.login/tickets')).access")
    await Caller(shop.base_url, token).send("POST", "/api/v1/auth/logout")
    await page.reload()
    await page.shows("You have been logged out")
    await page.shows("You have no tickets yet")


async def test_a_lost_password_and_a_new_account(shop: DemoHouse, browser: Browser, inbox: Inbox) -> None:
    page = await browser.open(f"{shop.base_url}/login?next=/my-tickets")
    await page.click_on("link", "Forgot your password?")
    await checked(page, "forgot-password")
    await page.fill("E-mail", FIRST_USER)
    await page.click_on("button", "Send the link")
    await page.shows("a mail with a link")
    letter = (await inbox.next_mail()).get_body(("plain",)).get_content()
    (link,) = re.findall(r"\S+/reset-password\?token=\S+", letter)
    assert link.startswith(f"http://127.0.0.1:{shop.server.port}/tickets/reset-password?")
    await page.load(link)
    await page.fill("New password", "qwertyuiop")
    await page.click_on("button", "Save the password")
    await page.shows("Must not be the e-mail address or a run of keyboard keys")
    page.allow("status of 422")
    await page.fill("New password", "staple orange rocket")
    await page.click_on("button", "Save the password")
    await page.shows("Your password is changed")
    await checked(page, "password-changed")
    await page.load(shop.base_url + link.partition("/tickets")[2])
    await page.fill("New password", "staple orange rocket")
    await page.click_on("button", "Save the password")
    await page.shows("request a new one")
    page.allow("status of 400")
    await checked(page, "link-used")
    await page.load(f"{shop.base_url}/reset-password")
    await page.shows("The link is incomplete")

    await page.load(f"{shop.base_url}/register?next=/my-tickets")
    await checked(page, "register")
    await page.fill("Name", "Grace Example")
    await page.fill("E-mail", FIRST_USER)
    await page.fill("Password", "staple orange rocket")
    await page.click_on("button", "Register")
    await page.shows("exists")
    page.allow("status of 409")
    await page.fill("E-mail", EMAIL)
    await page.click_on("button", "Register")
    await page.at("/tickets/my-tickets")
    await page.shows("Log out")
    await page.load(f"{shop.base_url}/login?next=https://elsewhere.example/")
    await page.shows(f"You are logged in as {EMAIL}")
    await page.click_on("link", "Go on")
    await page.at("/tickets/")


async def test_a_guest_buys_tickets_of_an_event(shop: DemoHouse, browser: Browser, inbox: Inbox) -> None:
    page = await browser.open(f"{shop.base_url}/")
    neighbour = await browser.open(f"{shop.base_url}/events/{shop.demo.event.id}", apart=True)
    await page.click_on("link", "Night of the Brass Bands")
    await neighbour.shows("200 left")
    await checked(page, "event")
    await page.click_on("button", "One Standing ticket more")
    await page.click_on("button", "One Standing ticket more")
    await page.click_on("button", "One Balcony ticket more")
    await page.reload()
    await page.shows("€99.00")
    await page.click_on("button", "Reserve")
    await page.shows("left to pay")
    await neighbour.shows("198 left")
    await page.at(f"/tickets/events/{shop.demo.event.id}/checkout")
    await page.evaluate("history.back()")
    await page.at(f"/tickets/events/{shop.demo.event.id}")
    await page.shows("2 \N{MULTIPLICATION SIGN} Standing")
    await page.click_on("link", "Continue to checkout")
    await page.reload()
    await page.shows("2 \N{MULTIPLICATION SIGN} Standing")
    await page.fill("Name", "Grace Example")
    await page.fill("E-mail", EMAIL)
    await page.fill("Identity document", "Passport")
    await page.fill("Its number", "C01X00T47")
    await page.fill("Phone (WhatsApp)", "none")
    await page.click_on("button", "Pay €99.00 (test)")
    page.allow("status of 400")
    await page.shows("Please correct what is marked")
    await page.until("document.activeElement.name === 'buyer.whatsapp'")
    assert await page.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true"
    assert "buyerInfo" not in await page.text()
    await checked(page, "event-checkout-refused")
    await page.fill("Phone (WhatsApp)", "+49 228 1234567")
    await page.click("input[type=checkbox]")
    await page.until("document.querySelectorAll('input[type=email]').length === 2")
    await checked(page, "event-checkout")
    for field, text in (
        ("fullName", "Ada Example"),
        ("email", "ada@home.example"),
        ("identityType", "Passport"),
        ("identityNumber", "C01X00T48"),
        ("whatsapp", "+49 228 7654321"),
    ):
        await page.click(f"fieldset:nth-of-type(2) input[name$='.{field}']")
        await page.send("Input.insertText", text=text)
    await page.reload()
    typed = "[...document.querySelectorAll('fieldset input:not([type=checkbox])')].map((one) => one.value)"
    await page.until(f"{typed}.includes('C01X00T48')")
    assert await page.evaluate(f"{typed}.filter(Boolean).length") == 10
    await page.click_on("button", "Pay €99.00 (test)")
    await page.shows("Thank you")
    await page.shows("Ada Example")
    await page.shows("Balcony")
    await page.until("document.querySelectorAll('img.qr').length === 3")
    assert len(await page.all("button", re.compile(r"^Cancel (Standing|Balcony), ticket [123]$"))) == 3
    await checked(page, "event-tickets")
    told = set()
    while told < {EMAIL, "ada@home.example"}:  # mails of earlier orders may come first
        told.add((await inbox.next_mail())["To"])
    assert told == {EMAIL, "ada@home.example"}


async def test_a_guest_waits_for_tickets(shop: DemoHouse, browser: Browser) -> None:
    caller, path = Caller(shop.base_url), "/api/public/reservations"
    event = (await caller.send("GET", f"/api/public/events/{shop.demo.event.id}")).json["data"]
    (balcony,) = [kind for kind in event["ticketTypes"] if kind["name"] == "Balcony"]
    taken = []
    for number in range(balcony["available"] // balcony["maxPerOrder"]):
        session = f"session-of-guest-{number}"
        order = {"ticketTypeId": balcony["id"], "quantity": balcony["maxPerOrder"], "sessionId": session}
        answer = await caller.send("POST", path, order)
        assert answer.status == 201, answer.body
        taken.append((session, answer.json["data"]["reservation"]["id"]))

    page = await browser.open(f"{shop.base_url}/events/{shop.demo.event.id}")
    await page.shows("sold out")
    await page.click_on("button", "Join the waiting list for Balcony")
    await page.shows("Number 1 in line, for 1")
    await checked(page, "event-waiting")
    session, reservation = taken[0]
    assert (await caller.send("DELETE", f"{path}/{reservation}?sessionId={session}")).status == 200
    await page.shows("It is your turn")
    await page.shows("1 \N{MULTIPLICATION SIGN} Balcony")
    await page.shows("left to pay")
    await page.click_on("button", "Give the tickets back")
    await page.shows("4 left")


async def test_the_checkout_follows_what_happens_in_another_window(shop: DemoHouse, browser: Browser) -> None:
    screening, seats = await small_hall(shop)
    page, user = await logged_in(shop, browser)
    assert (await user.reserve(screening, seats[:2])).status == 201
    await page.load(f"{shop.base_url}/screenings/{screening}/checkout")
    await page.shows("Row A, seat 2")

    page.allow("status of 409")
    assert (await user.cancel_reservations(screening, f"?seat_ids={seats[0]}")).status == 204
    await page.click_on("button", re.compile("^Pay"))
    await page.hides("Row A, seat 1")
    await page.shows("Row A, seat 2")
    await page.shows("You have not been charged")

    assert (await user.book(screening, seats[1:2])).status == 201
    await page.click_on("button", re.compile("^Pay"))
    await page.shows("You have no seats reserved here")
    await page.click("main a[href$='/my-tickets']")
    await page.shows("Row A, seat 2")


@pytest.mark.parametrize("shop", [False], indirect=True)
async def test_a_real_payment_that_cannot_be_used_is_said_to_be_owed(
    shop: DemoHouse, browser: Browser
) -> None:
    screening, seats = await small_hall(shop)
    page, user = await logged_in(shop, browser)
    assert (await user.reserve(screening, seats[:1])).status == 201
    page.allow("status of 409")

    async def refund() -> int:
        """Have the payment of the page arrive for seats that it cannot have. Returns the refund's number."""
        await page.load(f"{shop.base_url}/screenings/{screening}/checkout")
        await page.shows("Row A, seat 1")
        cart = "Object.entries(sessionStorage).find(([key]) => key.startsWith('frontrow.cart'))[1]"
        payment = await page.evaluate(f"JSON.parse({cart}).paymentId")
        refused = await user.book_reservation(screening, seats[1:2], payment)
        assert refused.code == "refund_required", refused.body
        return int(refused.json["refund_id"])

    number = await refund()
    await page.click_on("button", re.compile("^Reserve, pay"))
    await page.shows("You get €12.50 back")
    await page.shows(f"give the refund number {number}")
    await page.shows("Row A, seat 1")
    assert "have not been charged" not in await page.text()
    await checked(page, "refund-owed")

    number = await refund()
    assert (await user.cancel_reservations(screening)).status == 204
    await page.click_on("button", re.compile("^Reserve, pay"))
    await page.shows("You have no seats reserved here")
    await page.shows(f"give the refund number {number}")


async def test_the_agreed_price_stays_and_another_one_is_asked_about(
    shop: DemoHouse, browser: Browser
) -> None:
    screening, seats = await small_hall(shop)

    async def cost(price: float) -> None:
        changed = await shop.admin.send("PUT", f"{SCREENINGS}/{screening}", {"price": price})
        assert changed.status == 200, changed.body

    page, user = await logged_in(shop, browser)
    await page.load(f"{shop.base_url}/screenings/{screening}")
    await page.click_on("button", "Row A seat 1")
    await page.shows("12.50")
    await cost(15)
    await page.shows("15.00")
    await page.click_on("button", "Row A seat 2")
    await page.shows("27.50")
    await checked(page, "agreed-price-in-the-cart")
    await page.click_on("button", re.compile("Continue to checkout"))
    await page.shows("Row A, seat 2")
    await page.find("button", re.compile("^Pay €27.50"))

    # In another window the user gives the seats back and reserves them again.
    await cost(16)
    assert (await user.cancel_reservations(screening)).status == 204
    assert (await user.reserve(screening, seats[:2])).status == 201
    page.allow("status of 409")
    await page.click_on("button", re.compile("^Pay"))
    await page.shows("The price has changed since this page was loaded")
    await page.find("button", re.compile("^Pay €32.00"))
    await checked(page, "price-changed")
    await page.click_on("button", re.compile("^Pay"))
    await page.shows("Thank you")
    assert [ticket["price"] for ticket in (await user.my_tickets()).json] == [16, 16]


async def log_in(page: Page, next_path: str, house: DemoHouse) -> None:
    await page.load(f"{house.base_url}/login?next={next_path}")
    await page.fill("E-mail", FIRST_USER)
    await page.fill("Password", PASSWORD)
    await page.click_on("button", "Log in")
    await page.at(f"/tickets{next_path}")


async def test_the_form_of_an_event_knows_the_account(shop: DemoHouse, browser: Browser) -> None:
    page = await browser.open("about:blank")
    await log_in(page, f"/events/{shop.demo.event.id}", shop)
    await page.click_on("button", "One Standing ticket more")
    await page.click_on("button", "One Standing ticket less")
    assert await page.focused() == "button One Standing ticket less"
    await page.click_on("button", "One Standing ticket more")
    await page.click_on("button", "Reserve")
    await page.until("document.querySelector('input[name=\"buyer.fullName\"]')?.value === 'First Demo User'")
    assert await page.evaluate("document.querySelector('input[name=\"buyer.email\"]').value") == FIRST_USER
    await page.click_on("button", "Give the tickets back")
    await page.shows("You have no tickets reserved here")
    await page.until("document.activeElement !== document.body")
    await page.click_on("link", "Choose tickets")
    await page.at(f"/tickets/events/{shop.demo.event.id}")


LATER = "{ const now = Date.now.bind(Date); Date.now = () => now() + %d * 60_000 }"


async def test_the_time_to_pay(shop: DemoHouse, browser: Browser) -> None:
    """The time can be extended, is shorter after a log-in, and its end is told."""
    screening, _ = await small_hall(shop)
    page = await browser.open("about:blank")
    await page.resize(320, 640)
    await page.load(f"{shop.base_url}/screenings/{screening}")
    await page.click_on("button", "Row A seat 2")
    await page.until(_CHECKOUT_IN_VIEW)
    await page.click_on("button", re.compile("Continue to checkout"))
    await page.shows("left to pay")
    assert not await page.all("button", "More time")
    await page.evaluate(LATER % 4)
    await page.click_on("button", "More time")
    await page.hides("More time")
    await checked(page, "more-time")

    await page.click_on("link", "Log in instead")
    await page.fill("E-mail", FIRST_USER)
    await page.fill("Password", PASSWORD)
    await page.click_on("button", "Log in")
    await page.shows("There is less time to pay than before you logged in")
    await checked(page, "less-time")

    (user_id,) = [member.user_id for member in shop.demo.members if member.email == FIRST_USER]
    assert (await shop.user(user_id).cancel_reservations(screening)).status == 204
    await page.evaluate(LATER % 60)
    await page.shows("The time to pay has ended")
    await checked(page, "time-has-ended")


_CHECKOUT_IN_VIEW = """
(() => {
  const { top, bottom, height } = document.querySelector('frontrow-seats').shadowRoot
    .querySelector('[part=checkout]').getBoundingClientRect();
  return height > 0 && top >= 0 && bottom <= innerHeight;
})()
"""

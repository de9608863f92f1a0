"""The page of the account: every change of it, and its end."""

import pytest

from tests.web.browser import Browser
from tests.web.demo_house import FIRST_USER, PASSWORD, DemoHouse
from tests.web.looks import checked
from tests.web.page import Page
from tests.web.shopping import logged_in, small_hall

pytestmark = pytest.mark.gen_test(timeout=420)

NEW_PASSWORD = "staple orange rocket"


async def opened(page: Page, shop: DemoHouse) -> None:
    await page.load(f"{shop.base_url}/account")
    await page.find("button", "Delete my account")


async def test_a_user_changes_everything_about_the_account(shop: DemoHouse, browser: Browser) -> None:
    page, user = await logged_in(shop, browser)
    await page.click_on("link", "Account")
    await page.find("button", "Delete my account")
    await checked(page, "account")

    await page.fill("Name", "Grace Example")
    await page.fill("E-mail", "grace@home.example")
    await page.fill("Current password", "not the password")
    await page.press("Enter")
    page.allow("status of 40")
    await page.until("document.querySelector('[name=current_password]').value !== ''")
    await page.shows("password")
    await checked(page, "account-refused")
    await page.fill("Current password", PASSWORD)
    await page.press("Enter")
    await page.shows("Saved.")
    profile = (await user.send("GET", "/api/v1/users/me")).json
    assert (profile["full_name"], profile["email"]) == ("Grace Example", "grace@home.example")

    await page.evaluate("document.querySelector('select[name=language]').value = 'de'")
    await page.click("input[name=hold_reminders]")
    await page.click("form[aria-label=Mails] button")
    await page.until("document.querySelector('form[aria-label=Mails] .notice-good') !== null")
    preferences = (await user.send("GET", "/api/v1/users/me")).json["preferences"]
    assert (preferences["language"], preferences["hold_reminders"]) == ("de", True)

    await page.fill("Present password", PASSWORD)
    await page.fill("New password", NEW_PASSWORD)
    await page.click_on("button", "Change the password")
    await page.shows("Your password is changed")
    await opened(page, shop)
    assert await page.evaluate("document.querySelector('select[name=language]').value") == "de"
    await page.click_on("button", "Log out everywhere")
    await page.at("/tickets/login")
    await page.fill("E-mail", "grace@home.example")
    await page.fill("Password", NEW_PASSWORD)
    await page.click_on("button", "Log in")
    await page.find("button", "Log out")


async def test_an_account_with_tickets_is_deleted_only_with_them(shop: DemoHouse, browser: Browser) -> None:
    screening, seats = await small_hall(shop)
    page, user = await logged_in(shop, browser)
    booked = (await user.book(screening, seats[:1], payment_id="pi_1")).json
    await opened(page, shop)
    await page.click_on("button", "Delete my account")
    await page.shows("This cannot be undone")
    page.allow("status of 409")
    await page.click_on("button", "Delete the account")
    await page.shows("They would be cancelled")
    await page.shows(f"Ticket {booked[0]['id']}")
    await checked(page, "account-with-tickets")
    await page.click_on("button", "Cancel the tickets and delete the account")
    await page.find("link", "Log in")
    ticket = await shop.admin.send("GET", f"/api/v1/tickets/?booking_id={booked[0]['booking_id']}")
    assert [one["status"] for one in ticket.json] == ["cancelled"]
    page.allow("status of 401")
    again = await shop.guest.send("POST", "/api/v1/auth/login", {"email": FIRST_USER, "password": PASSWORD})
    assert again.status == 401

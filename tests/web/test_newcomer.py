"""A newcomer's ten minutes: `make run`, open `/`, buy as a guest and as a user, watch as an operator.

The server is the demo as a process. FRONTROW_TEST_PICTURES keeps the pictures, numbered in their order.
"""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from frontrow.demo import LOGINS, LOGINS_FILE
from tests.acceptance.server_process import ServerProcess
from tests.web.browser import Browser, Page

pytestmark = pytest.mark.gen_test(timeout=420)

FILM, HALL = "The Cartographer's Tide", "Great Hall"
SEATS = 240
ADMIN, USER, _ = (login.email for login in LOGINS)


@asynccontextmanager
async def running_demo(data_directory: Path) -> AsyncIterator[ServerProcess]:
    """`frontrow serve --demo`, which `make run` starts."""
    server = ServerProcess(data_directory)
    try:
        await server.start("--demo")
        yield server
    finally:
        await server.remove()


async def log_in(page: Page, email: str, password: str) -> None:
    """Fill in the form of the log-in, at whose page the window is."""
    await page.fill("E-mail", email)
    await page.fill("Password", password)
    await page.click_on("button", "Log in")
    await page.find("button", "Log out")


async def choose(page: Page, *seats: str) -> None:
    """Click on seats, and wait until they are the visitor's."""
    for seat in seats:
        await page.click_on("button", seat)
    await page.shows(f"{len(seats)} seats")


async def open_hall(page: Page, url: str) -> None:
    """Go from the first page to a hall, in three clicks at most, as somebody who looks around would."""
    await page.load(f"{url}/")
    await page.click_on("link", FILM)
    await page.shows(HALL)
    await page.click(".time")
    await page.find("button", "Row C seat 8")


async def test_a_newcomers_ten_minutes(browser: Browser, empty_data_directory: Path) -> None:
    numbers = count(1)

    async def picture(page: Page, name: str) -> None:
        await page.picture(f"newcomer-{next(numbers):02}-{name}")

    async def window(url: str) -> Page:
        page = await browser.open("about:blank", apart=True)
        await page.resize(1280, 900)
        await page.prefer(reduced_motion="reduce")
        await page.load(url)
        return page

    async with running_demo(empty_data_directory) as server:
        passwords = json.loads((empty_data_directory / LOGINS_FILE).read_text())
        guest, user = await window(f"{server.url}/"), await window(f"{server.url}/")
        await guest.shows(FILM)
        await picture(guest, "what-is-on")
        await open_hall(guest, server.url)
        path = await guest.evaluate("location.pathname")

        operator = await window(f"{server.url}/ops")
        await operator.shows("Log in first")
        await picture(operator, "operator-anonymous")
        await operator.click("main a")
        await log_in(operator, ADMIN, passwords[ADMIN])
        await operator.at("/ops")
        await operator.shows(FILM)
        await picture(operator, "operator-overview")
        await operator.load(f"{server.url}/ops{path}")
        await operator.shows(f"sold 0 held 0 free {SEATS}")

        await user.click_on("link", "Log in")
        await log_in(user, USER, passwords[USER])
        await open_hall(user, server.url)
        await choose(guest, "Row C seat 8", "Row C seat 9")
        await user.until(_status("C", 9, "reserved"))
        await choose(user, "Row D seat 8", "Row D seat 9")
        await guest.until(_status("D", 9, "reserved"))
        await operator.shows(f"sold 0 held 4 free {SEATS - 4}")
        await picture(guest, "hall-of-the-guest")
        await picture(user, "hall-of-the-user")
        await picture(operator, "operator-held")

        for page, name in ((guest, "guest"), (user, "user")):
            await page.click_on("button", re.compile("Continue to checkout"))
            await page.shows("21.98")
            if page is guest:
                await page.fill("Name", "Grace Example")
                await page.fill("E-mail", "grace@home.example")
            await picture(page, f"checkout-of-the-{name}")
            await page.click_on("button", "Pay €21.98 (test)")
            await page.shows("Thank you")
            await page.until("document.querySelectorAll('img.qr').length === 2")
            await picture(page, f"tickets-of-the-{name}")
        await operator.shows(f"sold 4 held 0 free {SEATS - 4}")
        await picture(operator, "operator-sold")
        assert browser.troubles == []
        # Otherwise they would complain that the server ends.
        for page in browser.pages:
            await page.close()


def _status(row: str, number: int, status: str) -> str:
    """An expression: whether a seat of the hall has a status."""
    return (
        "document.querySelector('frontrow-seats')?.seats"
        f".find((one) => one.row === '{row}' && one.number === {number})?.status === '{status}'"
    )

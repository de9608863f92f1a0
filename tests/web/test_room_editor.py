"""The room editor in Chromium: a newcomer's hall of 2,000 seats; tools; publishing beside live sales."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.web.browser import Browser
from tests.web.demo_house import ADMIN, PASSWORD, DemoHouse
from tests.web.page import Page

pytestmark = pytest.mark.gen_test(timeout=420)


class EditorPage:
    """The page of a room, used like an administrator would.

    Args:
        page: the tab.
        house: the server.

    Attributes:
        steps: what was done, for people.
    """

    def __init__(self, page: Page, house: DemoHouse) -> None:
        self.page = page
        self.house = house
        self.steps: list[str] = []

    async def log_in(self) -> None:
        """Be the administrator of the demo, as after the log-in."""
        body = {"email": ADMIN, "password": PASSWORD}
        issued = (await self.house.guest.send("POST", "/api/v1/auth/login", body)).json
        login = {"access": issued["access_token"], "refresh": issued["refresh_token"], "renewAt": 2**50}
        await self.page.load(f"{self.house.base_url}/ops")
        await self.page.evaluate(f"localStorage.setItem('frontrow.login', {json.dumps(json.dumps(login))})")
        await self.page.load(f"{self.house.base_url}/ops/rooms")

    async def click(self, role: str, name: str) -> None:
        self.steps.append(f"click {name}")
        await self.page.click_on(role, name)

    async def fill(self, name: str, text: str, role: str = "textbox") -> None:
        """Fill in a field and leave it."""
        self.steps.append(f"{name}: {text}")
        await self.page.fill(name, text, role)
        await self.page.press("Tab")

    async def drag(self, start: tuple[float, float], end: tuple[float, float], modifiers: int = 0) -> None:
        """Drag over the drawing, in pixels from its corner."""
        box = await self.page.evaluate(
            "(() => { const canvas = document.querySelector('.editor-canvas canvas');"
            " canvas.scrollIntoView({ block: 'center', behavior: 'instant' });"
            " const { x, y } = canvas.getBoundingClientRect(); return [x, y]; })()"
        )
        points = [(box[0] + x, box[1] + y) for x, y in (start, end)]
        middle = tuple((one + other) / 2 for one, other in zip(*points, strict=True))
        for kind, (x, y) in (
            ("mouseMoved", points[0]),
            ("mousePressed", points[0]),
            ("mouseMoved", middle),
            ("mouseMoved", points[1]),
            ("mouseReleased", points[1]),
        ):
            await self.page.send(
                "Input.dispatchMouseEvent",
                type=kind,
                x=x,
                y=y,
                button="none" if kind == "mouseMoved" and (x, y) == points[0] else "left",
                buttons=0 if kind == "mouseReleased" else 1,
                clickCount=1,
                modifiers=modifiers,
            )

    async def layout(self, room_id: int) -> dict[str, Any]:
        return (await self.house.guest.send("GET", f"/api/v1/rooms/{room_id}/layout")).json

    async def room_id(self) -> int:
        return int((await self.page.evaluate("location.pathname")).rpartition("/")[2])


async def accessible(page: Page) -> None:
    """Assert that the page has no accessibility violations once its animations have ended."""
    await page.until("document.getAnimations().every((one) => one.playState !== 'running')")
    assert await page.accessibility_violations() == []


async def opened(browser: Browser, demo: DemoHouse, width: int = 1280, height: int = 900) -> EditorPage:
    page = await browser.open("about:blank")
    # On a busy machine the server may ask the page to try again, which the page does.
    page.allow("status of 503")
    await page.resize(width, height)
    await page.prefer(reduced_motion="reduce")
    editor = EditorPage(page, demo)
    await editor.log_in()
    await page.shows("New room")
    return editor


async def test_a_newcomer_builds_a_hall_of_two_thousand_seats(browser: Browser, demo: DemoHouse) -> None:
    editor = await opened(browser, demo)
    page = editor.page
    await accessible(page)
    await page.picture("rooms")
    await editor.fill("Name of the room", "Concert Hall")
    await editor.click("button", "Create and draw")
    await page.shows("No faults")
    await editor.fill("Rows", "40", "spinbutton")
    await editor.fill("Seats per row", "50", "spinbutton")
    await editor.fill("Aisles after seats", "15, 35")
    await editor.click("button", "Add 2000 seats")
    await page.shows("2000 seats, not published")
    await page.picture("hall")
    await accessible(page)
    await editor.click("button", "Preview")
    await page.find("dialog", "Preview")
    await page.picture("preview")
    await accessible(page)
    await editor.click("button", "Close")
    await editor.click("button", "Publish…")
    await page.shows("No screening to come takes place in this room.")
    await accessible(page)
    await page.picture("publish")
    await editor.click("button", "Publish now")
    await page.shows("Published: 2000 seats")
    layout = await editor.layout(await editor.room_id())
    assert len(layout["seats"]) == 2000
    assert {seat["row_label"] for seat in layout["seats"]} >= {"A", "Z", "AA", "AN"}
    assert layout["screen"] is not None
    print(f"\n{len(editor.steps)} steps: {'; '.join(editor.steps)}")
    assert len(editor.steps) <= 12


async def test_tools_draw_select_move_and_undo(browser: Browser, demo: DemoHouse) -> None:
    editor = await opened(browser, demo)
    page = editor.page
    await editor.fill("Name of the room", "Attic")
    await editor.click("button", "Create and draw")
    await page.shows("No faults")
    await editor.click("button", "Rows")
    await editor.drag((100, 120), (500, 320))
    await page.shows("seats, not published")
    drawn = await page.evaluate("document.querySelector('.editor-head .badge').textContent")
    await editor.click("button", "Section")
    await editor.drag((90, 100), (300, 330))
    await page.shows("Selected: section")
    await editor.fill("Name", "Stalls")
    await editor.click("button", "Aisle")
    await editor.drag((560, 100), (600, 330))
    await page.shows("Selected: aisle")
    await page.picture("tools")
    await accessible(page)
    # A frame around everything, another type, another place, and all of it undone and redone.
    await page.press("Escape")
    await page.press("a", "Control")
    await page.shows("Selected: ")
    await page.press("ArrowRight")
    await editor.click("button", "Copy")
    await page.shows("No faults")
    await page.press("Delete")
    await editor.click("button", "Undo")
    for _ in range(12):
        await page.press("z", "Control")
    await page.shows("0 seats, version")
    for _ in range(12):
        await page.press("y", "Control")
    await page.shows("seats, not published")
    assert drawn
    # The fault of two seats with one name leads to them.
    await page.evaluate("document.querySelector('.editor-canvas canvas').focus()")
    await page.press("Escape")
    await page.press("a", "Control")
    await editor.fill("Row", "A")
    await page.shows("is there 8 times")
    await page.find("button", "Publish…")
    await page.picture("faults")
    await accessible(page)


async def test_sold_seats_stand_in_the_way_until_they_are_kept(
    browser: Browser, demo: DemoHouse, tmp_path: Path
) -> None:
    editor = await opened(browser, demo)
    page = editor.page
    screening = demo.demo.upcoming[0]
    shown = (await demo.guest.send("GET", f"/api/v1/screenings/{screening.id}")).json
    room_id = shown["room_id"]
    before = await editor.layout(room_id)
    first = before["seats"][0]
    assert (await demo.user(2).reserve(screening.id, [first["id"]])).status == 201

    await page.load(f"{demo.base_url}/ops/rooms/{room_id}")
    await page.shows(f"{len(before['seats'])} seats, version")
    file = tmp_path / "hall.csv"
    file.write_text("row,number,type,x,y\nZ,1,vip,3,4\nZ,2,standard,4,4\n")
    await imported(page, file)
    await page.shows("hall.csv is in the drawing now: 2 seats.")
    await editor.click("button", "Publish…")
    await page.shows("sold or reserved and cannot be removed")
    await page.shows(f"row {first['row_label']} seat {first['seat_number']} (reserved)")
    await accessible(page)
    await page.picture("obstacles")
    assert (await page.find("button", "Publish now")).properties.get("disabled")
    await editor.click("button", "Go on editing")

    # Somebody else publishes meanwhile; this user decides to replace that.
    (tmp_path / "kept.json").write_text(json.dumps({**before, "version": 1}))
    await imported(page, tmp_path / "kept.json")
    await page.shows(f"kept.json is in the drawing now: {len(before['seats'])} seats.")
    theirs = {**before, "seats": [{**first, "x": 40}, *before["seats"][1:]]}
    assert (await demo.admin.send("PUT", f"/api/v1/rooms/{room_id}/layout", theirs)).status == 200
    page.allow("status of 409")
    await editor.click("button", "Publish…")
    await page.shows("Somebody has published another layout")
    await editor.click("button", "Replace it by mine")
    await page.shows("1 seat moved")
    async with page.answering("*/layout?dry_run=false", 500):
        await editor.click("button", "Publish now")
        await page.shows("The server could not answer")
    await page.shows("Published: ")
    assert (await editor.layout(room_id))["seats"][0]["x"] == first["x"]

    await page.load("about:blank")
    (tmp_path / "bad.csv").write_text("seat\n1\n")
    await page.load(f"{demo.base_url}/ops/rooms/{room_id}")
    await page.shows("seats, version")
    await imported(page, tmp_path / "bad.csv")
    await page.shows("The first line must name the columns: row,number,type,x,y.")


async def imported(page: Page, file: Path) -> None:
    document = await page.send("DOM.getDocument")
    node = await page.send(
        "DOM.querySelector", nodeId=document["root"]["nodeId"], selector="input[type=file]"
    )
    await page.send("DOM.setFileInputFiles", nodeId=node["nodeId"], files=[str(file)])


async def test_the_editor_fits_into_phones_and_darkness(browser: Browser, demo: DemoHouse) -> None:
    editor = await opened(browser, demo, 320, 700)
    page = editor.page
    room_id = (await demo.guest.send("GET", f"/api/v1/screenings/{demo.demo.upcoming[0].id}")).json["room_id"]
    await page.load(f"{demo.base_url}/ops/rooms/{room_id}")
    await page.shows("seats, version")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    await accessible(page)
    await page.picture("phone")
    await page.resize(1280, 900)
    await page.prefer(color_scheme="dark", reduced_motion="reduce")
    await page.reload()
    await page.shows("No faults")
    await accessible(page)
    await page.picture("dark")


async def test_open_seat_maps_of_guests_and_users_show_a_layout_that_is_published(
    browser: Browser, demo: DemoHouse
) -> None:
    screening = demo.demo.upcoming[0].id
    room_id = (await demo.guest.send("GET", f"/api/v1/screenings/{screening}")).json["room_id"]
    path = f"/api/v1/rooms/{room_id}/layout"
    before = (await demo.guest.send("GET", path)).json
    number = "document.querySelector('frontrow-seats')?.seats.length"
    live = "document.querySelector('frontrow-seats')?.connection === 'live'"
    page = await browser.open(f"{demo.base_url}/screenings/{screening}")
    await page.until(f"{number} === {len(before['seats'])} && {live}")
    balcony = [{"row_label": "Z", "seat_number": n, "x": n, "y": 15} for n in range(1, 11)]
    section = {"name": "Balcony", "x": 0.3, "y": 14.3, "width": 10.4, "height": 1.4}
    layout = {**before, "seats": before["seats"] + balcony, "sections": [section]}
    layout["aisles"] = [{"x": 6.2, "y": 0.5, "width": 1.1, "height": 12}]
    published = await demo.admin.send("PUT", path, layout)
    assert published.status == 200, published.body
    await page.until(f"{number} === {len(layout['seats'])}")
    await page.picture("balcony")

    await EditorPage(page, demo).log_in()
    await page.load(f"{demo.base_url}/screenings/{screening}")
    await page.until(f"{number} === {len(layout['seats'])} && {live}")
    back = {**before, "version": published.json["version"]}
    assert (await demo.admin.send("PUT", path, back)).status == 200
    await page.until(f"{number} === {len(before['seats'])}")


async def test_nobody_but_administrators_sees_the_editor(browser: Browser, demo: DemoHouse) -> None:
    page = await browser.open(f"{demo.base_url}/ops/rooms")
    await page.shows("This page is for administrators")
    assert "New room" not in await page.text()

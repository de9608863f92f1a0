"""Makes the README's animated picture: `make picture`.

Two guests of the demo choose seats in one hall, in two windows of a real Chromium beside each other. Every
frame is what both windows show at that moment; only the borders of the windows, names and mouse pointers are
drawn.
"""

import asyncio
import io
import tempfile
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from tests.acceptance.server_process import ServerProcess
from tests.web.browser import Browser, Page
from tests.web.browser_install import installed_chromium

PICTURE = Path(__file__).parents[2] / "docs" / "two-windows.webp"

WIDTH, HEIGHT = 600, 700
"""Size of the content of a window, in pixels."""
_BAR, _MARGIN, _GAP, _RADIUS = 40, 28, 24, 12
_BACKDROP, _FRAME, _INK, _SOFT = "#e9e5f7", "#ffffff", "#1c1a22", "#8a8596"
_LIGHTS = ("#f06a5f", "#f0bd4f", "#5fc46b")
_POINTER = ((0, 0), (0, 21), (5, 16.5), (8.5, 24), (12, 22.5), (8.6, 15.2), (15, 15))
_STEPS, _STEP_MS, _LOOK_MS, _CLICK_MS = 7, 45, 900, 130
_SETTLE_SECONDS = 0.35
_QUALITY = 80
_SCREENING = 1


class Window:
    """A window with its mouse pointer.

    Args:
        page: the page in it.
        owner: whose it is.
        pointer: where the pointer begins, in pixels of the content.
    """

    def __init__(self, page: Page, owner: str, pointer: tuple[float, float]) -> None:
        self.page = page
        self.owner = owner
        self.pointer = pointer
        self.pressed = False
        self.content: Image.Image

    async def look(self) -> None:
        """Take what the window shows."""
        self.content = Image.open(io.BytesIO(await self.page.screenshot())).convert("RGB")

    async def shows(self, row: str, number: int, status: str) -> None:
        """Wait until the hall shows a seat in a state; "reserved" is by anybody."""
        await self.page.until(
            "document.querySelector('frontrow-seats').seats"
            f".find((seat) => seat.row === '{row}' && seat.number === {number}).status.startsWith('{status}')"
        )


class Frame(NamedTuple):
    """A picture and how long it stays, in milliseconds."""

    image: Image.Image
    ms: int


class Scene:
    """Records what two windows show.

    Args:
        windows: the windows, from left to right.
    """

    def __init__(self, *windows: Window) -> None:
        self._windows = windows
        self._font = ImageFont.truetype(installed_chromium() / "fonts/fonts/Open_Sans/OpenSans-Bold.ttf", 16)
        self._content_shape = Image.new("L", (WIDTH, HEIGHT))
        shape = ImageDraw.Draw(self._content_shape)
        shape.rounded_rectangle((0, -_RADIUS, WIDTH - 1, HEIGHT - 1), _RADIUS, 255)
        self.frames: list[Frame] = []

    async def pause(self, ms: int = _LOOK_MS) -> None:
        """Record what both windows show now."""
        # Seats change colour within a few frames of the page.
        await asyncio.sleep(_SETTLE_SECONDS)
        for window in self._windows:
            await window.look()
        self._record(ms)

    async def click(self, window: Window, row: str, number: int, status: str) -> None:
        """Move the pointer to a seat, click on it, and wait until both windows show its new state."""
        begin = window.pointer
        end = await window.page.middle_of("button", f"Row {row} seat {number}")
        for step in range(1, _STEPS + 1):
            way = step / _STEPS
            eased = way * way * (3 - 2 * way)
            window.pointer = tuple(a + (b - a) * eased for a, b in zip(begin, end, strict=True))
            self._record(_STEP_MS)
        window.pressed = True
        self._record(_CLICK_MS)
        await window.page.click_at(*end)
        window.pressed = False
        for watching in self._windows:
            await watching.shows(row, number, status)
        await self.pause()

    def _record(self, ms: int) -> None:
        width = 2 * _MARGIN + _GAP + 2 * WIDTH
        image = Image.new("RGB", (width, 2 * _MARGIN + _BAR + HEIGHT), _BACKDROP)
        for position, window in enumerate(self._windows):
            self._draw(image, window, _MARGIN + position * (WIDTH + _GAP))
        self.frames.append(Frame(image, ms))

    def _draw(self, image: Image.Image, window: Window, left: int) -> None:
        draw = ImageDraw.Draw(image)
        top = _MARGIN
        draw.rounded_rectangle(
            (left - 1, top - 1, left + WIDTH, top + _BAR + HEIGHT),
            _RADIUS,
            _FRAME,
            outline="#cfc9e2",
            width=1,
        )
        for number, light in enumerate(_LIGHTS):
            x = left + 20 + number * 20
            draw.ellipse((x - 6, top + 14, x + 6, top + 26), light)
        draw.text((left + WIDTH / 2, top + _BAR / 2), window.owner, _INK, self._font, "mm")
        image.paste(window.content, (left, top + _BAR), self._content_shape)
        x, y = left + window.pointer[0], top + _BAR + window.pointer[1]
        if window.pressed:
            draw.ellipse((x - 16, y - 16, x + 16, y + 16), outline=_SOFT, width=3)
        draw.polygon([(x + dx, y + dy) for dx, dy in _POINTER], _INK, outline="#ffffff", width=1)


async def make(url: str, browser: Browser) -> list[Frame]:
    """Return the frames of the picture.

    Args:
        url: of a demo's server.
        browser: opens the windows.
    """
    windows = []
    for owner, pointer in (("Ana", (300, 560)), ("Ben", (420, 520))):
        page = await browser.open("about:blank", apart=True)
        await page.resize(WIDTH, HEIGHT)
        await page.load(f"{url}/screenings/{_SCREENING}")
        await page.find("button", "Row A seat 1")
        await page.evaluate(
            "document.querySelector('frontrow-seats').scrollIntoView({ behavior: 'instant' })"
        )
        windows.append(Window(page, owner, pointer))
    ana, ben = windows
    scene = Scene(ana, ben)
    await scene.pause()
    await scene.click(ana, "D", 10, "reserved")
    await scene.click(ana, "D", 11, "reserved")
    await scene.click(ben, "E", 9, "reserved")
    await scene.click(ben, "E", 10, "reserved")
    await scene.click(ana, "D", 10, "available")
    await scene.click(ana, "D", 12, "reserved")
    await scene.click(ben, "D", 10, "reserved")
    await scene.pause(2 * _LOOK_MS)
    return scene.frames


def save(frames: list[Frame], file: Path) -> None:
    """Write frames as an animated WebP that repeats for ever."""
    first, *others = [frame.image for frame in frames]
    first.save(
        file,
        save_all=True,
        append_images=others,
        duration=[frame.ms for frame in frames],
        loop=0,
        quality=_QUALITY,
        method=6,
        minimize_size=True,
    )


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="frontrow-picture-") as folder:
        server = ServerProcess(Path(folder))
        try:
            await server.start("--demo")
            async with Browser() as browser:
                frames = await make(server.url, browser)
        finally:
            await server.remove()
    save(frames, PICTURE)
    print(f"{PICTURE}: {len(frames)} frames, {PICTURE.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    asyncio.run(main())

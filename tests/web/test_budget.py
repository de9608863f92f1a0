"""The box office is on the screen fast: few bytes, few round trips one after the other, little work.

On a busy machine no time can be judged, so these bounds stand for "within a second from a local server". The
times themselves are among the figures.
"""

import json
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

import pytest

from tests.acceptance.figures import Figures
from tests.web.browser import Browser, Page
from tests.web.demo_house import DemoHouse

pytestmark = pytest.mark.gen_test(timeout=420)

LARGEST_BYTES = 250_000
MOST_ROUND_TRIPS = 4
"""The HTML; its scripts; the scripts of the page; what it shows."""
MOST_WORK_SECONDS = 1.0
"""Processor time of the page's main thread; about a tenth on a machine of 2024."""
LATENCY_SECONDS = 0.5
ICONS = (".svg", ".ico")
"""Nothing waits for these."""

_TRANSFERS = """
JSON.stringify([...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  .map((entry) => [entry.name, entry.startTime, entry.responseEnd, entry.transferSize]))
"""
# Notes when the page has a text.
_WATCH = """
new MutationObserver(() => {
  if (!window.shownAt && document.body?.textContent.includes(%s)) window.shownAt = performance.now();
}).observe(document, { childList: true, subtree: true, characterData: true });
"""
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"


class Transfer(NamedTuple):
    """A response, with the times of the page's clock in milliseconds."""

    url: str
    begun: float
    ended: float
    size: int


def round_trips(transfers: Sequence[Transfer]) -> int:
    """The length of the longest chain of requests in which each began after the one before was answered."""
    waiting = sorted(transfers, key=lambda transfer: transfer.ended)
    end = -1.0
    for number in count():
        following = [transfer for transfer in waiting if transfer.begun >= end]
        if not following:
            return number
        end = following[0].ended
    raise AssertionError


async def transfers_of(page: Page) -> list[Transfer]:
    return [Transfer(*entry) for entry in json.loads(await page.evaluate(_TRANSFERS))]


async def work_seconds_of(page: Page) -> float:
    metrics = (await page.send("Performance.getMetrics"))["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")


@pytest.mark.parametrize(("path", "shown"), [("/", "Brass and Thunder"), ("/screenings/1", "Great Hall")])
async def test_budget(browser: Browser, demo: DemoHouse, figures: Figures, path: str, shown: str) -> None:
    page = await browser.open("about:blank")
    await page.send("Performance.enable", timeDomain="threadTicks")
    await page.send("Page.addScriptToEvaluateOnNewDocument", source=_WATCH % json.dumps(shown))
    # So slow that requests at the same time overlap, also if the machine is busy in between.
    await page.delay_responses(LATENCY_SECONDS)
    await page.load(f"{demo.base_url}{path}")
    shown_at = await page.until("window.shownAt")
    if path.startswith("/screenings"):
        await page.find("button", "Row A seat 1")
    work = await work_seconds_of(page)
    transfers = await transfers_of(page)
    size = sum(transfer.size for transfer in transfers)
    trips = round_trips(
        [each for each in transfers if each.ended <= shown_at and not each.url.endswith(ICONS)]
    )
    figures(
        path=path,
        latency_seconds=LATENCY_SECONDS,
        kilobytes=size / 1000,
        round_trips=trips,
        first_paint_seconds=await page.evaluate(_PAINT) / 1000,
        shown_seconds=shown_at / 1000,
        work_seconds=work,
    )
    assert size <= LARGEST_BYTES
    assert trips <= MOST_ROUND_TRIPS, transfers
    assert work <= MOST_WORK_SECONDS

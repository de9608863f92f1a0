"""The client of events with the real server, in Node and in Chromium."""

import json

import pytest

from tests.contracts.guide_cinema import FIRST_SEAT, LAST_SEAT, SCREENING, GuideCinema
from tests.web.conftest import OpenTab
from tests.web.network import Network
from tests.web.watching import LIMITS

pytestmark = pytest.mark.gen_test

SEATS = LAST_SEAT - FIRST_SEAT + 1
UNKNOWN = 999


async def test_it_follows_events_and_subscribes_again_after_a_cut(
    cinema: GuideCinema, open_tab: OpenTab
) -> None:
    async with Network(cinema.server.port) as network, open_tab(network.url) as tab:
        given = (network.url, [SCREENING, UNKNOWN], cinema.token(7), LIMITS)
        await tab.evaluate(f"follow({', '.join(map(json.dumps, given))})")
        await tab.until(f"left({SCREENING}) === {SEATS} && seen.refused.length === 1")
        assert await tab.evaluate("seen.refused") == [[UNKNOWN, "event_not_found"]]
        ticket = (await cinema.user().book(SCREENING, [42])).json[0]["id"]
        await tab.until(f"left({SCREENING}) === {SEATS - 1} && seen.bookings.length === 1")
        network.admitting = False
        network.cut()
        await cinema.user().cancel_ticket(ticket)
        await cinema.user(8).reserve(SCREENING, [43, 44, 45])
        network.admitting = True
        await tab.until(f"left({SCREENING}) === {SEATS - 3}")
        await cinema.user(8).cancel_reservations(SCREENING)
        await tab.until(f"left({SCREENING}) === {SEATS}")
        assert await tab.evaluate("seen.bookings") == [[SCREENING, False]]
        await tab.evaluate("client.close()")

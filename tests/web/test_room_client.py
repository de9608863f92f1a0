"""The client of rooms with the real server, in Node and in Chromium."""

import json

import pytest

from tests.contracts.guide_cinema import SCREENING, GuideCinema
from tests.web.conftest import OpenTab, in_node
from tests.web.inspected import Inspected
from tests.web.network import Network
from tests.web.watching import LIMITS

pytestmark = pytest.mark.gen_test

ROOM = f"funcion_{SCREENING}"
PATIENT = LIMITS | {"longestDelayMs": 100}


async def _enter(tab: Inspected, url: str, client_id: str) -> None:
    given = (url, client_id, ROOM, PATIENT)
    await tab.evaluate(f"enter({', '.join(map(json.dumps, given))})")
    await tab.until("seen.joined === 1")


async def test_it_selects_sees_others_and_joins_again_after_a_cut(
    cinema: GuideCinema, open_tab: OpenTab
) -> None:
    async with (
        Network(cinema.server.port) as network,
        open_tab(network.url) as tab,
        in_node(cinema.base_url) as other,
    ):
        await _enter(tab, network.url, "user_1")
        await _enter(other, cinema.base_url, "user_2")
        await tab.evaluate("client.select(roomId, 'A1', { name: 'Ada' })")
        for one in (tab, other):
            await one.until("selected() === 'A1 user_1'")
        await other.evaluate("client.select(roomId, 'A1')")
        await other.until("seen.refused.includes('A1')")
        network.admitting = False
        network.cut()
        await tab.until("client.state === 'connecting'")
        await other.evaluate("client.select(roomId, 'A2')")
        await other.until("selected() === 'A1 user_1,A2 user_2'")
        network.admitting = True
        await tab.until("seen.joined === 2 && selected() === 'A1 user_1,A2 user_2'")
        await tab.evaluate("client.release(roomId, 'A1')")
        for one in (tab, other):
            await one.until("selected() === 'A2 user_2'")
            await one.evaluate("client.close()")

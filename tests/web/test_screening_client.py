"""The client with the real server, in Node and in Chromium, over failing networks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.acceptance.client import Client, http_session
from tests.acceptance.server_process import ServerProcess
from tests.contracts.guide_cinema import SCREENING, GuideCinema
from tests.web.conftest import OpenTab, in_chromium, in_node
from tests.web.network import Network
from tests.web.watching import Watching

pytestmark = pytest.mark.gen_test

OTHER = 8


class Scene(NamedTuple):
    """User 7's client watches the guides' screening through a network."""

    cinema: GuideCinema
    network: Network
    watching: Watching

    async def agrees(self) -> None:
        """Wait until the client has the same seats as the server."""

        async def availability() -> list[dict[str, Any]]:
            answer = await self.cinema.user().own_availability(SCREENING)
            seats: list[dict[str, Any]] = answer.json
            return seats

        await self.watching.agrees_with(availability)


@asynccontextmanager
async def _watched(cinema: GuideCinema, open_tab: OpenTab, *tokens: str) -> AsyncIterator[Scene]:
    async with Network(cinema.server.port) as network, open_tab(network.url) as tab:
        watching = Watching(tab)
        await watching.begin(network.url, SCREENING, *(tokens or (cinema.token(7),)))
        yield Scene(cinema, network, watching)
        await watching.end()


async def _nobody_is_connected(cinema: GuideCinema) -> None:
    """Wait until no socket is open, as the server counts them."""
    async with asyncio.timeout(60):
        # It is queried over HTTP, which has no notification.
        while (await cinema.guest.send("GET", "/ws/stats")).json["total_connections"]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_it_follows_all_changes(cinema: GuideCinema, open_tab: OpenTab) -> None:
    await cinema.user(OTHER).reserve(SCREENING, [38])
    async with _watched(cinema, open_tab) as scene:
        await scene.watching.until("live")
        await scene.agrees()
        await cinema.user().reserve(SCREENING, [42, 43])
        await cinema.user(OTHER).book(SCREENING, [44])
        await cinema.user(OTHER).cancel_reservations(SCREENING)
        await scene.agrees()
        assert (await scene.watching.picture())[42] == ("reserved", True)
        await scene.watching.end()
        await _nobody_is_connected(cinema)
        seen = await scene.watching.seen()
        assert (seen["states"], seen["snapshots"]) == (["connecting", "live", "closed"], 1)


async def test_a_message_that_is_lost_unnoticed_is_found_by_the_hash(
    cinema: GuideCinema, open_tab: OpenTab
) -> None:
    await cinema.restart(state_hash_seconds=0.2)
    async with _watched(cinema, open_tab) as scene:
        await scene.watching.until("live")
        await scene.agrees()
        scene.network.lost = b'"seat_id":42'
        await cinema.user(OTHER).reserve(SCREENING, [42])
        await scene.agrees()
        seen = await scene.watching.seen()
        assert (seen["mismatches"], seen["opens"]) == (1, [False, False])
        await cinema.user(OTHER).reserve(SCREENING, [43])
        await scene.agrees()
        assert (await scene.watching.seen())["mismatches"] == 1


async def test_it_resumes_after_cuts_and_misses_nothing(cinema: GuideCinema, open_tab: OpenTab) -> None:
    async with _watched(cinema, open_tab) as scene:
        await scene.watching.until("live")
        scene.network.admitting = False
        scene.network.cut()
        await cinema.user(OTHER).book(SCREENING, [38, 39])
        scene.network.admitting = True
        await scene.agrees()
        # Within frames, so that half a message has arrived.
        for seat_id, byte in ((40, 0), (41, 1), (42, 60)):
            await scene.watching.until("live")
            scene.network.cut_after(byte)
            await cinema.user().reserve(SCREENING, [seat_id])
            await scene.agrees()
        seen = await scene.watching.seen()
        assert seen["opens"] == [False, True, True, True, True]
        assert seen["snapshots"] == 1, "only missed changes are sent"


async def test_it_polls_while_websockets_are_blocked(cinema: GuideCinema, open_tab: OpenTab) -> None:
    async with Network(cinema.server.port) as network, open_tab(network.url) as tab:
        network.upgradable = False
        scene = Scene(cinema, network, Watching(tab))
        await scene.watching.begin(network.url, SCREENING, cinema.token(7), attemptsBeforePolling=2)
        await scene.watching.until("polling")
        await scene.agrees()
        await cinema.user().reserve(SCREENING, [42])
        await cinema.user(OTHER).book(SCREENING, [43])
        await scene.agrees()
        assert network.refused >= 2
        network.upgradable = True
        await scene.watching.until("live")
        await cinema.user().cancel_reservations(SCREENING)
        await scene.agrees()
        assert (await scene.watching.seen())["opens"] == [True], "the socket resumes from the last poll"
        await scene.watching.end()


async def test_its_heartbeat_notices_a_silent_network(cinema: GuideCinema, open_tab: OpenTab) -> None:
    async with _watched(cinema, open_tab) as scene:
        await scene.watching.until("live")
        scene.network.silent = True
        await cinema.user(OTHER).book(SCREENING, [42])
        await scene.watching.until("connecting")
        scene.network.silent = False
        await scene.agrees()
        await scene.watching.until("live")


async def test_it_fetches_another_token_when_one_is_revoked(cinema: GuideCinema, open_tab: OpenTab) -> None:
    first = cinema.user()
    async with _watched(cinema, open_tab, str(first.token), cinema.token(7)) as scene:
        await scene.watching.until("live")
        assert (await first.send("POST", "/api/v1/auth/logout")).status == 204
        await scene.watching.until_confirmed(2)
        await cinema.user().reserve(SCREENING, [42])
        await scene.watching.until("live")
        await scene.agrees()
        assert (await scene.watching.seen())["unauthorized"] == []


async def test_it_does_not_reconnect_with_a_rejected_token(cinema: GuideCinema, open_tab: OpenTab) -> None:
    async with _watched(cinema, open_tab, "no token", "nor this") as scene:
        await scene.watching.until("closed")
        assert (await scene.watching.seen())["unauthorized"] == ["Invalid token"]


async def test_it_does_not_reconnect_to_an_unknown_screening(cinema: GuideCinema, open_tab: OpenTab) -> None:
    async with Network(cinema.server.port) as network, open_tab(network.url) as tab:
        watching = Watching(tab)
        await watching.begin(network.url, 999, cinema.token(7))
        await watching.until("closed")
        ended = (await watching.seen())["ended"]
        assert (ended["code"], ended["reason"]) == (4404, "Screening not found")


@pytest.mark.gen_test(timeout=300)
async def test_it_survives_the_death_of_the_server(data_directory: Path, chromium: str) -> None:
    async with (
        ServerProcess(data_directory) as server,
        http_session() as session,
        Network(_port(server)) as network,
        in_node(network.url) as node,
        in_chromium(chromium, network.url) as page,
    ):
        (hall,) = await server.seed(screenings=1, rows=40, seats_per_row=50)
        user, other = Client(server, session, 7), Client(server, session, OTHER)
        everybody = [Watching(node), Watching(page)]

        async def all_agree() -> None:
            for watching in everybody:
                await watching.until("live")
                await watching.agrees_with(lambda: user.own_availability(hall.id))

        for watching in everybody:
            await watching.begin(network.url, hall.id, server.token(7))
        await user.book(hall.id, hall.seat_ids[:5], "paid")
        await other.reserve(hall.id, hall.seat_ids[10:15])
        await all_agree()

        await server.kill()
        for watching in everybody:
            await watching.until("connecting")
            assert len(await watching.picture()) == len(hall.seat_ids), "known seats stay"
        await server.start()
        network.port = _port(server)
        await all_agree()
        await other.reserve(hall.id, hall.seat_ids[20:25])
        await all_agree()


def _port(server: ServerProcess) -> int:
    return int(server.url.rsplit(":", 1)[1])

"""kill -9 of one of three nodes: what it counted and claimed is given up, what the others claim is kept."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.acceptance.client import Client, http_session
from tests.acceptance.server_process import ServerProcess
from tests.api.caller import Caller
from tests.contracts.room_client import RoomClient
from tests.topology import Topology

pytestmark = pytest.mark.usefixtures("nats_server")

KEYS = 12
"""Enough that each node counts some of them."""

SETTLED_SECONDS = 60
CLOSED_FOR_NOW, TOO_MANY, IN_USE, TAKEN_OVER = 1013, 4429, 4409, 4410


class Nodes:
    """Three nodes, and sockets and requests at each."""

    def __init__(self, server: ServerProcess, sockets: AsyncExitStack) -> None:
        self._server = server
        self._sockets = sockets
        self.third = server.siblings[1]

    async def enter(self, node: int, client_id: str, user_id: int | None = None) -> int | None:
        """Connect a room socket. Returns the code with which it is closed; None if it stays open."""
        token = None if user_id is None else self._server.token(user_id)
        client = RoomClient(self._server.node_urls[node], client_id, token)
        async with AsyncExitStack() as opened:
            await opened.enter_async_context(client)
            try:
                assert await client.has_no_messages()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else None
            self._sockets.push_async_exit(opened.pop_all())
            return None

    async def eventually(self, wanted: int | None, others: set[int | None], *entry: object) -> None:
        """Connect until a socket is closed with the wanted code, or stays open; check the codes before."""
        async with asyncio.timeout(SETTLED_SECONDS):
            while (code := await self.enter(*entry)) != wanted:  # type: ignore[arg-type]
                assert code in others, code
                await asyncio.sleep(0.1)


async def _toggled(url: str, token: str, screening_id: int, seat_id: int) -> None:
    """Hold a seat with a key, which is sent again while the answer is 503."""
    caller = Caller(url, token)
    async with asyncio.timeout(SETTLED_SECONDS):
        while (answer := await caller.toggle(screening_id, seat_id, key=f"seat-{seat_id}")).status != 200:
            assert answer.status == 503, answer.body
            assert int(answer.headers["Retry-After"]) >= 1
            await asyncio.sleep(0.1)


@pytest.mark.gen_test(timeout=510)
async def test_claims_of_a_killed_node_end_and_others_stay(data_directory: Path) -> None:
    three = ServerProcess(
        data_directory, served_by=Topology(1, 3), sockets_per_user_limit=2, held_seats_limit=KEYS
    )
    async with three as server, http_session() as session, AsyncExitStack() as sockets:
        (hall,) = await server.seed(screenings=1, rows=2, seats_per_row=KEYS)
        nodes = Nodes(server, sockets)
        for number in range(KEYS):
            for node in (0, 2):
                # Two sockets of each user, at one node.
                user_id = 100 + 2 * number + node // 2
                for socket in range(2):
                    assert await nodes.enter(node, f"user-{user_id}-{socket}", user_id) is None
                assert await nodes.enter(1, "another", user_id) == TOO_MANY
                assert await nodes.enter(node, f"guest-{node}-{number}") is None
                assert await nodes.enter(1, f"guest-{node}-{number}") == IN_USE

        await nodes.third.kill()
        token = server.token(7)
        seats = hall.seat_ids[:KEYS]
        holding = [
            asyncio.create_task(_toggled(server.node_urls[position % 2], token, hall.id, seat))
            for position, seat in enumerate(seats)
        ]
        for number in range(KEYS):
            of_first, of_third = 100 + 2 * number, 101 + 2 * number
            await nodes.eventually(None, {TOO_MANY, CLOSED_FOR_NOW}, 1, f"new-{number}", of_third)
            await nodes.eventually(None, {IN_USE, CLOSED_FOR_NOW}, 1, f"guest-2-{number}")
            await nodes.eventually(TOO_MANY, {None, CLOSED_FOR_NOW}, 1, f"more-{number}", of_first)
            await nodes.eventually(IN_USE, {CLOSED_FOR_NOW}, 1, f"guest-0-{number}")
        await asyncio.gather(*holding)
        picture = await Client(server, session, 7).availability(hall.id)
        assert {each["seat"]["id"] for each in picture if each["status"] == "reserved"} == set(seats)

"""Counts by key and claims made at one node hold at the other, through the ports of two nodes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.api.caller import Caller, Response
from tests.api.cinema import eventually
from tests.catalogue.members import AUTH
from tests.contracts.guide_cinema import SCREENING, USER, GuideCinema, Watching
from tests.contracts.room_client import RoomClient
from tests.database import execute
from tests.several_servers import NodesInProcess

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("nats_server")]

HELD = "SELECT seat_id FROM holds ORDER BY seat_id"


class Pair(GuideCinema):
    """The guides' cinema on two nodes, each with its own port."""

    server: NodesInProcess

    def _new_server(self) -> Any:
        return NodesInProcess(self.database_url, 2, self._given)

    def url(self, node: int) -> str:
        return f"http://127.0.0.1:{self.server.ports[node]}"

    def at(self, node: int, user_id: int | None = USER) -> Caller:
        return Caller(self.url(node), None if user_id is None else self.token(user_id))

    def seats_at(self, node: int, user_id: int = USER) -> Watching:
        token = self.token(user_id)
        return Watching(f"ws{self.url(node)[4:]}/ws/screenings/{SCREENING}?token={token}")

    def client_at(self, node: int, client_id: str, user_id: int | None = None) -> RoomClient:
        return RoomClient(self.url(node), client_id, None if user_id is None else self.token(user_id))


@asynccontextmanager
async def pair(database_url: str, data_dir: Path, **settings: object) -> AsyncIterator[Pair]:
    nodes = Pair(database_url, data_dir, **settings)
    await nodes.open()
    try:
        yield nodes
    finally:
        await nodes.close()


@pytest.mark.parametrize("asked", [(0, 1), (1, 0)])
async def test_a_keyed_request_is_carried_out_once_by_all_nodes(
    database_url: str, tmp_path: Path, asked: tuple[int, int]
) -> None:
    """Toggling twice would release the seat again."""
    first, second = asked
    async with pair(database_url, tmp_path) as nodes:
        for seat in (40, 41, 42, 43):
            key = f"seat-{seat}"
            before = await nodes.at(first).toggle(SCREENING, seat, key=key)
            again = await nodes.at(second).toggle(SCREENING, seat, key=key)
            assert before.status == again.status == 200
            assert before.body == again.body
            assert again.headers["Idempotency-Replayed"] == "true"
            assert "Idempotency-Replayed" not in before.headers
            reused = await nodes.at(second).toggle(SCREENING, 50, key=key)
            assert (reused.status, reused.code) == (422, "idempotency_key_reused")
        await eventually(lambda: execute(database_url, HELD) == [(40,), (41,), (42,), (43,)])


async def test_one_of_two_concurrent_requests_with_a_key_is_carried_out(
    database_url: str, tmp_path: Path
) -> None:
    async with pair(database_url, tmp_path) as nodes:
        for seat in range(38, 48):
            answers = await asyncio.gather(
                *(nodes.at(node).toggle(SCREENING, seat, key=f"seat-{seat}") for node in (0, 1, 0, 1))
            )
            assert {answer.status for answer in answers} <= {200, 409}
            done = [answer for answer in answers if answer.status == 200]
            assert len({answer.body for answer in done}) == 1
            assert len([each for each in done if "Idempotency-Replayed" not in each.headers]) == 1
        await eventually(lambda: execute(database_url, HELD) == [(seat,) for seat in range(38, 48)])


async def test_failed_log_ins_count_at_all_nodes(database_url: str, tmp_path: Path) -> None:
    async with pair(database_url, tmp_path, attempts_per_account=2, attempts_per_address=12) as nodes:

        async def log_in(node: int, email: str) -> Response:
            body = {"email": email, "password": "not the password"}
            return await nodes.at(node, None).send("POST", f"{AUTH}/login", body)

        for number in range(4):
            email = f"{number}@home.example"
            statuses = [(await log_in(node, email)).status for node in (0, 1, 0)]
            assert statuses == [401, 401, 429]
        refused = await log_in(1, "another@home.example")
        assert (refused.status, refused.code) == (429, "too_many_attempts")
        assert int(refused.headers["Retry-After"]) > 1


async def test_sockets_count_at_all_nodes(database_url: str, tmp_path: Path) -> None:
    async with pair(database_url, tmp_path, sockets_per_user_limit=2) as nodes:
        for user in range(7, 11):
            async with nodes.seats_at(0, user), nodes.seats_at(1, user):
                for node in (0, 1):
                    with pytest.raises(ConnectionClosed) as closed:
                        await nodes.seats_at(node, user).__aenter__()
                    assert closed.value.rcvd is not None
                    assert closed.value.rcvd.code == 4429
            async with asyncio.timeout(60), nodes.seats_at(0, user):
                await once_admitted(nodes.seats_at(0, user))


async def once_admitted(socket: Watching) -> None:
    """Connect as soon as the end of another socket is known everywhere."""
    while True:
        with suppress(ConnectionClosed):
            async with socket:
                return


async def test_a_client_id_is_used_at_one_node(database_url: str, tmp_path: Path) -> None:
    async with pair(database_url, tmp_path) as nodes:
        for client_id in ("juan", "ana", "eva", "luis"):
            async with nodes.client_at(0, client_id) as first:
                await first.join()
                async with nodes.client_at(1, client_id) as second:
                    assert await second.closed() == (4409, "Client id in use")
                assert await first.has_no_messages()
            async with nodes.client_at(0, f"{client_id}-7", USER) as first:
                await first.join()
                async with nodes.client_at(1, f"{client_id}-7", USER) as second:
                    assert await first.closed() == (4410, "Client id taken over")
                    assert await second.join() == []


async def test_selections_of_guests_count_at_all_nodes(database_url: str, tmp_path: Path) -> None:
    async with (
        pair(database_url, tmp_path, guest_selections_limit=3, free_rooms_per_address=1) as nodes,
        nodes.client_at(0, "juan") as juan,
        nodes.client_at(1, "ana") as ana,
    ):
        for seat, client in (("A1", juan), ("A2", ana), ("A3", juan)):
            assert (await client.select(seat))["type"] == "seat_selected"
        for client in (juan, ana):
            assert (await client.select("A4"))["code"] == "too_many_attempts"
        await juan.release("A1")
        await eventually_selected(ana, "A5")
        assert await juan.join("free") == []
        await ana.send("join_room", room_id="another")
        assert (await ana.next_message())["code"] == "too_many_attempts"


async def eventually_selected(client: RoomClient, seat: str) -> None:
    async with asyncio.timeout(60):
        while (await client.select(seat))["type"] != "seat_selected":
            pass

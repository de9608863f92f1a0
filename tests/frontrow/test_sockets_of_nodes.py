"""Sockets at one node see what is done at others, at the public interface of two nodes."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.api.cinema import receive
from tests.api.rooms.test_socket import RoomClient, room_message
from tests.contracts.guide_cinema import FIRST_SEAT, SCREENING
from tests.contracts.room_client import ROOM
from tests.frontrow.test_two_nodes import Node, Nodes
from tests.frontrow.test_two_nodes import nodes as nodes

pytestmark = pytest.mark.gen_test(timeout=120)

BUSY = {
    "socket_frames_per_second": 1e6,
    "socket_frames_at_once": 10**6,
    "guest_selections_limit": 100_000,
    "sockets_per_address_limit": 100,
}


async def room_socket(opened: AsyncExitStack, node: Node, client_id: str) -> RoomClient:
    socket = await opened.enter_async_context(connect(f"ws{node.base_url[4:]}/ws/{client_id}", proxy=None))
    await socket.send(room_message("join_room"))
    assert (await receive(socket))["type"] == "room_joined"
    assert (await receive(socket))["type"] == "current_selections"
    return RoomClient(socket, client_id)


@pytest.mark.parametrize("nodes", [BUSY], indirect=True)
async def test_all_clients_of_a_busy_room_converge_on_the_true_state(nodes: Nodes) -> None:
    """After concurrent requests for the same seats, every client's last message about a seat is true."""
    async with AsyncExitStack() as opened:
        clients = [
            await room_socket(opened, node, f"client{number}{name}")
            for number in range(5)
            for name, node in (("here", nodes.here), ("there", nodes.there))
        ]
        for number in range(3, 20):
            await asyncio.gather(*(client.send_burst() for client in clients))
            node = nodes.both[number % 2]
            assert (await node.user(number).reserve(SCREENING, [FIRST_SEAT + number - 1])).status == 201
            await asyncio.gather(*(client.wait_for_selection(f"A{number}") for client in clients))
            listed = (await node.guest.send("GET", f"/room/{ROOM}/selections")).json["selections"]
            truth = {row["seat_id"]: f"client:{row['client_id']}" for row in listed}
            assert len(truth) >= number - 2
            for client in clients:
                assert client.picture == truth
        assert sum((client.refused for client in clients), Counter())["seats_unavailable"] > 50


async def test_updates_of_both_guides_and_counts_reach_the_sockets_of_all_nodes(nodes: Nodes) -> None:
    async with nodes.here.watch() as one, nodes.there.watch(8) as two:
        for number, node in enumerate(nodes.both * 3):
            seat = FIRST_SEAT + number
            assert (await node.user(number + 1).reserve(SCREENING, [seat])).status == 201
            await one.until(**{f"seat_{seat}": "reserved"})
            await two.until(**{f"seat_{seat}": "reserved"})
        assert (await nodes.there.user(1).cancel_reservations(SCREENING)).status in (200, 204)
        await one.until(**{f"seat_{FIRST_SEAT}": "available"})
        await two.until(**{f"seat_{FIRST_SEAT}": "available"})


async def test_sockets_stay_open_while_the_owner_of_their_screening_drains(nodes: Nodes) -> None:
    async with nodes.here.watch() as one, nodes.there.watch(8) as two:
        memberships = [node.server._node.membership for node in nodes.both]
        (owner,) = [
            node
            for node, membership in zip(nodes.both, memberships, strict=True)
            if membership.owner_of(SCREENING) == membership.facts.mark
        ]
        assert (await nodes.there.user(1).reserve(SCREENING, [42])).status == 201
        await one.until(seat_42="reserved")
        await owner.server._node.drain(60)
        for number, node in enumerate(nodes.both, 43):
            assert (await node.user(2).reserve(SCREENING, [number])).status == 201
        await one.until(seat_43="reserved", seat_44="reserved")
        await two.until(seat_42="reserved", seat_43="reserved", seat_44="reserved")
        # Nobody was sent all seats.
        assert set(one.picture) == set(two.picture) == {42, 43, 44}


@pytest.mark.parametrize("nodes", [{"hold_seconds": 30, "expiry_warning_seconds": 29.0}], indirect=True)
async def test_holders_are_warned_at_the_sockets_of_all_nodes_before_their_holds_end(nodes: Nodes) -> None:
    """Whichever node owns the screening, the holder's sockets at both are warned once, and nobody else's."""
    async with AsyncExitStack() as opened:

        async def socket(node: Node, user: int) -> ClientConnection:
            url = f"ws{node.base_url[4:]}/ws/screenings/{SCREENING}?token={node.token(user)}"
            connected = await opened.enter_async_context(connect(url, proxy=None))
            assert (await receive(connected))["type"] == "connection_confirmed"
            return connected

        holders = [await socket(node, 1) for node in nodes.both]
        others = [await socket(node, 2) for node in nodes.both]
        seats = [FIRST_SEAT, FIRST_SEAT + 1]
        assert (await nodes.here.user(1).reserve(SCREENING, seats)).status == 201
        async with asyncio.timeout(60):
            for holder in holders:
                while (warning := await receive(holder))["type"] != "hold_expiring":
                    pass
                assert (warning["screening_id"], warning["seat_ids"]) == (SCREENING, seats)
            # Messages come in order, so nobody was warned before this one.
            assert (await nodes.there.user(2).reserve(SCREENING, [FIRST_SEAT + 2])).status == 201
            for connected in (*holders, *others):
                seen: list[str] = []
                while FIRST_SEAT + 2 not in seats_in(message := await receive(connected)):
                    seen.append(message["type"])
                assert "hold_expiring" not in seen


def seats_in(message: dict[str, Any]) -> list[int]:
    """The seats that an update names."""
    return [update["seat_id"] for update in message.get("updates", ())]

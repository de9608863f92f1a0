"""The limit per person holds for requests that come together, at two nodes and through several APIs."""

import asyncio
from collections import Counter
from itertools import cycle

import pytest
from websockets.asyncio.client import connect

from tests.api.caller import Caller
from tests.api.cinema import receive
from tests.api.rooms.test_socket import room_message
from tests.box_office import ADA, Guest, data, make_event, make_type
from tests.contracts.guide_cinema import FIRST_SEAT, LAST_SEAT, SCREENING
from tests.frontrow.test_two_nodes import Node, Nodes
from tests.frontrow.test_two_nodes import nodes as nodes

pytestmark = pytest.mark.gen_test(timeout=120)

LIMIT = 4
USER = 7
WAYS = {
    "reserve": Caller.reserve,
    "book": Caller.book,
    "toggle": lambda user, screening, seats: user.toggle(screening, *seats),
}
EXCEEDED = "person_limit_exceeded"
OTHERS = ("seats_unavailable", "booking_in_progress")
"""Refusals of requests for a seat that has just been bought."""


async def selected(node: Node, tab: str, names: list[str]) -> list[str]:
    """Select seats of the room one after the other. Returns the outcomes."""
    url = f"ws{node.base_url[4:]}/ws/{tab}?token={node.token(USER)}"
    async with connect(url, proxy=None) as socket:
        for name in names:
            await socket.send(room_message("select_seat", name))
        messages = [await receive(socket) for _ in names]
    return [message.get("code", message["type"]) for message in messages]


async def test_fifty_requests_of_a_person_at_once_never_exceed_the_limit(nodes: Nodes) -> None:
    path = f"/api/v1/screenings/{SCREENING}"
    changed = await nodes.here.admin.send("PUT", path, {"max_per_user": LIMIT})
    assert changed.status == 200, changed.body
    seats = cycle(range(FIRST_SEAT + 4, LAST_SEAT))  # the first four are selected in the room

    async def asked(node: Node, way: str) -> str:
        user, seat = node.user(USER), next(seats)
        answer = await WAYS[way](user, SCREENING, [seat])
        return "done" if answer.status in (200, 201) else answer.code

    async def number_of_own() -> int:
        shown = (await nodes.there.user(USER).own_availability(SCREENING)).json
        return sum(seat["is_mine"] for seat in shown)

    requests = [asked(node, way) for _ in range(7) for node in nodes.both for way in WAYS]
    tabs = [selected(node, f"tab-{node.server.port}", ["A1", "A2", "A3", "A4"]) for node in nodes.both]
    *answers, here, there = await asyncio.gather(*requests, *tabs)
    outcomes = Counter((*answers, *here, *there))
    assert outcomes.keys() <= {"done", "seat_selected", EXCEEDED, *OTHERS}, outcomes
    assert outcomes[EXCEEDED] > 0
    assert await number_of_own() <= LIMIT
    user = nodes.here.user(USER)
    answers = [await user.reserve(SCREENING, [seat]) for seat in range(FIRST_SEAT, LAST_SEAT)]
    assert answers[-1].status in (201, 409)
    assert await number_of_own() == LIMIT
    assert (await nodes.there.user(8).reserve(SCREENING, [LAST_SEAT])).status == 201


async def test_purchases_of_several_sessions_at_once_do_not_exceed_their_users_limit(nodes: Nodes) -> None:
    kind = await make_type(nodes.here, await make_event(nodes.here), maxPerUser=LIMIT, capacity=100)
    guests = [
        Guest(node, f"session-of-tab-{number}-{node.server.port}", node.token(USER))
        for number in range(6)
        for node in nodes.both
    ]
    reservations = [await guest.reserved(kind) for guest in guests]
    bought = await asyncio.gather(
        *(guest.purchase(one, ADA) for guest, one in zip(guests, reservations, strict=True))
    )
    outcomes = Counter(answer.status if answer.status == 201 else answer.code for answer in bought)
    assert outcomes == {201: LIMIT, EXCEEDED: len(guests) - LIMIT}
    left = data(await guests[0].send("GET", f"/api/public/availability/{kind}"))
    assert left["sold"] == LIMIT

"""kill -9 of a node at the steps of a move between screenings of two nodes.

Whichever of them dies, and whether PostgreSQL has committed or not: the ticket is in one seat, and in no
other, and the repeated request moves it. A gate makes transactions that write tickets wait until the test
releases them (docs/consistency.md, "Moving a ticket to another screening").
"""

import asyncio
from collections.abc import Sequence

import pytest

from cluster.nats_server import NatsServer
from tests.acceptance.client import Answer, Client
from tests.acceptance.late_writes import late_writes_in
from tests.acceptance.seeding import SeededScreening, seeded
from tests.acceptance.server_process import ServerProcess
from tests.acceptance.test_sticky_refusals import Gate, Repeated, until
from tests.cluster_faults.nodes import QUICK, Nodes, cluster_of
from tests.database import execute

BUYER, OTHER = 1, 2
TICKETS, RESERVE = "/api/v1/tickets", "/api/v1/seat-reservations/reserve"
LIVE = "SELECT screening_id, seat_id FROM tickets WHERE id = %s AND status = 'confirmed'"


async def of_two_owners(
    nodes: Nodes, halls: Sequence[SeededScreening]
) -> tuple[SeededScreening, ServerProcess, SeededScreening, ServerProcess]:
    """Return two halls that different nodes own, and these nodes."""
    owners = []
    for hall in halls:
        # It tries any seat of the hall; the first row is for the moves.
        await nodes.bookable_again(hall._replace(first_seat_id=hall.seat_ids[10]), OTHER)
        owner = nodes.owner_of(hall)
        assert owner is not None
        owners.append((hall, owner))
    here, owner_here = owners[0]
    there, owner_there = next((hall, owner) for hall, owner in owners if owner is not owner_here)
    return here, owner_here, there, owner_there


@pytest.mark.gen_test(timeout=510)
async def test_a_ticket_is_in_one_seat_whichever_node_dies(
    database_url: str, nats_server: NatsServer
) -> None:
    halls = await seeded(database_url, 8, 2, 10)
    gate = Gate(database_url)
    async with cluster_of(2, database_url, nats_server.url, **QUICK) as nodes:
        await nodes.settled()
        for number, (dies, commits) in enumerate(
            [("here", False), ("here", True), ("there", False), ("there", True)]
        ):
            here, owner_here, there, owner_there = await of_two_owners(nodes, halls)
            victim = owner_here if dies == "here" else owner_there
            await _moved(nodes, gate, here, there, victim, commits, number)
            await victim.start()
            await nodes.settled()
    assert late_writes_in(database_url) == 0


async def _at_the_gate(gate: Gate, move: Repeated, buyer: Client) -> asyncio.Task[Answer | None]:
    """Send a request until its transaction waits; a node that has just lost a screening answers 503."""
    while True:
        sent = asyncio.create_task(move.once(buyer))
        await until(lambda sent=sent: gate.is_reached() or sent.done())
        if not sent.done():
            return sent
        assert sent.result() is None


async def _moved(
    nodes: Nodes,
    gate: Gate,
    here: SeededScreening,
    there: SeededScreening,
    victim: ServerProcess,
    commits: bool,
    number: int,
) -> None:
    """Kill a node while the transaction of a move is running, which then commits or ends."""
    url, name = nodes.database_url, f"{victim.data_directory.name} dies, commits: {commits}"
    (survivor,) = nodes.others(victim)
    buyer, other = (Client(survivor, nodes.session, user_id) for user_id in (BUYER, OTHER))
    old, new = here.seat_ids[number], there.seat_ids[number]
    booked = await Repeated(
        name, "POST", f"{TICKETS}/book", {"screening_id": here.id, "seat_ids": [old]}
    ).until_answered(buyer)
    assert booked.status == 201, booked
    ticket = booked.document[0]
    body = {"screening_id": there.id, "seat_id": new}
    move = Repeated(name, "POST", f"{TICKETS}/{ticket['id']}/move", body)
    with gate.closed():
        first = await _at_the_gate(gate, move, buyer)
        sessions = gate.waiting()
        await victim.kill()
        if not commits:
            gate.end(sessions)
        gate.open()
        await first
    moved = await move.until_answered(buyer)
    assert (moved.status, moved.document["seat_id"]) == (200, new), (name, moved)
    assert execute(url, LIVE, ticket["id"]) == [(there.id, new)], name
    for hall, seat, free in ((here, old, True), (there, new, False)):
        wanted = {"screening_id": hall.id, "seat_ids": [seat]}
        reserved = await Repeated(name, "POST", RESERVE, wanted).until_answered(other)
        assert (reserved.status == 201) is free, (name, hall.id, reserved)

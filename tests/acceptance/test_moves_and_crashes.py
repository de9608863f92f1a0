"""kill -9 at each step of a move to another screening: afterwards the ticket is in one seat, and in no other.

A trigger makes transactions that write tickets wait until the test releases them, and so shows which step has
been reached (docs/consistency.md, "Moving a ticket to another screening").
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.acceptance.client import Answer, Client, http_session
from tests.acceptance.seeding import SeededScreening
from tests.acceptance.server_process import ServerProcess
from tests.acceptance.test_sticky_refusals import Gate, Repeated, until
from tests.database import execute

TICKETS = "/api/v1/tickets"

_LIVE = "SELECT id, screening_id, seat_id FROM tickets WHERE status IN ('pending', 'confirmed')"


class Crash:
    """A server, a gate before the end of transactions, and a move that is on its way."""

    def __init__(self, server: ServerProcess, gate: Gate) -> None:
        self.server, self.gate = server, gate
        self.sessions: list[int] = []

    async def reached(self) -> None:
        """Wait until the transaction has changed the ticket, and waits to be committed."""
        await until(self.gate.is_reached)
        self.sessions = self.gate.waiting()

    def end_sessions(self) -> None:
        """Let PostgreSQL forget the transaction."""
        self.gate.end(self.sessions)

    def has_moved(self) -> bool:
        return bool(execute(self.server.database.url, "SELECT 1 FROM ticket_moves"))


async def before_the_commit(crash: Crash) -> None:
    """The other screening keeps the seat; the transaction never commits."""
    await crash.reached()
    await crash.server.kill()
    crash.end_sessions()
    assert not crash.has_moved()


async def during_the_commit(crash: Crash) -> None:
    """PostgreSQL commits the transaction after its server is gone."""
    await crash.reached()
    await crash.server.kill()
    crash.gate.open()
    await until(crash.has_moved)


async def after_the_commit(crash: Crash) -> None:
    """The transaction is committed, but no screening has heard of it."""
    await crash.reached()
    crash.server.freeze()
    crash.gate.open()
    await until(crash.has_moved)
    await crash.server.kill()


async def after_the_answer(crash: Crash) -> None:
    """Everybody has heard of it."""
    crash.gate.open()
    await until(crash.has_moved)
    await crash.server.kill()


@pytest.mark.gen_test(timeout=300)
async def test_a_crash_at_any_step_leaves_each_ticket_in_one_seat(data_directory: Path) -> None:
    async with ServerProcess(data_directory) as server, http_session() as session:
        here, there = await server.seed(screenings=2, rows=2, seats_per_row=10)
        buyer, other = Client(server, session, 1), Client(server, session, 2)
        gate = Gate(server.database.url)
        steps: list[Callable[[Crash], Awaitable[None]]] = [
            *(before_the_commit, during_the_commit, after_the_commit, after_the_answer)
        ]
        for number, crashes in enumerate(steps):
            await _crash(server, gate, crashes, buyer, other, here, there, number)


async def _crash(
    server: ServerProcess,
    gate: Gate,
    crashes: Callable[[Crash], Awaitable[None]],
    buyer: Client,
    other: Client,
    here: SeededScreening,
    there: SeededScreening,
    number: int,
) -> None:
    name = crashes.__name__
    old, new = here.seat_ids[number], there.seat_ids[number]
    booked = await buyer.send("POST", f"{TICKETS}/book", {"screening_id": here.id, "seat_ids": [old]})
    ticket = booked.document[0]
    body = {"screening_id": there.id, "seat_id": new}
    move = Repeated(name, "POST", f"{TICKETS}/{ticket['id']}/move", body)
    execute(server.database.url, "ALTER TABLE ticket_moves DISABLE TRIGGER ticket_moves_append_only")
    execute(server.database.url, "DELETE FROM ticket_moves")
    with gate.closed():
        first = asyncio.create_task(move.once(buyer))
        await crashes(Crash(server, gate))
        await first
    await server.start()
    places = [
        (screening, seat)
        for one, screening, seat in execute(server.database.url, _LIVE)
        if one == ticket["id"]
    ]
    assert len(places) == 1, name
    # The seat without the ticket is free for others; the other one is taken.
    for screening, seat in ((here.id, old), (there.id, new)):
        wanted = {"screening_id": screening, "seat_ids": [seat]}
        reserved = await Repeated(name, "POST", "/api/v1/seat-reservations/reserve", wanted).until_answered(
            other
        )
        free = (screening, seat) not in places
        assert (reserved.status == 201) is free, (name, screening, reserved)
    released = await other.send("DELETE", f"/api/v1/seat-reservations/cancel/{there.id}")
    assert released.status < 300, released
    answer: Answer = await move.until_answered(buyer)
    moved = {**ticket, "screening_id": there.id, "seat_id": new}
    assert (answer.status, answer.document) == (200, moved), name
    assert execute(server.database.url, _LIVE).count((ticket["id"], there.id, new)) == 1

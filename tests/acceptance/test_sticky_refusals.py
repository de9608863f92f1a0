"""kill -9 while a transaction is still running in PostgreSQL, and its request repeated to the next server.

The client has no answer, so it repeats the request. It must get what the old transaction commits, or have the
request executed again if that never commits. It must not be refused because of its own first attempt, and all
further repeats must get the same answer. A trigger makes transactions that write tickets wait until the test
releases them.
"""

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.acceptance.client import Answer, Client, Unanswered, http_session
from tests.acceptance.figures import Figures, count_of
from tests.acceptance.seeding import SeededScreening
from tests.acceptance.server_process import ServerProcess
from tests.box_office import ADA, days_ahead
from tests.database import execute

ANSWER_SECONDS = 60.0
LONGEST_BEFORE_KILL_SECONDS = 0.15
LONGEST_BEFORE_OPENING_SECONDS = 0.6
SHARE_NOT_HELD_BACK = 0.3
FEWEST_MET = 0.3
_POLL_SECONDS = 0.02

_HOLD_BACK = """
CREATE TABLE gate (closed boolean NOT NULL);
INSERT INTO gate VALUES (false);
CREATE FUNCTION wait_at_the_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WHILE (SELECT closed FROM gate) LOOP
        PERFORM pg_advisory_xact_lock_shared('gate'::regclass::oid::bigint);
        PERFORM pg_sleep(0.01);
    END LOOP;
    RETURN NULL;
END
$$;
CREATE TRIGGER gate AFTER INSERT OR UPDATE ON tickets
    FOR EACH STATEMENT EXECUTE FUNCTION wait_at_the_gate();
"""

# Those who wait hold a lock that excludes nobody: between two naps they cannot be seen to sleep.
_WAITING_AT_THE_GATE = """
SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 0 AND objid = 'gate'::regclass::oid
"""

_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid"

_SESSIONS = "SELECT 1 FROM pg_stat_activity WHERE pid = ANY(%s)"

_WAITING_FOR_A_ROW = """
SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%screening_epochs AS owned%'
"""

# Pending tickets may expire during a long test.
_TICKETS = "SELECT id FROM tickets WHERE screening_id = %s AND status <> 'cancelled'"


class Gate:
    """Delays every transaction that writes tickets while it is closed.

    Args:
        database_url: of the server's database.
    """

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        execute(database_url, _HOLD_BACK)

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Delay transactions within the block, until `open`."""
        execute(self._database_url, "UPDATE gate SET closed = true")
        yield
        self.open()

    def open(self) -> None:
        """Release all transactions."""
        execute(self._database_url, "UPDATE gate SET closed = false")

    def waiting(self) -> list[int]:
        """Return the process ids of the sessions that wait here."""
        return [pid for (pid,) in execute(self._database_url, _WAITING_AT_THE_GATE)]

    def end(self, sessions: list[int]) -> None:
        """Let PostgreSQL forget the transactions of some sessions."""
        execute(self._database_url, _END_SESSIONS, sessions)

    def is_reached(self) -> bool:
        """Return whether a transaction waits here."""
        return bool(self.waiting())

    def is_felt(self, sessions: list[int]) -> bool:
        """Return whether a server that takes a screening over waits for the transaction of these sessions.

        Also if they have ended: PostgreSQL ends what waits for 10 s, which a start on a busy machine takes.
        """
        return bool(
            execute(self._database_url, _WAITING_FOR_A_ROW)
            or not execute(self._database_url, _SESSIONS, sessions)
        )


async def until(state: Callable[[], bool]) -> None:
    async with asyncio.timeout(ANSWER_SECONDS):
        while True:
            if state():
                return
            await asyncio.sleep(_POLL_SECONDS)


class Repeated(NamedTuple):
    """A request that is repeated until it is answered.

    Attributes:
        name: for assertion messages.
        key: its Idempotency-Key, if any.
    """

    name: str
    method: str
    path: str
    body: object = None
    key: str | None = None

    async def once(self, client: Client) -> Answer | None:
        """Send it once; None if there is no answer, or a temporary one."""
        try:
            answer = await client.send(self.method, self.path, self.body, key=self.key)
        except Unanswered:
            return None
        if answer.status >= 400:
            refusal = answer.document.get("error", answer.document)
            if refusal["retryable"]:
                return None
        return answer

    async def until_answered(self, client: Client) -> Answer:
        """Send it until there is a final answer."""
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                if answer := await self.once(client):
                    return answer
                await asyncio.sleep(_POLL_SECONDS)


class Buyer:
    """Sends one request of every kind that buys, pays or cancels tickets.

    Args:
        client: sends the requests.
        hall: a screening in which nobody else buys.
        type_id: a ticket type of an event.
    """

    def __init__(self, client: Client, hall: SeededScreening, type_id: str) -> None:
        self._client = client
        self._hall = hall
        self._type_id = type_id
        self._seats = iter(hall.seat_ids)

    async def requests(self) -> list[Repeated]:
        """Return one request of each kind, after preparing what they need."""
        hall = self._hall.id
        tickets = [await self._ticket() for _ in range(2)]
        pending = [await self._ticket(payment_pending=True) for _ in range(2)]
        reserved = [await self._reserved() for _ in range(2)]
        # A crash may lose a reservation before it is written; reading a list waits for the write.
        listed = await self._client.send("GET", "/api/public/reservations")
        assert {entry["id"] for entry in listed.document["data"]} >= set(reserved)
        book = "/api/v1/tickets/book"
        cancel = [f"/api/v1/tickets/{ticket_id}" for ticket_id in tickets]
        purchase = [f"/api/public/reservations/{reservation_id}/purchase" for reservation_id in reserved]
        people = {"buyerInfo": ADA, "ticketHolders": [ADA]}
        return [
            Repeated("book by key", "POST", book, self._booking(), f"book-{hall}"),
            Repeated(
                "book pending by key", "POST", book, self._booking(payment_pending=True), f"pending-{hall}"
            ),
            Repeated("book by payment", "POST", book, self._booking(payment_id=f"pi-{hall}")),
            Repeated("cancel", "DELETE", cancel[0]),
            Repeated("cancel by key", "DELETE", cancel[1], None, f"cancel-{hall}"),
            Repeated("confirm", "POST", *_confirmation(pending[0])),
            Repeated("confirm by key", "POST", *_confirmation(pending[1]), f"confirm-{hall}"),
            Repeated("purchase", "POST", purchase[0], people),
            Repeated("purchase by key", "POST", purchase[1], people, f"buy-{hall}"),
        ]

    def _booking(self, **more: object) -> dict[str, object]:
        return {"screening_id": self._hall.id, "seat_ids": [next(self._seats)], **more}

    async def _ticket(self, **more: object) -> int:
        answer = await self._client.send("POST", "/api/v1/tickets/book", self._booking(**more))
        assert answer.status == 201, answer
        ticket_id: int = answer.document[0]["id"]
        return ticket_id

    async def _reserved(self) -> str:
        body = {"ticketTypeId": self._type_id, "quantity": 1}
        answer = await self._client.send("POST", "/api/public/reservations", body)
        assert answer.status == 201, answer
        reservation_id: str = answer.document["data"]["reservation"]["id"]
        return reservation_id


def _confirmation(ticket_id: int) -> tuple[str, dict[str, str]]:
    return f"/api/v1/tickets/{ticket_id}/confirm-payment", {"payment_id": f"pi-of-{ticket_id}"}


async def _made_type(admin: Client) -> str:
    """Create an event with tickets. Returns the id of their type."""
    body = {"title": "Night of the Brass Bands", "venue": "Harbour Hall", "startDate": days_ahead(30)}
    event = await admin.send("POST", "/api/admin/events", body)
    body = {"eventId": event.document["data"]["id"], "name": "Standing", "price": 25, "capacity": 5000}
    made = await admin.send("POST", "/api/admin/ticket-types", body)
    type_id: str = made.document["data"]["id"]
    return type_id


@pytest.mark.gen_test(timeout=510)
async def test_a_repeat_gets_the_result_that_was_still_being_written(data_directory: Path) -> None:
    async with ServerProcess(data_directory) as server, http_session() as session:
        (hall,) = await server.seed(screenings=1, rows=2, seats_per_row=10)
        buyer = Client(server, session, 1)
        type_id = await _made_type(Client(server, session, 2, admin=True))
        requests = await Buyer(buyer, hall, type_id).requests()
        gate = Gate(server.database.url)
        received: list[tuple[Repeated, Answer]] = []
        for request in requests:
            with gate.closed():
                first = asyncio.create_task(request.once(buyer))
                sessions: list[int] = []
                while not sessions:
                    sessions = gate.waiting()
                    await asyncio.sleep(_POLL_SECONDS)
                await server.kill()
                assert await first is None
                await server.start()
                repeat = asyncio.create_task(request.until_answered(buyer))
                await until(lambda sessions=sessions: gate.is_felt(sessions))
                gate.open()
                answer = await repeat
            assert answer.status < 300, (request.name, answer)
            received.append((request, answer))
        for request, answer in received:
            again = await request.until_answered(buyer)
            assert (again.status, again.document) == (answer.status, answer.document), request.name


async def _kill_at_random(data_directory: Path, kills: int, figures: Figures) -> None:
    draw = random.Random(20)
    received: list[tuple[Client, Repeated, Answer]] = []
    unanswered = met = asked = 0
    async with (
        ServerProcess(data_directory) as server,
        http_session() as session,
    ):
        halls = await server.seed(screenings=kills, rows=2, seats_per_row=10)
        type_id = await _made_type(Client(server, session, 1, admin=True))
        gate = Gate(server.database.url)
        for number, hall in enumerate(halls, start=2):
            client = Client(server, session, number)
            requests = await Buyer(client, hall, type_id).requests()
            draw.shuffle(requests)
            with gate.closed():
                if passes := draw.random() < SHARE_NOT_HELD_BACK:
                    gate.open()
                firsts = [asyncio.create_task(request.once(client)) for request in requests]
                # The others may be killed before they have begun, if the machine is busy.
                if number % 3 and not passes:
                    await until(gate.is_reached)
                await asyncio.sleep(draw.uniform(0, LONGEST_BEFORE_KILL_SECONDS))
                met += gate.is_reached()
                await server.kill()
                unanswered += sum(answer is None for answer in await asyncio.gather(*firsts))
                await server.start()
                repeats = [asyncio.create_task(request.until_answered(client)) for request in requests]
                await asyncio.sleep(draw.uniform(0, LONGEST_BEFORE_OPENING_SECONDS))
                gate.open()
                answers = await asyncio.gather(*repeats)
            asked += len(requests)
            received += [(client, request, answer) for request, answer in zip(requests, answers, strict=True)]
        await server.kill()
        await server.start()
        wrong = [f"{request.name}: {answer}" for _, request, answer in received if answer.status >= 300]
        changed = []
        for client, request, answer in received:
            again = await request.until_answered(client)
            if (again.status, again.document) != (answer.status, answer.document):
                changed.append(f"{request.name}: {answer}, then {again}")
        unaccounted = sum(
            _unaccounted(server.database.url, client, hall, received)
            for client, hall in zip(dict.fromkeys(client for client, *_ in received), halls, strict=True)
        )
    figures(
        kills=kills,
        asked=asked,
        unanswered=unanswered,
        kills_during_a_transaction=met,
        wrong_answers=len(wrong),
        changed_answers=len(changed),
        unaccounted_tickets=unaccounted,
    )
    assert not wrong
    assert not changed
    assert not unaccounted
    assert met >= FEWEST_MET * kills, "too few kills interrupted a transaction"


def _unaccounted(
    database_url: str,
    client: Client,
    hall: SeededScreening,
    received: list[tuple[Client, Repeated, Answer]],
) -> int:
    """Count the tickets of a hall that are missing in the answers to its buyer or in the database."""
    stored = {ticket_id for (ticket_id,) in execute(database_url, _TICKETS, hall.id)}
    noted: set[Any] = set()
    for buyer, request, answer in received:
        if buyer is client and request.name.startswith(("book", "confirm")):
            documents = answer.document if isinstance(answer.document, list) else [answer.document]
            noted.update(ticket["id"] for ticket in documents)
    return len(stored ^ noted)


@pytest.mark.timeout(900)
@pytest.mark.gen_test(timeout=510)
async def test_no_answer_is_wrong(data_directory: Path, figures: Figures) -> None:
    await _kill_at_random(data_directory, count_of("STICKY_KILLS", 5), figures)


@pytest.mark.soak
@pytest.mark.gen_test(timeout=3600)
async def test_no_answer_is_wrong_in_many_kills(data_directory: Path, figures: Figures) -> None:
    await _kill_at_random(data_directory, count_of("SOAK_STICKY_KILLS", 100), figures)

"""Clients that hold, extend, release, buy, repeat, cancel and give up, at any node; and what they were told.

Everything is recorded in the form that `tests.torture.verdict` judges.
"""

import asyncio
import random
from typing import TYPE_CHECKING, Any

import orjson

from api.errors import ApiError
from api.rest.endpoint import Answer
from api.sales.receipts import TICKETS_CREATED
from engine.commands import (
    BookSeats,
    CancelTicket,
    ExtendHolds,
    HoldSeats,
    ReadSeats,
    ReleaseHolds,
    ToggleSeats,
)
from engine.errors import EngineError, OutcomeUnknown
from engine.records import Receipt
from engine.selling_errors import SeatsUnavailable
from engine.views import SeatMap
from tests.simulation.plan import NODES, SEATS
from tests.simulation.server import ASK_SECONDS, WALL, Server

if TYPE_CHECKING:
    from tests.simulation.world import World

NETWORK_SECONDS = (0.0005, 0.02)
_FIRST_REFUSAL = 400
REPEATS = 12
REPEAT_SECONDS = (0.2, 2.0)


class Clients:
    """All clients of a history.

    Attributes:
        records: what they asked and were told.
        tickets: that they were given, by client: screening, ticket, seat and payment.
        held: seats that were promised to each client, by screening and seat; some may be lost or lapsed.
        keys: users and idempotency keys of bookings that were answered with success.
    """

    def __init__(self, world: "World", seed: int) -> None:
        self.world = world
        self.records: list[dict[str, Any]] = []
        self.tickets: dict[int, list[tuple[int, int, int, str]]] = {}
        self.held: dict[int, set[tuple[int, int]]] = {}
        self.keys: set[tuple[str, str]] = set()
        self.running: set[asyncio.Task[None]] = set()
        self._rng = random.Random(f"clients {seed}")
        self._ops = 0

    def act(
        self, where: str, client: int, action: str, screening: int, draw: int, patience: float, number: int
    ) -> None:
        """Let a client do one thing.

        Args:
            where: the node that it asks first.
            client: who.
            action: what.
            screening: where.
            draw: decides which seats.
            patience: how long it waits for an answer.
            number: of this step, unique in the history.
        """
        rng = random.Random(draw)
        seats = tuple(sorted(rng.sample(range(1, SEATS + 1), rng.choice((1, 1, 2, 3)))))
        if action == "book_held":
            mine = sorted(seat for at, seat in self.held.get(client, ()) if at == screening)
            seats = tuple(mine[: rng.randint(1, 3)]) or seats
        task = self.world.loop.create_task(
            self._act(where, client, action, screening, seats, patience, number)
        )
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def _act(
        self,
        where: str,
        client: int,
        action: str,
        screening: int,
        seats: tuple[int, ...],
        patience: float,
        number: int,
    ) -> None:
        user = f"user:{client}"
        record: dict[str, Any] = {"action": action, "screening": screening, "user": user, "client": user}
        payment_id = f"pay-{number}"
        match action:
            case "hold":
                command: Any = HoldSeats(screening, user, seats, note=f"step {number}")
            case "toggle":
                command = ToggleSeats(screening, user, seats)
            case "extend":
                command = ExtendHolds(screening, user, seats, 4.0)
            case "release":
                command = ReleaseHolds(screening, user, seats)
            case "look":
                command = ReadSeats(screening)
            case "cancel":
                bought = [one for one in self.tickets.get(client, ()) if one[0] == screening]
                if not bought:
                    return
                _, ticket_id, seat, payment_id = bought[-1]
                self.tickets[client].remove(bought[-1])
                seats = (seat,)
                command = CancelTicket(screening, user, ticket_id, seat)
            case _:
                receipt = Receipt(user, f"key-{number}", b"%d" % number, TICKETS_CREATED.name)
                held_only = action == "book_held"
                command = BookSeats(screening, user, seats, payment_id, held_only=held_only, receipt=receipt)
        if action != "look":
            record["seats"] = list(seats)
        if action in ("book", "book_held", "cancel"):
            record["payment_id"] = payment_id
        repeats = REPEATS if action in ("book", "book_held") else 1
        for repeat in range(repeats):
            if await self.ask(where, command, record, patience):
                return
            patience = 3.0
            where = self._rng.choice(NODES)
            await asyncio.sleep(self._rng.uniform(*REPEAT_SECONDS) * (1 + repeat / 4))

    async def ask(self, where: str, command: Any, record: dict[str, Any], patience: float) -> bool:
        """Send a request. Returns whether its outcome is known."""
        server = self.world.servers.get(where)
        if server is None or not server.serving or server.process.dead:
            return False
        self._ops += 1
        op = self._ops
        first_at = record.setdefault("first_at", self._now())
        invoked = {"kind": "invoke", "op": op, "time": self._now(), "node": where, **record}
        self.records.append(invoked)
        answer: asyncio.Future[Any] = self.world.loop.create_future()
        await asyncio.sleep(self._rng.uniform(*NETWORK_SECONDS))
        server.process.spawn(self._serve(server, command, answer, self._rng.uniform(*NETWORK_SECONDS)))
        try:
            async with asyncio.timeout(patience):
                outcome = await answer
        except TimeoutError:
            self.world.trace("gives up", op)
            return False
        if isinstance(outcome, Answer) and outcome.status >= _FIRST_REFUSAL:
            # A key keeps a refusal, too, so this may be what was true when the request was first sent.
            invoked["time"] = first_at
        return self._told(op, record, command, outcome)

    async def _serve(
        self, server: Server, command: Any, answer: "asyncio.Future[Any]", seconds: float
    ) -> None:
        """Answer a request, in the process of the server."""
        outcome: Any
        work = asyncio.ensure_future(server.ask(command))
        try:
            async with asyncio.timeout(ASK_SECONDS):
                outcome = await asyncio.shield(work)
        except TimeoutError:
            work.add_done_callback(lambda done: done.cancelled() or done.exception())
            outcome = OutcomeUnknown()
        except Exception as error:
            outcome = error

        def arrive() -> None:
            if not answer.done():
                answer.set_result(outcome)

        self.world.later(seconds, arrive)

    def _now(self) -> float:
        return self.world.loop.time()

    def _told(self, op: int, record: dict[str, Any], command: Any, outcome: Any) -> bool:
        """Record an answer. Returns whether the outcome is known."""
        code = getattr(outcome, "code", type(outcome).__name__)
        self.world.trace("told", op, record["action"], code if isinstance(outcome, Exception) else "ok")
        returned: dict[str, Any] = {"kind": "return", "op": op, "time": self._now()}
        if isinstance(outcome, OutcomeUnknown):
            return False
        if isinstance(outcome, EngineError | ApiError):
            self.world.outcomes[code] += 1
            status = 503 if outcome.retryable else 409
            data = {}
            if isinstance(outcome, SeatsUnavailable):
                data = {"held": list(outcome.held), "booked": list(outcome.booked)}
            self.records.append({**returned, "status": status, "code": code, "data": data})
            return status == 409
        if isinstance(outcome, Exception):
            self.world.violate(f"{command} was answered with {outcome!r}")
            return True
        if isinstance(outcome, Answer) and outcome.status >= _FIRST_REFUSAL:
            said = orjson.loads(outcome.body.plain)
            self.world.outcomes[said["code"]] += 1
            self.records.append({**returned, "status": outcome.status, "code": said["code"], "data": said})
            return True
        self.world.outcomes["ok"] += 1
        self.records.append({**returned, "status": 200, "data": self._data(command, outcome)})
        return True

    def _data(self, command: Any, reply: Any) -> dict[str, Any]:
        client = int(command.holder[5:]) if hasattr(command, "holder") else -1
        held = self.held.setdefault(client, set())
        if isinstance(reply, SeatMap):
            return {"epoch": reply.epoch, "seq": reply.seq, "seats": seats_of(reply)}
        if isinstance(command, HoldSeats | ExtendHolds):
            held |= {(command.screening_id, hold.seat_id) for hold in reply.holds}
            until = {str(hold.seat_id): hold.expires_at - WALL for hold in reply.holds}
            return {"until": until, "seats": [hold.seat_id for hold in reply.holds]}
        if isinstance(command, BookSeats):
            if command.receipt is None:
                tickets = [(ticket.id, ticket.seat_id) for ticket in reply.tickets]
            else:
                self.keys.add(command.receipt[:2])
                documents = orjson.loads(reply.body.plain)
                tickets = [(document["id"], document["seat_id"]) for document in documents]
            held -= {(command.screening_id, seat) for _, seat in tickets}
            bought = [(command.screening_id, *ticket, command.payment_id) for ticket in tickets]
            self.tickets.setdefault(client, []).extend(bought)
            return {"tickets": [{"id": ticket_id, "seat": seat} for ticket_id, seat in tickets]}
        if isinstance(command, ToggleSeats):
            taken = [hold.seat_id for hold in reply.held]
            given = [hold.seat_id for hold in reply.releasing.holds] if reply.releasing else []
            held |= {(command.screening_id, seat) for seat in taken}
            held -= {(command.screening_id, seat) for seat in given}
            until = {str(hold.seat_id): hold.expires_at - WALL for hold in reply.held}
            return {"reserved": taken, "released": given, "until": until}
        if isinstance(command, ReleaseHolds):
            held -= {(command.screening_id, seat) for seat in command.seat_ids or ()}
        return {}


def seats_of(seat_map: SeatMap) -> list[dict[str, Any]]:
    """Return a seat map as a history has it."""
    views = seat_map.views
    return [
        {"seat": seat.id, "status": "available"}
        if (view := views.get(seat.id)) is None or view.status == "available"
        else {"seat": seat.id, "status": view.status, "user": view.holder}
        for seat in seat_map.layout.seats
    ]

"""Clients that ask any node for something, give up, and ask again; and what they were told.

Everything is recorded in the form that `tests.torture.verdict` judges. `tests.simulation.deeds` has what they
ask for.
"""

import asyncio
import random
from typing import TYPE_CHECKING, Any

import orjson

from api.errors import ApiError
from api.rest.endpoint import Answer
from engine.commands import BookSeats
from engine.errors import EngineError, OutcomeUnknown
from engine.movers import MoveOrder
from engine.selling_errors import NotEnoughTickets
from tests.simulation.deeds import Deeds
from tests.simulation.desk import taken_by_others
from tests.simulation.plan import HALL, NODES
from tests.simulation.server import ASK_SECONDS, Server

if TYPE_CHECKING:
    from tests.simulation.world import World

NETWORK_SECONDS = (0.0005, 0.02)
_FIRST_REFUSAL = 400
REPEAT_SECONDS = (0.2, 2.0)


class Clients:
    """All clients of a history.

    Attributes:
        records: what they asked and were told.
        of_hall: the same of the hall.
        deeds: what they have.
        running: what they wait for.
    """

    def __init__(self, world: "World", seed: int) -> None:
        self.world = world
        self.records: list[dict[str, Any]] = []
        self.of_hall: list[dict[str, Any]] = []
        self.deeds = Deeds()
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
        deed = self.deeds.wish(client, action, screening, random.Random(draw), number)
        if deed is None:
            return
        self._start(where, deed.request, deed.record, deed.repeats, patience)
        if deed.twin is not None:
            self._start(self._rng.choice(NODES), deed.twin, dict(deed.record), deed.repeats, patience)

    def _start(self, where: str, request: Any, record: dict[str, Any], repeats: int, patience: float) -> None:
        task = self.world.loop.create_task(self._act(where, request, record, repeats, patience))
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def _act(
        self, where: str, request: Any, record: dict[str, Any], repeats: int, patience: float
    ) -> None:
        for repeat in range(repeats):
            if await self.ask(where, request, record, patience):
                return
            patience = 3.0
            where = self._rng.choice(NODES)
            await asyncio.sleep(self._rng.uniform(*REPEAT_SECONDS) * (1 + repeat / 4))

    async def ask(self, where: str, request: Any, record: dict[str, Any], patience: float) -> bool:
        """Send a request. Returns whether its outcome is known."""
        server = self.world.servers.get(where)
        if server is None or not server.serving or server.process.dead:
            return False
        self._ops += 1
        op = self._ops
        first_at = record.setdefault("first_at", self._now())
        invoked = {"kind": "invoke", "op": op, "time": self._now(), "node": where, **record}
        self._records(record).append(invoked)
        answer: asyncio.Future[Any] = self.world.loop.create_future()
        await asyncio.sleep(self._rng.uniform(*NETWORK_SECONDS))
        server.process.spawn(self._serve(server, request, answer, self._rng.uniform(*NETWORK_SECONDS)))
        try:
            async with asyncio.timeout(patience):
                outcome = await answer
        except TimeoutError:
            self.world.trace("gives up", op)
            return False
        if isinstance(outcome, Answer) and outcome.status >= _FIRST_REFUSAL:
            # A key keeps a refusal, too, so this may be what was true when the request was first sent.
            invoked["time"] = first_at
        return self._told(op, record, request, outcome)

    async def _serve(
        self, server: Server, request: Any, answer: "asyncio.Future[Any]", seconds: float
    ) -> None:
        """Answer a request, in the process of the server."""
        outcome: Any
        work = asyncio.ensure_future(server.ask(request))
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

    def _told(self, op: int, record: dict[str, Any], request: Any, outcome: Any) -> bool:
        """Record an answer. Returns whether the outcome is known."""
        code = getattr(outcome, "code", type(outcome).__name__)
        self.world.trace("told", op, record["action"], code if isinstance(outcome, Exception) else "ok")
        returned: dict[str, Any] = {"kind": "return", "op": op, "time": self._now()}
        if isinstance(outcome, OutcomeUnknown):
            return False
        if isinstance(outcome, EngineError | ApiError):
            self.world.outcomes[code] += 1
            status = 503 if outcome.retryable else 409
            data: dict[str, Any] = {**taken_by_others(outcome)}
            if isinstance(outcome, NotEnoughTickets):
                data = {"left": outcome.available}
            self._records(record).append({**returned, "status": status, "code": code, "data": data})
            return status == 409 and self._is_known(request)
        if isinstance(outcome, Exception):
            self.world.violate(f"{request} was answered with {outcome!r}")
            return True
        if isinstance(outcome, Answer) and outcome.status >= _FIRST_REFUSAL:
            said = orjson.loads(outcome.body.plain)
            self.world.outcomes[said["code"]] += 1
            self.records.append({**returned, "status": outcome.status, "code": said["code"], "data": said})
            return self._is_known(request)
        self.world.outcomes["ok"] += 1
        data = self.deeds.said(request, record, outcome)
        self._records(record).append({**returned, "status": 200, "data": data})
        return self._is_known(request)

    def _records(self, record: dict[str, Any]) -> list[dict[str, Any]]:
        return self.of_hall if record["screening"] == HALL else self.records

    def _is_known(self, request: Any) -> bool:
        """Note that a client knows what has become of its payment."""
        if isinstance(request, BookSeats | MoveOrder) and request.payment_id is not None:
            self.deeds.answered.add(request.payment_id)
        return True

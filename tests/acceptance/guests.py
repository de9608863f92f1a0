"""Guests who compete for the same tickets of an event, and an onlooker who checks the totals.

Each guest records what the server has acknowledged. A request that is unanswered because the server died is
repeated until the server answers. A hold may be lost with the server, a ticket never.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import aiohttp

from tests.acceptance.client import Answer, Client, Unanswered
from tests.acceptance.server_process import ServerProcess

RESERVATIONS = "/api/public/reservations"
RETRY_SECONDS = 0.1
PATIENCE_SECONDS = (0.3, 1.5)
"""Minimum and maximum pause before a guest tries again."""

_ORDER_LIMIT = 3
_TO_BE_EXPECTED = {"not_enough_tickets", "hold_limit_exceeded", "reservation_not_found"}


class Fight:
    """The state that all guests share.

    Args:
        capacities: number of tickets by type.

    Attributes:
        done: counts of actions.
        under_way: set when a quarter of the tickets is sold.
        over: set when all are sold.
    """

    def __init__(self, capacities: Mapping[str, int]) -> None:
        self.capacities = capacities
        self.done: Counter[str] = Counter()
        self.under_way = asyncio.Event()
        self.over = asyncio.Event()
        self._bought = 0

    async def look(self, client: Client, kind: str) -> Mapping[str, int] | None:
        """Check that the tickets of a type add up; return their numbers by state.

        Raises:
            Unanswered: the server is down.
        """
        answer = await client.send("GET", f"/api/public/availability/{kind}")
        if answer.status == 503:
            return None
        assert answer.status == 200, answer
        names = ("total", "sold", "reserved", "available")
        left: Mapping[str, int] = {name: answer.document["data"][name] for name in names}
        assert left["total"] == self.capacities[kind]
        assert left["sold"] + left["reserved"] + left["available"] == left["total"], left
        assert min(left.values()) >= 0, left
        self.done["looks"] += 1
        return left

    def bought(self, quantity: int) -> None:
        """Count sold tickets."""
        self.done["bought"] += 1
        self._bought += quantity
        if self._bought >= sum(self.capacities.values()) / 4:
            self.under_way.set()


class Guest(Client):
    """One guest with a session of their own, and an account to buy with.

    Args:
        server: the server to send requests to.
        session: the aiohttp session.
        user_id: the future owner of the tickets.
        fight: the shared state.
    """

    def __init__(
        self, server: ServerProcess, session: aiohttp.ClientSession, user_id: int, fight: Fight
    ) -> None:
        super().__init__(server, session, user_id)
        self.tickets: dict[int, str] = {}
        self._session_id = f"guest-session-{user_id}"
        self._fight = fight
        self._done = fight.done
        self._draw = random.Random(user_id)

    async def shop(self) -> None:
        """Reserve, hesitate, then buy or release, until nothing is left."""
        await asyncio.sleep(self._draw.uniform(0, PATIENCE_SECONDS[1]))
        interrupted = False
        while not self._fight.over.is_set():
            try:
                reservations = await (self._remembered() if interrupted else self._reserved())
                interrupted = False
                for reservation in reservations:
                    await self._decide(reservation)
                    await self._fight.look(self, reservation["ticketTypeId"])
            except Unanswered:
                self._done["unanswered"] += 1
                interrupted = True
            await asyncio.sleep(self._draw.uniform(*PATIENCE_SECONDS))

    async def _remembered(self) -> list[dict[str, Any]]:
        """Return what the server still holds for this guest after an unanswered request."""
        answer = await self.send("GET", f"{RESERVATIONS}?sessionId={self._session_id}")
        if answer.status != 200:
            raise Unanswered
        remembered: list[dict[str, Any]] = answer.document["data"]
        self._done["remembered"] += len(remembered)
        return remembered

    async def _reserved(self) -> list[dict[str, Any]]:
        """Reserve tickets of one type, or of both in one request."""
        capacities = self._fight.capacities
        types = self._draw.sample(sorted(capacities), self._draw.randint(1, len(capacities)))
        orders = [{"ticketTypeId": kind, "quantity": self._draw.randint(1, _ORDER_LIMIT)} for kind in types]
        bulk = len(orders) > 1
        body: dict[str, Any] = {"reservations": orders} if bulk else orders[0]
        answer = await self._ask("POST", RESERVATIONS, body)
        if answer.status != 201:
            return self._refused(answer)
        self._done["bulk" if bulk else "single"] += 1
        made: dict[str, Any] = answer.document["data"]
        return made["reservations"] if bulk else [made["reservation"]]

    async def _decide(self, reservation: Mapping[str, Any]) -> None:
        path = f"{RESERVATIONS}/{reservation['id']}"
        if self._draw.random() < 0.3:
            self._note("extended", await self._ask("PATCH", path, {"additionalMinutes": 1}), 200)
        if self._draw.random() < 0.6:
            self._note("cancelled", await self._ask("DELETE", path, {}), 200)
        else:
            await self._buy(path, reservation["quantity"])

    async def _buy(self, path: str, quantity: int) -> None:
        """Buy, repeating the request until it is answered."""
        person = {
            "fullName": f"Guest {self.user_id}",
            "identityType": "passport",
            "identityNumber": str(self.user_id),
            "email": f"guest-{self.user_id}@home.example",
            "whatsapp": "+492281234567",
        }
        body = {"buyerInfo": person, "ticketHolders": [person] * quantity}
        while True:
            try:
                answer = await self._ask("POST", f"{path}/purchase", body)
            except Unanswered:
                self._done["unanswered_purchases"] += 1
            else:
                if answer.status == 201:
                    bought = answer.document["data"]["tickets"]
                    assert len(bought) == quantity
                    self.tickets |= {int(ticket["id"]): ticket["code"] for ticket in bought}
                    self._fight.bought(quantity)
                    return
                if answer.status < 500 and not answer.document["error"]["retryable"]:
                    self._refused(answer)
                    return
            await asyncio.sleep(RETRY_SECONDS)

    def _note(self, deed: str, answer: Answer, status: int) -> None:
        if answer.status == status:
            self._done[deed] += 1
        else:
            self._refused(answer)

    def _refused(self, answer: Answer) -> list[dict[str, Any]]:
        if answer.status == 503:
            raise Unanswered
        # A hold that was not yet written when the server died is gone.
        assert answer.document["error"]["code"] in _TO_BE_EXPECTED, answer
        self._done["refused"] += 1
        return []

    async def _ask(self, method: str, path: str, body: Mapping[str, Any]) -> Answer:
        return await self.send(method, path, {**body, "sessionId": self._session_id})


class Onlooker(Client):
    """A client that repeatedly asks how many tickets are left and checks the totals."""

    async def watch(self, fight: Fight) -> None:
        """Check the totals until everything is sold."""
        sold = dict.fromkeys(fight.capacities, 0)
        while sold != fight.capacities:
            for kind in fight.capacities:
                try:
                    left = await fight.look(self, kind)
                except Unanswered:
                    left = None
                if left is None:
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                assert left["sold"] >= sold[kind], "a sold ticket became unsold"
                sold[kind] = left["sold"]
        fight.over.set()

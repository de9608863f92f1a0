"""Guests of the public door who want what others want, and the one who counts what is left.

Each notes what the server has acknowledged. What remains without an answer because the server died is asked
for again until the server says what became of it; a hold may have died with it, a ticket never.
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
"""How long a guest waits before looking again, from … to …"""

_ORDER_LIMIT = 3
_TO_BE_EXPECTED = {"not_enough_tickets", "hold_limit_exceeded", "reservation_not_found"}


class Fight:
    """What all guests want, and what they have done.

    Args:
        capacities: how many tickets of each type there are.

    Attributes:
        done: counts deeds.
        under_way: set when every fourth ticket is bought.
        over: set when none is left.
    """

    def __init__(self, capacities: Mapping[str, int]) -> None:
        self.capacities = capacities
        self.done: Counter[str] = Counter()
        self.under_way = asyncio.Event()
        self.over = asyncio.Event()
        self._bought = 0

    async def look(self, client: Client, kind: str) -> Mapping[str, int] | None:
        """See that all tickets of a type are accounted for; tells how many there are of which.

        Raises:
            Unanswered: the server is not there.
        """
        answer = await client.send("GET", f"/api/public/availability/{kind}")
        if answer.status == 503:
            return None
        assert answer.status == 200, answer
        left: Mapping[str, int] = answer.document["data"]
        assert left["total"] == self.capacities[kind]
        assert left["sold"] + left["reserved"] + left["available"] == left["total"], left
        assert min(left.values()) >= 0, left
        self.done["looks"] += 1
        return left

    def bought(self, quantity: int) -> None:
        """Somebody has tickets."""
        self.done["bought"] += 1
        self._bought += quantity
        if self._bought >= sum(self.capacities.values()) / 4:
            self.under_way.set()


class Guest(Client):
    """One guest with a session of their own, and an account to buy with.

    Args:
        server: whom to ask.
        session: connections.
        user_id: whose tickets they will be.
        fight: which they take part in.
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
        """Reserve, hesitate, and buy or not, until nothing is left."""
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
        """What the server still holds for this guest after an answer has not come."""
        answer = await self.send("GET", f"{RESERVATIONS}?sessionId={self._session_id}")
        if answer.status != 200:
            raise Unanswered
        remembered: list[dict[str, Any]] = answer.document["data"]
        self._done["remembered"] += len(remembered)
        return remembered

    async def _reserved(self) -> list[dict[str, Any]]:
        """Reserve tickets of one type, or of both at once."""
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
        """Buy, and ask until it is known whether it was bought."""
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
        # A hold that was not written when the server died is not there any more.
        assert answer.document["error"]["code"] in _TO_BE_EXPECTED, answer
        self._done["refused"] += 1
        return []

    async def _ask(self, method: str, path: str, body: Mapping[str, Any]) -> Answer:
        return await self.send(method, path, {**body, "sessionId": self._session_id})


class Onlooker(Client):
    """Somebody who asks again and again how many are left, and adds up."""

    async def watch(self, fight: Fight) -> None:
        """See that all tickets are accounted for at any moment, until all are sold."""
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
                assert left["sold"] >= sold[kind], "what was sold is not sold any more"
                sold[kind] = left["sold"]
        fight.over.set()

"""Guests who reserve and buy event tickets by quantity, and an administrator who sells at the counter."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from tests.torture.caller import Caller
from tests.torture.goods import Hall
from tests.torture.recorder import Recorder
from tests.torture.requester import REPEATS, RETRY_SECONDS, TICKETS_KEPT, Requester

PUBLIC = "/api/public"
PAUSE_SECONDS = (0.0, 0.15)
COUNTER_PAUSE_SECONDS = (0.1, 0.4)


class Guest(Requester):
    """A session with an account to buy with.

    Args:
        user_id: the account, which will own the tickets.
        caller, urls, recorder, seed: as for `Requester`.
        event_id: what is sold.
        types: its ticket types.
    """

    def __init__(
        self,
        user_id: int,
        caller: Caller,
        urls: dict[str, str],
        recorder: Recorder,
        seed: int,
        event_id: int,
        types: Sequence[int],
    ) -> None:
        super().__init__(f"guest-{user_id}", caller, urls, recorder, seed)
        self._event_id = event_id
        self._types = types
        self._session_id = f"torture-{seed}-{user_id}"
        self._user = f"user:{user_id}"
        # Reservations by id with the ticket type and the quantity.
        self._reserved: dict[str, tuple[int, int]] = {}
        self._tickets: list[tuple[str, int]] = []

    async def shop(self, over: asyncio.Event) -> None:
        """Reserve, look, buy, release and cancel until the event is set."""
        while not over.is_set():
            deeds = [self._reserve, self._look]
            if self._reserved:
                deeds += [self._buy, self._release]
            if len(self._tickets) > TICKETS_KEPT:
                deeds = [self._cancel]
            await self.draw.choice(deeds)()
            await asyncio.sleep(self.draw.uniform(*PAUSE_SECONDS))

    async def settle(self) -> None:
        """Release everything that the server still has for this guest."""
        answer = None
        while answer is None or answer.status != 200:
            invocation = self._invocation("list", self._types[0])
            number, answer = await self.request(
                invocation, "GET", f"{PUBLIC}/reservations?sessionId={self._session_id}", is_hasty=False
            )
            if answer and answer.status == 200:
                self.recorder.answer(number, 200)
        for reservation in answer.document["data"]:
            kind = int(reservation["ticketTypeId"])
            self._reserved[reservation["id"]] = kind, reservation["quantity"]
        while self._reserved:
            await self._release()

    def _invocation(self, action: str, kind: int, **more: Any) -> dict[str, Any]:
        return {
            "action": action,
            "screening": self._event_id,
            "user": self._session_id,
            "ticket_type": kind,
            "door": "public",
            **more,
        }

    async def _reserve(self) -> None:
        kind, quantity = self.draw.choice(self._types), self.draw.randint(1, 3)
        invocation = self._invocation("hold", kind, quantity=quantity, key=self.key())
        body = {"ticketTypeId": str(kind), "quantity": quantity, "sessionId": self._session_id}
        began = time.monotonic()
        number, answer = await self.request(invocation, "POST", f"{PUBLIC}/reservations", body)
        if answer and answer.status == 201:
            made = answer.document["data"]["reservation"]
            self._reserved[made["id"]] = kind, quantity
            until = began + made["remainingSeconds"]
            self.recorder.answer(number, 201, data={"reservation": made["id"], "until": until})

    async def _look(self) -> None:
        kind = self.draw.choice(self._types)
        path = f"{PUBLIC}/availability/{kind}"
        number, answer = await self.request(self._invocation("look", kind), "GET", path)
        if answer and answer.status == 200:
            self.recorder.answer(number, 200, data={"left": answer.document["data"]["available"]})

    async def _release(self) -> None:
        reservation = self.draw.choice(sorted(self._reserved))
        kind, _ = self._reserved[reservation]
        invocation = self._invocation("release", kind, reservation=reservation)
        path, body = f"{PUBLIC}/reservations/{reservation}", {"sessionId": self._session_id}
        number, answer = await self.request(invocation, "DELETE", path, body)
        if answer is None or answer.status >= 500:
            await asyncio.sleep(self.draw.uniform(*RETRY_SECONDS))
            return
        if answer.status < 400:
            self.recorder.answer(number, answer.status)
        self._reserved.pop(reservation, None)

    async def _buy(self) -> None:
        reservation = self.draw.choice(sorted(self._reserved))
        kind, quantity = self._reserved.pop(reservation)
        person = {
            "fullName": "Ada Example",
            "identityType": "passport",
            "identityNumber": "C01X00T47",
            "email": "ada@home.example",
            "whatsapp": "+492281234567",
        }
        body = {"sessionId": self._session_id, "buyerInfo": person, "ticketHolders": [person] * quantity}
        invocation = self._invocation(
            "book", kind, user=self._user, reservation=reservation, quantity=quantity, key=self.key()
        )
        path = f"{PUBLIC}/reservations/{reservation}/purchase"
        for _ in range(REPEATS):
            number, answer = await self.request(invocation, "POST", path, body)
            if answer and answer.status == 201:
                tickets = answer.document["data"]["tickets"]
                self._tickets += [(ticket["id"], kind) for ticket in tickets]
                self.recorder.answer(
                    number, 201, data={"tickets": [{"id": int(one["id"])} for one in tickets]}
                )
                return
            if answer and answer.status < 500 and not answer.document["error"].get("retryable"):
                return
            await asyncio.sleep(self.draw.uniform(*RETRY_SECONDS))

    async def _cancel(self) -> None:
        ticket, kind = self._tickets.pop(self.draw.randrange(len(self._tickets)))
        invocation = self._invocation("cancel", kind, user=self._user, quantity=1, ticket=int(ticket))
        for _ in range(REPEATS):
            number, answer = await self.request(invocation, "DELETE", f"/api/v1/tickets/{ticket}")
            if answer and answer.status < 500:
                if answer.status < 400:
                    self.recorder.answer(number, answer.status, data={})
                return
            await asyncio.sleep(self.draw.uniform(*RETRY_SECONDS))


class Counter(Requester):
    """An administrator who sells seats to people at the counter.

    Args:
        caller, urls, recorder, seed: as for `Requester`.
        halls: of the seats.
        customers: accounts to sell to.
    """

    def __init__(
        self,
        caller: Caller,
        urls: dict[str, str],
        recorder: Recorder,
        seed: int,
        halls: Sequence[Hall],
        customers: Sequence[int],
    ) -> None:
        super().__init__("counter", caller, urls, recorder, seed)
        self._halls = halls
        self._customers = customers
        self._receipts = 0

    async def sell(self, over: asyncio.Event) -> None:
        """Sell until the event is set."""
        while not over.is_set():
            hall, customer = self.draw.choice(self._halls), self.draw.choice(self._customers)
            seats = self.draw.sample(hall.seat_ids, self.draw.randint(1, 2))
            self._receipts += 1
            reference = f"till {self._receipts}"
            invocation = {
                "action": "book",
                "door": "counter",
                "screening": hall.id,
                "seats": seats,
                "user": f"user:{customer}",
                "payment_id": f"counter:cash:{reference}",
            }
            body = {
                "seat_ids": seats,
                "user_id": customer,
                "paid": {"method": "cash", "reference": reference},
            }
            sold = await self._sell(invocation, f"/api/v1/ops/screenings/{hall.id}/sales", body)
            for ticket in sold:
                await self._take_back(invocation, ticket)
            await asyncio.sleep(self.draw.uniform(*COUNTER_PAUSE_SECONDS))

    async def _sell(
        self, invocation: dict[str, Any], path: str, body: dict[str, Any]
    ) -> list[dict[str, Any]]:
        for _ in range(REPEATS):
            number, answer = await self.request(invocation, "POST", path, body)
            if answer and answer.status == 201:
                tickets = [
                    {"id": one["id"], "seat": one["seat_id"], "price": one["price"]}
                    for one in answer.document
                ]
                self.recorder.answer(number, 201, data={"tickets": tickets})
                return tickets
            if answer and answer.status < 500 and not answer.document.get("retryable"):
                break
            await asyncio.sleep(self.draw.uniform(*RETRY_SECONDS))
        return []

    async def _take_back(self, sale: dict[str, Any], ticket: dict[str, Any]) -> None:
        """Cancel a ticket at once, so that halls do not sell out."""
        invocation = {**sale, "action": "cancel", "seats": [ticket["seat"]]}
        for _ in range(REPEATS):
            path, body = f"/api/v1/tickets/{ticket['id']}/status", {"status": "cancelled"}
            number, answer = await self.request(invocation, "PUT", path, body)
            if answer and answer.status < 500:
                if answer.status < 400:
                    self.recorder.answer(number, answer.status, data={})
                return
            await asyncio.sleep(self.draw.uniform(*RETRY_SECONDS))

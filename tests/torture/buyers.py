"""Buyers of seats: they hold, extend, release, book and cancel at random nodes, over REST and in rooms.

A buyer does one thing after the other, as a person does, and follows the rules: it repeats what was left
open with the same payment. It also does what real clients do: it gives up while it waits, sends a request
twice, and now and then it lies. Everything is recorded (`recorder`). Choices come from the seed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from tests.torture.caller import Answer, Caller
from tests.torture.goods import RESERVATIONS, TICKETS, Hall, Ticket
from tests.torture.lies import lie
from tests.torture.recorder import CERTAIN, Recorder
from tests.torture.requester import REPEATS, RETRY_SECONDS, TICKETS_KEPT, Requester
from tests.torture.room_client import RoomClient
from tests.torture.site import HOLD_SECONDS

PAUSE_SECONDS = (0.0, 0.06)
REPEATING = 0.06
"""Share of the answered requests that are sent again."""


class Attempt(NamedTuple):
    """A booking that may have happened."""

    action: str
    path: str
    body: dict[str, Any]
    key: str | None


class Held(NamedTuple):
    """A hold, which does not end before `until` and lasts `seconds` in all. Rooms do not tell its id."""

    id: int | None
    until: float
    seconds: float


def seconds_of(document: dict[str, Any]) -> float:
    """Return how long a reservation lasts from when it was made, by the clock that has decided it."""
    begins, ends = (datetime.fromisoformat(document[name]) for name in ("reserved_at", "expires_at"))
    return (ends - begins).total_seconds()


class Buyer(Requester):
    """One user.

    Args:
        user_id: the user.
        caller, urls, recorder, seed: as for `Requester`.
        halls: what it buys; earlier ones are chosen more often.
        pending_hall: where it books first and pays later.

    Attributes:
        tickets: that were acknowledged and not cancelled.
        open: bookings that may have happened.
    """

    def __init__(
        self,
        user_id: int,
        caller: Caller,
        urls: dict[str, str],
        recorder: Recorder,
        seed: int,
        halls: Sequence[Hall],
        pending_hall: Hall,
    ) -> None:
        super().__init__(f"user:{user_id}", caller, urls, recorder, seed)
        self.user_id = user_id
        self.tickets: list[Ticket] = []
        self.open: list[Attempt] = []
        self.others: Sequence[Buyer] = ()
        self._halls = halls
        self._pending_hall = pending_hall
        self._seed = seed
        self._payments = 0
        # The holds of this buyer by screening and seat.
        self._held: dict[tuple[int, int], Held] = {}
        self._room = RoomClient(caller.session, f"buyer-{user_id}", caller.token)
        self._deeds: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (18, self._reserve),
            (8, self._reserve_best),
            (6, self._toggle),
            (5, self._extend),
            (8, self._release),
            (8, self._select_in_room),
            (5, self._release_in_room),
            (10, self._book),
            (12, self._book_held),
            (5, self._cancel),
            (8, self._look),
            (3, self._order_and_pay),
            (2, self._lie),
        ]

    async def shop(self, over: asyncio.Event) -> None:
        """Do one thing after the other until the event is set."""
        weights, deeds = zip(*self._deeds, strict=True)
        while not over.is_set():
            (deed,) = self.draw.choices(deeds, weights)
            if len(self.tickets) > TICKETS_KEPT:
                deed = self._cancel
            await deed()
            await asyncio.sleep(self.draw.uniform(*PAUSE_SECONDS))

    async def settle(self) -> None:
        """Repeat all bookings that may have happened until they are answered, and release all holds."""
        for attempt in self.open:
            while not await self._book_once(attempt):  # noqa: ASYNC110 - it is the asking
                await asyncio.sleep(self.draw.uniform(*RETRY_SECONDS))
        self.open.clear()
        for hall in (*self._halls, self._pending_hall):
            answer = None
            while answer is None or answer.status >= 500:
                path = f"{RESERVATIONS}/cancel/{hall.id}"
                answer = await self._do("release", hall, None, "DELETE", path, is_hasty=False)
        await self._room.close()

    async def _reserve(self) -> None:
        hall = self._hall()
        seats = self.draw.sample(hall.seat_ids, self.draw.randint(1, 3))
        body = {"screening_id": hall.id, "seat_ids": seats}
        answer = await self._do("hold", hall, seats, "POST", f"{RESERVATIONS}/reserve", body)
        # The same again changes nothing.
        if answer and answer.status == 201 and self.draw.random() < REPEATING:
            self.recorder.misdeeds["client repeats"] += 1
            await self._do("hold", hall, seats, "POST", f"{RESERVATIONS}/reserve", body)

    async def _reserve_best(self) -> None:
        hall = self._hall()
        body = {"screening_id": hall.id, "quantity": self.draw.randint(1, 3)}
        await self._do("hold", hall, None, "POST", f"{RESERVATIONS}/best-available", body)

    async def _toggle(self) -> None:
        hall = self._hall()
        seats = self.draw.sample(hall.seat_ids, 2)
        if mine := self._seats_in(hall):
            seats = list({seats[0], self.draw.choice(mine)})
        body = {"screening_id": hall.id, "seat_ids": seats}
        await self._do("toggle", hall, seats, "POST", f"{RESERVATIONS}/toggle", body)

    async def _extend(self) -> None:
        hall = self._hall()
        if seats := self._some_in(hall):
            body = {"screening_id": hall.id, "seat_ids": seats}
            await self._do("extend", hall, seats, "POST", f"{RESERVATIONS}/extend?additional_minutes=1", body)

    async def _release(self) -> None:
        hall = self._hall()
        seats = self._some_in(hall)
        path = f"{RESERVATIONS}/cancel/{hall.id}"
        if seats and self.draw.random() < 0.7:
            listed = ",".join(map(str, seats))
            await self._do("release", hall, seats, "DELETE", f"{path}?seat_ids={listed}")
        else:
            await self._do("release", hall, None, "DELETE", path)

    async def _book(self) -> None:
        hall = self._hall()
        seats = self.draw.sample(hall.seat_ids, self.draw.randint(1, 2))
        await self._buy("book", f"{TICKETS}/book", hall, seats)

    async def _book_held(self) -> None:
        hall = self._hall()
        if seats := self._some_in(hall):
            await self._buy("book_held", f"{TICKETS}/book-from-reservation", hall, seats)
        else:
            await self._reserve()

    async def _buy(self, action: str, path: str, hall: Hall, seats: Sequence[int]) -> None:
        self._payments += 1
        payment_id = f"p{self._seed}-{self.user_id}-{self._payments}"
        body = {"screening_id": hall.id, "seat_ids": list(seats), "payment_id": payment_id}
        attempt = Attempt(action, path, body, self.key())
        for number in range(REPEATS):
            if await self._book_once(attempt, is_hasty=not number):
                break
            await asyncio.sleep(self.draw.uniform(*RETRY_SECONDS))
        else:
            self.open.append(attempt)
            return
        if self.draw.random() < REPEATING:
            self.recorder.misdeeds["client repeats"] += 1
            await self._book_once(attempt)

    async def _book_once(self, attempt: Attempt, *, is_hasty: bool = False) -> bool:
        """Send a booking. Returns whether its outcome is known."""
        hall = next(hall for hall in self._halls if hall.id == attempt.body["screening_id"])
        seats, payment_id = attempt.body["seat_ids"], attempt.body["payment_id"]
        answer = await self._do(
            *(attempt.action, hall, seats, "POST", attempt.path, attempt.body),
            key=attempt.key,
            is_hasty=is_hasty,
            payment_id=payment_id,
        )
        if answer is None or answer.status >= 500 or answer.status == 429:
            return False
        if answer.status >= 400:
            return not answer.document.get("retryable")
        known = {ticket.id for ticket in self.tickets}
        for ticket in answer.document:
            self._held.pop((hall.id, ticket["seat_id"]), None)
            if ticket["id"] not in known and ticket["status"] == "confirmed":
                self.tickets.append(Ticket(ticket["id"], hall.id, ticket["seat_id"], payment_id))
        return True

    async def _cancel(self) -> None:
        if not self.tickets:
            return
        ticket = self.tickets.pop(self.draw.randrange(len(self.tickets)))
        hall = next(hall for hall in self._halls if hall.id == ticket.screening)
        path = f"{TICKETS}/{ticket.id}"
        for _ in range(REPEATS):
            answer = await self._do(
                "cancel", hall, [ticket.seat], "DELETE", path, key=self.key(), payment_id=ticket.payment_id
            )
            if answer and answer.status < 500:
                return
            await asyncio.sleep(self.draw.uniform(*RETRY_SECONDS))

    async def _look(self) -> None:
        hall = self._hall()
        await self._do("look", hall, None, "GET", f"{RESERVATIONS}/screening/{hall.id}/availability")

    async def _order_and_pay(self) -> None:
        hall = self._pending_hall
        seats = self.draw.sample(hall.seat_ids, 1)
        body = {"screening_id": hall.id, "seat_ids": seats, "payment_pending": True}
        key = f"{self.draw.getrandbits(64):x}"
        answer = await self._do("order", hall, seats, "POST", f"{TICKETS}/book", body, key=key)
        if answer is None or answer.status != 201:
            return
        self.recorder.misdeeds["client repeats"] += 1
        await self._do("order", hall, seats, "POST", f"{TICKETS}/book", body, key=key)
        if self.draw.random() < 0.2:
            return
        self._payments += 1
        paid = {"payment_id": f"p{self._seed}-{self.user_id}-{self._payments}"}
        for _ in range(REPEATS):
            path = f"{TICKETS}/{answer.document[0]['id']}/confirm-payment"
            confirmed = await self._do("pay", hall, seats, "POST", path, paid, payment_id=paid["payment_id"])
            if confirmed and confirmed.status < 500:
                return
            await asyncio.sleep(self.draw.uniform(*RETRY_SECONDS))

    async def _lie(self) -> None:
        victim = self.draw.choice(self.others)
        if victim is not self and victim.tickets:
            await lie(self, self.draw.choice(victim.tickets), self.draw.choice(self._halls[0].seat_ids))

    async def _select_in_room(self) -> None:
        hall = self._hall()
        seat = self.draw.choice(hall.seat_ids)
        number = self.recorder.invoke(client=self.name, **self._invocation("hold", hall, [seat], "room"))
        began = time.monotonic()
        reply = await self._say({"type": "select_seat", "room_id": f"funcion_{hall.id}"}, hall, seat)
        if reply is None:
            self.recorder.unknown(number)
        elif reply["type"] == "error":
            self.recorder.answer(number, _status_of(reply), reply["code"])
        else:
            known = self._held.get((hall.id, seat))
            if known is None or known.until <= began:
                known = self._held[hall.id, seat] = Held(None, began + HOLD_SECONDS, HOLD_SECONDS)
            until = known.until
            self.recorder.answer(number, 201, data={"until": until, "seats": [seat]})

    async def _release_in_room(self) -> None:
        hall = self._hall()
        mine = self._seats_in(hall)
        if not mine:
            return
        seat = self.draw.choice(mine)
        number = self.recorder.invoke(client=self.name, **self._invocation("release", hall, [seat], "room"))
        reply = await self._say({"type": "release_seat", "room_id": f"funcion_{hall.id}"}, hall, seat)
        if reply is None:
            self.recorder.unknown(number)
            return
        self._held.pop((hall.id, seat), None)
        if reply["type"] == "error":
            self.recorder.answer(number, _status_of(reply), reply["code"])
        else:
            self.recorder.answer(number, 200)

    async def _say(self, message: dict[str, Any], hall: Hall, seat: int) -> dict[str, Any] | None:
        _, url = self.door()
        return await self._room.say(url, {**message, "seat_id": hall.names[seat]})

    async def _do(
        self,
        action: str,
        hall: Hall,
        seats: Sequence[int] | None,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        key: str | None = None,
        is_hasty: bool = True,
        payment_id: str | None = None,
    ) -> Answer | None:
        """Send a request, record it and what the answer says. Returns None if there was none."""
        began = time.monotonic()
        invocation = {**self._invocation(action, hall, seats), "payment_id": payment_id, "key": key}
        number, answer = await self.request(invocation, method, path, body, is_hasty=is_hasty)
        if answer and answer.status < 400:
            self.recorder.answer(
                number, answer.status, data=self._meaning(action, hall, answer.document, began)
            )
        return answer

    def _invocation(
        self, action: str, hall: Hall, seats: Sequence[int] | None, door: str = "rest"
    ) -> dict[str, Any]:
        return {"action": action, "door": door, "user": self.name, "screening": hall.id, "seats": seats}

    def _meaning(self, action: str, hall: Hall, document: Any, began: float) -> dict[str, Any] | None:
        """Return what a success says about seats, in the terms of the history."""
        match action:
            case "hold" | "extend":
                until = self._remember(hall, document["reservations"], began)
                return {"until": until, "seats": [one["seat_id"] for one in document["reservations"]]}
            case "toggle":
                for one in document["released"]:
                    self._held.pop((hall.id, one["seat_id"]), None)
                return {
                    "until": self._remember(hall, document["reserved"], began),
                    "reserved": [one["seat_id"] for one in document["reserved"]],
                    "released": [one["seat_id"] for one in document["released"]],
                }
            case "book" | "book_held" | "order":
                return {
                    "tickets": [
                        {"id": one["id"], "seat": one["seat_id"], "price": one["price"]} for one in document
                    ]
                }
            case "look":
                return {"seats": [seat_of(one) for one in document]}
            case "release":
                return {}
        return None

    def _remember(self, hall: Hall, reservations: list[dict[str, Any]], began: float) -> dict[str, float]:
        """Note when holds end at the earliest. One that was there before ends when it did."""
        until = {}
        for one in reservations:
            seat = one["seat_id"]
            lasts = seconds_of(one)
            known = self._held.get((hall.id, seat))
            if known is not None and known.id is None and known.until <= began:
                known = None
            if known is None or known.id not in (None, one["id"]):
                ends_at = began + lasts
            else:
                # Only an extension changes it.
                ends_at = known.until + lasts - known.seconds
            self._held[hall.id, seat] = Held(one["id"], ends_at, lasts)
            until[str(seat)] = ends_at
        return until

    def _hall(self) -> Hall:
        weights = [2.0**-position for position in range(len(self._halls))]
        return self.draw.choices(self._halls, weights)[0]

    def _seats_in(self, hall: Hall) -> list[int]:
        """Return the seats that this buyer believes to hold."""
        now = time.monotonic()
        return [
            seat
            for (screening, seat), held in self._held.items()
            if screening == hall.id and held.until > now
        ]

    def _some_in(self, hall: Hall) -> list[int]:
        mine = self._seats_in(hall)
        return self.draw.sample(mine, self.draw.randint(1, min(2, len(mine)))) if mine else []


def _status_of(error: dict[str, Any]) -> int:
    """Return the status that the same refusal has over HTTP."""
    may_have_happened = error["code"] in ("outcome_unknown", "store_unavailable")
    return 503 if may_have_happened or error["code"] in CERTAIN else 409


def seat_of(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a seat of an availability response in the terms of the history."""
    seen = {"seat": entry["seat"]["id"], "status": entry["status"]}
    if entry.get("reserved_by") is not None:
        seen["user"] = f"user:{entry['reserved_by']}"
    return seen

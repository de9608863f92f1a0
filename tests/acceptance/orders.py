"""Orders: what may happen to one buyer's seats and money, as a caller sees it, and what must come of it.

A `Walk` is one buyer with a screening of its own. It takes steps through the public interface, and notes what
each answer allows it to conclude. Requests without an answer are repeated, as clients should, until they are
answered for good.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any

from tornado.httpclient import HTTPClientError

from tests import stripe_events
from tests.acceptance.order_site import ADMIN, Ground, Site, cents
from tests.api.caller import RESERVATIONS, TICKETS, Caller, Response
from tests.catalogue.programme import SCREENINGS
from tests.durable_requests import REFUNDS

_BEGIN_SECONDS = 1.0
_SURPLUS_CENTS = 150


class Step(Enum):
    """Steps that may happen to an order."""

    RESERVE = auto()
    LAPSE = auto()
    RELEASE = auto()
    CHANGE_PRICE = auto()
    MOVE = auto()
    BEGIN = auto()
    CANCEL_SCREENING = auto()
    DELETE_SCREENING = auto()
    LOG_OUT = auto()
    PAY = auto()
    PAY_AGAIN = auto()
    PAY_FOR_OTHERS = auto()
    PAY_TOO_MUCH = auto()
    PAYMENT_FAILS = auto()
    CANCEL_TICKET = auto()
    REFUND = auto()
    CRASH = auto()


@dataclass
class Payment:
    """A payment and what became of it.

    Attributes:
        seats: that it was made for, with the prices in cents that may have been agreed for each.
        paid: in cents: what the server has issued tickets for or owes; the buyer has paid as much.
        tickets: ids and prices in cents of the tickets that it has bought.
        refund_id: of the refund, if it bought none.
    """

    id: str
    user_id: int
    seats: dict[int, set[int]]
    path: str
    paid: int = 0
    tickets: dict[int, int] = field(default_factory=dict)
    refund_id: int | None = None


class Walk:
    """One buyer, a rival, and a screening.

    Attributes:
        taken: the steps so far.
        payments: of both, by id.
        cancelled: ids of cancelled tickets.
        cancellations: how many mails about them the buyer gets, and the rival.
        settled: ids of the refunds that were settled.
        changes: how many changes of the screening the server has confirmed.
        lapsed: seats whose hold has certainly expired.
        removed: whether the screening was cancelled or deleted.
    """

    def __init__(self, site: Site, ground: Ground) -> None:
        self.site = site
        self.screening, self.buyer, self.rival, self._price_cents = ground
        self.taken: list[Step] = []
        self.payments: dict[str, Payment] = {}
        self.cancelled: set[int] = set()
        self.cancellations = {self.buyer: 0, self.rival: 0}
        self.settled: set[int] = set()
        self.changes = 0
        self.lapsed: set[int] = set()
        self.removed = False
        self._begun = False
        self._days = itertools.count(60)
        self._held: dict[int, int] = {}
        self._crashes_before = 0
        self._expires_at = 0.0
        # The prices that the buyer was told for a seat, one for each time that it was held.
        self._agreed: dict[int, list[int]] = {}
        self._numbers = itertools.count(1)
        self._seats: Iterator[int] = itertools.cycle(self.screening.seat_ids)
        self._steps: dict[Step, Callable[[], Awaitable[None]]] = {
            Step.RESERVE: self._reserve,
            Step.LAPSE: self._lapse,
            Step.RELEASE: self._release,
            Step.CHANGE_PRICE: self._change_price,
            Step.MOVE: self._move,
            Step.BEGIN: self._begin,
            Step.CANCEL_SCREENING: lambda: self._remove("?cancel_bookings=true"),
            Step.DELETE_SCREENING: lambda: self._remove(""),
            Step.LOG_OUT: self._log_out,
            Step.PAY: self._pay,
            Step.PAY_AGAIN: self._pay_again,
            Step.PAY_FOR_OTHERS: self._pay_for_others,
            Step.PAY_TOO_MUCH: self._pay_too_much,
            Step.PAYMENT_FAILS: self._payment_fails,
            Step.CANCEL_TICKET: self._cancel_ticket,
            Step.REFUND: self._refund,
            Step.CRASH: site.crash,
        }

    async def take(self, steps: Sequence[Step]) -> None:
        """Take some steps, one after the other."""
        try:
            for step in steps:
                self.taken.append(step)
                await self._steps[step]()
        except Exception as error:
            error.add_note(str(self))
            raise

    def __repr__(self) -> str:
        steps = ", ".join(step.name for step in self.taken)
        return f"screening {self.screening.id}, user {self.buyer}: {steps}"

    @property
    def standing(self) -> dict[int, Payment]:
        """The tickets that stand, with their payments."""
        return {
            ticket_id: payment
            for payment in self.payments.values()
            for ticket_id in payment.tickets
            if ticket_id not in self.cancelled
        }

    # Holds

    async def _reserve(self) -> None:
        seats = [next(self._seats), next(self._seats)]
        body = {"screening_id": self.screening.id, "seat_ids": seats}
        if not self._held:
            self._crashes_before = self.site.crashes
        answer = await self._send("POST", f"{RESERVATIONS}/reserve", body)
        if answer.status == 201:
            holds = answer.json["reservations"]
            held = {hold["seat_id"]: cents(hold["price"]) for hold in holds}
            self._expires_at = max(datetime.fromisoformat(hold["expires_at"]).timestamp() for hold in holds)
            self._held |= held
            for seat_id, price_cents in held.items():
                self._agreed.setdefault(seat_id, []).append(price_cents)
        else:
            assert answer.status in (400, 404, 409), answer.body

    async def _lapse(self) -> None:
        held = set(self._held)
        await asyncio.sleep(max(0.0, self._expires_at - time.time()) if held else 0.0)
        while await self._holds():  # noqa: ASYNC110  # timers may be late
            await asyncio.sleep(0.05)
        if self.site.crashes == self._crashes_before and not self._begun and not self.removed:
            self.lapsed |= held  # a crash may have lost the holds instead
        self._held.clear()

    async def _release(self) -> None:
        await self._send("DELETE", f"{RESERVATIONS}/cancel/{self.screening.id}")
        self._held.clear()

    async def _holds(self) -> list[Any]:
        answer = await self._send("GET", f"{RESERVATIONS}/my-reservations")
        assert answer.status == 200, answer.body
        return [hold for hold in answer.json if hold["screening_id"] == self.screening.id]

    # The screening

    async def _change_price(self) -> None:
        price_cents = self._price_cents + 150
        if (await self._change({"price": price_cents / 100})).status == 200:
            self._price_cents = price_cents

    async def _move(self) -> None:
        starts_at = datetime.now(UTC) + timedelta(days=next(self._days))
        if (await self._change({"starts_at": _iso(starts_at)})).status == 200:
            self._begun = False

    async def _begin(self) -> None:
        while True:
            begins_at = _iso(datetime.now(UTC) + timedelta(seconds=_BEGIN_SECONDS))
            answer = await self._change({"starts_at": begins_at})
            if answer.status != 422:
                break
            # The server was away until that time had passed. It may have made the change before.
            present = await self.site.send(ADMIN, "GET", f"{SCREENINGS}/{self.screening.id}")
            if present.status == 200 and present.json["starts_at"] == begins_at:
                self.changes += 1
                self._begun = True
                return
        if answer.status == 200:
            begun = datetime.fromisoformat(begins_at).timestamp()
            await asyncio.sleep(max(0.0, begun - time.time()) + 0.01)
            self._begun = True

    async def _change(self, changes: dict[str, object]) -> Response:
        answer = await self.site.send(ADMIN, "PUT", f"{SCREENINGS}/{self.screening.id}", changes)
        assert answer.status in (200, 404, 409, 422), answer.body
        self.changes += answer.status == 200
        return answer

    async def _remove(self, query: str) -> None:
        standing = self.standing
        path = f"{SCREENINGS}/{self.screening.id}{query}"
        answer = await self.site.send(ADMIN, "DELETE", path)
        # 404 if the answer to an earlier attempt was lost, and nothing had been sold.
        if answer.status in (204, 404) and not self.removed:
            self.removed = True
            self._held.clear()
            self.cancelled |= standing.keys()
            for payment in {payment.id: payment for payment in standing.values()}.values():
                self.cancellations[payment.user_id] += 1
        else:
            assert answer.status in (204, 404, 409), answer.body

    # Money

    async def _pay(self) -> None:
        seats = list(self._held or self._agreed or [next(self._seats)])[:2]
        must_fail = self._begun or self.removed or not self._held
        payment = self._payment(self.buyer, seats, "book-from-reservation")
        await self._settle(payment, must_fail=must_fail)
        for seat_id in seats:
            self._held.pop(seat_id, None)

    async def _pay_again(self) -> None:
        if self.payments:
            payment = next(iter(self.payments.values()))
            answer = await self._answer_to(payment)
            if payment.tickets:
                assert answer.status in (200, 201), answer.body
                statuses = {ticket["id"]: ticket["status"] for ticket in answer.json}
                assert statuses.keys() == payment.tickets.keys()
                assert {id for id, status in statuses.items() if status == "cancelled"} == (
                    self.cancelled & statuses.keys()
                )
            elif payment.refund_id:
                assert (answer.status, answer.code) == (409, "refund_required"), answer.body
                assert answer.json["refund_id"] == payment.refund_id

    async def _pay_for_others(self) -> None:
        seat_id = next(self._seats)
        theirs = self._payment(self.rival, [seat_id], "book")
        await self._settle(theirs)
        ours = self._payment(self.buyer, [seat_id], "book-from-reservation")
        await self._settle(ours, must_fail=bool(theirs.tickets))
        self._held.pop(seat_id, None)

    async def _pay_too_much(self) -> None:
        """Stripe has received more than the held seats cost."""
        if seats := list(self._held):
            payment = self._payment(self.buyer, seats, "book-from-reservation")
            received = sum(max(prices) for prices in payment.seats.values()) + _SURPLUS_CENTS
            named = {"screening_id": self.screening.id, "user_id": self.buyer}
            ids = ",".join(map(str, seats))
            paid = stripe_events.intent(payment.id, received=received, seat_ids=ids, **named)
            answer = await self._deliver(paid)
            self._held.clear()
            if answer.status == 404:
                assert self.removed, answer.body
                return
            assert answer.json["outcome"] in ("booked", "refund_owed", "repeated"), answer.body
            listed = await self._send("GET", f"{TICKETS}/my-tickets?size=100")
            own = [ticket for ticket in listed.json if ticket["payment_id"] == payment.id]
            if own:
                payment.tickets = {ticket["id"]: cents(ticket["price"]) for ticket in own}
                payment.paid = received
            else:
                query = f"?payment_id={payment.id}"
                (refund,) = (await self.site.send(ADMIN, "GET", f"{REFUNDS}{query}")).json
                payment.refund_id, payment.paid = refund["id"], cents(refund["amount"])

    async def _payment_fails(self) -> None:
        """Stripe reports that an attempt to pay the held seats has failed, and then that it ends."""
        if self._held:
            named = {"screening_id": self.screening.id, "user_id": self.buyer}
            seats = ",".join(map(str, self._held))
            payment_id = f"failed-{self.buyer}-{next(self._numbers)}"
            for status, outcome in (("payment_failed", "kept"), ("canceled", "released")):
                failed = stripe_events.intent(payment_id, status, seat_ids=seats, **named)
                answer = await self._deliver(failed)
                assert answer.status == 200, answer.body
                assert answer.json["outcome"] in (outcome, "repeated")
            self._held.clear()

    def _payment(self, user_id: int, seats: Sequence[int], path: str) -> Payment:
        number = next(self._numbers)
        payment_id = f"pay-{user_id}-{number}"
        prices = {seat_id: self._possible_prices(user_id, seat_id) for seat_id in seats}
        payment = Payment(payment_id, user_id, prices, path)
        self.payments[payment_id] = payment
        return payment

    def _possible_prices(self, user_id: int, seat_id: int) -> set[int]:
        """The price at which the user has last held the seat, or else the present one."""
        agreed = self._agreed.get(seat_id, []) if user_id == self.buyer else []
        if self.site.crashes:  # the last holds may be lost
            return {*agreed, self._price_cents}
        return {agreed[-1] if agreed else self._price_cents}

    async def _answer_to(self, payment: Payment) -> Response:
        body = {
            "screening_id": self.screening.id,
            "seat_ids": [*payment.seats][::-1],
            "payment_id": payment.id,
        }
        return await self.site.send(payment.user_id, "POST", f"{TICKETS}/{payment.path}", body, once=False)

    async def _settle(self, payment: Payment, *, must_fail: bool = False) -> None:
        """Send a payment, and note whether it ends in tickets or in a refund."""
        answer = await self._answer_to(payment)
        if answer.status in (200, 201):
            assert not must_fail, answer.body
            payment.tickets = {ticket["id"]: cents(ticket["price"]) for ticket in answer.json}
            payment.paid = sum(payment.tickets.values())
        elif answer.code == "refund_required":
            payment.refund_id = answer.json["refund_id"]
            payment.paid = cents(answer.json["amount"])
        else:
            # Nothing is known of seats that a deleted screening had.
            assert self.removed and answer.status == 404, answer.body
            return
        possible = {sum(prices) for prices in itertools.product(*payment.seats.values())}
        assert payment.paid in possible, (payment, answer.body)

    async def _cancel_ticket(self) -> None:
        for ticket_id, payment in self.standing.items():
            answer = await self.site.send(payment.user_id, "DELETE", f"{TICKETS}/{ticket_id}")
            if answer.status == 204:
                self.cancelled.add(ticket_id)
                self.cancellations[payment.user_id] += 1
            else:
                assert self._begun and answer.code == "screening_started", answer.body
            return

    async def _refund(self) -> None:
        listed = await self.site.send(ADMIN, "GET", f"{REFUNDS}?status=owed&user_id={self.buyer}")
        for refund in listed.json[:1]:
            for _ in range(2):
                path, reference = f"{REFUNDS}/{refund['id']}/settle", f"re-{refund['id']}"
                body = {"reference": reference, "confirm": True}
                answer = await self.site.send(ADMIN, "POST", path, body, once=False)
                assert (answer.status, answer.json["reference"]) == (200, reference)
            self.settled.add(refund["id"])

    async def _log_out(self) -> None:
        caller = self.site.caller(self.buyer)
        with suppress(OSError, HTTPClientError):
            await caller.send("POST", "/api/v1/auth/logout")

    async def _deliver(self, event: dict[str, Any]) -> Response:
        return await self.site.answered(lambda: stripe_events.deliver(Caller(self.site.server.url), event))

    async def _send(self, method: str, path: str, body: object = None) -> Response:
        return await self.site.send(self.buyer, method, path, body)


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

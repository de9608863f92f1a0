"""Buyers who record what they request and what the server acknowledges, and an audit of the database.

Buyers record a request before they send it. An unanswered request is repeated with the same payment until the
server answers. In the end every purchase is acknowledged or refused, and PostgreSQL must agree with the
records in both directions.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from frontrow_client import Conflict, ConnectionFailed, FrontrowError, ServerError, Ticket
from persistence.connector import Connector
from persistence.verification import verified
from tests.acceptance.buyers import Buyer
from tests.acceptance.seeding import SeededScreening
from tests.database import execute

SETTLE_SECONDS = 120.0
_RETRY_SECONDS = 0.05


@dataclass
class Purchase:
    """One attempt to buy seats.

    Attributes:
        ticket_ids: the tickets that the server acknowledged, or None.
        refusal: the error code, or None.
        heard: the last error.
    """

    buyer: Buyer
    screening: SeededScreening
    seat_ids: Sequence[int]
    payment_id: str
    ticket_ids: tuple[int, ...] | None = None
    refusal: str | None = None
    heard: FrontrowError | None = None

    @property
    def settled(self) -> bool:
        """True if the outcome is known."""
        return self.ticket_ids is not None or self.refusal is not None

    async def pay(self, *, from_reservation: bool = False) -> None:
        """Send the payment once, and record what comes of it.

        Raises:
            Conflict: the server has refused it, or is still occupied with it.
            ConnectionFailed, ServerError: the outcome is open.
        """
        book = self.buyer.book_reserved if from_reservation else self.buyer.book
        try:
            self._bought(await book(self.screening.id, self.seat_ids, payment_id=self.payment_id))
        except FrontrowError as error:
            self.heard = error
            if isinstance(error, Conflict) and not error.retryable:
                self.refusal = error.code
            raise

    def _bought(self, tickets: Sequence[Ticket]) -> None:
        ticket_ids = tuple(ticket.id for ticket in tickets)
        assert [ticket.seat_id for ticket in tickets] == list(self.seat_ids)
        assert self.ticket_ids in (None, ticket_ids), "the same payment returned other tickets"
        self.ticket_ids = ticket_ids


@dataclass(frozen=True)
class Audit:
    """Differences between the buyers' records and PostgreSQL; every number should be 0.

    Attributes:
        lost: acknowledged tickets that PostgreSQL does not have as acknowledged.
        unaccounted: tickets in PostgreSQL that nobody was sent.
        doubly_sold: seats sold twice according to the records or PostgreSQL.
        doubly_booked_payments: payments that paid for more than one booking.
        wrong_screenings: screenings that the event log does not rebuild as they are in the tables.
    """

    lost: int
    unaccounted: int
    doubly_sold: int
    doubly_booked_payments: int
    wrong_screenings: int


CLEAN = Audit(0, 0, 0, 0, 0)


async def _wrong_screenings(database_url: str) -> int:
    connector = Connector(database_url, pool_size=1, statement_timeout_seconds=SETTLE_SECONDS)
    try:
        differences = [one async for one in verified(connector) if one.difference is not None]
    finally:
        connector.close()
    for one in differences:
        print(f"screening {one.screening_id}: {one.difference}")
    return len(differences)


class PurchaseLog:
    """The records of all buyers.

    Args:
        name: prefix of all payment ids, so that runs do not collide.
    """

    def __init__(self, name: str) -> None:
        self.purchases: list[Purchase] = []
        self.operations = 0
        self.succeeded = 0
        self._payment_ids = (f"{name}-{number}" for number in itertools.count())

    @property
    def unsettled(self) -> list[Purchase]:
        """Purchases without a known outcome."""
        return [purchase for purchase in self.purchases if not purchase.settled]

    @property
    def acknowledged(self) -> list[Purchase]:
        """Purchases that the server has acknowledged."""
        return [purchase for purchase in self.purchases if purchase.ticket_ids is not None]

    @property
    def success_share(self) -> float:
        """Share of all requests that succeeded."""
        return self.succeeded / max(self.operations, 1)

    async def buy(
        self, buyer: Buyer, screening: SeededScreening, seat_ids: Sequence[int], *, reserve_first: bool
    ) -> None:
        """Buy seats, directly or through a reservation.

        Raises:
            FrontrowError: one of the requests was refused or not answered.
        """
        if reserve_first:
            self.operations += 1
            await buyer.reserve(screening.id, seat_ids)
            self.succeeded += 1
        purchase = Purchase(buyer, screening, seat_ids, next(self._payment_ids))
        self.purchases.append(purchase)
        self.operations += 1
        await purchase.pay(from_reservation=reserve_first)
        self.succeeded += 1

    async def succeeds(self, times: int) -> None:
        """Wait until so many more requests have succeeded, however busy the machine is."""
        wanted = self.succeeded + times
        async with asyncio.timeout(SETTLE_SECONDS):
            while self.succeeded < wanted:  # noqa: ASYNC110 - buyers only count
                await asyncio.sleep(0.005)

    async def settle(self) -> None:
        """Repeat all open purchases with their payments until each has an outcome.

        Raises:
            AssertionError: some remain open.
        """
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await asyncio.gather(*map(self._settle, self.unsettled))
        except TimeoutError:
            left = [
                (one.payment_id, one.buyer.base_url, one.screening.id, one.heard) for one in self.unsettled
            ]
            raise AssertionError(f"purchases without an outcome: {left}") from None

    def audit(self, database_url: str) -> Audit:
        """Compare the records, which must all be settled, with PostgreSQL."""
        assert not self.unsettled
        noted = {
            (
                ticket_id,
                purchase.screening.id,
                seat_id,
                purchase.buyer.holder,
                purchase.payment_id,
            )
            for purchase in self.acknowledged
            for ticket_id, seat_id in zip(purchase.ticket_ids or (), purchase.seat_ids, strict=True)
        }
        stored = execute(
            database_url,
            "SELECT id, screening_id, seat_id, holder, payment_id FROM tickets WHERE status = 'confirmed'",
        )
        noted_seats = Counter((screening_id, seat_id) for _, screening_id, seat_id, _, _ in noted)
        stored_seats = Counter((screening_id, seat_id) for _, screening_id, seat_id, _, _ in stored)
        ((doubly_booked,),) = execute(
            database_url,
            "SELECT count(*) FROM (SELECT payment_id FROM tickets GROUP BY payment_id"
            " HAVING count(DISTINCT booking_id) > 1) AS doubly_booked",
        )
        with ThreadPoolExecutor(1) as thread:  # the caller may have an event loop
            wrong = thread.submit(asyncio.run, _wrong_screenings(database_url)).result()
        return Audit(
            lost=len(noted - set(stored)),
            unaccounted=len(set(stored) - noted),
            doubly_sold=sum(count > 1 for seats in (noted_seats, stored_seats) for count in seats.values()),
            doubly_booked_payments=doubly_booked,
            wrong_screenings=wrong,
        )

    async def _settle(self, purchase: Purchase) -> None:
        while not purchase.settled:
            try:
                await purchase.pay()
            except (Conflict, ServerError, ConnectionFailed):
                await asyncio.sleep(_RETRY_SECONDS)


async def shop(log: PurchaseLog, buyer: Buyer, halls: Sequence[SeededScreening], draw: random.Random) -> None:
    """Buy one to three random seats at a time until a request gets no response."""
    with suppress(ConnectionFailed):
        while True:
            hall = draw.choice(halls)
            seat_ids = draw.sample(hall.seat_ids, draw.randint(1, 3))
            try:
                await log.buy(buyer, hall, seat_ids, reserve_first=draw.random() < 0.5)
            except Conflict:
                with suppress(ServerError):
                    await buyer.release(hall.id)
            except ServerError:
                continue


async def send_home(crowd: Sequence[asyncio.Task[None]]) -> None:
    """Cancel all buyers, possibly in the middle of a request.

    Raises:
        AssertionError: one of them got an unexpected response.
    """
    for buyer in crowd:
        buyer.cancel()
    for result in await asyncio.gather(*crowd, return_exceptions=True):
        if result is not None and not isinstance(result, asyncio.CancelledError):
            raise result

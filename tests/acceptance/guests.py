"""Guests who compete for the same tickets of an event, and an onlooker who checks the totals.

Each guest records what the server has acknowledged. A request that is unanswered because the server died is
repeated until the server answers. A hold may be lost with the server, a ticket never.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping

from frontrow_client import (
    Conflict,
    ConnectionFailed,
    HoldLimitExceeded,
    NotEnoughTickets,
    NotFound,
    Person,
    TicketReservation,
    Unavailable,
)
from tests.acceptance.buyers import Buyer

RETRY_SECONDS = 0.1
PATIENCE_SECONDS = (0.3, 1.5)
"""Minimum and maximum pause before a guest tries again."""

_ORDER_LIMIT = 3
_AWAY = (ConnectionFailed, Unavailable)
_NOT_NOW = (NotEnoughTickets, HoldLimitExceeded)


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

    async def look(self, buyer: Buyer, kind: str) -> int:
        """Check that the tickets of a type add up; return how many are sold.

        Raises:
            ConnectionFailed, Unavailable: the server is down.
        """
        left = await buyer.ticket_availability(kind)
        assert left.total == self.capacities[kind]
        assert left.sold + left.reserved + left.available == left.total, left
        assert min(left.sold, left.reserved, left.available) >= 0, left
        self.done["looks"] += 1
        return left.sold

    def bought(self, quantity: int) -> None:
        """Count sold tickets."""
        self.done["bought"] += 1
        self._bought += quantity
        if self._bought >= sum(self.capacities.values()) / 4:
            self.under_way.set()


class Guest:
    """One guest with a session of their own, and an account to buy with.

    Args:
        buyer: the future owner of the tickets, each of whose requests is sent once.
        fight: the shared state.

    Attributes:
        tickets: codes by id.
    """

    def __init__(self, buyer: Buyer, fight: Fight) -> None:
        self.buyer = buyer
        self.tickets: dict[int, str] = {}
        self._session = f"guest-session-{buyer.user_id}"
        self._fight = fight
        self._done = fight.done
        self._draw = random.Random(buyer.user_id)

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
                    await self._fight.look(self.buyer, reservation.ticket_type_id)
            except _AWAY:
                self._done["unanswered"] += 1
                interrupted = True
            await asyncio.sleep(self._draw.uniform(*PATIENCE_SECONDS))

    async def _remembered(self) -> list[TicketReservation]:
        """Return what the server still holds for this guest after an unanswered request."""
        remembered = [one async for one in self.buyer.my_ticket_reservations(session=self._session)]
        self._done["remembered"] += len(remembered)
        return remembered

    async def _reserved(self) -> list[TicketReservation]:
        """Reserve tickets of one type, or of both in one request."""
        capacities = self._fight.capacities
        types = self._draw.sample(sorted(capacities), self._draw.randint(1, len(capacities)))
        orders = {kind: self._draw.randint(1, _ORDER_LIMIT) for kind in types}
        try:
            made = await self.buyer.reserve_tickets(orders, session=self._session)
        except _NOT_NOW:
            self._done["refused"] += 1
            return []
        self._done["bulk" if len(orders) > 1 else "single"] += 1
        return made

    async def _decide(self, reservation: TicketReservation) -> None:
        try:
            if self._draw.random() < 0.3:
                await self.buyer.extend_tickets(reservation.id, 1, session=self._session)
                self._done["extended"] += 1
            if self._draw.random() < 0.6:
                await self.buyer.release_tickets(reservation.id, session=self._session)
                self._done["cancelled"] += 1
            else:
                await self._buy(reservation)
        except NotFound:  # it was not yet written when the server died
            self._done["refused"] += 1

    async def _buy(self, reservation: TicketReservation) -> None:
        """Buy, repeating the request until it is answered."""
        user_id = self.buyer.user_id
        person = Person(
            full_name=f"Guest {user_id}",
            identity_type="passport",
            identity_number=str(user_id),
            email=f"guest-{user_id}@home.example",
            whatsapp="+492281234567",
        )
        people = [person] * reservation.quantity
        while True:
            try:
                purchase = await self.buyer.purchase(reservation.id, person, people, session=self._session)
            except _AWAY:
                self._done["unanswered_purchases"] += 1
            except Conflict as refusal:
                if not refusal.retryable:
                    raise
            else:
                assert len(purchase.tickets) == reservation.quantity
                self.tickets |= {int(ticket.id): ticket.code for ticket in purchase.tickets}
                self._fight.bought(reservation.quantity)
                return
            await asyncio.sleep(RETRY_SECONDS)


async def watch(buyer: Buyer, fight: Fight) -> None:
    """Check the totals until everything is sold."""
    sold = dict.fromkeys(fight.capacities, 0)
    while sold != fight.capacities:
        for kind in fight.capacities:
            now = await fight.look(buyer, kind)
            assert now >= sold[kind], "a sold ticket became unsold"
            sold[kind] = now
    fight.over.set()

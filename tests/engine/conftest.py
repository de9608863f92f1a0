"""A hall in memory, and the verbs in which the engine's tests speak."""

from collections.abc import Sequence
from typing import Any

import pytest

from engine.commands import (
    BlockSeats,
    BookSeats,
    Command,
    HoldSeats,
    ReadSeats,
    ReleaseHolds,
    ReleaseLapsed,
)
from engine.memory import MemoryIds
from engine.policy import Policy
from engine.ports import LoadedScreening
from engine.records import HOUSE, Block, Hold, Layout, ScreeningInfo, Seat, Ticket
from engine.screening import Screening
from engine.screening_state import Decision
from engine.views import SeatMap
from engine.waitlist_records import WaitlistEntry

NOW = 1_800_000_000.0
PRICE_CENTS = 1250
POLICY = Policy()


def make_layout(seats: int = 20, room_id: int = 1) -> Layout:
    """A room of `seats` seats with ids from 1; every tenth is a VIP seat."""
    return Layout(
        room_id,
        1,
        (
            Seat(n, room_id, "A", n, "vip" if n % 10 == 0 else "standard", float(n), 1.0)
            for n in range(1, seats + 1)
        ),
    )


def make_info(screening_id: int = 1, starts_at: float = NOW + 86_400, **options: Any) -> ScreeningInfo:
    """A screening at 12.50, VIP seats 3.49 dearer."""
    return ScreeningInfo(screening_id, starts_at, starts_at + 7200, PRICE_CENTS, {"vip": 349}, **options)


class Hall:
    """A bare core with a clock in hand: commands go in, settled at will."""

    def __init__(
        self,
        seats: int = 20,
        policy: Policy = POLICY,
        epoch: int = 1,
        holds: Sequence[Hold] = (),
        tickets: Sequence[Ticket] = (),
        blocks: Sequence[Block] = (),
        change_memory: int = 1024,
        price_cents: int = PRICE_CENTS,
        ids_from: "Hall | None" = None,
        waitlist: Sequence[WaitlistEntry] = (),
        **info: Any,
    ) -> None:
        self.now = NOW
        self.policy = policy
        self.hold_ids = ids_from.hold_ids if ids_from else MemoryIds(1001)
        self.ticket_ids = ids_from.ticket_ids if ids_from else MemoryIds(2001)
        terms = make_info(**info)._replace(price_cents=price_cents)
        loaded = LoadedScreening(
            terms, make_layout(seats), epoch, holds, tickets, blocks=blocks, waitlist=waitlist
        )
        self.screening = Screening(loaded, policy, self.hold_ids, self.ticket_ids, change_memory)

    def do(self, command: Command) -> Decision:
        """Decide a command; what has lapsed is released first, as the actor does."""
        if self.screening.next_deadline <= self.now:
            self.screening.handle(ReleaseLapsed(1), self.now)
        return self.screening.handle(command, self.now)

    def hold(self, holder: str, *seat_ids: int) -> Decision:
        return self.do(HoldSeats(1, holder, seat_ids))

    def release(self, holder: str, *seat_ids: int) -> Decision:
        return self.do(ReleaseHolds(1, holder, seat_ids or None))

    def book(self, holder: str, *seat_ids: int, **options: object) -> Decision:
        """Decide a booking; it waits for `settle` or `abort`."""
        return self.do(BookSeats(1, holder, seat_ids, **options))  # type: ignore[arg-type]

    def sell(self, holder: str, *seat_ids: int, **options: object) -> Decision:
        """Book, and let the database agree."""
        return self.settle(self.book(holder, *seat_ids, **options))

    def block(self, *seat_ids: int, kind: str = HOUSE, **options: object) -> Block:
        """Keep seats back, and let the database agree."""
        outcome = self.do(BlockSeats(1, "user:1", "Some", kind, seat_ids, **options))  # type: ignore[arg-type]
        self.settle(outcome)
        (event,) = outcome.events
        block: Block = event.block  # type: ignore[union-attr]
        return block

    def settle(self, outcome: Decision) -> Decision:
        assert outcome.write_id is not None
        return self.screening.settle(outcome.write_id, self.now)

    def abort(self, outcome: Decision) -> Decision:
        assert outcome.write_id is not None
        return self.screening.abort(outcome.write_id, self.now)

    def place_of(self, ticket_id: int) -> int:
        """The seat or place of a ticket."""
        return next(t.seat_id for t in self.screening._state.seats.tickets() if t.id == ticket_id)

    def map(self) -> SeatMap:
        reply = self.screening.handle(ReadSeats(1), self.now).reply
        assert isinstance(reply, SeatMap)
        return reply

    def seen(self, seat_id: int) -> str:
        """Return the status of a seat as others see it."""
        view = self.map().views.get(seat_id)
        return "available" if view is None else view.status


@pytest.fixture
def hall() -> Hall:
    return Hall()

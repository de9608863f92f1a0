"""Creates holds, tickets and events like a screening, with defaults for what a test leaves out."""

from itertools import count

from engine.events import (
    HoldsExpired,
    HoldsExtended,
    HoldsReleased,
    PlacesHeld,
    SeatsBlocked,
    SeatsHeld,
    SeatsUnblocked,
    TicketsCancelled,
    TicketsConfirmed,
    TicketsIssued,
    TicketsLapsed,
    TicketsLeft,
    TicketsMoved,
)
from engine.records import Block, Hold, Owed, Ticket, TicketStatus
from engine.seat_states import SeatStatus
from engine.waitlist_records import WaitlistChanged, WaitlistEntry
from tests.ports.adapters import NOW, Hall

ALICE, BOB = "user:7", "user:8"

_ids = count(1)


class Story:
    """The events of one screening in one epoch, numbered automatically.

    Args:
        hall: the screening.
        epoch: the ownership period.
    """

    def __init__(self, hall: Hall, epoch: int = 1) -> None:
        self.hall = hall
        self.epoch = epoch
        self._seqs = count(1)

    def hold(self, seat: int, holder: str = ALICE, expires_at: float = NOW + 300) -> Hold:
        """Return a hold on the seat with this index."""
        hold_id = next(_ids)
        return Hold(
            hold_id,
            hold_id,
            self.hall.screening_id,
            self.hall.seat_ids[seat],
            holder,
            NOW,
            expires_at,
            price_cents=1299,
        )

    def tickets(
        self,
        *seats: int,
        holder: str = ALICE,
        payment_id: str | None = None,
        pending_until: float | None = None,
    ) -> tuple[Ticket, ...]:
        """Return one booking of the seats with these indices: confirmed, or pending until a time."""
        ids = [next(_ids) for _ in seats]
        status = TicketStatus.CONFIRMED if pending_until is None else TicketStatus.PENDING
        confirmed_at = NOW if pending_until is None else None
        return tuple(
            Ticket(
                *(ticket_id, ids[0], self.hall.screening_id, self.hall.seat_ids[seat], holder, 1299, status),
                *(NOW, confirmed_at, None, payment_id, pending_until),
            )
            for ticket_id, seat in zip(ids, seats, strict=True)
        )

    def _head(self, actor: str, at: float) -> tuple[int, int, int, float, str]:
        return self.hall.screening_id, self.epoch, next(self._seqs), at, actor

    def held(self, *holds: Hold) -> SeatsHeld | PlacesHeld:
        """Return the event of a single seat, or of several that were held together."""
        first, head = holds[0], self._head(holds[0].holder, NOW)
        if len(holds) > 1:
            return PlacesHeld(*head, holds)
        prices = (first.price_cents or 0,)
        return SeatsHeld(
            *(*head, first.id, (first.seat_id,), first.expires_at, first.note), prices_cents=prices
        )

    def held_together(self, *seats: int, holder: str = ALICE, note: str | None = None) -> SeatsHeld:
        """Return the event of one hold of several seats."""
        hold_ids, seat_ids = [next(_ids) for _ in seats], tuple([self.hall.seat_ids[seat] for seat in seats])
        return SeatsHeld(
            *(*self._head(holder, NOW), hold_ids[0], seat_ids, NOW + 300, note),
            prices_cents=tuple([1299 + place for place in range(len(seats))]),
        )

    def extended(self, *holds: Hold) -> HoldsExtended:
        return HoldsExtended(*self._head(holds[0].holder, NOW + 1), holds)

    def released(self, *holds: Hold) -> HoldsReleased:
        return HoldsReleased(*self._head(holds[0].holder, NOW + 2), holds)

    def expired(self, *holds: Hold) -> HoldsExpired:
        return HoldsExpired(*self._head("system", NOW + 300), holds)

    def issued(self, tickets: tuple[Ticket, ...], converted: tuple[Hold, ...] = ()) -> TicketsIssued:
        from_status = SeatStatus.HELD if converted else SeatStatus.AVAILABLE
        return TicketsIssued(
            *self._head(tickets[0].holder, NOW + 3), tickets, (from_status,) * len(tickets), converted
        )

    def confirmed(self, ticket: Ticket, payment_id: str) -> TicketsConfirmed:
        paid = ticket._replace(
            status=TicketStatus.CONFIRMED,
            confirmed_at=NOW + 4,
            payment_id=payment_id,
            payment_deadline=None,
        )
        return TicketsConfirmed(*self._head(ticket.holder, NOW + 4), (paid,), (SeatStatus.PENDING,))

    def cancelled(self, ticket: Ticket) -> TicketsCancelled:
        gone = ticket._replace(status=TicketStatus.CANCELLED, cancelled_at=NOW + 5)
        return TicketsCancelled(*self._head(ticket.holder, NOW + 5), (gone,), (SeatStatus.BOOKED,))

    def blocked(self, *seats: int, release_at: float | None = None) -> SeatsBlocked:
        """Return the event of a new block of the seats with these indices."""
        seat_ids = tuple([self.hall.seat_ids[seat] for seat in seats])
        block = Block(
            *(next(_ids), self.hall.screening_id, "Press, front", "channel", seat_ids, NOW + 5),
            *("user:1", "press", release_at),
        )
        return SeatsBlocked(*self._head("user:1", NOW + 5), block, seat_ids)

    def unblocked(self, block: Block, *seats: int) -> SeatsUnblocked:
        """Return the event of the release of some seats of a block."""
        gone = [self.hall.seat_ids[seat] for seat in seats]
        left = tuple([seat_id for seat_id in block.seat_ids if seat_id not in gone])
        return SeatsUnblocked(*self._head("user:2", NOW + 6), block._replace(seat_ids=left), tuple(gone))

    def lapsed(self, ticket: Ticket) -> TicketsLapsed:
        gone = ticket._replace(status=TicketStatus.LAPSED, cancelled_at=NOW + 900)
        return TicketsLapsed(*self._head("system", NOW + 900), (gone,), (SeatStatus.PENDING,))

    def waiting(self, holder: str) -> WaitlistEntry:
        """Return a new entry of the waiting list."""
        return WaitlistEntry(
            *(next(_ids), self.hall.screening_id, holder, 2, NOW, self.epoch, next(self._seqs)),
            together=True,
        )

    def waitlist(self, *entries: WaitlistEntry, news: bool = False) -> WaitlistChanged:
        """Return the event of entries as they are from now on."""
        told = tuple([entry.id for entry in entries]) if news else ()
        return WaitlistChanged(*self._head(entries[0].holder, NOW + 1), entries, told)

    def left(self, *tickets: Ticket) -> TicketsLeft:
        return TicketsLeft(
            *self._head(tickets[0].holder, NOW + 6), tickets, (SeatStatus.BOOKED,) * len(tickets)
        )

    def moved(
        self,
        *moves: tuple[Ticket, Ticket],
        payment_id: str | None = None,
        owed: tuple[Owed, ...] = (),
        by_hand: bool = False,
    ) -> TicketsMoved:
        """Return the event of tickets that move here, given as they were and as they are."""
        before, after = zip(*moves, strict=True)
        statuses = (SeatStatus.AVAILABLE,) * len(moves)
        return TicketsMoved(
            *self._head(before[0].holder, NOW + 6), after, statuses, (), before, payment_id, owed, by_hand
        )

    def there(self, ticket: Ticket, seat: int, cents: int = 1299) -> Ticket:
        """Return a ticket on the seat with this index."""
        paid = ((ticket.payment_id, cents),) if ticket.payment_id else ()
        return ticket._replace(
            screening_id=self.hall.screening_id,
            seat_id=self.hall.seat_ids[seat],
            price_cents=cents,
            paid=paid,
        )

"""The virtual tables decide as PostgreSQL does: the same statements get the same rows and errors."""

import asyncio
from itertools import count
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.events import (
    Event,
    HoldsExpired,
    HoldsExtended,
    HoldsReleased,
    SeatsBlocked,
    SeatsHeld,
    SeatsUnblocked,
    TicketsCancelled,
    TicketsIssued,
    TicketsLeft,
    TicketsMoved,
)
from engine.move_money import settled
from engine.ports import Entry, LoadedScreening
from engine.records import (
    HOUSE,
    Block,
    Hold,
    Layout,
    Receipt,
    Refund,
    ScreeningInfo,
    Ticket,
    TicketStatus,
    UnusablePayment,
)
from engine.replies import Booked, Moved
from engine.seat_states import SeatStatus
from engine.waitlist_records import WaitlistChanged, WaitlistEntry, WaitStatus
from persistence.connector import Connector
from persistence.errors import StatementRefused
from persistence.idempotency import IdempotencyRows
from persistence.journal_connection import JournalConnection, Queued
from persistence.payments import Payments
from persistence.refunds import OF_PAYMENT, Refunds
from persistence.store import PostgresStore
from persistence.tickets import Tickets
from tests.ports.adapters import NOW, PostgresWorld, encode
from tests.simulation.claims import Claims
from tests.simulation.postgres import Postgres
from tests.simulation.tables import Tables

SERVERS = ("first", "second")
SEATS = 2
PAYMENTS = (None, "pay-1", "pay-2")


class DirectSession:
    """A session with the virtual server that takes no time."""

    broken = ended = False
    idle = True
    name = ""

    name = ""

    def __init__(self, server: Postgres) -> None:
        self._server = server

    async def run(self, sql: str, parameters: Any = None) -> list[tuple]:
        return self._server._run(self, sql, parameters)  # type: ignore[arg-type]

    def close(self) -> None: ...


class DirectConnector(Connector):
    """A pool of such sessions."""

    def __init__(self, server: Postgres) -> None:
        super().__init__("")
        self._server = server

    async def _connect(self, statement_timeout_seconds: float, **options: str) -> Any:
        session = DirectSession(self._server)
        self._server.sessions.append(session)  # type: ignore[arg-type]
        return session


class Side:
    """Two servers on one database, which is real or virtual."""

    def __init__(self, connector: Connector) -> None:
        self.connector = connector
        self.stores = {name: PostgresStore(connector, name) for name in SERVERS}
        self.journals = {
            name: JournalConnection(connector, encode, f"journal-{name}", 10.0) for name in SERVERS
        }
        self.tickets = Tickets(connector)
        self.refunds = Refunds(connector, 1000)
        self.payments = Payments(connector)
        self.answers = IdempotencyRows(connector)

    async def take(self, name: str, screening_id: int, known_epoch: int) -> object:
        try:
            return comparable(await self.stores[name].activate(screening_id, known_epoch=known_epoch))
        except EngineError as error:
            return repr(error)

    async def write(self, name: str, entries: list[Entry]) -> object:
        batch = [Queued(entry, None, 0.0, number) for number, entry in enumerate(entries)]
        try:
            refused = await self.journals[name].write(batch)
        except StatementRefused as refusal:
            return refusal.sqlstate, refusal.constraint
        return [repr(refused.get(id(queued))) for queued in batch]

    async def owe(self, payment: UnusablePayment) -> object:
        try:
            return comparable_refund(await self.refunds.owe(payment))
        except EngineError as error:
            return repr(error)

    async def look(self, screening_id: int, epoch: int) -> object:
        """Return the answers to all queries of servers."""
        store = self.stores["first"]
        return [
            await store.owner(screening_id),
            await store.lost({screening_id: epoch, screening_id + 10_000: 1}),
            [each for each in await store.overdue(NOW + 10, 100, of_all=True) if each == screening_id],
            [await self.of_payment(screening_id, f"{screening_id}-{name}") for name in PAYMENTS],
            [await self.answers.lookup("user:1", f"{screening_id}-{number}") for number in range(1, 30)],
        ]

    async def of_payment(self, screening_id: int, payment_id: str) -> object:
        tickets = await self.tickets.tickets_of_payment(payment_id)
        return (
            tickets,
            [await self.tickets.ticket(ticket.id) for ticket in tickets],
            await self.tickets.first_places(payment_id),
            comparable_refund(await self.refunds.refund(payment_id)),
            await self.tickets.moved_by_payment(payment_id),
            [comparable_refund(Refund(*row)) for row in await self.connector.run(OF_PAYMENT, (payment_id,))],
        )

    async def prices(self, screening_id: int, seat_ids: tuple[int, ...]) -> object:
        return [
            await self.refunds.agreed_price(screening_id, "user:1", seats, held=held)
            for seats in (seat_ids[:1], seat_ids, (seat_ids[0] + 10_000,))
            for held in (True, False)
        ]

    def close(self) -> None:
        for journal in self.journals.values():
            journal.end()
        self.connector.close()


def comparable(loaded: LoadedScreening) -> object:
    seats = [tuple(seat) for seat in loaded.layout.seats]
    rows = sorted(loaded.holds), sorted(loaded.tickets), list(loaded.blocks), list(loaded.waitlist)
    return loaded.info, seats, loaded.epoch, *rows


def comparable_refund(refund: Refund | None) -> object:
    """A refund without its number: a sequence of PostgreSQL counts those of all tests."""
    return refund and refund._replace(id=0)


class Story:
    """Makes the events of two servers, each under the epoch that it believes to be the present one."""

    def __init__(self, screening_id: int, seat_ids: tuple[int, ...]) -> None:
        self.screening_id = screening_id
        self.seat_ids = seat_ids
        self.epochs = dict.fromkeys(SERVERS, 1)
        self.holds: list[Hold] = []
        self.tickets: list[Ticket] = []
        self.blocks: list[Block] = []
        self.entries: list[WaitlistEntry] = []
        self._seqs = count(1)
        self._ids = count(1000 * screening_id)

    def head(self, name: str) -> tuple[int, int, int, float, str]:
        seq = next(self._seqs)
        return self.screening_id, self.epochs[name], seq, NOW + seq, "user:1"

    def hold(self, name: str, place: int) -> SeatsHeld:
        event = SeatsHeld(
            *self.head(name), next(self._ids), (self.seat_ids[place],), NOW + 5 + place, prices_cents=(1250,)
        )
        self.holds += event.holds
        return event

    def end(self, name: str, pick: int, how: type) -> Event | None:
        if not self.holds:
            return None
        hold = self.holds[-1 - pick % len(self.holds)]
        if how is HoldsExtended:
            hold = hold._replace(expires_at=hold.expires_at + 60, extensions=hold.extensions + 1)
            self.holds.append(hold)
        return how(*self.head(name), (hold,))

    def sell(self, name: str, place: int, pick: int, payment: int) -> TicketsIssued:
        seat_id = self.seat_ids[place]
        held = [hold for hold in self.holds if hold.seat_id == seat_id]
        converted = (held[pick % len(held)],) if held and pick % 3 else ()
        head = self.head(name)
        ticket_id = next(self._ids)
        paid = PAYMENTS[payment] and f"{self.screening_id}-{PAYMENTS[payment]}"
        ticket = Ticket(
            *(ticket_id, ticket_id, self.screening_id, seat_id, "user:1", 1250, TicketStatus.CONFIRMED),
            *(head[3], head[3], None, paid),
        )
        self.tickets.append(ticket)
        return TicketsIssued(*head, (ticket,), (SeatStatus.AVAILABLE,), converted)

    def cancel(self, name: str, pick: int) -> TicketsCancelled | None:
        if not self.tickets:
            return None
        head = self.head(name)
        ticket = self.tickets[pick % len(self.tickets)]
        cancelled = ticket._replace(status=TicketStatus.CANCELLED, cancelled_at=head[3])
        return TicketsCancelled(*head, (cancelled,), (SeatStatus.BOOKED,))

    def move(self, name: str, place: int, pick: int, payment: int) -> Entry | None:
        """Move a ticket to another price, or to the wrong seat."""
        if not self.tickets:
            return None
        number, price_cents = pick % len(self.tickets), 1000 + 250 * (pick % 3)
        before, seats = self.tickets[number], (SeatStatus.BOOKED,)
        paid = PAYMENTS[payment] and f"{self.screening_id}-{PAYMENTS[payment]}"
        (kept,), owed = settled((before,), (price_cents,), paid)
        seat_id = self.seat_ids[place]
        after = self.tickets[number] = before._replace(seat_id=seat_id, price_cents=price_cents, paid=kept)
        left = TicketsLeft(*self.head(name), (before,), seats)
        moved = TicketsMoved(*self.head(name), (after,), (SeatStatus.AVAILABLE,), (), (before,), paid, owed)
        return Entry((left, moved), self.receipt(left.seq, pick), Moved((after,)))

    def receipt(self, seq: int, pick: int) -> Receipt:
        """Return a receipt whose key may have been used before."""
        number = 1 + seq % 2 if pick == 5 else seq
        return Receipt("user:1", f"{self.screening_id}-{number}", b"f", "form")

    def block(self, name: str, place: int) -> SeatsBlocked:
        head, seats = self.head(name), self.seat_ids[: place + 1]
        block = Block(next(self._ids), self.screening_id, "Press", HOUSE, seats, head[3], "user:1")
        self.blocks.append(block)
        return SeatsBlocked(*head, block, seats)

    def unblock(self, name: str, pick: int) -> SeatsUnblocked | None:
        """Release the last seat of a block, and so perhaps the whole block."""
        if not self.blocks:
            return None
        number = pick % len(self.blocks)
        *rest, last = self.blocks[number].seat_ids or self.seat_ids[:1]
        block = self.blocks[number] = self.blocks[number]._replace(seat_ids=tuple(rest))
        return SeatsUnblocked(*self.head(name), block, (last,))

    def wait(self, name: str, place: int) -> WaitlistChanged:
        head = self.head(name)
        entry = WaitlistEntry(next(self._ids), self.screening_id, "user:1", place + 1, head[3], *head[1:3])
        self.entries.append(entry)
        return WaitlistChanged(*head, (entry,))

    def serve(self, name: str, place: int, pick: int) -> WaitlistChanged | None:
        """Offer a seat to somebody who waits, or end the entry."""
        if not self.entries:
            return None
        number, head = pick % len(self.entries), self.head(name)
        entry, status = self.entries[number], tuple(WaitStatus)[pick % len(WaitStatus)]
        offer = (next(self._ids), (self.seat_ids[place],), head[3] + 5) if pick % 2 else (None, (), None)
        entry = self.entries[number] = WaitlistEntry(*entry[:11], status, *offer)
        return WaitlistChanged(*head, (entry,), (entry.id,))

    def entry(self, name: str, what: str, place: int, pick: int, payment: int) -> Entry | None:
        match what:
            case "hold":
                event: Event | None = self.hold(name, place)
            case "extend" | "release" | "expire":
                kinds = {"extend": HoldsExtended, "release": HoldsReleased, "expire": HoldsExpired}
                event = self.end(name, pick, kinds[what])
            case "block":
                event = self.block(name, place)
            case "unblock":
                event = self.unblock(name, pick)
            case "wait":
                event = self.wait(name, place)
            case "serve":
                event = self.serve(name, place, pick)
            case "move":
                return self.move(name, place, pick, payment)
            case "sell":
                event = self.sell(name, place, pick, payment)
                return Entry((event,), self.receipt(event.seq, pick), Booked(event.tickets))
            case _:
                event = self.cancel(name, pick)
        return event and Entry((event,))


WRITES = (
    *("hold", "hold", "extend", "extend", "release", "expire", "sell", "sell", "cancel", "move", "move"),
    *("block", "unblock", "wait", "serve", "serve"),
)
events = st.tuples(
    st.sampled_from(WRITES), st.integers(0, SEATS - 1), st.integers(0, 5), st.integers(0, len(PAYMENTS) - 1)
)
steps = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(SERVERS), st.lists(events, min_size=1, max_size=3)),
    st.tuples(st.just("take"), st.sampled_from(SERVERS), st.integers(-1, 0)),
    st.tuples(st.just("again"), st.sampled_from(SERVERS), st.just(0)),
    st.tuples(st.just("vouch"), st.sampled_from(("user:1", "user:2")), st.integers(1, len(PAYMENTS) - 1)),
    st.tuples(st.just("owe"), st.sampled_from(("user:1", "user:2")), st.integers(1, len(PAYMENTS) - 1)),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(plan=st.lists(steps, min_size=6, max_size=18))
def test_both_decide_alike(database_url: str, plan: list[Any]) -> None:
    asyncio.run(compare(database_url, plan))


async def compare(database_url: str, plan: list[Any]) -> None:
    hall = PostgresWorld(database_url).add_hall(SEATS)
    screening_id = hall.screening_id
    real = Side(Connector(database_url))
    try:
        taken = await real.stores["first"].activate(screening_id, known_epoch=0)
        virtual = Side(DirectConnector(server_with(taken.info, taken.layout)))
        assert await virtual.take("first", screening_id, 0) == comparable(taken)
        story = Story(screening_id, hall.seat_ids)
        epoch = 1
        last: list[Entry] = []
        for what, name, how in plan:
            if what == "take":
                outcome = await real.take(name, screening_id, epoch + how)
                assert await virtual.take(name, screening_id, epoch + how) == outcome
                if how == 0:
                    epoch += 1
                    story.epochs[name] = epoch
                continue
            if what == "vouch":
                vouched = (f"{screening_id}-{PAYMENTS[how]}", name, "service")
                assert await virtual.payments.vouch(*vouched) == await real.payments.vouch(*vouched)
            if what == "owe":
                payment_id = f"{screening_id}-{PAYMENTS[how]}"
                unusable = UnusablePayment(payment_id, screening_id, name, 100 * how, "not_held")
                assert await virtual.owe(unusable) == await real.owe(unusable)
            if what == "write":
                last = [entry for event in how if (entry := story.entry(name, *event))]
            if last and what not in ("owe", "vouch"):
                assert await virtual.write(name, last) == await real.write(name, last), last
            assert await virtual.look(screening_id, epoch) == await real.look(screening_id, epoch)
            prices = await real.prices(screening_id, hall.seat_ids)
            assert await virtual.prices(screening_id, hall.seat_ids) == prices
        outcome = await real.take("second", screening_id, epoch)
        assert await virtual.take("second", screening_id, epoch) == outcome
    finally:
        real.close()


def server_with(info: ScreeningInfo, layout: Layout) -> Postgres:
    server = Postgres.__new__(Postgres)
    server.tables = Tables({info.id: (info, layout)})
    server.claims = Claims(server.tables)
    server.loop = SimpleNamespace(time=lambda: 0.0)
    server.sessions, server.locked = [], set()
    return server

"""What the schema records and forbids about refunds, and payments that cannot be used."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg2
import pytest

from engine.errors import EngineError
from engine.records import Ticket, TicketStatus, UnusablePayment
from engine.selling_errors import PaymentAlreadyUsed, TooManyRefunds
from persistence.connector import Connector
from persistence.refunds import Refunds
from tests.database import execute
from tests.ports.adapters import NOW, PostgresWorld, postgres_world, write
from tests.ports.story import ALICE, BOB, Story

OWED = "SELECT payment_id, ticket_id, amount::text, reason FROM refunds ORDER BY id"

LIMIT = 3


class Bank(Refunds):
    """Refunds of a screening whose seats cost 17.50 (the first) and 12.50."""

    def __init__(self, world: PostgresWorld, connector: Connector, story: Story) -> None:
        super().__init__(connector, LIMIT)
        self.story, self.journal, self.ledger = story, world.journal, world.ledger

    def unusable(self, payment_id: str, *seats: int, holder: str = ALICE) -> UnusablePayment:
        """Return a payment that has come for the seats with these indices."""
        hall = self.story.hall
        seat_ids = tuple(hall.seat_ids[seat] for seat in seats)
        return UnusablePayment(payment_id, hall.screening_id, holder, seat_ids, "seats_unavailable")

    def late(self, payment_id: str, ticket: Ticket) -> UnusablePayment:
        """Return a payment that has come for a ticket which can no longer be confirmed."""
        return UnusablePayment(
            payment_id, ticket.screening_id, ticket.holder, (), "ticket_not_pending", ticket=ticket
        )

    async def issue(
        self, *seats: int, payment_id: str | None = None, pending: bool = False
    ) -> tuple[Ticket, ...]:
        tickets = self.story.tickets(
            *seats, payment_id=payment_id, pending_until=NOW + 900 if pending else None
        )
        assert await write(self.journal, self.story.issued(tickets)) is None
        return tickets

    async def lapse(self, *tickets: Ticket) -> None:
        for ticket in tickets:
            lapsed = ticket._replace(status=TicketStatus.LAPSED)
            assert await write(self.journal, self.story.lapsed(lapsed)) is None


@asynccontextmanager
async def bank_on(database_url: str) -> AsyncIterator[Bank]:
    async with postgres_world(database_url) as world:
        hall = world.add_hall()
        story = Story(hall, (await world.store.activate(hall.screening_id)).epoch)
        connector = Connector(database_url)
        try:
            yield Bank(world, connector, story)
        finally:
            connector.close()


@pytest.mark.gen_test
async def test_cancelling_a_paid_ticket_owes_its_price_in_the_same_transaction(database_url: str) -> None:
    async with bank_on(database_url) as bank:
        first, second = await bank.issue(0, 1, payment_id="P")
        (unpaid,) = await bank.issue(2)
        (bought,) = await bank.issue(3, payment_id="reservation:1-1")
        for ticket in (first, first, unpaid, bought):
            await write(bank.journal, bank.story.cancelled(ticket))
        assert execute(database_url, OWED) == [("P", first.id, "12.99", "ticket_cancelled")]
        await write(bank.journal, bank.story.cancelled(second))
        assert len(execute(database_url, OWED)) == 2


@pytest.mark.gen_test
async def test_an_unusable_payment_is_owed_once_and_never_pays_for_anything_later(database_url: str) -> None:
    async with bank_on(database_url) as bank:
        payment = bank.unusable("P", 0, 1)
        refunds = await asyncio.gather(*(bank.owe(payment) for _ in range(5)))
        assert len(set(refunds)) == 1
        refund = refunds[0]
        assert refund is not None
        assert (refund.amount_cents, refund.ticket_id, refund.reason) == (3000, None, "seats_unavailable")
        assert await bank.refund("P") == refund == await bank.owe(bank.unusable("P", 2))
        refused = await write(bank.journal, bank.story.issued(bank.story.tickets(2, payment_id="P")))
        assert isinstance(refused, PaymentAlreadyUsed)
        with pytest.raises(PaymentAlreadyUsed):
            await bank.owe(bank.unusable("P", 0, holder=BOB))
        (ticket,) = await bank.issue(2, pending=True)
        assert await bank.owe(bank.late("P", ticket)) == refund
        assert len(execute(database_url, OWED)) == 1


@pytest.mark.gen_test
async def test_a_payment_becomes_tickets_or_a_refund_whoever_writes_first(database_url: str) -> None:
    async with bank_on(database_url) as bank:
        for number in range(4):
            tickets = bank.story.tickets(number, payment_id=f"P{number}")
            issued, owed = await asyncio.gather(
                write(bank.journal, bank.story.issued(tickets)),
                bank.owe(bank.unusable(f"P{number}", number)),
                return_exceptions=True,
            )
            assert isinstance(issued, EngineError) != isinstance(owed, EngineError), (issued, owed)


@pytest.mark.gen_test
async def test_each_ticket_of_an_order_is_owed_once(database_url: str) -> None:
    async with bank_on(database_url) as bank:
        first, second = await bank.issue(0, 1, pending=True)
        await write(bank.journal, bank.story.confirmed(first, "P"))
        with pytest.raises(PaymentAlreadyUsed):
            await bank.owe(bank.late("P", first))
        await bank.lapse(second)
        refund = await bank.owe(bank.late("P", second))
        assert refund == await bank.owe(bank.late("P", second))
        await write(bank.journal, bank.story.cancelled(await bank.ledger.ticket(first.id)))
        assert [row[1] for row in execute(database_url, OWED)] == [second.id, first.id]


@pytest.mark.gen_test
async def test_a_ticket_is_not_confirmed_by_a_payment_that_is_owed_for_it(database_url: str) -> None:
    async with bank_on(database_url) as bank:
        paid, late = await bank.issue(0, 1, pending=True)
        await write(bank.journal, bank.story.confirmed(paid, "P"))
        assert await bank.owe(bank.late("P", late))
        refused = await write(bank.journal, bank.story.confirmed(late, "P"))
        assert isinstance(refused, PaymentAlreadyUsed)
        assert await write(bank.journal, bank.story.confirmed(late, "Q")) is None


@pytest.mark.gen_test
async def test_what_costs_nothing_or_is_unknown_is_not_owed(database_url: str) -> None:
    async with bank_on(database_url) as bank:
        unknown = bank.unusable("P", 0)._replace(seat_ids=(bank.story.hall.seat_ids[0], 10**9))
        assert await bank.owe(unknown) is None
        assert await bank.owe(bank.unusable("P", 0)._replace(screening_id=10**9)) is None
        execute(database_url, "UPDATE screenings SET price = 0")
        assert await bank.owe(bank.unusable("P", 1)) is None
        assert execute(database_url, "SELECT count(*) FROM payments") == [(0,)]


@pytest.mark.gen_test
async def test_the_number_of_unvouched_refunds_of_a_holder_is_bounded(database_url: str) -> None:
    async with bank_on(database_url) as bank:
        for number in range(LIMIT):
            await bank.owe(bank.unusable(f"P{number}", 0))
        with pytest.raises(TooManyRefunds):
            await bank.owe(bank.unusable("one more", 0))
        assert execute(database_url, "SELECT count(*) FROM payments") == [(LIMIT,)]
        assert await bank.owe(bank.unusable("P0", 0)), "recorded before"
        assert await bank.owe(bank.unusable("of another", 0, holder=BOB))
        assert await bank.owe(bank.unusable("vouched", 0)._replace(vouched_by="service"))
        execute(database_url, "UPDATE refunds SET status = 'settled', settled_at = now(), reference = 'R'")
        assert await bank.owe(bank.unusable("one more", 0))


def test_payments_that_are_vouched_for_later(database_url: str) -> None:
    execute(
        database_url,
        "INSERT INTO payments VALUES ('P', 'user:7', NULL, 1, now())",
    )
    execute(database_url, "UPDATE payments SET vouched_by = 'stripe'")
    with pytest.raises(psycopg2.errors.CheckViolation):
        execute(database_url, "UPDATE payments SET vouched_by = 'somebody'")

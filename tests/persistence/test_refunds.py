"""Records and constraints of the schema for refunds and for payments that cannot be used."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg2
import pytest

from engine.errors import EngineError
from engine.records import Ticket, UnusablePayment
from engine.selling_errors import TooManyRefunds
from persistence.connector import Connector
from persistence.refunds import Refunds
from tests.database import execute
from tests.ports.adapters import NOW, PostgresWorld, postgres_world, write
from tests.ports.story import ALICE, BOB, Story

OWED = "SELECT payment_id, ticket_id, amount::text, reason FROM refunds ORDER BY id"

LIMIT = 3


class Bank(Refunds):
    """The refunds of a screening."""

    def __init__(self, world: PostgresWorld, connector: Connector, story: Story) -> None:
        super().__init__(connector, LIMIT)
        self.story, self.journal, self.ledger = story, world.journal, world.ledger

    def unusable(self, payment_id: str, holder: str = ALICE) -> UnusablePayment:
        """Return a payment that has come for seats which somebody else has."""
        return UnusablePayment(payment_id, self.story.hall.screening_id, holder, 1250, "seats_unavailable")

    async def issue(
        self, *seats: int, payment_id: str | None = None, pending: bool = False
    ) -> tuple[Ticket, ...]:
        tickets = self.story.tickets(
            *seats, payment_id=payment_id, pending_until=NOW + 900 if pending else None
        )
        assert await write(self.journal, self.story.issued(tickets)) is None
        return tickets


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
async def test_a_payment_that_comes_to_several_servers_is_owed_once(database_url: str) -> None:
    async with bank_on(database_url) as bank:
        refunds = await asyncio.gather(*(bank.owe(bank.unusable("P")) for _ in range(5)))
        assert len(set(refunds)) == 1
        assert len(execute(database_url, OWED)) == 1


@pytest.mark.gen_test
async def test_a_payment_becomes_tickets_or_a_refund_whoever_writes_first(database_url: str) -> None:
    async with bank_on(database_url) as bank:
        for number in range(4):
            tickets = bank.story.tickets(number, payment_id=f"P{number}")
            issued, owed = await asyncio.gather(
                write(bank.journal, bank.story.issued(tickets)),
                bank.owe(bank.unusable(f"P{number}")),
                return_exceptions=True,
            )
            assert isinstance(issued, EngineError) != isinstance(owed, EngineError), (issued, owed)


@pytest.mark.gen_test
async def test_the_number_of_unvouched_refunds_of_a_holder_is_bounded(database_url: str) -> None:
    async with bank_on(database_url) as bank:
        for number in range(LIMIT):
            await bank.owe(bank.unusable(f"P{number}"))
        with pytest.raises(TooManyRefunds):
            await bank.owe(bank.unusable("one more"))
        assert execute(database_url, "SELECT count(*) FROM payments") == [(LIMIT,)]
        assert await bank.owe(bank.unusable("P0")), "recorded before"
        assert await bank.owe(bank.unusable("of another", BOB))
        assert await bank.owe(bank.unusable("vouched")._replace(vouched_by="service"))
        execute(database_url, "UPDATE refunds SET status = 'settled', settled_at = now(), reference = 'R'")
        assert await bank.owe(bank.unusable("one more"))


def test_payments_that_are_vouched_for_later(database_url: str) -> None:
    execute(
        database_url,
        "INSERT INTO payments VALUES ('P', 'user:7', NULL, 1, now())",
    )
    execute(database_url, "UPDATE payments SET vouched_by = 'stripe'")
    with pytest.raises(psycopg2.errors.CheckViolation):
        execute(database_url, "UPDATE payments SET vouched_by = 'somebody'")

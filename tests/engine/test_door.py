"""Tickets are kept from the door while their owner changes them, and the door decides again afterwards."""

from uuid import UUID

import pytest

from engine.door import kept_from_the_door
from engine.errors import EngineError, OutcomeUnknown, StoreUnavailable
from engine.memory import MemoryDatabase
from engine.memory_ledger import MemoryLedger
from engine.selling_errors import ScreeningStarted, TicketAdmitted

pytestmark = pytest.mark.gen_test


class DoorLedger(MemoryLedger):
    """A ledger that shows which tickets are kept from the door, and by which attempt."""

    def __init__(self) -> None:
        self.database = MemoryDatabase()
        super().__init__(self.database)
        self.kept: set[tuple[int, UUID]] = set()
        self.is_gone = False

    async def begin_change(self, ticket_id: int, attempt: UUID) -> float | None:
        if (admitted_at := await super().begin_change(ticket_id, attempt)) is None:
            self.kept.add((ticket_id, attempt))
        return admitted_at

    async def end_change(self, ticket_id: int, attempt: UUID) -> None:
        if self.is_gone:
            raise StoreUnavailable
        self.kept.remove((ticket_id, attempt))


@pytest.fixture
def ledger() -> DoorLedger:
    return DoorLedger()


async def test_tickets_are_kept_from_the_door_until_the_change_is_over(ledger: DoorLedger) -> None:
    async with kept_from_the_door(ledger, [1, 2]):
        assert {ticket_id for ticket_id, _ in ledger.kept} == {1, 2}
        async with kept_from_the_door(ledger, [2]):
            assert len(ledger.kept) == 3, "another attempt keeps it too"
        assert len(ledger.kept) == 2
    assert not ledger.kept


async def test_whoever_is_inside_changes_no_ticket(ledger: DoorLedger) -> None:
    ledger.database.admitted[2] = 1_800_000_000.5
    with pytest.raises(TicketAdmitted) as refusal:
        async with kept_from_the_door(ledger, [1, 2, 3]):
            pytest.fail("the change began")
    assert (refusal.value.ticket_id, refusal.value.admitted_at) == (2, 1_800_000_000.5)
    assert not ledger.kept


@pytest.mark.parametrize(
    ("error", "kept"),
    [(ScreeningStarted(1, "move tickets"), 0), (StoreUnavailable(), 0), (OutcomeUnknown(), 1)],
)
async def test_a_change_that_fails_ends_unless_its_outcome_is_unknown(
    ledger: DoorLedger, error: EngineError, kept: int
) -> None:
    with pytest.raises(type(error)):
        async with kept_from_the_door(ledger, [1]):
            raise error
    assert len(ledger.kept) == kept


async def test_a_change_that_was_made_counts_though_the_door_is_not_told(ledger: DoorLedger) -> None:
    async with kept_from_the_door(ledger, [1]):
        ledger.is_gone = True
    assert ledger.kept

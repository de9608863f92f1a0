"""What its owner may do with a ticket and the door: whichever comes first excludes the other."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from engine.errors import EngineError, OutcomeUnknown, StoreUnavailable
from engine.ports import Ledger
from engine.selling_errors import TicketAdmitted


@asynccontextmanager
async def kept_from_the_door(ledger: Ledger, ticket_ids: Sequence[int]) -> AsyncIterator[None]:
    """Keep tickets from being admitted while their owner gives them back or changes them.

    When the block has ended, the door decides by their status again; half a minute later if its outcome is
    unknown.

    Args:
        ledger: knows who was admitted.
        ticket_ids: the tickets.

    Raises:
        TicketAdmitted: one of them was used at the door before.
        StoreUnavailable: the database cannot be reached.
    """
    kept: list[int] = []
    try:
        for ticket_id in ticket_ids:
            admitted_at = await ledger.begin_cancellation(ticket_id)
            if admitted_at is not None:
                raise TicketAdmitted(ticket_id, admitted_at)
            kept.append(ticket_id)
        yield
    except EngineError as error:
        if not isinstance(error, OutcomeUnknown):
            await _release(ledger, kept)
        raise
    await _release(ledger, kept)


async def _release(ledger: Ledger, ticket_ids: Sequence[int]) -> None:
    """Let the door decide about tickets again, by their status; otherwise it does so a little later."""
    with suppress(StoreUnavailable):
        for ticket_id in ticket_ids:
            await ledger.end_cancellation(ticket_id)

"""The door: the code that a scanner has read, and blocks that keep tickets from being admitted meanwhile."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from engine.errors import EngineError, OutcomeUnknown, StoreUnavailable
from engine.ports import Ledger
from engine.selling_errors import TicketAdmitted


class TicketIssue(NamedTuple):
    """The state of a ticket since it was sold.

    Attributes:
        number: how often it was given to somebody else; each time it has got a new code.
        given_to: who has it since then; the engine does not interpret it.
        admitted_at: when it was used at the door.
    """

    number: int = 0
    given_to: bytes | None = None
    admitted_at: datetime | None = None


class ScannedCode(NamedTuple):
    """A ticket as named by the code that a scanner has read.

    Attributes:
        printed: a code as it is stored with some tickets; one with this code comes before that with the id.
        ticket_id: the ticket.
        issue: how often the ticket had been given to somebody else when the code was made; None if only the
            number of the ticket is known.
    """

    printed: str | None = None
    ticket_id: int | None = None
    issue: int | None = 0


@asynccontextmanager
async def kept_from_the_door(ledger: Ledger, ticket_ids: Sequence[int]) -> AsyncIterator[None]:
    """Keep tickets from being admitted while their owner gives them back or changes them.

    When all such blocks have ended, the door decides by their status again; half a minute later if an outcome
    is unknown. A change that takes longer is refused by the database if the ticket has been admitted by then.

    Args:
        ledger: knows who was admitted.
        ticket_ids: the tickets.

    Raises:
        TicketAdmitted: one of them was used at the door before.
        StoreUnavailable: the database cannot be reached.
    """
    attempt = uuid4()
    kept: list[int] = []
    try:
        for ticket_id in ticket_ids:
            admitted_at = await ledger.begin_change(ticket_id, attempt)
            if admitted_at is not None:
                raise TicketAdmitted(ticket_id, admitted_at)
            kept.append(ticket_id)
        yield
    except EngineError as error:
        if not isinstance(error, OutcomeUnknown):
            await _release(ledger, kept, attempt)
        raise
    await _release(ledger, kept, attempt)


async def _release(ledger: Ledger, ticket_ids: Sequence[int], attempt: UUID) -> None:
    """Let the door decide about tickets again, by their status; otherwise it does so a little later."""
    with suppress(StoreUnavailable):
        for ticket_id in ticket_ids:
            await ledger.end_change(ticket_id, attempt)

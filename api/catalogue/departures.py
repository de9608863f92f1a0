"""Cancels what was booked for an account while it was deleted.

A booking that was on its way, or whose server had not heard of the deletion, is committed after the tickets
of the account have been cancelled. So the deletion leaves a message in the outbox, which is due when no such
booking can follow, and whoever takes it cancels the tickets that it finds; what was paid for them is owed.
"""

from api.services import TicketReader
from api.wire import holder_of
from engine.box_office import BoxOffice
from engine.errors import EngineError
from engine.outbox import DeliveryFailed, Message
from engine.selling_errors import ScreeningStarted

DEPARTURE = "account_deleted"


class Departures:
    """Handles the messages about deleted accounts.

    Args:
        tickets: finds the tickets.
        box_office: cancels them.
    """

    def __init__(self, tickets: TicketReader, box_office: BoxOffice) -> None:
        self._tickets = tickets
        self._box_office = box_office

    async def deliver(self, message: Message) -> None:
        """Cancel the tickets that an account has for what has not begun.

        Raises:
            DeliveryFailed: one of them cannot be cancelled now.
        """
        holder = holder_of(message.payload["user_id"])
        for ticket in await self._tickets.to_come(holder):
            try:
                await self._box_office.cancel(holder, ticket.ticket_id, actor=holder)
            except ScreeningStarted:
                pass  # It has begun meanwhile, so the ticket counts as used.
            except EngineError as error:
                raise DeliveryFailed(str(error)) from error

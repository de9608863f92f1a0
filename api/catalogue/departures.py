"""Cancels what was booked for an account while it was deleted, and takes it off waiting lists.

A booking that was on its way, or whose server had not heard of the deletion, is committed after the tickets
of the account have been cancelled. So the deletion leaves a message in the outbox, which is due when no such
booking can follow, and whoever takes it cancels the tickets that it finds; what was paid for them is owed.
"""

from api.rows import Rows
from api.sales.waiting import leave_all
from api.services import Screenings, TicketReader
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
        screenings: have the waiting lists.
        waitlist: the stored entries of waiting lists.
    """

    def __init__(
        self, tickets: TicketReader, box_office: BoxOffice, screenings: Screenings, waitlist: Rows
    ) -> None:
        self._tickets = tickets
        self._box_office = box_office
        self._screenings = screenings
        self._waitlist = waitlist

    async def deliver(self, message: Message) -> None:
        """Cancel the tickets that an account has for what has not begun, and end its waiting.

        Raises:
            DeliveryFailed: that is not possible now.
        """
        holder = holder_of(message.payload["user_id"])
        try:
            await leave_all(self._screenings, self._waitlist, holder)
        except EngineError as error:
            raise DeliveryFailed(str(error)) from error
        for ticket in await self._tickets.to_come(holder):
            try:
                await self._box_office.cancel(holder, ticket.ticket_id, actor=holder)
            except ScreeningStarted:
                pass  # It has begun meanwhile, so the ticket counts as used.
            except EngineError as error:
                raise DeliveryFailed(str(error)) from error

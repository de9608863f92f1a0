"""Confirmation mails: one per booking, with a QR code per ticket and a calendar entry.

The database writes a message to the outbox with every booking whose holder has an e-mail address. Its
delivery reads the tickets and sends the mail.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from api.limiter import Limiter
from api.mails.bookings import bookings_of
from api.mails.languages import chosen_language, words_in
from api.mails.letters import message_of
from api.mails.wordings import Reader, Site, booked
from api.papers.mail import Mailer
from engine.catalogue_errors import NoMailAddress
from engine.outbox import Message

Paper = Mapping[str, Any]
"""The data of one ticket for its confirmation: the columns of `persistence.catalogue.tickets.PAPERS`."""


class Papers(Protocol):
    """Reads the data for confirmations."""

    async def papers(self, booking_ids: Iterable[int]) -> Sequence[Paper]:
        """Return the confirmed tickets of bookings whose holder has an e-mail address, ordered by booking."""


class Outgoing(Protocol):
    """Writes messages to the outbox."""

    async def enqueue(self, kind: str, subject: str, payload: Mapping[str, Any]) -> None:
        """Write a message; see `persistence.outbox.enqueue`."""


class Confirmations:
    """Sends confirmation mails.

    Args:
        papers: reads the data of tickets.
        mailer: sends the mails.
        outgoing: keeps what is to be sent.
        site: what is the same in all mails.
        repeats: limits how often the confirmation of a booking can be requested again.
    """

    def __init__(
        self, papers: Papers, mailer: Mailer, outgoing: Outgoing, site: Site, repeats: Limiter
    ) -> None:
        self._papers = papers
        self._mailer = mailer
        self._outgoing = outgoing
        self._site = site
        self._repeats = repeats

    async def send_again(self, booking_id: int) -> None:
        """Send the confirmation of a booking on request.

        Raises:
            NoMailAddress: the holder has no e-mail address.
            TooManyAttempts: the confirmation has been requested too often.
        """
        if not await self._papers.papers([booking_id]):
            raise NoMailAddress
        self._repeats.attempt(str(booking_id))
        payload = {"cause": "booked", "booking_id": booking_id}
        await self._outgoing.enqueue("mail", f"booking {booking_id}", payload)

    async def deliver(self, message: Message) -> None:
        """Send the mail of a message, unless the tickets have been cancelled or the holder has no address.

        Raises:
            DeliveryFailed, Undeliverable: as `Mailer.deliver`.
        """
        papers = await self._papers.papers([message.payload["booking_id"]])
        if not papers:
            return
        first, (booking,) = papers[0], bookings_of(papers)
        words = words_in(chosen_language(first["language"], self._site.language))
        letter = booked(booking, booking.tickets, Reader(first["full_name"], words), self._site)
        # Drawing a QR code takes milliseconds, too long for the event loop.
        mail = await asyncio.to_thread(message_of, letter, first["email"], words)
        await self._mailer.deliver(mail, message.uid)

"""Confirmation mails: one per booking, with a QR code per ticket and a calendar entry.

They are sent in the background after the booking has been committed, so they can neither delay nor fail the
booking itself. If the server stops before sending one, the buyer can request it again.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol

from api.limiter import Limiter
from api.mails.bookings import bookings_of
from api.mails.languages import chosen_language, words_in
from api.mails.letters import message_of
from api.mails.wordings import Reader, Site, booked
from api.papers.mail import Mailer
from engine.catalogue_errors import NoMailAddress
from engine.errors import EngineError

log = logging.getLogger("frontrow.api")

_WAITING_LIMIT = 1000
_BATCH_LIMIT = 500
_GATHER_SECONDS = 0.1
"""Time to collect bookings before querying for them in one batch; query planning is the main cost."""

Paper = Mapping[str, Any]
"""The data of one ticket for its confirmation: the columns of `persistence.catalogue.tickets.PAPERS`."""


class Papers(Protocol):
    """Reads the data for confirmations."""

    async def papers(self, booking_ids: Iterable[int]) -> Sequence[Paper]:
        """Return the confirmed tickets of bookings whose holder has an e-mail address, ordered by booking."""


class Confirmations:
    """Sends confirmation mails, in the background or on request.

    Args:
        papers: reads the data of tickets.
        mailer: sends the mails.
        site: what is the same in all mails.
        repeats: limits how often the confirmation of a booking can be requested again.
    """

    def __init__(self, papers: Papers, mailer: Mailer, site: Site, repeats: Limiter) -> None:
        self._papers = papers
        self._mailer = mailer
        self._site = site
        self._repeats = repeats
        self._waiting: dict[int, None] = {}
        self._woken = asyncio.Event()
        self._done = asyncio.Event()
        self._done.set()
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the background task."""
        self._worker = asyncio.create_task(self._work(), name="confirmations")

    async def stop(self, limit_seconds: float) -> None:
        """Send the queued confirmations, for at most `limit_seconds`, and stop the background task."""
        if self._worker is None:
            return
        try:
            async with asyncio.timeout(limit_seconds):
                await self._done.wait()
        except TimeoutError:
            log.warning("%d confirmations were not sent before the server stopped", len(self._waiting))
        self._worker.cancel()
        await asyncio.gather(self._worker, return_exceptions=True)

    def send_soon(self, booking_id: int) -> None:
        """Queue the confirmation of a committed booking. Dropped if the holder has no e-mail address."""
        if len(self._waiting) >= _WAITING_LIMIT:
            log.warning("confirmation queue is full; booking %d gets no confirmation", booking_id)
            return
        self._waiting[booking_id] = None
        self._done.clear()
        self._woken.set()

    async def send_again(self, booking_id: int) -> None:
        """Send the confirmation of a booking on request.

        Raises:
            NoMailAddress: the holder has no e-mail address.
            TooManyAttempts: the confirmation has been requested too often.
            MailQueueFull: too many mails are waiting to be sent.
        """
        papers = await self._papers.papers([booking_id])
        if not papers:
            raise NoMailAddress
        self._repeats.attempt(str(booking_id))
        await self._mail(papers)

    async def _work(self) -> None:
        while True:
            await self._woken.wait()
            if len(self._waiting) < _BATCH_LIMIT:
                await asyncio.sleep(_GATHER_SECONDS)
            batch = list(self._waiting)[:_BATCH_LIMIT]
            try:
                for booking_id, papers in groupby(await self._papers.papers(batch), itemgetter("booking_id")):
                    await self._mail_soon(booking_id, list(papers))
            except EngineError as refusal:
                log.warning("confirmations were not sent: %s", refusal)
            except Exception:
                log.exception("confirmations failed")
            for booking_id in batch:
                del self._waiting[booking_id]
            if not self._waiting:
                self._woken.clear()
                self._done.set()

    async def _mail_soon(self, booking_id: int, papers: Sequence[Paper]) -> None:
        """Send one confirmation of a batch. A failure is logged, so that the others are still sent."""
        try:
            await self._mail(papers)
        except EngineError as refusal:
            log.warning("the confirmation of booking %d was not sent: %s", booking_id, refusal)
        except Exception:
            log.exception("the confirmation of booking %d failed", booking_id)

    async def _mail(self, papers: Sequence[Paper]) -> None:
        first, (booking,) = papers[0], bookings_of(papers)
        words = words_in(chosen_language(first["language"], self._site.language))
        letter = booked(booking, booking.tickets, Reader(first["full_name"], words), self._site)
        # Drawing a QR code takes milliseconds, too long for the event loop.
        await self._mailer.send(await asyncio.to_thread(message_of, letter, first["email"], words))

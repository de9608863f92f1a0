"""Confirmation mails: one per booking, with a QR code per ticket and a calendar entry.

They are sent in the background after the booking has been committed, so they can neither delay nor fail the
booking itself. If the server stops before sending one, the buyer can request it again.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from html import escape
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol, cast

from api.limiter import Limiter
from api.papers.calendar_entry import Visit, calendar_of
from api.papers.mail import Mailer, text_mail
from api.papers.ticket_codes import CodeContents, TicketCodes
from api.papers.ticket_pictures import TicketPicture
from api.venue_time import local_time
from engine.catalogue_errors import NoMailAddress
from engine.errors import EngineError

log = logging.getLogger("frontrow.api")

_WAITING_LIMIT = 1000
_BATCH_LIMIT = 500
_GATHER_SECONDS = 0.1
"""Time to collect bookings before querying for them in one batch; query planning is the main cost."""

_AT_THE_DOOR = "Each QR code admits one person. Show it at the door, on paper or on a screen."

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
        codes: signs the QR codes.
        repeats: limits how often the confirmation of a booking can be requested again.
    """

    def __init__(self, papers: Papers, mailer: Mailer, codes: TicketCodes, repeats: Limiter) -> None:
        self._papers = papers
        self._mailer = mailer
        self._codes = codes
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
        # Drawing a QR code takes milliseconds, too long for the event loop.
        await self._mailer.send(await asyncio.to_thread(confirmation, papers, self._codes))


def confirmation(papers: Sequence[Paper], codes: TicketCodes) -> EmailMessage:
    """Build the confirmation mail of one booking.

    Args:
        papers: the booking's tickets, at least one.
        codes: signs the QR codes.
    """
    letter = _Letter(papers)
    pictures = {paper["ticket_id"]: TicketPicture(codes.code(_code_contents(paper))) for paper in papers}
    message = text_mail(papers[0]["email"], letter.subject, letter.plain)
    message.add_alternative(letter.html, subtype="html")
    page = cast(EmailMessage, message.get_body(("html",)))
    for ticket_id, picture in pictures.items():
        cid, name = f"<{_picture_id(ticket_id)}>", f"ticket-{ticket_id}.png"
        page.add_related(picture.drawn("png"), "image", "png", cid=cid, filename=name)
    for ticket_id, picture in pictures.items():
        name = f"ticket-{ticket_id}.svg"
        message.add_attachment(picture.drawn("svg"), "image", "svg+xml", filename=name)
    entry, name = calendar_of(letter.visit).encode(), f"booking-{papers[0]['booking_id']}.ics"
    message.add_attachment(entry, "text", "calendar", filename=name)
    return message


def visit_of(papers: Sequence[Paper]) -> Visit:
    """Return the calendar entry of one booking, from its tickets; their holder is not needed."""
    return _Letter(papers).visit


class _Letter:
    """The texts of a confirmation mail: subject, plain text, HTML and calendar entry."""

    def __init__(self, papers: Sequence[Paper]) -> None:
        self._papers = papers
        first = self._first = papers[0]
        self._title = " ".join(first["title"].split()) or "your visit"
        begin = local_time(first["starts_at"], first["time_zone"])
        self._begin = f"{begin:%A, %d %B %Y, %H:%M} ({first['time_zone']})"
        self._place = ", ".join(filter(None, (first["cinema_name"], first["room_name"], first["address"])))
        self._lines = [f"{paper['place']}, ticket {paper['code']}, {paper['price']}" for paper in papers]

    @property
    def _opening(self) -> list[str]:
        # The buyer chooses the name, and the mail may go to somebody else: it must not look like our text.
        name = "".join(filter(str.isprintable, " ".join((self._first["full_name"] or "").split())))
        return [
            f"Hello {name}," if name else "Hello,",
            f"booking {self._first['booking_id']} is confirmed.",
            f"{self._title}\n{self._begin}\n{self._place}",
        ]

    @property
    def subject(self) -> str:
        return f"Your tickets for {self._title}"

    @property
    def plain(self) -> str:
        lines = "\n".join(self._lines)
        return "\n\n".join([*self._opening, lines, f"{_AT_THE_DOOR} The codes are attached.\n"])

    @property
    def html(self) -> str:
        paragraphs = [escape(text).replace("\n", "<br>") for text in self._opening]
        for paper, line in zip(self._papers, self._lines, strict=True):
            ticket_id = paper["ticket_id"]
            picture = f'<img src="cid:{_picture_id(ticket_id)}" alt="QR code of ticket {ticket_id}">'
            paragraphs.append(f"{escape(line)}<br>{picture}")
        return "".join(f"<p>{paragraph}</p>\n" for paragraph in [*paragraphs, _AT_THE_DOOR])

    @property
    def visit(self) -> Visit:
        return Visit(
            uid=f"booking-{self._first['booking_id']}@frontrow",
            summary=self._title,
            location=self._place,
            description="\n".join(self._lines),
            starts_at=self._first["starts_at"],
            ends_at=self._first["ends_at"],
            updated_at=datetime.now(UTC),
        )


def _code_contents(paper: Paper) -> CodeContents:
    return CodeContents(paper["ticket_id"], paper["screening_id"], paper["seat_id"])


def _picture_id(ticket_id: int) -> str:
    """Return the Content-ID of a QR code's picture (RFC 2392)."""
    return f"ticket-{ticket_id}@frontrow"

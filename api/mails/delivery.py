"""Delivers the mails of the outbox: reads what has happened, and writes to everybody whom it concerns.

A message names its cause and ids; triggers write it in the transaction of the cause (v0016_mails.sql). A
message about several bookings, such as a cancelled screening, or about a booking that concerns several
people, is delivered by writing one message for each of them, in pages and each once. So every mail is
retried, and becomes a dead letter, on its own.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import uuid4

import orjson

from api.limiter import Limiter
from api.mails import refunds, wordings
from api.mails.bookings import Booking, bookings_of, occasion_of, place_in
from api.mails.languages import Words, chosen_language, words_in
from api.mails.letters import Letter, message_of
from api.mails.recipients import FORMER, OWNER, Recipient, recipients_of
from api.mails.wordings import Reader, Site
from api.papers.cipher import Cipher
from api.papers.mail import Mailer
from api.papers.papers import person_given
from api.venue_time import local_time
from engine.catalogue_errors import NoMailAddress
from engine.causes import present_request_id
from engine.outbox import Message, Undeliverable
from engine.refunds import SURPLUS
from engine.vouching import providers_id

Record = Mapping[str, Any]

PAGE = 500
"""Messages that are written at once."""

_SETTLING_SECONDS = 2.0
"""Time for which mails about cancelled tickets wait. A venue that cancels a screening cancels its tickets
first; the mails shall say that the screening is cancelled as well."""

_STANDING = ("pending", "confirmed")


class MailRows(Protocol):
    """Reads for mails, and writes further ones; `persistence.mails.MailRows` documents it."""

    async def bookings(self, booking_ids: Iterable[int]) -> Sequence[Record]: ...

    async def cancelled(self, screening_id: int, at: str, after: int, limit: int) -> Sequence[int]: ...

    async def standing(self, screening_id: int, after: int, limit: int) -> Sequence[int]: ...

    async def canceller(self, screening_id: int, at: str) -> str | None: ...

    async def owed(self, payment_ids: Iterable[str], ticket_ids: Iterable[int]) -> tuple[Decimal, bool]: ...

    async def given_to(self, ticket_id: int, issue: int) -> bytes | None: ...

    async def refund(self, refund_id: int) -> Record | None: ...

    async def held(self, screening_id: int, holder: str, until: str) -> Record | None: ...

    async def waited(self, entry_id: int) -> Record | None: ...

    async def write(self, messages: Mapping[str, tuple[str, str]], delay_seconds: float = 0.0) -> None: ...


class Mails:
    """Sends the mails in the outbox.

    Args:
        rows: reads what has happened, and writes further messages.
        mailer: sends the mails.
        site: what is the same in all mails.
        cipher: decrypts the addresses in event tickets.
        repeats: limits how often the confirmation of a booking can be requested again.
    """

    def __init__(self, rows: MailRows, mailer: Mailer, site: Site, cipher: Cipher, repeats: Limiter) -> None:
        self._rows = rows
        self._mailer = mailer
        self._site = site
        self._cipher = cipher
        self._repeats = repeats
        self._causes = {
            "booked": self._booking,
            "payment_ending": self._booking,
            "cancelled": self._cancelled,
            "moved": self._moved,
            "given": self._booking,
            "refund_owed": self._refund,
            "refund_settled": self._refund,
            "hold_ending": self._hold,
            "waitlist_offered": self._waited,
            "waitlist_told": self._waited,
        }

    async def deliver(self, message: Message) -> None:
        """Send the mail of a message, unless it has become pointless or nobody's address is known.

        Raises:
            DeliveryFailed: a later attempt may succeed.
            Undeliverable: the mail server refuses this mail for good, or the cause is unknown.
        """
        cause = message.payload["cause"]
        if cause not in self._causes:
            raise Undeliverable(f"this server sends no mails about {cause}")
        await self._causes[cause](message)

    async def confirm_again(self, booking_id: int) -> None:
        """Send the confirmation of a booking again, to its owner and buyer.

        Raises:
            NoMailAddress: no address is known.
            TooManyAttempts: the confirmation has been requested too often.
        """
        records = await self._rows.bookings([booking_id])
        found = [(booking, records[0]) for booking in self._bookings(records)]
        if not any(recipient.reader.owner for one in found for recipient in self._recipients(*one)):
            raise NoMailAddress
        self._repeats.attempt(str(booking_id))
        payload = {
            "cause": "booked",
            "booking_id": booking_id,
            "again": True,
            "request_id": present_request_id(),
        }
        await self._rows.write(
            {
                f"again:{uuid4()}": (
                    f"booking {booking_id}",
                    _json({**payload, "screening_id": booking.screening_id}),
                )
                for booking, _ in found
            }
        )

    async def _cancelled(self, message: Message) -> None:
        """Write to all bookings that have tickets which were cancelled at the same time."""
        payload = message.payload
        if "booking_id" in payload:
            return await self._booking(message)
        screening_id, at = payload["screening_id"], payload["at"]
        actor = payload.get("actor") or await self._rows.canceller(screening_id, at) or ""
        page = await self._rows.cancelled(screening_id, at, payload.get("beyond", 0), PAGE)
        await self._fan_out(message, page, {"actor": actor}, _SETTLING_SECONDS)

    async def _moved(self, message: Message) -> None:
        """Write to all bookings that have tickets which stand."""
        payload = message.payload
        if "booking_id" in payload:
            return await self._booking(message)
        page = await self._rows.standing(payload["screening_id"], payload.get("beyond", 0), PAGE)
        await self._fan_out(message, page, {}, 0.0)

    async def _fan_out(
        self, message: Message, page: Sequence[int], found: Record, delay_seconds: float
    ) -> None:
        """Write a message for each booking of a page, and one for the next page."""
        root = message.payload.get("root", message.uid)
        payload = {**message.payload, **found, "root": root}
        payload.pop("beyond", None)
        messages = {
            f"{root}:{booking_id}": (
                f"booking {booking_id}",
                _json({**payload, "booking_id": booking_id}),
            )
            for booking_id in page
        }
        if len(page) == PAGE:
            rest = _json({**payload, "beyond": page[-1]})
            messages[f"{root}:beyond-{page[-1]}"] = (message.subject, rest)
        if messages:
            await self._rows.write(messages, delay_seconds)

    async def _booking(self, message: Message) -> None:
        """Write to everybody whom a booking concerns."""
        payload = message.payload
        found = await self._read(payload["booking_id"], payload.get("screening_id"))
        if found is None:
            return
        letters = []
        recipients = self._recipients(*found)
        if payload["cause"] == "given":
            recipients += await self._former(payload, found[0], recipients)
        for recipient in recipients:
            if payload.get("again") and not recipient.reader.owner:
                continue
            if payload.get("role", recipient.role) == recipient.role:
                letter = await self._letter(payload, recipient, found[1])
                if letter is not None:
                    letters.append((recipient, letter))
        if len(letters) > 1:
            await self._rows.write(
                {
                    f"{message.uid}:{recipient.role}": (
                        f"{message.subject}, {recipient.role}",
                        _json({**payload, "role": recipient.role}),
                    )
                    for recipient, _ in letters
                }
            )
        else:
            for recipient, letter in letters:
                await self._send(message, letter, recipient.email, recipient.reader.words)

    async def _letter(self, payload: Record, recipient: Recipient, contact: Record) -> Letter | None:
        """Return the letter of a cause, or None if it does not concern the recipient (any more)."""
        booking, reader, site = recipient.booking, recipient.reader, self._site
        if payload["cause"] == "booked":
            confirmed = booking.of_status("confirmed")
            return wordings.booked(booking, confirmed, reader, site) if confirmed else None
        if payload["cause"] == "cancelled":
            return await self._cancellation(payload, recipient)
        if payload["cause"] == "given":
            return self._transfer(payload, recipient)
        if payload["cause"] == "moved":
            move = wordings.Move(
                payload["revision"],
                _time_like(payload["before"], booking.starts_at),
                _time_like(payload["after"], booking.starts_at),
                payload["title_before"],
                payload["place_before"],
            )
            return wordings.moved(booking, move, reader, site) if booking.of_status(*_STANDING) else None
        deadline = _time_like(payload["deadline"], booking.starts_at)
        pending = [ticket for ticket in booking.of_status("pending") if ticket.payment_deadline == deadline]
        if not pending or not reader.owner or (recipient.role == OWNER and not contact["reminders"]):
            return None
        return wordings.payment_ending(booking, deadline, reader, site)

    def _transfer(self, payload: Record, recipient: Recipient) -> Letter | None:
        """Return the letter about a ticket that was given to somebody else, or None if it does not stand."""
        booking, reader, site = recipient.booking, recipient.reader, self._site
        given = [t for t in booking.of_status("confirmed") if t.id == payload["ticket_id"]]
        if not given:
            return None
        if recipient.role == FORMER:
            return wordings.given_away(booking, given, reader, site)
        if given[0].issue != payload["issue"]:
            return None  # it was given away again, which has a mail of its own
        return wordings.given(booking, given, reader, site)

    async def _cancellation(self, payload: Record, recipient: Recipient) -> Letter | None:
        booking, at = recipient.booking, datetime.fromisoformat(payload["at"])
        tickets = [ticket for ticket in booking.of_status("cancelled") if ticket.cancelled_at == at]
        if not tickets:
            return None
        payments = {ticket.payment_id for ticket in tickets if ticket.payment_id}
        owed, vouched = await self._rows.owed(payments, [ticket.id for ticket in tickets])
        by_buyer = payload["actor"] == booking.holder
        cancellation = wordings.Cancellation(tickets, by_buyer, owed, vouched)
        return wordings.cancelled(booking, cancellation, recipient.reader, self._site)

    async def _refund(self, message: Message) -> None:
        refund = await self._rows.refund(message.payload["refund_id"])
        if refund is None:
            return
        email, reader = refund["email"], self._reader(refund)
        if refund["booking_id"] is not None and (found := await self._read(refund["booking_id"])):
            recipients = self._recipients(*found)
            if recipients and recipients[0].reader.owner:
                email, reader = recipients[0].email, recipients[0].reader
        if not email:
            return
        details = refunds.Refund(
            refund["amount"],
            refund["currency"] or self._site.currency,
            providers_id(refund["payment_id"]),
            refund["reference"],
            refund["vouched"],
            surplus=refund["reason"] == SURPLUS,
            occasion=refund["starts_at"] and occasion_of(refund, reader.words),
            places=[place_in(reader.words, *place) for place in refund["places"] or ()],
        )
        settled = message.payload["cause"] == "refund_settled"
        say = refunds.refund_settled if settled else refunds.refund_owed
        await self._send(message, say(details, reader), email, reader.words)

    async def _hold(self, message: Message) -> None:
        payload = message.payload
        held = await self._rows.held(payload["screening_id"], payload["holder"], payload["until"])
        if held is None or not held["email"] or not held["reminders"]:
            return
        reader = self._reader(held)
        kind = "events" if held["is_event"] else "screenings"
        url = f"{self._site.url()}/{kind}/{payload['screening_id']}"
        begins = local_time(held["starts_at"], held["time_zone"])
        places = [
            wordings.HeldPlace(row, number, kind, _time_like(until, begins))
            for row, number, kind, until in held["places"]
        ]
        checkout = url if held["is_event"] else f"{url}/checkout"
        letter = wordings.hold_ending(occasion_of(held, reader.words), places, checkout, reader)
        await self._send(message, letter, held["email"], reader.words)

    async def _waited(self, message: Message) -> None:
        """Write to somebody who has waited, unless the offer has ended meanwhile."""
        entry = await self._rows.waited(message.payload["entry_id"])
        if entry is None or not entry["email"] or entry["status"] not in ("offered", "told") or entry["over"]:
            return
        reader = self._reader(entry)
        occasion = occasion_of(entry, reader.words)
        kind = "events" if entry["is_event"] else "screenings"
        url = f"{self._site.url()}/{kind}/{entry['screening_id']}"
        if entry["status"] == "told":
            letter = wordings.seat_free(occasion, entry["row_label"], entry["seat_number"], url, reader)
        else:
            begins = local_time(entry["starts_at"], entry["time_zone"])
            until = entry["expires_at"].astimezone(begins.tzinfo)
            checkout = url if entry["is_event"] else f"{url}/checkout"
            letter = wordings.waitlist_offered(occasion, entry["quantity"], until, checkout, reader)
        await self._send(message, letter, entry["email"], reader.words)

    async def _read(self, booking_id: int, screening_id: int | None = None) -> tuple[Booking, Record] | None:
        """Return a booking, perhaps its tickets for one screening, and the address of its owner."""
        records = await self._rows.bookings([booking_id])
        for booking in self._bookings(records):
            if screening_id in (None, booking.screening_id):
                return booking, records[0]
        return None

    def _recipients(self, booking: Booking, contact: Record) -> list[Recipient]:
        return recipients_of(booking, contact, self._site.language)

    async def _former(
        self, payload: Record, booking: Booking, present: Sequence[Recipient]
    ) -> list[Recipient]:
        """Return who had a ticket before it was given away, unless a present recipient has the address."""
        ticket = next((t for t in booking.tickets if t.id == payload["ticket_id"]), None)
        if ticket is None:
            return []
        person = ticket.first_holder
        if payload["issue"] > 1:
            given_to = await self._rows.given_to(ticket.id, payload["issue"] - 1)
            person = person_given(given_to, ticket.id, self._cipher) if given_to else {}
        email = person.get("email") or ""
        if not email or email.casefold() in {recipient.email.casefold() for recipient in present}:
            return []
        language = chosen_language(ticket.people.get("language"), self._site.language)
        reader = Reader(person["full_name"], words_in(language), owner=False)
        return [Recipient(FORMER, email, reader, booking)]

    def _bookings(self, records: Sequence[Record]) -> list[Booking]:
        return bookings_of(records, self._site.codes, self._cipher)

    def _reader(self, contact: Record) -> Reader:
        language = chosen_language(contact["language"], self._site.language)
        return Reader(contact["full_name"], words_in(language))

    async def _send(self, message: Message, letter: Letter, email: str, words: Words) -> None:
        # Drawing a QR code takes milliseconds, too long for the event loop.
        mail = await asyncio.to_thread(message_of, letter, email, words)
        if (request_id := message.payload.get("request_id")) is not None:
            mail["X-Request-ID"] = request_id
        await self._mailer.deliver(mail, message.uid)


def _json(payload: Record) -> str:
    return orjson.dumps(payload).decode()


def _time_like(text: str, example: datetime) -> datetime:
    """Return a time of a payload in the time zone of another time."""
    return datetime.fromisoformat(text).astimezone(example.tzinfo)

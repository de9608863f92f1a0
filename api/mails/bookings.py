"""A booking as mails describe it, made from the rows of its tickets."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from api.mails.calendar_entry import Visit
from api.mails.languages import Words
from api.mails.letters import Occasion, TicketLine, one_line
from api.papers.cipher import Cipher
from api.papers.papers import people_on, printed_code
from api.papers.ticket_codes import CodeContents, TicketCodes
from api.venue_time import local_time

Record = Mapping[str, Any]


class BookedTicket(NamedTuple):
    """One ticket of a booking.

    Attributes:
        row_label, seat_number: of a seat; empty for an event.
        kind: name of the ticket type of an event; empty for a seat.
        code: for reading aloud.
        issue: how often it was given to somebody else.
        people: `buyer`, `holder` and their `language`, as far as they are known.
        first_holder: who was named at the purchase of a ticket of an event.
    """

    id: int
    seat_id: int
    row_label: str
    seat_number: int | None
    kind: str
    code: str
    price: Decimal
    status: str
    payment_id: str | None
    payment_deadline: datetime | None
    cancelled_at: datetime | None
    issue: int
    people: Mapping[str, Any]
    first_holder: Mapping[str, Any] = {}

    def place(self, words: Words) -> str:
        """Return the seat or the kind of ticket."""
        return place_in(words, self.row_label, self.seat_number, self.kind)


class Booking(NamedTuple):
    """The tickets that were bought at once, and what they are for.

    Attributes:
        screening_id: the screening or event.
        is_event: whether it is an event.
        starts_at, ends_at: in the venue's time zone.
        place: venue, room and address.
        revision: how often the screening has been moved.
        called_off: whether the screening was cancelled.
        tickets: those for this screening, in any status.
        moves: grows with each move of a ticket of the booking, by more than any revision before it.
        entry: name of the calendar entry: tickets of one booking for several screenings have one for each.
    """

    id: int
    screening_id: int
    is_event: bool
    holder: str
    title: str
    starts_at: datetime
    ends_at: datetime
    place: str
    revision: int
    called_off: bool
    tickets: Sequence[BookedTicket]
    moves: int = 0
    entry: str = ""

    def of_status(self, *statuses: str) -> list[BookedTicket]:
        """Return the tickets in one of these statuses."""
        return [ticket for ticket in self.tickets if ticket.status in statuses]

    def shown_title(self, words: Words) -> str:
        return _title(self.title, words)

    def occasion(self, words: Words) -> Occasion:
        return Occasion(self.shown_title(words), words.moment(self.starts_at), self.place)

    def visit(self, words: Words, currency: str, organizer: str, sequence_at: int | None = None) -> Visit:
        """Return the calendar entry, which is cancelled once no ticket stands.

        Args:
            words: the language.
            currency: of the prices.
            organizer: mail address of the sender.
            sequence_at: revision of the screening that the entry shows, if it is not the latest.
        """
        standing = self.of_status("confirmed", "pending")
        ended = len(self.tickets) - len(standing)
        return Visit(
            uid=f"booking-{self.entry or self.id}@frontrow",
            # Neither part ever shrinks, and each change of the entry raises one of them.
            sequence=(self.revision if sequence_at is None else sequence_at) + ended + self.moves,
            cancelled=not standing,
            organizer=organizer,
            summary=self.shown_title(words),
            location=self.place,
            description="\n".join(
                f"{line.place}, {line.details}"
                for line in lines_of(standing or self.tickets, words, currency)
            ),
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            updated_at=datetime.now(UTC),
        )

    def contents_of_code(self, ticket: BookedTicket) -> CodeContents:
        """Return what the QR code of a ticket says."""
        return CodeContents(ticket.id, self.screening_id, ticket.seat_id, ticket.issue)


def bookings_of(records: Iterable[Record], codes: TicketCodes, cipher: Cipher) -> list[Booking]:
    """Group rows of tickets (`persistence.catalogue.tickets.PRINTED`) into bookings, in their order.

    A booking whose tickets have been moved to several screenings comes once for each of them. The calendar
    entry of the booking is that of its first ticket that stands.

    Args:
        records: the rows.
        codes: makes the codes of tickets.
        cipher: decrypts who has them.
    """
    grouped: dict[int, dict[int, list[Record]]] = {}
    for record in records:
        grouped.setdefault(record["booking_id"], {}).setdefault(record["screening_id"], []).append(record)
    bookings = []
    for booking_id, by_screening in grouped.items():
        tickets = [record for part in by_screening.values() for record in part]
        standing = [record for record in tickets if record["status"] in ("confirmed", "pending")]
        first = min(standing or tickets, key=lambda record: record["ticket_id"])
        for screening_id, part in by_screening.items():
            is_first = screening_id == first["screening_id"]
            entry = str(booking_id) if is_first else f"{booking_id}-{screening_id}"
            bookings.append(_booking(part, codes, cipher)._replace(entry=entry))
    return bookings


def lines_of(tickets: Iterable[BookedTicket], words: Words, currency: str) -> list[TicketLine]:
    """Return the lines of tickets in a letter, without QR codes."""
    return [
        TicketLine(
            ticket.place(words),
            words.text(
                "ticket %(code)s, %(price)s", code=ticket.code, price=words.money(ticket.price, currency)
            ),
        )
        for ticket in tickets
    ]


def lines_with_codes(
    booking: Booking, tickets: Sequence[BookedTicket], words: Words, currency: str, codes: TicketCodes
) -> list[TicketLine]:
    """Return the lines of tickets in a letter, with their QR codes."""
    lines = lines_of(tickets, words, currency)
    return [
        line._replace(code=codes.code(booking.contents_of_code(ticket)), file_name=f"ticket-{ticket.id}")
        for line, ticket in zip(lines, tickets, strict=True)
    ]


def place_in(words: Words, row_label: str | None, seat_number: int | None, kind: str | None) -> str:
    """Return a seat, or a kind of ticket, as mails call it."""
    if seat_number is None:
        return one_line(kind)
    return words.text("Row %(row)s, seat %(seat)s", row=one_line(row_label), seat=seat_number)


def occasion_of(record: Record, words: Words) -> Occasion:
    """Return what a record of a screening or event is for."""
    begins = local_time(record["starts_at"], record["time_zone"])
    return Occasion(_title(record["title"], words), words.moment(begins), _place(record))


def _title(title: str, words: Words) -> str:
    return one_line(title) or words.text("your visit")


def _place(record: Record) -> str:
    parts = (record["cinema_name"], record["room_name"], record["address"])
    return ", ".join(filter(None, map(one_line, parts)))


def _booking(records: Sequence[Record], codes: TicketCodes, cipher: Cipher) -> Booking:
    first = records[0]
    return Booking(
        id=first["booking_id"],
        screening_id=first["screening_id"],
        is_event=first["event_id"] is not None,
        holder=first["holder"],
        title=first["title"],
        starts_at=local_time(first["starts_at"], first["time_zone"]),
        ends_at=local_time(first["ends_at"], first["time_zone"]),
        place=_place(first),
        revision=first["revision"],
        moves=int(first["moves"]),
        called_off=first["called_off"],
        tickets=[
            BookedTicket(
                id=record["ticket_id"],
                seat_id=record["seat_id"],
                row_label=record["row_label"] or "",
                seat_number=record["seat_number"],
                kind=record["type_name"] or "",
                code=printed_code(record, codes),
                price=record["price"],
                status=record["status"],
                payment_id=record["payment_id"],
                payment_deadline=record["payment_deadline"],
                cancelled_at=record["cancelled_at"],
                issue=record["issue"],
                people=people_on(record, cipher),
                first_holder=people_on({**record, "given_to": None}, cipher).get("holder", {}),
            )
            for record in records
        ],
    )

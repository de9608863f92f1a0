"""One letter of each cause, for tests of how mails read and look."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from api.mails import links, refunds, wordings
from api.mails.bookings import BookedTicket, Booking
from api.mails.languages import words_in
from api.mails.letters import Letter
from api.papers.ticket_codes import TicketCodes

BERLIN = ZoneInfo("Europe/Berlin")

TICKETS = [
    BookedTicket(
        id=2001 + number,
        seat_id=41 + number,
        row_label="A",
        seat_number=number + 1,
        kind="",
        code=str(2001 + number),
        price=Decimal("12.50"),
        status="confirmed",
        payment_id="pi_1",
        payment_deadline=None,
        cancelled_at=None,
        issue=0,
        people={},
    )
    for number in range(2)
]
BOOKING = Booking(
    id=2001,
    screening_id=1,
    is_event=False,
    holder="user:7",
    title="Brass and Thunder",
    starts_at=datetime(2026, 10, 2, 20, tzinfo=BERLIN),
    ends_at=datetime(2026, 10, 2, 22, tzinfo=BERLIN),
    place="Lumen Picture House, Great Hall, 1 Projection Lane, Demo City",
    revision=0,
    called_off=False,
    tickets=TICKETS,
)
GIVEN = [TICKETS[0]._replace(issue=1, people={"holder": {"full_name": "Grace Hopper"}})]
CANCELLED = [ticket._replace(status="cancelled") for ticket in TICKETS]
PENDING = [ticket._replace(status="pending") for ticket in TICKETS]
NOON = datetime(2026, 10, 1, 12, tzinfo=BERLIN)
SITE = wordings.Site(
    lambda: "https://cinema.example", "EUR", "tickets@cinema.example", TicketCodes(b"s" * 32), "en"
)


def letters_in(language: str, site: wordings.Site = SITE) -> Mapping[str, Letter]:
    """Return a letter of each cause by its name."""
    reader = wordings.Reader("Ann Bird", words_in(language))
    partly = BOOKING._replace(tickets=[CANCELLED[0], TICKETS[1]])
    by_buyer = wordings.Cancellation(CANCELLED[:1], True, Decimal("12.50"), True)
    by_venue = wordings.Cancellation(CANCELLED[:1], False, Decimal("12.50"), False)
    both = wordings.Cancellation(CANCELLED, False, Decimal("25"), True)
    unpaid = wordings.Cancellation([PENDING[0]._replace(payment_id=None)], True, Decimal(0), False)
    move = wordings.Move(1, BOOKING.starts_at, BOOKING.starts_at + timedelta(days=1, minutes=30))
    replaced = wordings.Move(2, BOOKING.starts_at, BOOKING.starts_at, "Low Water", "Harbour Hall")
    occasion = BOOKING.occasion(reader.words)
    refund = refunds.Refund(Decimal("12.50"), "EUR", "pi_123", "RE-77", True)
    for_seats = refund._replace(occasion=occasion, places=[ticket.place(reader.words) for ticket in TICKETS])
    held = [wordings.HeldPlace("A", seat, None, NOON + timedelta(seconds=60 * seat)) for seat in (1, 2)]
    page = "https://cinema.example/my-tickets#guest"
    called_off = BOOKING._replace(tickets=CANCELLED, called_off=True)
    return {
        "booked": wordings.booked(BOOKING, TICKETS, reader, site),
        "given": wordings.given(BOOKING, GIVEN, reader, site),
        "given-to-you": wordings.given(BOOKING, GIVEN, reader._replace(owner=False), site),
        "given-away": wordings.given_away(BOOKING, GIVEN, reader, site),
        "cancelled": wordings.cancelled(partly, by_buyer, reader, site),
        "cancelled-by-venue": wordings.cancelled(partly, by_venue, reader, site),
        "cancelled-unpaid": wordings.cancelled(partly, unpaid, reader, site),
        "called-off": wordings.cancelled(called_off, both, reader, site),
        "moved": wordings.moved(BOOKING, move, reader, site),
        "replaced": wordings.moved(BOOKING, replaced, reader, site),
        "payment-ending": wordings.payment_ending(BOOKING._replace(tickets=PENDING), NOON, reader, site),
        "hold-ending": wordings.hold_ending(
            occasion, held, "https://cinema.example/screenings/1/checkout", reader
        ),
        "waitlist-offered": wordings.waitlist_offered(
            BOOKING.occasion(reader.words), 2, NOON, "https://cinema.example/screenings/1/checkout", reader
        ),
        "seat-free": wordings.seat_free(
            BOOKING.occasion(reader.words), "A", 1, "https://cinema.example/screenings/1", reader
        ),
        "refund-owed": refunds.refund_owed(for_seats, reader),
        "surplus-owed": refunds.refund_owed(refund._replace(surplus=True), reader),
        "refund-settled": refunds.refund_settled(for_seats, reader),
        "password-reset": links.password_reset(f"{page}=1", 30, reader),
        "ticket-links": links.ticket_links([f"{page}=1", f"{page}=2"], 30, reader),
    }

"""The texts of mails: one function for each cause, which returns the letter in the reader's language.

Each letter says what happened, what it means for the money, and what to do. The English texts identify their
translations; after a change of one, change `catalogues/*.po` too.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from api.mails.bookings import BookedTicket, Booking, lines_of, lines_with_codes, place_in
from api.mails.languages import Words
from api.mails.letters import Button, Letter, Occasion, TicketLine, one_line
from api.papers.ticket_codes import TicketCodes

_NAME_SHOWN = 60
"""Longest name in a greeting."""
_DOT = r"[.\u3002\uff0e\uff61]"
_LINK = re.compile(rf"://|www{_DOT}|{_DOT}[^\W\d_]|@", re.IGNORECASE)


class Site(NamedTuple):
    """Settings that all mails share.

    Attributes:
        url: returns what links start with; the port is known once the server listens.
        currency: of all amounts (ISO 4217); empty for bare numbers.
        sender: mail address.
        codes: signs the QR codes.
        language: of readers whose language is unknown.
    """

    url: Callable[[], str]
    currency: str
    sender: str
    codes: TicketCodes
    language: str

    def my_tickets(self, words: Words) -> Button:
        return Button(words.text("Show my tickets"), f"{self.url()}/my-tickets")

    def details_of(self, booking: Booking) -> str:
        kind = "events" if booking.is_event else "screenings"
        return f"{self.url()}/{kind}/{booking.screening_id}"


def shown_name(name: str) -> str:
    """Return the name of a person as a mail shows it; empty if it must not.

    Buyers choose names, and the mail may go to somebody else: a name must not look like our text, nor carry a
    link, which mail programs make of anything that looks like one.
    """
    shown = one_line(name)
    return "" if len(shown) > _NAME_SHOWN or _LINK.search(shown) else shown


class Reader(NamedTuple):
    """The reader of the letter.

    Attributes:
        name: as the reader gave it, possibly empty.
        words: the language.
        owner: whether the reader bought the tickets, and does not only hold one of them.
    """

    name: str
    words: Words
    owner: bool = True

    @property
    def greeting(self) -> str:
        name = shown_name(self.name)
        if not name:
            return self.words.text("Hello,")
        return self.words.text("Hello %(name)s,", name=name)


def booked(booking: Booking, tickets: Sequence[BookedTicket], reader: Reader, site: Site) -> Letter:
    """The tickets, with their QR codes."""
    words, title = reader.words, booking.shown_title(reader.words)
    return Letter(
        subject=words.text("Your tickets for %(title)s", title=title),
        heading=words.text("Your booking is confirmed"),
        tone="good",
        paragraphs=[
            reader.greeting,
            words.text("Booking %(booking)s is confirmed.", booking=booking.id),
        ],
        occasion=booking.occasion(words),
        tickets=lines_with_codes(booking, tickets, words, site.currency, site.codes),
        button=site.my_tickets(words) if reader.owner else None,
        closing=words.text("Each QR code admits one person. Show it at the door, on paper or on a screen."),
        visit=booking.visit(words, site.currency, site.sender),
    )


def given(booking: Booking, tickets: Sequence[BookedTicket], reader: Reader, site: Site) -> Letter:
    """A ticket was given to somebody else: to its owner and to its new holder."""
    words, title = reader.words, booking.shown_title(reader.words)
    if reader.owner:
        heading = words.text("Your ticket has a new holder")
        name = shown_name(tickets[0].people.get("holder", {}).get("full_name", ""))
        if name:
            happened = words.text("This ticket for %(title)s is for %(name)s now.", title=title, name=name)
        else:
            happened = words.text("This ticket for %(title)s is for somebody else now.", title=title)
    else:
        heading = words.text("You have got a ticket")
        happened = words.text("This ticket for %(title)s was given to you.", title=title)
    return Letter(
        subject=words.text("A ticket for %(title)s", title=title),
        heading=heading,
        tone="good",
        paragraphs=[
            reader.greeting,
            happened,
            words.text("Only the QR code below admits. Earlier ones of this ticket are void."),
        ],
        occasion=booking.occasion(words),
        tickets=lines_with_codes(booking, tickets, words, site.currency, site.codes),
        button=site.my_tickets(words) if reader.owner else None,
        closing=words.text("Each QR code admits one person. Show it at the door, on paper or on a screen."),
        visit=None if reader.owner else booking.visit(words, site.currency, site.sender),
    )


def given_away(booking: Booking, tickets: Sequence[BookedTicket], reader: Reader, site: Site) -> Letter:
    """A ticket was given to somebody else: to its former holder."""
    words, title = reader.words, booking.shown_title(reader.words)
    return Letter(
        subject=words.text("Not your ticket any more: %(title)s", title=title),
        heading=words.text("Somebody else has this ticket now"),
        tone="bad",
        paragraphs=[
            reader.greeting,
            words.text("The ticket for %(title)s that you had was given to somebody else.", title=title),
            words.text("If you did not expect this, please ask the buyer of the ticket."),
        ],
        occasion=booking.occasion(words),
        tickets=[line._replace(details="") for line in lines_of(tickets, words, site.currency)],
        void=True,
        closing=words.text("Your QR code admits nobody any more."),
    )


class Cancellation(NamedTuple):
    """Tickets of a booking that were cancelled at once.

    Attributes:
        by_buyer: whether the buyer did it.
        owed: what is owed to the buyer for them.
        vouched: whether somebody other than the buyer has confirmed the payment.
    """

    tickets: Sequence[BookedTicket]
    by_buyer: bool
    owed: Decimal
    vouched: bool


def cancelled(booking: Booking, cancellation: Cancellation, reader: Reader, site: Site) -> Letter:
    """Tickets were cancelled, by the buyer, by the venue, or with their screening."""
    words, title, count = reader.words, booking.shown_title(reader.words), len(cancellation.tickets)
    if booking.called_off:
        subject = words.text("Cancelled: %(title)s", title=title)
        heading = words.text("Sorry, this is cancelled")
        happened = words.plural(
            "The venue has cancelled %(title)s. So your ticket is cancelled too.",
            "The venue has cancelled %(title)s. So your %(count)s tickets are cancelled too.",
            count,
            title=title,
        )
    else:
        subject = words.text("Cancelled tickets for %(title)s", title=title)
        heading = words.plural("Your ticket is cancelled", "Your tickets are cancelled", count)
        if cancellation.by_buyer:
            happened = words.plural(
                "We have cancelled this ticket, as you asked.",
                "We have cancelled these %(count)s tickets, as you asked.",
                count,
            )
        else:
            happened = words.plural(
                "The venue has cancelled this ticket.",
                "The venue has cancelled these %(count)s tickets.",
                count,
            )
    paragraphs = [reader.greeting, happened]
    if reader.owner:
        paragraphs += _money_for_cancelled(cancellation, words, site)
    if standing := len(booking.of_status("confirmed", "pending")):
        paragraphs.append(
            words.plural(
                "Your other ticket of this booking stays valid.",
                "Your other %(count)s tickets of this booking stay valid.",
                standing,
            )
        )
    return Letter(
        subject=subject,
        heading=heading,
        tone="bad",
        paragraphs=paragraphs,
        occasion=booking.occasion(words),
        tickets=lines_of(cancellation.tickets, words, site.currency),
        void=True,
        closing=words.plural(
            "The QR code of a cancelled ticket admits nobody.",
            "The QR codes of cancelled tickets admit nobody.",
            count,
        ),
        visit=booking.visit(words, site.currency, site.sender),
    )


def _money_for_cancelled(cancellation: Cancellation, words: Words, site: Site) -> list[str]:
    if cancellation.owed:
        amount = words.money(cancellation.owed, site.currency)
        return [will_be_refunded(amount, words, vouched=cancellation.vouched)]
    if all(ticket.payment_id is None or not ticket.price for ticket in cancellation.tickets):
        return [words.text("Nothing was paid, so there is nothing to refund.")]
    return [words.text("If you have paid, please ask where you paid about your money.")]


def will_be_refunded(amount: str, words: Words, *, vouched: bool) -> str:
    """Say that money goes back to the buyer.

    Args:
        amount: as it is shown.
        words: the language.
        vouched: whether somebody other than the buyer has confirmed the payment.
    """
    if vouched:
        return words.text(
            "You get %(amount)s back, the way you paid. You do not have to do anything: we write again as "
            "soon as the money is on its way.",
            amount=amount,
        )
    return words.text(
        "If you have paid, you get %(amount)s back, the way you paid. You do not have to do anything: we "
        "write again as soon as the money is on its way.",
        amount=amount,
    )


class Move(NamedTuple):
    """A change of a screening, as calendars number it.

    Attributes:
        revision: of the screening after the change.
        before, after: when it begins, in the venue's time zone.
        title_before: what was shown before; empty if that has not changed.
        place_before: where it was before; empty if that has not changed.
    """

    revision: int
    before: datetime
    after: datetime
    title_before: str = ""
    place_before: str = ""


def moved(booking: Booking, move: Move, reader: Reader, site: Site) -> Letter:
    """A screening or event has another time, title or place; the tickets stay valid."""
    words = reader.words
    booking = booking._replace(
        starts_at=move.after, ends_at=move.after + (booking.ends_at - booking.starts_at)
    )
    title = booking.shown_title(words)
    happened = []
    if move.before != move.after:
        happened.append(
            words.text(
                "%(title)s begins at another time: %(after)s. Until now it was: %(before)s.",
                title=title,
                after=words.moment(move.after),
                before=words.moment(move.before),
            )
        )
    if move.title_before:
        happened.append(
            words.text(
                "%(title)s is shown in place of %(before)s.", title=title, before=one_line(move.title_before)
            )
        )
    if move.place_before:
        happened.append(
            words.text(
                "The place is now: %(after)s. Until now it was: %(before)s.",
                after=booking.place,
                before=one_line(move.place_before),
            )
        )
    standing = booking.of_status("confirmed", "pending")
    stays = words.plural(
        "Your ticket and its QR code stay valid, and you pay nothing more.",
        "Your %(count)s tickets and their QR codes stay valid, and you pay nothing more.",
        len(standing),
    )
    paragraphs = [reader.greeting, *happened, stays]
    if reader.owner:
        paragraphs.append(
            words.text("If that does not suit you, you can cancel on the page “My tickets” before it begins.")
        )
    return Letter(
        subject=words.text("Changed: %(title)s", title=title),
        heading=words.text("Please note the change"),
        tone="plain",
        paragraphs=paragraphs,
        occasion=booking.occasion(words),
        tickets=lines_of(standing, words, site.currency),
        button=site.my_tickets(words) if reader.owner else None,
        closing=words.text("The attached calendar entry replaces the earlier one."),
        visit=booking.visit(words, site.currency, site.sender, move.revision),
    )


def payment_ending(booking: Booking, deadline: datetime, reader: Reader, site: Site) -> Letter:
    """Tickets are not paid yet, and lapse soon."""
    words, title, pending = reader.words, booking.shown_title(reader.words), booking.of_status("pending")
    return Letter(
        subject=words.text("Please pay soon: %(title)s", title=title),
        heading=words.text("Your payment is missing"),
        tone="plain",
        paragraphs=[
            reader.greeting,
            words.plural(
                "Your ticket is not paid yet. We keep it for you until %(time)s.",
                "Your %(count)s tickets are not paid yet. We keep them for you until %(time)s.",
                len(pending),
                time=words.time(deadline),
            ),
            words.text(
                "If you have paid already, ignore this mail. If you do not want to come, you do not have to "
                "do anything: without a payment the booking ends by itself and costs nothing."
            ),
        ],
        occasion=booking.occasion(words),
        tickets=lines_of(pending, words, site.currency),
        button=site.my_tickets(words),
    )


class HeldPlace(NamedTuple):
    """A reserved seat, or a reserved ticket of a kind.

    Attributes:
        row_label, seat_number: of a seat; None for an event.
        kind: name of the ticket type of an event; None for a seat.
        until: when it is free for others again, in the venue's time zone.
    """

    row_label: str | None
    seat_number: int | None
    kind: str | None
    until: datetime

    def line(self, words: Words) -> TicketLine:
        place = place_in(words, self.row_label, self.seat_number, self.kind)
        return TicketLine(place, words.text("reserved until %(time)s", time=words.time(self.until)))


def hold_ending(occasion: Occasion, places: Sequence[HeldPlace], url: str, reader: Reader) -> Letter:
    """Reserved seats are about to be free for others again.

    Args:
        occasion: what they are for.
        places: all that the reader has reserved for it.
        url: of the checkout.
        reader: who has reserved them.
    """
    words, until = reader.words, min(place.until for place in places)
    return Letter(
        subject=words.text("Your seats are reserved until %(time)s", time=words.time(until)),
        heading=words.text("Your reservation is about to end"),
        tone="plain",
        paragraphs=[
            reader.greeting,
            words.plural(
                "We keep your seat for %(title)s until %(time)s. Then others can take it.",
                "We keep your %(count)s seats for %(title)s until %(time)s. Then others can take them.",
                len(places),
                title=occasion.title,
                time=words.time(until),
            ),
            words.text("Nothing has been paid. If you do not want to come, you do not have to do anything."),
        ],
        occasion=occasion,
        tickets=[place.line(words) for place in places],
        button=Button(words.text("Continue to the checkout"), url),
        closing=words.text("You get this mail because your preferences ask for it."),
    )


def waitlist_offered(occasion: Occasion, seats: int, until: datetime, url: str, reader: Reader) -> Letter:
    """Seats are reserved for somebody who has waited for them."""
    words = reader.words
    return Letter(
        subject=words.text("It is your turn: %(title)s", title=occasion.title),
        heading=words.text("It is your turn"),
        tone="good",
        paragraphs=[
            reader.greeting,
            words.plural(
                "You have waited for a seat for %(title)s. One is reserved for you until %(time)s.",
                "You have waited for %(count)s seats for %(title)s. They are reserved for you until "
                "%(time)s.",
                seats,
                title=occasion.title,
                time=words.time(until),
            ),
            words.text("If you do not buy by then, the next in line gets the chance."),
        ],
        occasion=occasion,
        button=Button(words.text("Continue to the checkout"), url),
    )


def seat_free(occasion: Occasion, row: str, number: int, url: str, reader: Reader) -> Letter:
    """A seat is free, and the reader wanted to be told about it."""
    words = reader.words
    seat = place_in(words, row, number, None)
    return Letter(
        subject=words.text("A seat is free: %(seat)s", seat=seat),
        heading=words.text("The seat is free"),
        tone="good",
        paragraphs=[
            reader.greeting,
            words.text(
                "You wanted to know when this seat for %(title)s is free: %(seat)s. It is free now, but not "
                "reserved for you.",
                title=occasion.title,
                seat=seat,
            ),
        ],
        occasion=occasion,
        button=Button(words.text("Choose seats"), url),
        closing=words.text("You get this mail because you have asked for it."),
    )

"""Recipients of mails about a booking: its owner, the buyer of event tickets, each ticket's holder.

The addresses of buyers and holders are encrypted in the tickets (`api.papers.papers`). Nobody gets the
same mail twice: a person with several roles gets the mail of the first.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from api.mails.bookings import Booking
from api.mails.languages import chosen_language, words_in
from api.mails.wordings import Reader

OWNER, BUYER = "owner", "buyer"
FORMER = "former"
"""The person who had a ticket before it was given to somebody else."""


class Recipient(NamedTuple):
    """A person to write to.

    Attributes:
        role: names the person among those of the booking.
        email: the address.
        reader: name and language.
        booking: with the tickets that concern this person.
    """

    role: str
    email: str
    reader: Reader
    booking: Booking


def recipients_of(booking: Booking, contact: Mapping[str, Any], language: str) -> list[Recipient]:
    """Return everybody to write to about a booking, each address once.

    Args:
        booking: the booking.
        contact: `email`, `full_name` and `language` of its owner; the address is None if there is none.
        language: of people whose language is unknown.
    """
    found: dict[str, Recipient] = {}
    for recipient in _all(booking, contact, language):
        known = found.setdefault(recipient.email.casefold(), recipient)
        if known is not recipient and not known.reader.owner:
            # Several tickets for one holder.
            tickets = [*known.booking.tickets, *recipient.booking.tickets]
            found[recipient.email.casefold()] = known._replace(
                booking=known.booking._replace(tickets=tickets)
            )
    return list(found.values())


def _all(booking: Booking, contact: Mapping[str, Any], language: str) -> Iterator[Recipient]:
    bought = [ticket.people for ticket in booking.tickets if "buyer" in ticket.people]
    browser = chosen_language(bought[0].get("language") if bought else None, language)
    if contact["email"]:
        words = words_in(chosen_language(contact["language"], browser))
        yield Recipient(OWNER, contact["email"], Reader(contact["full_name"], words), booking)
    # Guests whom an administrator serves at the counter may have no address.
    for buyer in [people["buyer"] for people in bought[:1] if people["buyer"]["email"]]:
        yield Recipient(BUYER, buyer["email"], Reader(buyer["full_name"], words_in(browser)), booking)
    for ticket in booking.tickets:
        holder = ticket.people.get("holder", {})
        if not holder.get("email"):
            continue
        reader = Reader(holder["full_name"], words_in(browser), owner=False)
        yield Recipient(f"holder-{ticket.id}", holder["email"], reader, booking._replace(tickets=[ticket]))


def find(recipients: Sequence[Recipient], role: str) -> Recipient | None:
    """Return the recipient in a role, if there still is one."""
    return next((one for one in recipients if one.role == role), None)

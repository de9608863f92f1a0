"""Limits on the seats and tickets of one person, over all purchases.

A person is a holder: a user with all its sessions, a guest's token, or a session of the public API. Counted
are what the person holds and its live tickets, also those that are not paid for yet. A ticket counts from
the decision that issues it until the database has committed its end, so requests that come together cannot
exceed a limit. A hold that has ended and a cancelled or lapsed ticket do not count.

Screenings without a limit keep no counts. In others a check takes the same time however many tickets the
screening has sold: tickets are counted by owner, and what somebody holds is few (`Policy.held_seats_limit`).
"""

from collections.abc import Mapping, Sequence

from engine.places import ticket_type_of
from engine.records import Hold, ScreeningInfo, Ticket
from engine.rule_errors import PersonLimitExceeded

_ALL = 0
"""Stands for all seats and ticket types of a screening."""


def limits_of(info: ScreeningInfo) -> "PersonLimits | None":
    """The limits of a screening or event; None if neither it nor any of its ticket types has one."""
    kinds = info.ticket_types.values()
    by_type = {kind.id: kind.max_per_user for kind in kinds if kind.max_per_user is not None}
    limit = info.rules.max_per_user
    return PersonLimits(limit, by_type) if by_type or limit is not None else None


class PersonLimits:
    """The limits of a screening, and the number of live tickets of each owner.

    Args:
        limit: for the whole screening or event; None for none.
        by_type: for ticket types, by their ids.
    """

    __slots__ = ("_by_type", "_limit", "_tickets")

    def __init__(self, limit: int | None, by_type: Mapping[int, int]) -> None:
        self._limit = limit
        self._by_type = by_type
        self._tickets: dict[tuple[str, int], int] = {}

    def require(
        self,
        person: str,
        held: Sequence[int],
        wanted: int,
        returned: int = 0,
        ordered: Mapping[int, int] | None = None,
    ) -> None:
        """Check that a person may get seats or places.

        Args:
            person: who gets them.
            held: the seats and places that the person holds.
            wanted: number of those that it neither holds nor owns yet.
            returned: number of held seats that the same command releases.
            ordered: number of wanted places by ticket type.

        Raises:
            PersonLimitExceeded: the person would have more than a limit allows.
        """
        if self._limit is not None:
            bought = self.bought(person)
            if len(held) - returned + bought + wanted > self._limit:
                raise PersonLimitExceeded(self._limit, len(held), bought, wanted)
        if not ordered:
            return
        for kind, number in ordered.items():
            if (limit := self._by_type.get(kind)) is not None:
                of_type, bought = len(_of_type(held, kind)), self.bought(person, kind)
                if of_type + bought + number > limit:
                    raise PersonLimitExceeded(limit, of_type, bought, number, kind)

    def bought(self, owner: str, ticket_type_id: int = _ALL) -> int:
        """Number of live tickets of an owner, in all or of one type."""
        return self._tickets.get((owner, ticket_type_id), 0)

    def count(self, ticket: Ticket, number: int = 1) -> None:
        """Add `number` to the counts that a ticket belongs to."""
        kinds = (_ALL,) if ticket.seat_id > 0 else (_ALL, ticket_type_of(ticket.seat_id))
        for kind in kinds:
            key = ticket.holder, kind
            if left := self._tickets.get(key, 0) + number:
                self._tickets[key] = left
            else:
                del self._tickets[key]

    def begin(self, before: Hold | Ticket | None, after: Ticket | None) -> None:
        """A pending write is to replace the record of a seat: count the new ticket already."""
        if after is not None and not _same_owner(before, after):
            self.count(after)

    def settle(self, before: Hold | Ticket | None, after: Ticket | None) -> None:
        """The write was committed: do not count the earlier ticket any more."""
        if isinstance(before, Ticket) and not _same_owner(before, after):
            self.count(before, -1)

    def abort(self, before: Hold | Ticket | None, after: Ticket | None) -> None:
        """The write was rejected: do not count the new ticket any more."""
        if after is not None and not _same_owner(before, after):
            self.count(after, -1)


def _same_owner(before: Hold | Ticket | None, after: Ticket | None) -> bool:
    """True if both are tickets of one owner, whose count stays the same."""
    return isinstance(before, Ticket) and after is not None and before.holder == after.holder


def _of_type(seat_ids: Sequence[int], ticket_type_id: int) -> list[int]:
    return [seat_id for seat_id in seat_ids if seat_id < 0 and ticket_type_of(seat_id) == ticket_type_id]

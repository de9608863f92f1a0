"""The errors of changing the catalogue. See `engine.errors` for the rules.

EngineError
├── NotFound
│   └── NoAccount
├── UnknownReference                                     a value refers to something that does not exist
└── Refused
    ├── AlreadyExists, InUse, Overlapping
    ├── SeatConflict, SeatsInUse, CapacityTooLow, IllegalStatusChange
    ├── RoomLimitReached, WebhookLimitReached
    ├── MessageDelivered
    └── TicketNotConfirmed, NoMailAddress
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.errors import EngineError, NotFound, Refused


class NoAccount(NotFound):
    """The caller's token is valid, but the caller has no account here that could own anything."""

    code = "user_not_found"

    def __init__(self) -> None:
        EngineError.__init__(self, "You have no account here")


class UnknownReference(EngineError):
    """A value refers to something that does not exist.

    Args:
        field: the name of the value.
    """

    code = "unknown_reference"

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} does not refer to an existing record")
        self.errors = {field: ["Does not refer to an existing record."]}


class AlreadyExists(Refused):
    """It exists already, and there can only be one.

    Args:
        kind: what it is, e.g. "review"; the code is derived from it.
        reason: the message.
    """

    code = "already_exists"

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.code = f"{kind}_exists"


class InUse(Refused):
    """It cannot be deleted while others refer to it."""

    code = "in_use"

    def __init__(self, kind: str, record_id: int | str) -> None:
        super().__init__(f"{kind.replace('_', ' ').capitalize()} {record_id} is in use and cannot be deleted")


class Overlapping(Refused):
    """The room has another screening at that time."""

    code = "screening_overlap"
    detail = "Another screening takes place in this room at that time"


class SeatConflict(Refused):
    """New seats would overlap existing ones.

    Args:
        conflicts: the existing seats, each with its differences.
    """

    code = "seat_conflict"

    def __init__(self, conflicts: Iterable[Mapping[str, Any]]) -> None:
        self.conflicts = [dict(conflict) for conflict in conflicts]
        names = "; ".join(f"row {seat['row_label']}, seat {seat['seat_number']}" for seat in self.conflicts)
        super().__init__(f"Existing seats differ from the new ones: {names}")


class SeatsInUse(Refused):
    """The screening cannot move to a room that lacks seats that are sold or reserved."""

    code = "seats_in_use"

    def __init__(self, seat_ids: Sequence[int]) -> None:
        super().__init__(f"The new room lacks seats that are sold or reserved: {list(seat_ids)}")
        self.seat_ids = tuple(seat_ids)


class CapacityTooLow(Refused):
    """More tickets of a type are sold and reserved than its new capacity."""

    code = "capacity_too_low"

    def __init__(self, ticket_type_id: int, capacity: int, sold: int, reserved: int) -> None:
        super().__init__(f"A capacity of {capacity} is too low: {sold} are sold and {reserved} reserved")
        self.ticket_type_id = ticket_type_id
        self.capacity = capacity
        self.sold = sold
        self.reserved = reserved


class IllegalStatusChange(Refused):
    """The ticket's status does not permit the new status."""

    code = "illegal_transition"

    def __init__(self, ticket_id: int, status: str, wanted: str) -> None:
        super().__init__(f"Ticket {ticket_id} is {status} and cannot become {wanted}")
        self.ticket_id = ticket_id
        self.status = status


class TicketNotConfirmed(Refused):
    """The ticket is not confirmed, so it does not admit anybody."""

    code = "ticket_not_confirmed"

    def __init__(self, ticket_id: int, status: str) -> None:
        super().__init__(f"Ticket {ticket_id} is {status}")
        self.ticket_id = ticket_id
        self.status = status


class NoMailAddress(Refused):
    """No mail address of the caller is known."""

    code = "no_mail_address"
    detail = "You have no e-mail address here to which a mail could be sent"


class RoomLimitReached(Refused):
    """The limit on free rooms is reached."""

    code = "room_limit_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(f"There are {limit} rooms already; use one of them, or try again later")
        self.limit = limit


class MessageDelivered(Refused):
    """A message of the outbox has been delivered, so there is nothing to retry."""

    code = "message_delivered"

    def __init__(self, message_id: int) -> None:
        super().__init__(f"Message {message_id} has been delivered")
        self.message_id = message_id


class WebhookLimitReached(Refused):
    """The limit on webhooks is reached."""

    code = "webhook_limit_reached"

    def __init__(self, limit: int) -> None:
        super().__init__(f"There are {limit} webhooks already; delete one that is not used any more")
        self.limit = limit

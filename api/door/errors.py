"""Reasons for not admitting a ticket. Each has the data of the ticket, so that the staff can help.

ApiError
├── UnknownCode 404
└── ScanRefused 409
    ├── AlreadyAdmitted, TicketUnpaid, TicketIsCancelled, WrongScreening, TooEarly, ScreeningOver
    └── TicketChanging, CodeReplaced, NotAdmitted, NotInside, ReentryNotAllowed
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from api.errors import ApiError


class UnknownCode(ApiError):
    """No ticket has this code, or its signature is not ours."""

    status, code = 404, "unknown_code"
    detail = "This is not one of our tickets; check the code that is printed under the QR code"


class ScanRefused(ApiError):
    """Base of the refusals about a known ticket.

    Args:
        scanned: data of the ticket.
        words: for the message: `since` and `gate` of the admission, `title`, `begins` and `ends`.
    """

    status = 409
    says: ClassVar[str]

    def __init__(self, scanned: Mapping[str, Any], words: Mapping[str, str]) -> None:
        super().__init__(self.says.format_map(words), data=scanned)


class AlreadyAdmitted(ScanRefused):
    """Somebody has been admitted with the ticket."""

    code = "already_admitted"
    says = "Already admitted at {since}, at the gate {gate}"


class TicketUnpaid(ScanRefused):
    """The ticket is pending."""

    code = "ticket_unpaid"
    says = "Not paid yet; send the visitor to the box office, where it can be paid and confirmed"


class TicketIsCancelled(ScanRefused):
    """The ticket was cancelled, or has lapsed unpaid."""

    code = "ticket_cancelled"
    says = "This ticket was cancelled; its place may belong to somebody else"


class TicketChanging(ScanRefused):
    """The owner is cancelling or moving the ticket at this moment."""

    code, retryable = "booking_in_progress", True
    says = "The owner of this ticket is just cancelling or moving it; scan it again in a few seconds"


class WrongScreening(ScanRefused):
    """The gate admits to something else."""

    code = "wrong_screening"
    says = "This ticket is for {title}, {begins}"


class TooEarly(ScanRefused):
    """The doors are not open yet; perhaps it is a ticket for another day."""

    code = "too_early"
    says = "Too early: this ticket is for {title}, {begins}"


class ScreeningOver(ScanRefused):
    """It has ended; perhaps it is a ticket for another day."""

    code = "screening_over"
    says = "Too late: {title} ended {ends}"


class CodeReplaced(ScanRefused):
    """The ticket was given to somebody else, who has a new code."""

    code = "code_replaced"
    says = "This ticket was given to somebody else; only the code that they have admits"


class NotAdmitted(ScanRefused):
    """The ticket has not been admitted, so there is no admission to undo and no visitor to let out."""

    code = "not_admitted"
    says = "Nobody has been admitted with this ticket"


class NotInside(ScanRefused):
    """The visitor has left already."""

    code = "not_inside"
    says = "The visitor has left already; scan the ticket inwards to admit them again"


class ReentryNotAllowed(ScanRefused):
    """The organiser does not admit visitors again who leave."""

    code = "reentry_not_allowed"
    says = "Visitors cannot come back here; an administrator can allow it with the field reentry"


SCAN_REFUSALS: Mapping[str, type[ScanRefused]] = {
    refusal.code: refusal
    for refusal in (
        *(AlreadyAdmitted, TicketUnpaid, TicketIsCancelled, WrongScreening, TooEarly, ScreeningOver),
        *(TicketChanging, CodeReplaced, NotAdmitted, NotInside, ReentryNotAllowed),
    )
}
"""The refusals about a known ticket, by code."""

"""The HTTP status of each of the engine's errors, in one table; and the errors of this package.

ApiError
├── MalformedBody 400, UnsupportedMediaType 415, InvalidCursor 400
└── KeyInFlight 409, KeyReused 422, TooManyKeys 503
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from api.errors import RETRY_SOON, ApiError, Problem
from api.wire import timestamp_or_none
from engine import block_errors as blocks
from engine import catalogue_errors as catalogue
from engine import errors as engine
from engine import moving_errors as moving
from engine import rule_errors as rules
from engine import selling_errors as selling
from engine import waitlist_errors as waiting


class MalformedBody(ApiError):
    """The body is not JSON."""

    status, code = 400, "malformed_json"


class UnsupportedMediaType(ApiError):
    """The type of the body is not accepted.

    Args:
        media_types: the types accepted.
    """

    status, code = 415, "unsupported_media_type"

    def __init__(self, media_types: Iterable[str] = ("application/json",)) -> None:
        super().__init__(f"The body must be {' or '.join(media_types)}")


class InvalidCursor(ApiError):
    """The cursor is not one that this list has given."""

    status, code = 400, "invalid_cursor"
    detail = "The cursor does not belong to this list in this order; read the list from its beginning"


class KeyInFlight(ApiError):
    """The request under this idempotency key has not been answered yet."""

    status, code, retryable = 409, "idempotency_key_in_flight", True
    detail = "A request with this Idempotency-Key is still being processed"
    headers = RETRY_SOON


class KeyReused(ApiError):
    """The idempotency key has been used for another request."""

    status, code = 422, "idempotency_key_reused"
    detail = "This Idempotency-Key was used for a different request"


class TooManyKeys(ApiError):
    """The limit on keyed requests in progress is reached."""

    status, code, retryable = 503, "overloaded", True
    detail = "Too many requests are being processed"
    headers = RETRY_SOON


class Translation(NamedTuple):
    """The response to an engine error.

    Attributes:
        status: HTTP status.
        data: attributes of the error that are included in the body.
        times: the same, of times; in the body they are timestamps or null.
    """

    status: int
    data: tuple[str, ...] = ()
    times: tuple[str, ...] = ()


TRANSLATIONS: Mapping[type[engine.EngineError], Translation] = {
    engine.NotFound: Translation(404),
    catalogue.UnknownReference: Translation(422, ("errors",)),
    selling.ScreeningNotFound: Translation(404, ("screening_id",)),
    selling.SeatsNotFound: Translation(404, ("seat_ids",)),
    selling.TicketNotFound: Translation(404, ("ticket_id",)),
    selling.ScreeningStarted: Translation(400, ("screening_id",)),
    selling.ScreeningCancelled: Translation(409, ("screening_id",)),
    engine.Refused: Translation(409),
    catalogue.SeatConflict: Translation(409, ("conflicts",)),
    catalogue.SeatsInUse: Translation(409, ("seat_ids",)),
    catalogue.IllegalStatusChange: Translation(409, ("ticket_id", "status")),
    catalogue.TicketNotConfirmed: Translation(409, ("ticket_id", "status")),
    selling.SeatsUnavailable: Translation(409, ("held", "booked", "blocked")),
    selling.ZoneNotFound: Translation(404, ("zones",)),
    selling.NoAdjacentSeats: Translation(409, ("quantity", "largest")),
    rules.WouldStrandSeat: Translation(409, ("stranded", "alternatives")),
    selling.HoldLimitExceeded: Translation(409, ("limit", "held", "requested")),
    selling.GuestLimitExceeded: Translation(409, ("limit", "held", "requested")),
    selling.HoldLifeSpent: Translation(409, ("retry_after_seconds",)),
    selling.NotHeld: Translation(409, ("seat_ids",)),
    selling.NotEnoughTickets: Translation(409, ("ticket_type_id", "requested", "available")),
    selling.OrderLimitExceeded: Translation(409, ("ticket_type_id", "limit", "requested")),
    selling.SalesClosed: Translation(409, ("ticket_type_id",), ("sales_start", "sales_end")),
    catalogue.CapacityTooLow: Translation(409, ("ticket_type_id", "capacity", "sold", "reserved")),
    selling.ExtensionLimitReached: Translation(409, ("seat_ids",)),
    selling.TicketNotPending: Translation(409, ("ticket_id", "status")),
    rules.PersonLimitExceeded: Translation(409, ("limit", "held", "bought", "requested", "ticket_type_id")),
    selling.TicketAdmitted: Translation(409, ("ticket_id",)),
    selling.PriceChanged: Translation(409, ("expected", "actual")),
    selling.PaymentAlreadyUsed: Translation(409, ("payment_id",)),
    blocks.BlockLimitReached: Translation(409, ("limit",)),
    selling.RefundRequired: Translation(409, ("reason", "amount", "currency", "refund_id", "held", "booked")),
    selling.TooManyRefunds: Translation(409, ("limit",)),
    selling.RefundUnvouched: Translation(409, ("refund_id",)),
    selling.RefundSettled: Translation(409, ("refund_id", "reference")),
    selling.BookingInProgress: Translation(409, ("seat_ids",)),
    waiting.StillAvailable: Translation(409, ("available",)),
    waiting.AlreadyWaiting: Translation(409, ("entry_id",)),
    waiting.WaitlistFull: Translation(409, ("limit",)),
    waiting.TooManyWatches: Translation(409, ("limit",)),
    moving.MovesClosed: Translation(409, ("screening_id",)),
    moving.TicketNotMovable: Translation(409, ("ticket_id",)),
    moving.PaymentRequired: Translation(409, ("amount",)),
    engine.BadEntry: Translation(422),
    engine.AnsweredMeanwhile: Translation(409),
    engine.Unavailable: Translation(503),
    engine.EngineError: Translation(500),
}
"""An error not listed here is answered like its nearest listed base class."""


_DATABASE_AWAY = "The database is unavailable; try again in a few seconds"


def translation_of(error: type[engine.EngineError]) -> Translation:
    """Return the status and data for errors of a class."""
    return next(TRANSLATIONS[base] for base in error.__mro__ if base in TRANSLATIONS)


def client_message(error: BaseException) -> str:
    """Return the message for clients. Database messages are for operators only and are replaced."""
    return _DATABASE_AWAY if isinstance(error, engine.StoreUnavailable) else str(error)


def problem_of(error: ApiError | engine.EngineError) -> Problem:
    """Return the error response for `error`."""
    if isinstance(error, ApiError):
        return error.problem
    document: dict[str, Any] = {
        "detail": client_message(error),
        "code": error.code,
        "retryable": error.retryable,
    }
    status, data, times = translation_of(type(error))
    document.update((name, getattr(error, name)) for name in data)
    document.update((name, timestamp_or_none(getattr(error, name))) for name in times)
    if isinstance(error, engine.Unavailable | selling.SalesClosed) and error.retry_after_seconds is not None:
        return Problem(document, status, {"Retry-After": str(error.retry_after_seconds)})
    return Problem(document, status, {})

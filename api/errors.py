"""Every refusal as an HTTP answer: one table for the engine's errors, one class per error of our own.

An error's body is the guides' `{"detail": "…"}` plus `code` (stable, for machines) and `retryable`
(whether the same request may succeed later by itself), plus whatever data the error carries.

    ApiError
    ├── MalformedRequest 400, RequestTimedOut 408, TargetTooLong 414, HeadersTooLarge 431,
    │   VersionNotSupported 505
    ├── MalformedBody 400, UpgradeRequired 400, ResetRefused 400, NotAuthenticated 401, TokenRefused 401
    ├── WrongCredentials 401, RefreshRefused 401, AdminRequired 403, OriginRefused 403
    ├── CronDisabled 403, MetricsClosed 403, WrongPassword 403, LoginElsewhere 403
    ├── NotFound 404, MethodNotAllowed 405
    ├── KeyInFlight 409, BodyTooLarge 413, UnsupportedMediaType 415, InvalidInput 422, KeyReused 422
    ├── HostRefused 421, TooManyAttempts 429
    └── TooManyKeys 503, TooManyConnections 503, InternalError 500
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

from engine import catalogue_errors as catalogue
from engine import errors as engine


class ApiError(Exception):
    """A request that is refused before the engine sees it.

    Args:
        detail: a sentence for people.
        headers: response headers that belong to the refusal.
        data: what the body says beyond `detail`, `code` and `retryable`.
    """

    status: ClassVar[int]
    code: str
    retryable: ClassVar[bool] = False

    def __init__(
        self, detail: str, headers: Mapping[str, str] | None = None, data: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail)
        self.headers: Mapping[str, str] = headers or {}
        self.data: Mapping[str, Any] = data or {}


class MalformedRequest(ApiError):
    """It is no HTTP, or HTTP that another server could understand differently (RFC 9112, section 11.2).

    Args:
        reason: what is wrong with it.
    """

    status, code = 400, "malformed_request"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Malformed request: {reason}")


class RequestTimedOut(ApiError):
    """It has begun, and did not come to its end in time.

    Args:
        part: which part of it is missing.
    """

    status, code, retryable = 408, "request_timeout", True

    def __init__(self, part: str) -> None:
        super().__init__(f"The {part} of the request took too long")


class TargetTooLong(ApiError):
    """The request line is longer than any path and query that are served here.

    Args:
        limit_bytes: what it may not exceed.
    """

    status, code = 414, "uri_too_long"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The request line must not exceed {limit_bytes} bytes", data={"limit": limit_bytes})


class HeadersTooLarge(ApiError):
    """The head of the request is longer, or has more fields, than it may."""

    status, code = 431, "headers_too_large"


class VersionNotSupported(ApiError):
    """It is a request of another major version than 1."""

    status, code = 505, "http_version_not_supported"

    def __init__(self) -> None:
        super().__init__("Only HTTP/1.1 and HTTP/1.0 are spoken here")


class MalformedBody(ApiError):
    """The body is no JSON."""

    status, code = 400, "malformed_json"


class NotAuthenticated(ApiError):
    """There is no token (RFC 6750, section 3)."""

    status, code = 401, "not_authenticated"

    def __init__(self) -> None:
        super().__init__("Not authenticated", {"WWW-Authenticate": "Bearer"})


class TokenRefused(ApiError):
    """There is a token, and it must not be believed (RFC 6750, section 3.1).

    Args:
        reason: why not.
        code: `token_expired`, `token_revoked` or `token_invalid`.
    """

    status, code = 401, "token_invalid"

    def __init__(self, reason: str, code: str) -> None:
        super().__init__(f"Invalid token: {reason}", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        self.code = code


class AdminRequired(ApiError):
    """The token is good, but not an administrator's."""

    status, code = 403, "admin_required"

    def __init__(self) -> None:
        super().__init__("Administrator rights are required")


class CronDisabled(ApiError):
    """No secret has been set for callers that a clock sends."""

    status, code = 403, "cron_disabled"

    def __init__(self) -> None:
        super().__init__("This is switched off: FRONTROW_CRON_SECRET is not set")


class MetricsClosed(ApiError):
    """Figures about the server are not served here."""

    status, code = 403, "metrics_closed"

    def __init__(self) -> None:
        super().__init__(
            "Metrics are not served here; FRONTROW_METRICS_PORT or FRONTROW_METRICS_TOKEN opens them"
        )


class WrongCredentials(ApiError):
    """No account has this address and this password; which of them is wrong is not told."""

    status, code = 401, "invalid_credentials"

    def __init__(self) -> None:
        super().__init__("Incorrect email or password", {"WWW-Authenticate": "Bearer"})


class RefreshRefused(ApiError):
    """The refresh token is unknown, used, expired, revoked, or somebody else's."""

    status, code = 401, "refresh_token_invalid"

    def __init__(self) -> None:
        super().__init__("Invalid refresh token", {"WWW-Authenticate": "Bearer"})


class WrongPassword(ApiError):
    """The caller's own password is needed, and this is not it."""

    status, code = 403, "wrong_password"

    def __init__(self) -> None:
        super().__init__("The current password is not correct")


class ResetRefused(ApiError):
    """The token from a mail is unknown, used or expired."""

    status, code = 400, "reset_token_invalid"

    def __init__(self) -> None:
        super().__init__("This link has been used or has expired; ask for another one")


class LoginElsewhere(ApiError):
    """This server believes the tokens of another service and cannot issue any."""

    status, code = 403, "login_elsewhere"

    def __init__(self) -> None:
        super().__init__("Tokens are issued by another service")


class TooManyAttempts(ApiError):
    """It has been tried too often.

    Args:
        retry_after_seconds: how long to wait.
    """

    status, code, retryable = 429, "too_many_attempts", True
    detail: ClassVar[str] = "Too many attempts; try again later"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(self.detail, {"Retry-After": str(retry_after_seconds)})


class OriginRefused(ApiError):
    """The page that sent the request belongs to a site that is not on the allow-list."""

    status, code = 403, "origin_not_allowed"

    def __init__(self) -> None:
        super().__init__("This origin is not allowed")


class HostRefused(ApiError):
    """The Host field is not one of this server's names (RFC 9110, section 15.5.20).

    Args:
        host: the name.
    """

    status, code = 421, "host_not_allowed"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"This server does not answer to {host}; if it should, its operator has to add that name to "
            "FRONTROW_HOSTS"
        )


class NotFound(ApiError):
    """Nothing is served at this path."""

    status, code = 404, "not_found"

    def __init__(self) -> None:
        super().__init__("Not found")


class MethodNotAllowed(ApiError):
    """Something is served at this path, but not by this method."""

    status, code = 405, "method_not_allowed"

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__("Method not allowed", {"Allow": ", ".join(allowed)})


class UpgradeRequired(ApiError):
    """Only WebSockets are served at this path."""

    status, code = 400, "upgrade_required"

    def __init__(self) -> None:
        super().__init__("Connect here with a WebSocket")


class KeyInFlight(ApiError):
    """The request under this idempotency key has not been answered yet."""

    status, code, retryable = 409, "idempotency_key_in_flight", True

    def __init__(self) -> None:
        super().__init__("A request with this Idempotency-Key is still being processed", {"Retry-After": "1"})


class BodyTooLarge(ApiError):
    """The body exceeds the limit."""

    status, code = 413, "body_too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The body must not exceed {limit_bytes} bytes", data={"limit": limit_bytes})


class TooManyConnections(ApiError):
    """The bound on HTTP connections, in all or of one address, is reached."""

    status, code, retryable = 503, "too_many_connections", True

    def __init__(self) -> None:
        super().__init__("Too many connections are open; close some, or try again", {"Retry-After": "1"})


class UnsupportedMediaType(ApiError):
    """The body is, or is declared as, something that is not taken here.

    Args:
        media_types: what is taken.
    """

    status, code = 415, "unsupported_media_type"

    def __init__(self, media_types: Iterable[str] = ("application/json",)) -> None:
        super().__init__(f"The body must be {' or '.join(media_types)}")


class InvalidInput(ApiError):
    """The request has the wrong shape.

    Args:
        errors: what is wrong, by field.
    """

    status, code = 422, "invalid_input"

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        faults = "; ".join(f"{field}: {' '.join(messages)}" for field, messages in errors.items())
        super().__init__(f"Invalid input in {faults}", data={"errors": errors})


class KeyReused(ApiError):
    """The idempotency key has been used for another request."""

    status, code = 422, "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for a different request")


class TooManyKeys(ApiError):
    """More keyed requests are being processed than the server keeps track of."""

    status, code, retryable = 503, "overloaded", True

    def __init__(self) -> None:
        super().__init__("Too many requests are being processed", {"Retry-After": "1"})


class InternalError(ApiError):
    """A defect of the server. What it is stands in the log, under the request's id."""

    status, code = 500, "internal_error"

    def __init__(self, request_id: str) -> None:
        super().__init__("Internal server error", data={"request_id": request_id})


class Translation(NamedTuple):
    """How one of the engine's errors is answered.

    Attributes:
        status: HTTP status.
        data: attributes of the error that the body shows.
    """

    status: int
    data: tuple[str, ...] = ()


TRANSLATIONS: Mapping[type[engine.EngineError], Translation] = {
    engine.NotFound: Translation(404),
    catalogue.UnknownReference: Translation(422, ("errors",)),
    engine.ScreeningNotFound: Translation(404, ("screening_id",)),
    engine.SeatsNotFound: Translation(404, ("seat_ids",)),
    engine.TicketNotFound: Translation(404, ("ticket_id",)),
    engine.ScreeningStarted: Translation(400, ("screening_id",)),
    engine.ScreeningCancelled: Translation(409, ("screening_id",)),
    engine.Refused: Translation(409),
    catalogue.SeatConflict: Translation(409, ("conflicts",)),
    catalogue.SeatsInUse: Translation(409, ("seat_ids",)),
    catalogue.IllegalStatusChange: Translation(409, ("ticket_id", "status")),
    catalogue.TicketNotConfirmed: Translation(409, ("ticket_id", "status")),
    engine.SeatsUnavailable: Translation(409, ("held", "booked")),
    engine.HoldLimitExceeded: Translation(409, ("limit", "held", "requested")),
    engine.GuestLimitExceeded: Translation(409, ("limit", "held", "requested")),
    engine.HoldLifeSpent: Translation(409, ("retry_after_seconds",)),
    engine.NotHeld: Translation(409, ("seat_ids",)),
    engine.NotEnoughTickets: Translation(409, ("ticket_type_id", "requested", "available")),
    engine.OrderLimitExceeded: Translation(409, ("ticket_type_id", "limit", "requested")),
    engine.SalesClosed: Translation(409, ("ticket_type_id",)),
    catalogue.CapacityTooLow: Translation(409, ("ticket_type_id", "capacity", "sold", "reserved")),
    engine.ExtensionLimitReached: Translation(409, ("seat_ids",)),
    engine.TicketNotPending: Translation(409, ("ticket_id", "status")),
    engine.PaymentAlreadyUsed: Translation(409, ("payment_id",)),
    engine.RefundRequired: Translation(409, ("held", "booked")),
    engine.BookingInProgress: Translation(409, ("seat_ids",)),
    engine.BadEntry: Translation(422),
    engine.Unavailable: Translation(503),
    engine.EngineError: Translation(500),
}
"""An error that is not here is answered like its nearest base class that is."""


_DATABASE_AWAY = "The database is not available now; try again in a few seconds"


class Problem(NamedTuple):
    """A refusal, ready to be written down."""

    document: dict[str, Any]
    status: int
    headers: Mapping[str, str]

    @property
    def lasting(self) -> bool:
        """Whether the same request would be refused again, so that the refusal may be remembered."""
        return self.status < 500 and self.status != 429 and not self.document["retryable"]


def translation_of(error: type[engine.EngineError]) -> Translation:
    """How an engine error is answered."""
    return next(TRANSLATIONS[base] for base in error.__mro__ if base in TRANSLATIONS)


def words_of(error: BaseException) -> str:
    """The text for a client. The database's own messages are for operators, so they are replaced."""
    return _DATABASE_AWAY if isinstance(error, engine.StoreUnavailable) else str(error)


def problem_of(error: ApiError | engine.EngineError) -> Problem:
    """The answer to a request that ended in `error`."""
    document = {"detail": words_of(error), "code": error.code, "retryable": error.retryable}
    if isinstance(error, ApiError):
        return Problem({**document, **error.data}, error.status, error.headers)
    status, data = translation_of(type(error))
    document.update((name, getattr(error, name)) for name in data)
    if isinstance(error, engine.Unavailable):
        return Problem(document, status, {"Retry-After": str(error.retry_after_seconds)})
    return Problem(document, status, {})

"""Errors that concern guests and reservations of the public API.

NotAGuest 403
ReservationNotFound 404, NotYourReservation 403
ReservationExpired 409, ReservationConverted 409, ReservationCancelled 409
ReservationNotExtendable 409, PurchaseInProgress 409
"""

from collections.abc import Mapping

from api.errors import RETRY_SOON, ApiError


class NotAGuest(ApiError):
    """The operation is for guests, and the token is a user's."""

    status, code = 403, "not_a_guest"
    detail = "This is for guests; a user's name and e-mail address are those of the account"


class ReservationNotFound(ApiError):
    status, code = 404, "reservation_not_found"
    detail = "Reservation not found"


class NotYourReservation(ApiError):
    """The reservation was made by another session or user."""

    status, code = 403, "not_your_reservation"
    detail = "This reservation belongs to another session or user"


class ReservationNotActive(ApiError):
    """The reservation is no longer active."""

    status = 409


class ReservationExpired(ReservationNotActive):
    """The reservation has expired; its tickets are available to others."""

    code, detail = "reservation_expired", "This reservation has expired"


class ReservationConverted(ReservationNotActive):
    """The reservation has been purchased."""

    code, detail = "reservation_converted", "This reservation has already been purchased"


class ReservationCancelled(ReservationNotActive):
    """The reservation was cancelled by its owner."""

    code, detail = "reservation_cancelled", "This reservation has been cancelled"


class ReservationNotExtendable(ApiError):
    """The reservation has reached the limit of extensions or of its total duration.

    Args:
        reason: names the limit.
    """

    status, code = 409, "extension_limit_reached"

    def __init__(self, reason: str) -> None:
        super().__init__(f"This reservation cannot be extended: {reason}")


class PurchaseInProgress(ApiError):
    """A purchase of the reservation is waiting for the database."""

    status, code, retryable = 409, "booking_in_progress", True
    detail = "This reservation is being purchased; try again shortly"
    headers = RETRY_SOON


OVER: Mapping[str, type[ReservationNotActive]] = {
    "expired": ReservationExpired,
    "released": ReservationCancelled,
    "converted": ReservationConverted,
}
"""The refusal for a reservation that is no longer active, by its stored status."""

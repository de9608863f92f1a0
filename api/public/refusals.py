"""Why something cannot be done with a reservation, in the words of whoever reserves tickets and no seats.

ReservationNotFound 404, NotYourReservation 403
ReservationExpired 409, ReservationConverted 409, ReservationCancelled 409
ReservationNotExtendable 409, PurchaseInProgress 409
"""

from collections.abc import Mapping
from typing import ClassVar

from api.errors import ApiError


class ReservationNotFound(ApiError):
    """There is no such reservation."""

    status, code = 404, "reservation_not_found"

    def __init__(self) -> None:
        super().__init__("Reservation not found")


class NotYourReservation(ApiError):
    """It was made by another session or user."""

    status, code = 403, "not_your_reservation"

    def __init__(self) -> None:
        super().__init__("This reservation was made by somebody else")


class ReservationOver(ApiError):
    """Nothing can be done with it any more."""

    status = 409
    detail: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(self.detail)


class ReservationExpired(ReservationOver):
    """Its time is over, and its tickets may be somebody else's."""

    code, detail = "reservation_expired", "This reservation has expired"


class ReservationConverted(ReservationOver):
    """It has been bought."""

    code, detail = "reservation_converted", "The tickets of this reservation have been bought"


class ReservationCancelled(ReservationOver):
    """It was given back."""

    code, detail = "reservation_cancelled", "This reservation has been cancelled"


class ReservationNotExtendable(ApiError):
    """It has been extended as often or as far as one may be.

    Args:
        reason: which of the two.
    """

    status, code = 409, "extension_limit_reached"

    def __init__(self, reason: str) -> None:
        super().__init__(f"This reservation cannot be extended: {reason}")


class PurchaseInProgress(ApiError):
    """It is just being bought."""

    status, code, retryable = 409, "booking_in_progress", True

    def __init__(self) -> None:
        super().__init__("The tickets of this reservation are just being bought", {"Retry-After": "1"})


OVER: Mapping[str, type[ReservationOver]] = {
    "expired": ReservationExpired,
    "released": ReservationCancelled,
    "converted": ReservationConverted,
}
"""What is said of reservations that are over, by the status under which they are stored."""

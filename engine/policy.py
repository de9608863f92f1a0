"""The limits on holds and payments, which are the same for all screenings."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits on holds and payments.

    Attributes:
        hold_seconds: how long a hold lasts (both seat guides: five minutes).
        hold_extension_limit: how many times one hold may be extended.
        hold_life_seconds: how long a holder may keep a seat in all, including extensions, new holds after a
            release or expiry, and unpaid tickets.
        held_seats_limit: live held seats per holder and screening.
        guest_seats_limit: live held seats of all guests of one network together, per screening.
        payment_window_seconds: how long a pending ticket waits for its payment.
        expiry_warning_seconds: how long before the end of a hold its holder is warned; 0 for no warnings.
        offer_seconds: how long what a waiting list offers is held.
        waitlist_patience_seconds: how long what is set aside waits for the first in line.
        waitlist_limit: entries of the waiting list of a screening.
        seat_watches_limit: seats of a screening about which one person may ask to be told.
    """

    hold_seconds: float = 300.0
    hold_extension_limit: int = 3
    hold_life_seconds: float = 1800.0
    held_seats_limit: int = 10
    guest_seats_limit: int = 40
    payment_window_seconds: float = 900.0
    expiry_warning_seconds: float = 60.0
    offer_seconds: float = 600.0
    waitlist_patience_seconds: float = 1800.0
    waitlist_limit: int = 10_000
    seat_watches_limit: int = 10

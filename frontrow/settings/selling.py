"""Settings for selling: holds, guests of the public API, and screenings in memory."""

from dataclasses import dataclass, field
from typing import Annotated

from api.venue_time import DEFAULT_TIME_ZONE
from frontrow.settings.rules import (
    CURRENCY,
    DAY_SECONDS,
    HOUR_SECONDS,
    KIB,
    OLD_SECRETS,
    REGION,
    SECRET,
    TIME_ZONE,
    WEBHOOK_SECRETS,
    YES_OR_NO,
    one_of,
    seconds,
    whole,
)


@dataclass(frozen=True, kw_only=True)
class HoldSettings:
    """Holds and tickets"""

    hold_seconds: Annotated[float, seconds(1, DAY_SECONDS), "How long seats are held for a buyer."] = 300.0
    hold_extension_limit: Annotated[
        int, whole(0, 1000, "extensions"), "How many times one hold may be extended."
    ] = 3
    hold_life_seconds: Annotated[
        float,
        seconds(1, 7 * DAY_SECONDS),
        "How long a buyer may keep a seat in total, including extensions and new holds after a release, an "
        "expiry or a missing payment.",
    ] = 1800.0
    held_seats_limit: Annotated[
        int, whole(1, 10_000, "seats"), "Seats that one buyer may hold in one screening at the same time."
    ] = 10
    guest_seats_limit: Annotated[
        int,
        whole(1, 1_000_000, "seats"),
        "Seats and tickets that all guests of one address may hold in one screening at the same time, "
        "whether they have a token or not. Users are not counted.",
    ] = 40
    seats_per_request_limit: Annotated[int, whole(1, 1000, "seats"), "Seats that one request may name."] = 100
    payment_window_seconds: Annotated[
        float, seconds(1, 30 * DAY_SECONDS), "How long a ticket waits for its payment before it expires."
    ] = 900.0
    payment_reminder_seconds: Annotated[
        float,
        seconds(0, DAY_SECONDS),
        "How long before the end of the payment window a mail reminds of an unpaid ticket; 0 for no "
        "reminders. There is none for a window that is no longer than that.",
    ] = 300.0
    expiry_warning_seconds: Annotated[
        float,
        seconds(0, DAY_SECONDS),
        "How long before the end of a hold its holder is sent `hold_expiring` on all sockets, and a mail if "
        "the user's preferences ask for it; 0 for no warnings. A hold that lasts no longer than that is not "
        "announced.",
    ] = 60.0


@dataclass(frozen=True, kw_only=True)
class WaitlistSettings:
    """Waiting lists"""

    offer_seconds: Annotated[
        float,
        seconds(10, DAY_SECONDS),
        "How long what a waiting list offers is held for the one who has waited.",
    ] = 600.0
    waitlist_patience_seconds: Annotated[
        float,
        seconds(1, 30 * DAY_SECONDS),
        "How long what is given back is set aside for the first in line, if it is not enough. Then it is "
        "offered to the next one whom it suffices, or is free for everybody.",
    ] = 1800.0
    waitlist_limit: Annotated[
        int,
        whole(0, 1_000_000, "entries"),
        "Entries of the waiting list of one screening or event, with those who want to be told about a seat; "
        "0 for no waiting lists.",
    ] = 10_000
    seat_watches_limit: Annotated[
        int,
        whole(0, 1000, "seats"),
        "Seats of one screening about which one person may ask to be told when they are free.",
    ] = 10


@dataclass(frozen=True, kw_only=True)
class PaymentSettings:
    """Payments and refunds"""

    currency: Annotated[str, CURRENCY, "Currency of all prices (ISO 4217)."] = "EUR"
    late_payments: Annotated[
        str,
        one_of("refuse", "rebook"),
        "What happens to a payment, or a guest's purchase, that comes after its reservation has expired or "
        "was released. `refuse`: a payment is to be refunded, a purchase fails. `rebook`: it gets the same "
        "seats, or as many tickets, if they are still free.",
    ] = "refuse"
    unvouched_refunds_limit: Annotated[
        int,
        whole(1, 1_000_000, "refunds"),
        "Refunds that may be owed to one buyer for payments that nobody but the buyer has named.",
    ] = 50


@dataclass(frozen=True, kw_only=True)
class DoorSettings:
    """At the door"""

    check_in_opens_seconds: Annotated[
        float, seconds(0, 30 * DAY_SECONDS), "How long before the start tickets are admitted."
    ] = 7200.0


@dataclass(frozen=True, kw_only=True)
class ProviderSettings:
    """Payment providers"""

    payments: Annotated[
        str,
        one_of("named", "vouched"),
        "Whose word counts for a payment. `named`: that of the buyer, who names the payment. `vouched`: "
        "tickets that cost something stay `pending` until a provider or a service has vouched for it.",
    ] = "named"
    stripe_webhook_secret: Annotated[
        tuple[str, ...],
        WEBHOOK_SECRETS,
        "Secrets of Stripe's webhook endpoint (`whsec_…`); several while they are rotated. Empty: "
        "/api/v1/payments/stripe is switched off.",
    ] = field(default=(), repr=False)
    stripe_tolerance_seconds: Annotated[
        float, seconds(1, DAY_SECONDS), "How old the signature of a webhook of Stripe may be."
    ] = 300.0


@dataclass(frozen=True, kw_only=True)
class GuestSettings:
    """Public API: event tickets for guests"""

    guest_hold_minutes: Annotated[
        int, whole(1, 1440, "minutes"), "How long event tickets are reserved by default."
    ] = 10
    guest_hold_minutes_limit: Annotated[
        int,
        whole(1, 1440, "minutes"),
        "Largest `expirationMinutes` and `additionalMinutes` of a guest; FRONTROW_HOLD_LIFE_SECONDS limits "
        "them as well.",
    ] = 30
    guest_reservations_per_request_limit: Annotated[
        int, whole(1, 100, "reservations"), "Reservations that one request of a guest may make."
    ] = 10
    guest_metadata_limit_bytes: Annotated[
        int, whole(2, 64 * KIB, "bytes"), "Largest `metadata` of a reservation, as compact JSON."
    ] = 2 * KIB
    guest_purchase: Annotated[bool, YES_OR_NO, "Whether guests can buy tickets, without an account."] = False
    test_payment: Annotated[
        bool,
        YES_OR_NO,
        "Whether the pages offer a test payment, which moves no money. The demo does; not allowed in "
        "production. Without it the pages sell tickets that are paid at the cinema.",
    ] = False
    phone_region: Annotated[
        str,
        REGION,
        "Region whose phone numbers need no country code, e.g. DE for `0228 1234567`. Empty: all numbers "
        "need one.",
    ] = ""
    guest_requests_per_address: Annotated[
        int,
        whole(1, 1_000_000, "requests"),
        "Requests per minute from one address to /api/public, /api/admin and /api/cron; over the limit the "
        "response is 429.",
    ] = 1200
    guest_requests_per_session: Annotated[
        int, whole(1, 1_000_000, "requests"), "The same for one session or user."
    ] = 240
    guest_creations_per_address: Annotated[
        int,
        whole(1, 1_000_000, "creations"),
        "New sessions and reservation requests per minute from one address; over the limit the response is "
        "429.",
    ] = 240
    personal_data_key: Annotated[
        str,
        SECRET,
        "Encrypts the personal data of buyers of event tickets, which cannot be read without it. Required in "
        "production; development generates one and stores it.",
    ] = field(default="", repr=False)
    personal_data_old_keys: Annotated[
        tuple[str, ...],
        OLD_SECRETS,
        "Earlier values of FRONTROW_PERSONAL_DATA_KEY: data encrypted with them can still be read.",
    ] = field(default=(), repr=False)
    cron_secret: Annotated[
        str, SECRET, "The Bearer token required by /api/cron. Empty: /api/cron is switched off."
    ] = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class VenueSettings:
    """Venues"""

    time_zone: Annotated[
        str,
        TIME_ZONE,
        "Time zone of new cinemas and events that name none, and of statistics if venues are in different "
        "zones.",
    ] = DEFAULT_TIME_ZONE


@dataclass(frozen=True, kw_only=True)
class ScreeningSettings:
    """Screenings in memory"""

    mailbox_limit: Annotated[
        int,
        whole(1, 1_000_000, "commands"),
        "Commands that may wait for one screening; over the limit the response is 503.",
    ] = 10_000
    idle_seconds: Annotated[
        float, seconds(0.1, DAY_SECONDS), "How long an unused screening stays in memory."
    ] = 300.0
    sweep_seconds: Annotated[
        float,
        seconds(0.1, HOUR_SECONDS),
        "Time between two searches for idle screenings and for expired holds that are not in memory.",
    ] = 5.0
    state_hash_seconds: Annotated[
        float,
        seconds(0, HOUR_SECONDS),
        "Time between two hashes of a changed screening, for its sockets and, after 1,000 changes, for "
        "`frontrow verify`; 0 for none, except when a screening is unloaded.",
    ] = 10.0
    resume_limit: Annotated[
        int,
        whole(0, 100_000, "changes"),
        "Changes kept per screening for clients that reconnect with `since`.",
    ] = 1000

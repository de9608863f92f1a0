"""Tickets as the catalogue shows them: read-only, since the engine's journal writes them."""

from persistence.catalogue.days import on_day
from persistence.catalogue.table import Table, own_columns
from persistence.tickets import OF_ANY_STATUS

USER_ID = "substring(tickets.holder FROM '^user:([0-9]{1,18})$')::bigint"

_TIME_ZONE = """
coalesce(
    (SELECT time_zone FROM events WHERE events.id = tickets.screening_id),
    (SELECT time_zone FROM screenings JOIN rooms ON rooms.id = room_id JOIN cinemas ON cinemas.id = cinema_id
     WHERE screenings.id = tickets.screening_id),
    'UTC'
)
"""

VOUCHED_BY = "(SELECT vouched_by FROM payments WHERE payments.payment_id = tickets.payment_id)"

ADMITTED_AT = "(SELECT admitted_at FROM check_ins WHERE check_ins.ticket_id = tickets.id)"

_TICKET_TYPE_ID = "CASE WHEN tickets.seat_id < 0 THEN (-tickets.seat_id) >> 20 END"

TICKETS = Table(
    name="tickets",
    kind="ticket",
    columns={
        "user_id": USER_ID,
        "seat_id": "CASE WHEN tickets.seat_id > 0 THEN tickets.seat_id END",
        "event_id": "CASE WHEN tickets.seat_id < 0 THEN tickets.screening_id END",
        "ticket_type_id": _TICKET_TYPE_ID,
        **own_columns(
            "tickets",
            "id",
            "booking_id",
            "holder",
            "screening_id",
            "code",
            "issue",
            "given_to",
            "paper",
            "price",
            "status",
            "booked_at",
            "confirmed_at",
            "cancelled_at",
            "payment_id",
            "payment_deadline",
            "sold_by",
        ),
        "vouched_by": VOUCHED_BY,
        "reason": "tickets.free_because",
        "admitted_at": ADMITTED_AT,
    },
    filters={
        "status": "tickets.status = %(status)s",
        "user_id": "tickets.holder = 'user:' || %(user_id)s",
        "screening_id": f"tickets.screening_id = %(screening_id)s AND {OF_ANY_STATUS}",
        "payment_id": "(tickets.payment_id, tickets.booking_id) IN"
        " (SELECT payment_id, booking_id FROM payments WHERE payment_id = %(payment_id)s)",
        "booking_id": "tickets.booking_id = %(booking_id)s",
        "from": "tickets.booked_at >= %(from)s",
        "to": "tickets.booked_at < %(to)s",
        "date": on_day("tickets.booked_at", _TIME_ZONE),
    },
    orders={
        "-booked_at": "tickets.booked_at DESC, tickets.id DESC",
        "booked_at": "tickets.booked_at",
        "-price": "tickets.price DESC",
        "price": "tickets.price",
    },
)

# The columns that are printed on a ticket for a seat or an event.
PRINTED = {
    "ticket_id": "tickets.id",
    "booking_id": "tickets.booking_id",
    "screening_id": "tickets.screening_id",
    "event_id": "CASE WHEN tickets.seat_id < 0 THEN tickets.screening_id END",
    "holder": "tickets.holder",
    "seat_id": "tickets.seat_id",
    "row_label": "seats.row_label",
    "seat_number": "seats.seat_number",
    "type_name": "ticket_types.name",
    "place": "coalesce('Row ' || seats.row_label || ', seat ' || seats.seat_number, ticket_types.name)",
    "code": "tickets.code",
    "issue": "tickets.issue",
    "given_to": "tickets.given_to",
    "price": "tickets.price",
    "status": "tickets.status",
    "payment_id": "tickets.payment_id",
    "payment_deadline": "tickets.payment_deadline",
    "cancelled_at": "tickets.cancelled_at",
    "paper": "tickets.paper",
    "movie_id": "screenings.movie_id",
    "title": "coalesce(nullif(screenings.title, ''), movies.title, events.title, '')",
    "starts_at": "coalesce(screenings.starts_at, events.starts_at)",
    "ends_at": "coalesce(screenings.ends_at, events.ends_at)",
    "time_zone": "coalesce(cinemas.time_zone, events.time_zone, 'UTC')",
    "revision": "coalesce(screenings.revision, events.revision, 0)",
    "called_off": "screenings.cancelled_at IS NOT NULL",
    "room_name": "rooms.name",
    "cinema_name": "coalesce(cinemas.name, events.venue)",
    "address": "concat_ws(', ', nullif(cinemas.address, ''), nullif(cinemas.city, ''))",
}
MOVES = (
    "(SELECT coalesce(sum(1 + from_revision), 0) FROM ticket_moves "
    "WHERE ticket_moves.booking_id = tickets.booking_id)"
)
"""Grows with each move of a ticket of a booking, by more than the revision of the screening that it left."""

_MOVED_FROM = """
nullif((
    SELECT starts_before FROM screening_times
    WHERE screening_times.screening_id = tickets.screening_id
      AND changed_at > greatest(tickets.booked_at, (
          SELECT max(at) FROM ticket_moves
          WHERE ticket_moves.ticket_id = tickets.id AND ticket_moves.screening_id = tickets.screening_id
      ))
    ORDER BY changed_at LIMIT 1
), coalesce(screenings.starts_at, events.starts_at))
"""
"""Start of the screening or event when the ticket was bought or moved there; NULL if it is the same now."""

VISITED = f"""
    LEFT JOIN screenings ON screenings.id = tickets.screening_id
    LEFT JOIN seats ON seats.id = tickets.seat_id
    LEFT JOIN rooms ON rooms.id = seats.room_id
    LEFT JOIN cinemas ON cinemas.id = rooms.cinema_id
    LEFT JOIN movies ON movies.id = screenings.movie_id
    LEFT JOIN events ON events.id = tickets.screening_id
    LEFT JOIN ticket_types ON ticket_types.id = {_TICKET_TYPE_ID}
    """

# Tickets as their holder sees them.
SHOWN_TICKETS = Table(
    name="tickets",
    kind="ticket",
    columns={**PRINTED, "admitted_at": ADMITTED_AT, "moves": MOVES, "moved_from": _MOVED_FROM},
    joins=VISITED,
    filters={
        "holder": "tickets.holder = %(holder)s",
        "booking_id": "tickets.booking_id = %(booking_id)s",
        "status": "tickets.status = %(status)s",
    },
    orders={"": "tickets.booking_id DESC"},
)


# Tickets with everybody behind them, for administrators.
EXPORTED_TICKETS = Table(
    name="tickets",
    kind="ticket",
    columns={
        "ticket_id": "tickets.id",
        **own_columns(
            "tickets",
            *("booking_id", "holder", "status", "booked_at", "cancelled_at", "price", "payment_id"),
            *("screening_id", "code", "issue", "given_to", "paper"),
        ),
        **{name: PRINTED[name] for name in ("title", "starts_at", "time_zone", "place")},
        "venue": PRINTED["cinema_name"],
        "room": PRINTED["room_name"],
        "seat_type": "seats.seat_type",
        "account_name": "coalesce(users.full_name, guests.full_name)",
        "account_email": "coalesce(CASE WHEN users.deleted_at IS NULL THEN users.email END, guests.email)",
        "admitted_at": ADMITTED_AT,
        "gate": "(SELECT gate FROM check_ins WHERE check_ins.ticket_id = tickets.id)",
    },
    joins=f"""
    LEFT JOIN users ON users.id = {USER_ID}
    LEFT JOIN guests ON guests.holder = tickets.holder {VISITED}
    """,
    filters={name: TICKETS.filters[name] for name in ("screening_id", "status", "from", "to")},
)

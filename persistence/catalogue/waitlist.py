"""Entries of waiting lists as their holders and administrators read them; the journal writes them."""

from persistence.catalogue.table import Rows, Table, own_columns
from persistence.connector import Connector

_STARTS_AT = "coalesce(screenings.starts_at, events.starts_at)"

_LIVE = f"waitlist.status IN ('waiting', 'offered') AND {_STARTS_AT} > now()"

WAITLIST = Table(
    name="waitlist",
    kind="waitlist_entry",
    columns={
        **own_columns(
            "waitlist",
            "id",
            "screening_id",
            "ticket_type_id",
            "seat_id",
            "holder",
            "quantity",
            "together",
            "joined_at",
            "changed_at",
            "reservation_id",
            "seat_ids",
        ),
        # A screening that nobody touches when its sales end is closed with the next command for it.
        "status": f"""CASE
            WHEN waitlist.status NOT IN ('waiting', 'offered') OR {_STARTS_AT} > now() THEN waitlist.status
            ELSE 'closed'
        END""",
        "title": "coalesce(nullif(screenings.title, ''), movies.title, events.title, '')",
        "starts_at": _STARTS_AT,
        "is_event": "events.id IS NOT NULL",
        "position": """CASE WHEN waitlist.status = 'waiting' THEN (
            SELECT count(*) FROM waitlist AS ahead
            WHERE ahead.screening_id = waitlist.screening_id AND ahead.status = 'waiting'
              AND ahead.ticket_type_id IS NOT DISTINCT FROM waitlist.ticket_type_id
              AND ahead.seat_id IS NOT DISTINCT FROM waitlist.seat_id
              AND (ahead.joined_epoch, ahead.joined_seq) <= (waitlist.joined_epoch, waitlist.joined_seq)
        ) END""",
        # Of the holds, since an offer may be extended.
        "expires_at": """CASE WHEN waitlist.status = 'offered' THEN (
            SELECT min(holds.expires_at) FROM holds
            WHERE holds.holder = waitlist.holder AND holds.screening_id = waitlist.screening_id
              AND holds.id >= waitlist.reservation_id
              AND holds.id < waitlist.reservation_id + waitlist.quantity
              AND holds.status = 'active'
        ) END""",
    },
    joins="""
        LEFT JOIN screenings ON screenings.id = waitlist.screening_id
        LEFT JOIN movies ON movies.id = screenings.movie_id
        LEFT JOIN events ON events.id = waitlist.screening_id
    """,
    filters={
        "holder": f"waitlist.holder = %(holder)s AND {_LIVE}",
        "screening_id": "waitlist.screening_id = %(screening_id)s",
        "status": "waitlist.status = %(status)s",
    },
)


class Waitlist(Rows):
    """The repository of entries."""

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, WAITLIST)

"""The tables of `fastapi_postgres`, filled with the screenings and seats that Frontrow has."""

from collections.abc import Sequence

from tests.acceptance.seeding import SeededScreening
from tests.database import execute

# Half of each page stays free, so that a change of status stays on its page and touches no index.
_SCHEMA = """
CREATE TABLE seats (
    id bigint PRIMARY KEY, room_id bigint NOT NULL, row_label text NOT NULL,
    seat_number integer NOT NULL, seat_type text NOT NULL
);
CREATE TABLE screening_seats (
    screening_id bigint, seat_id bigint, status text NOT NULL DEFAULT 'available', user_id bigint,
    expires_at timestamptz, PRIMARY KEY (screening_id, seat_id)
) WITH (fillfactor = 50);
CREATE TABLE tickets (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, screening_id bigint NOT NULL,
    seat_id bigint NOT NULL, user_id bigint NOT NULL, payment_id text NOT NULL,
    booked_at timestamptz NOT NULL DEFAULT now(), UNIQUE (screening_id, seat_id)
);
CREATE INDEX tickets_payment_id_idx ON tickets (payment_id);
"""

_FILL = """
WITH screening (id, room_id, first, last) AS (
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
), seat AS (
    INSERT INTO seats
    SELECT DISTINCT seat_id, room_id, chr((65 + mod((seat_id - first) / 20, 26))::integer),
        (1 + mod(seat_id - first, 20))::integer, 'standard'
    FROM screening, generate_series(first, last) AS seat_id
    ON CONFLICT DO NOTHING
)
INSERT INTO screening_seats (screening_id, seat_id)
SELECT screening.id, seat_id FROM screening, generate_series(first, last) AS seat_id
"""


def create(database_url: str, screenings: Sequence[SeededScreening] = ()) -> None:
    """Create the tables, and insert screenings with free seats. Blocking."""
    execute(database_url, _SCHEMA)
    if screenings:
        fill(database_url, screenings)


def fill(database_url: str, screenings: Sequence[SeededScreening]) -> None:
    """Insert screenings with free seats. Blocking."""
    execute(database_url, _FILL, *map(list, zip(*screenings, strict=True)))
    execute(database_url, "VACUUM ANALYZE seats, screening_seats")

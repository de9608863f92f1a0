"""Sales funnels: the numbers of looks, and of held seats by what became of them.

The journal writes holds and tickets in the transactions that write the event log, so the figures agree with
it. Holds and tickets have what the log leaves out: the door through which a lapsed hold was made, and the
time when the seat of a ticket was held.

One scan counts the holds of a time range, which a BRIN index finds: a range of blocks of the table costs a
few bytes in it, and the journal does not notice. Tickets are found by the indexes that there are anyway.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from engine.counter import COUNTER_NOTE
from engine.waitlist_records import WAITLIST
from persistence.columns import IDS, numbers, texts
from persistence.connector import Connector
from persistence.tickets import OF_ANY_STATUS

# The settings allow a hold to last no longer than a week, and a ticket to wait no longer than a month.
_LONGEST_HOLD, _LONGEST_WAIT = "interval '7 days'", "interval '31 days'"

_OF = ":of:"
"""Stands for the screening in a statement."""

_DOOR_OF_HOLD = f"""
CASE WHEN note = '{COUNTER_NOTE}' AND seat_id > 0 THEN 'counter'
     WHEN starts_with(holder, 'session:') THEN 'public'
     WHEN starts_with(holder, 'client:') OR starts_with(note, '{{"seat":') THEN 'rooms'
     WHEN seat_id < 0 THEN 'public'
     ELSE 'rest' END
"""

_DOOR_OF_TICKET = """
CASE WHEN starts_with(sold_by, 'service:') THEN 'service'
     WHEN starts_with(sold_by, 'provider:') THEN substring(sold_by FROM 10)
     WHEN sold_by IS NOT NULL THEN 'counter'
     WHEN seat_id < 0 THEN 'public'
     ELSE 'rest' END
"""

HOLDS = f"""
SELECT width_bucket(reserved_at, %(bounds)s::timestamptz[]) AS held_in,
       width_bucket(closed_at, %(bounds)s::timestamptz[]) AS closed_in,
       status, {_DOOR_OF_HOLD} AS door, count(*)
FROM holds
WHERE reserved_at >= %(first)s::timestamptz - {_LONGEST_HOLD} AND reserved_at < %(last)s
  AND (closed_at IS NULL OR closed_at >= %(first)s) AND holder <> '{WAITLIST}' AND {_OF}
GROUP BY 1, 2, 3, 4
"""  # noqa: S608 - constants

TICKETS = f"""
SELECT width_bucket(confirmed_at, %(bounds)s::timestamptz[]) AS paid_in,
       width_bucket(cancelled_at, %(bounds)s::timestamptz[]) AS ended_in,
       status, {_DOOR_OF_TICKET} AS door, count(*), sum(price)
FROM tickets
WHERE booked_at >= %(first)s::timestamptz - {_LONGEST_WAIT} AND booked_at < %(last)s AND {_OF}
GROUP BY 1, 2, 3, 4
"""  # noqa: S608 - constants

WAITS = f"""
SELECT count(*),
       percentile_cont(ARRAY[0.5, 0.9, 0.99])
           WITHIN GROUP (ORDER BY extract(epoch FROM confirmed_at - held_at))
FROM tickets
WHERE booked_at >= %(first)s::timestamptz - {_LONGEST_WAIT} AND booked_at < %(last)s AND {_OF}
  AND held_at IS NOT NULL AND confirmed_at >= %(first)s AND confirmed_at < %(last)s
"""  # noqa: S608 - constants

LOOKS = f"""
SELECT width_bucket(slot, %(bounds)s::timestamptz[]), door, sum(looks)
FROM looks WHERE slot >= %(first)s AND slot < %(last)s AND {_OF}
GROUP BY 1, 2
"""  # noqa: S608 - constants

ADD_LOOKS = """
INSERT INTO looks AS known (screening_id, slot, door, looks)
SELECT screening_id, date_bin('15 minutes', now(), '2000-01-01Z'), door, looks
FROM unnest(%(ids)s::bigint[], %(doors)s::text[], %(looks)s::bigint[]) AS counted (screening_id, door, looks)
WHERE EXISTS (SELECT FROM screenings WHERE screenings.id = screening_id)
   OR EXISTS (SELECT FROM events WHERE events.id = screening_id)
   OR EXISTS (SELECT FROM free_rooms WHERE free_rooms.id = screening_id)
ORDER BY screening_id, door
ON CONFLICT (screening_id, slot, door) DO UPDATE SET looks = known.looks + excluded.looks
"""

BEGINNING = """
SELECT least(
    (SELECT at FROM screening_events WHERE screening_id = %(id)s ORDER BY epoch, seq LIMIT 1),
    (SELECT min(slot) FROM looks WHERE screening_id = %(id)s)
)
"""

_OF_ONE = f"screening_id = %(id)s AND {OF_ANY_STATUS}"


class Stage(NamedTuple):
    """Seats and places of one stage, period and door.

    Attributes:
        period: number of the period, from 0.
        door: through which kind of endpoint.
        stage: "looked", "held", "lapsed", "released" or "paid".
        number: looks or seats.
        revenue: what was paid.
    """

    period: int
    door: str
    stage: str
    number: int
    revenue: float = 0.0


class Funnels:
    """The repository of sales funnels; see the module."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def beginning(self, screening_id: int) -> datetime | None:
        """Return when a screening or event was first looked at or held; None if it never was.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        rows: list[tuple[datetime | None]] = await self._connector.run(BEGINNING, {"id": screening_id})
        return rows[0][0]

    async def stages(self, bounds: Sequence[datetime], screening_id: int | None) -> list[Stage]:
        """Return the stages by period and door.

        Args:
            bounds: the beginnings of the periods, and the end of the last.
            screening_id: of one screening or event; None for all.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        wanted, of, of_tickets = self._wanted(bounds, screening_id)
        async with self._connector.connection() as connection:
            looks = await connection.run(LOOKS.replace(_OF, of), wanted)
            holds = await connection.run(HOLDS.replace(_OF, of), wanted)
            tickets = await connection.run(TICKETS.replace(_OF, of_tickets), wanted)
        found = [(period, door, "looked", int(number), 0.0) for period, door, number in looks]
        for held_in, closed_in, status, door, number in holds:
            found.append((held_in, door, "held", number, 0.0))
            if status in _ENDED:
                found.append((closed_in, door, _ENDED[status], number, 0.0))
        for paid_in, ended_in, status, door, number, revenue in tickets:
            if paid_in is not None:
                found.append((paid_in, door, "paid", number, float(revenue)))
            elif status in _ENDED:
                found.append((ended_in, door, _ENDED[status], number, 0.0))
        # `width_bucket` counts from 1; 0 and the last number are before and after all periods.
        periods = range(1, len(bounds))
        return [Stage(period - 1, *rest) for period, *rest in found if period in periods]

    async def waits(
        self, bounds: Sequence[datetime], screening_id: int | None
    ) -> tuple[int, Sequence[float] | None]:
        """Return of how many paid tickets it is known when their seats were held, and the median, the 90th
        and the 99th percentile of the seconds from then to the payment.

        Args:
            bounds, screening_id: as in `stages`.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        wanted, _, of_tickets = self._wanted(bounds, screening_id)
        ((number, seconds),) = await self._connector.run(WAITS.replace(_OF, of_tickets), wanted)
        return number, seconds

    async def add_looks(self, looks: Mapping[tuple[int, str], int]) -> None:
        """Add looks, by screening and door, to those of the present quarter of an hour.

        Looks at what does not exist are left out.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        known = {key: number for key, number in looks.items() if key[0] in IDS}
        if not known:
            return
        ids, doors = zip(*known, strict=True)
        wanted = {"ids": numbers(ids), "doors": texts(doors), "looks": numbers(list(known.values()))}
        await self._connector.run(ADD_LOOKS, wanted)

    @staticmethod
    def _wanted(bounds: Sequence[datetime], screening_id: int | None) -> tuple[Mapping[str, Any], str, str]:
        wanted = {"bounds": list(bounds), "first": bounds[0], "last": bounds[-1], "id": screening_id}
        if screening_id is None:
            return wanted, "true", "true"
        return wanted, "screening_id = %(id)s", _OF_ONE


_ENDED = {"expired": "lapsed", "released": "released", "lapsed": "lapsed", "cancelled": "released"}
"""The stage that a hold or an unpaid ticket ends in, by its status."""

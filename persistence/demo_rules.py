"""Screenings of the demo with rules to try: limits, channels, blocks, and one that is sold out."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import orjson

from persistence.connector import Connector

_SET_RULES = """
UPDATE screenings SET orphan_rule = %s, max_per_user = %s, sales_start = %s, presales = %s::jsonb
WHERE id = %s
"""

_ADD_CHANNEL = """
INSERT INTO channels (name, code_hash) VALUES (%s, %s)
ON CONFLICT (name) DO UPDATE SET code_hash = excluded.code_hash
"""

_KEEP_BACK = """
INSERT INTO blocks (id, screening_id, label, kind, channel, seat_ids, created_at, created_by)
SELECT nextval('hold_ids'), screenings.id, %s, 'channel', %s, array_agg(seats.id ORDER BY seats.id), now(),
    'system'
FROM screenings JOIN seats USING (room_id)
WHERE screenings.id = %s AND row_label = %s AND removed_at IS NULL
GROUP BY screenings.id
"""

# To visitors without an account, each by itself.
_SELL_OUT = """
WITH numbered AS (
    SELECT seats.id AS seat_id, price, row_number() OVER (ORDER BY seats.id) AS number
    FROM screenings JOIN seats USING (room_id)
    WHERE screenings.id = %(screening)s AND removed_at IS NULL
), first AS MATERIALIZED (SELECT nextval('ticket_ids') AS id)
INSERT INTO tickets (screening_id, id, booking_id, seat_id, holder, price, status, booked_at, confirmed_at)
SELECT %(screening)s, first.id + number, first.id + number, seat_id,
    'client:visitor-' || number, price, 'confirmed', now(), now()
FROM numbered, first
"""

_EXAMPLES = """
SELECT * FROM (
    SELECT screenings.id, orphan_rule = 'enforce', max_per_user, sales_start,
        (SELECT min(label) FROM blocks WHERE screening_id = screenings.id AND released_at IS NULL),
        (SELECT count(*) FROM tickets WHERE screening_id = screenings.id AND status = 'confirmed')
            >= (SELECT count(*) FROM seats WHERE room_id = rooms.id AND removed_at IS NULL)
    FROM screenings JOIN rooms ON rooms.id = room_id
    WHERE cinema_id = %s AND starts_at > %s
) AS found (id, spares_no_seat, max_per_user, sales_start, label, sold_out)
WHERE spares_no_seat OR max_per_user IS NOT NULL OR sales_start > now() OR label IS NOT NULL OR sold_out
ORDER BY id
"""


class Example(NamedTuple):
    """A screening with rules.

    Attributes:
        strands_none: True if choices that strand a seat are refused.
        max_per_user: seats that a person may have; None for any.
        sales_start: when sales open for everybody, if they have not.
        label: of a block, if there is one.
        sold_out: True if all seats are sold.
    """

    id: int
    strands_none: bool
    max_per_user: int | None
    sales_start: datetime | None
    label: str | None
    sold_out: bool


class DemoRules:
    """Writes to a database whose screenings no server has in memory."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def set_rules(
        self,
        screening_id: int,
        *,
        orphan_rule: str = "off",
        max_per_user: int | None = None,
        sales_start: datetime | None = None,
        presales: Mapping[str, datetime] | None = None,
    ) -> None:
        """Set the rules of a screening.

        Args:
            screening_id: the screening.
            orphan_rule, max_per_user, sales_start: its fields.
            presales: when sales open for channels, by name.
        """
        earlier = [(channel, at.timestamp()) for channel, at in (presales or {}).items()]
        rules = (orphan_rule, max_per_user, sales_start, orjson.dumps(earlier).decode())
        await self._connector.run(_SET_RULES, (*rules, screening_id))

    async def add_channel(self, name: str, code_hash: bytes) -> None:
        """Add a channel, or replace its access code."""
        await self._connector.run(_ADD_CHANNEL, (name, code_hash))

    async def keep_back(self, screening_id: int, label: str, channel: str, row_label: str) -> None:
        """Keep a row of seats back for a channel."""
        await self._connector.run(_KEEP_BACK, (label, channel, screening_id, row_label))

    async def sell_out(self, screening_id: int) -> None:
        """Sell all seats of a screening."""
        await self._connector.run(_SELL_OUT, {"screening": screening_id})

    async def examples(self, cinema_id: int, after: datetime) -> list[Example]:
        """Return a cinema's screenings with rules that start later than `after`."""
        return [Example(*row) for row in await self._connector.run(_EXAMPLES, (cinema_id, after))]

"""Seats of rooms, created in bulk; adding the same plan twice changes nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.catalogue_errors import SeatConflict
from engine.errors import NotFound
from engine.selling_errors import RoomFull
from persistence.catalogue.table import Record, Rows, Table, own_columns
from persistence.columns import IDS, numbers, texts
from persistence.connector import Connector

SEATS_PER_ROOM = 10_000
"""More than the largest halls have; bounded because all seats of a room are read at once."""

SEATS = Table(
    name="seats",
    kind="seat",
    columns=own_columns("seats", "id", "room_id", "row_label", "seat_number", "seat_type", "x", "y"),
    filters={
        "room_id": "seats.room_id = %(room_id)s",
        "seat_type": "seats.seat_type = %(seat_type)s",
        "row_label": "seats.row_label = %(row_label)s",
    },
    orders={"place": 'length(seats.row_label), seats.row_label COLLATE "C", seats.seat_number'},
    conditions=("seats.removed_at IS NULL",),
    references={"seats_seat_type_fkey": "seat_type"},
)

# Other inserts into this room wait, so that its seats can be counted.
LOCK_ROOM = "SELECT id FROM rooms WHERE id = %(room_id)s FOR NO KEY UPDATE"

PLAN = """
    unnest(%(row_labels)s::text[], %(seat_numbers)s::integer[], %(seat_types)s::text[],
           %(xs)s::real[], %(ys)s::real[]) AS plan (row_label, seat_number, seat_type, x, y)
"""

ADD = f"""
INSERT INTO seats (room_id, row_label, seat_number, seat_type, x, y)
SELECT %(room_id)s, plan.* FROM {PLAN}
ON CONFLICT ON CONSTRAINT seats_place_key DO UPDATE
SET seat_type = excluded.seat_type, x = excluded.x, y = excluded.y, removed_at = NULL
WHERE seats.removed_at IS NOT NULL
RETURNING *
"""  # noqa: S608 - constants

CONFLICTING = f"""
SELECT seats.id, row_label, seat_number,
       array_remove(ARRAY[
           CASE WHEN seats.seat_type <> plan.seat_type THEN 'seat_type' END,
           CASE WHEN seats.x <> plan.x THEN 'x' END,
           CASE WHEN seats.y <> plan.y THEN 'y' END
       ], NULL)
FROM {PLAN} JOIN seats USING (row_label, seat_number)
WHERE room_id = %(room_id)s AND (seats.seat_type, seats.x, seats.y) <> (plan.seat_type, plan.x, plan.y)
ORDER BY seats.id
"""  # noqa: S608 - constants

NUMBER = "SELECT count(*) FROM seats WHERE room_id = %(room_id)s AND removed_at IS NULL"

NAMED = f"""
{SEATS.select} JOIN {PLAN} USING (row_label, seat_number) WHERE room_id = %(room_id)s
{SEATS.order_by("place")}
"""


def plan_columns(plan: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the parameters of `PLAN` for some seats by column names."""
    return {
        "row_labels": texts([seat["row_label"] for seat in plan]),
        "seat_numbers": numbers([seat["seat_number"] for seat in plan]),
        "seat_types": texts([seat["seat_type"] for seat in plan]),
        "xs": numbers([seat["x"] for seat in plan]),
        "ys": numbers([seat["y"] for seat in plan]),
    }


class Seats(Rows):
    """The repository of seats."""

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, SEATS)

    async def add(self, room_id: int, plan: Sequence[Mapping[str, Any]]) -> list[Record]:
        """Create the missing seats of a plan: all of them, or none if an error occurs. Six statements.

        Args:
            room_id: the room.
            plan: seats by column names, at most one per row and number.

        Returns:
            All seats of the plan.

        Raises:
            NotFound: the room does not exist.
            UnknownReference: a seat type does not exist.
            SeatConflict: some places have seats that differ from the plan.
            RoomFull: the room would have too many seats.
        """
        if room_id not in IDS:
            raise NotFound("room", room_id)
        bound = {"room_id": room_id, **plan_columns(plan)}
        async with self.connector.transaction() as connection:
            if not await connection.run(LOCK_ROOM, bound):
                raise NotFound("room", room_id)
            await self.written(ADD, bound, connection)
            if conflicts := await connection.run(CONFLICTING, bound):
                raise SeatConflict(
                    {"seat_id": seat_id, "row_label": row, "seat_number": number, "differs": differs}
                    for seat_id, row, number, differs in conflicts
                )
            ((number,),) = await connection.run(NUMBER, bound)
            if number > SEATS_PER_ROOM:
                raise RoomFull(SEATS_PER_ROOM)
            return [self.record(row) for row in await connection.run(NAMED, bound)]

"""Rooms: the halls of a cinema."""

from engine.catalogue_errors import AlreadyExists
from persistence.catalogue.table import Table

ROOMS = Table(
    name="rooms",
    kind="room",
    columns={
        "id": "rooms.id",
        "cinema_id": "rooms.cinema_id",
        "name": "rooms.name",
        "seat_count": "(SELECT count(*) FROM seats WHERE seats.room_id = rooms.id AND removed_at IS NULL)",
        "layout_version": "rooms.layout_version",
        "created_at": "rooms.created_at",
    },
    filters={"cinema_id": "rooms.cinema_id = %(cinema_id)s"},
    orders={"name": "rooms.name", "-name": "rooms.name DESC", "created_at": "rooms.created_at"},
    references={"rooms_cinema_id_fkey": "cinema_id"},
    conflicts={"rooms_name_key": lambda: AlreadyExists("room", "The cinema has a room with this name")},
)

"""`/api/v1/cinemas/{cinema_id}/rooms` and `/api/v1/rooms`: the auditoriums of a cinema."""

from marshmallow import fields

from api.catalogue.collection import Collection
from api.rest.endpoint import Resource
from api.rest.fields import RequestSchema, Timestamp, text
from api.rest.paging import Page, sorting

rooms = Resource("/api/v1", tag="Rooms")


class RoomDetails(RequestSchema):
    name = text(100, required=True, metadata={"example": "Great Hall"})


class Room(RoomDetails):
    id = fields.Integer(required=True)
    cinema_id = fields.Integer(required=True)
    seat_count = fields.Integer(required=True)
    layout_version = fields.Integer(
        required=True, metadata={"description": "Increases whenever the room's seats change."}
    )
    created_at = Timestamp(required=True)


class RoomList(Page):
    sort = sorting("name", "-name", "created_at")


collection = Collection(
    rooms,
    "room",
    Room,
    lambda catalogue: catalogue.rooms,
    parents={"cinema_id": lambda catalogue: catalogue.cinemas},
)
collection.create("/cinemas/{cinema_id}/rooms/", RoomDetails, doc="Create a room in a cinema.")
collection.list("/cinemas/{cinema_id}/rooms/", RoomList, doc="List the rooms of a cinema.")
collection.read("/rooms/{room_id}")

"""What the rooms guide reads over HTTP: a sign of life, numbers, and the selections of a room."""

from marshmallow import Schema, fields, validate

from api.rest.endpoint import Access, Answer, Call, Document, Resource
from api.rooms.directory import NoSuchRoom
from api.rooms.messages import Selection
from api.wire import timestamp

room_pages = Resource("", tag="Live selections")


class Healthy(Schema):
    """A sign of life."""

    status = fields.String(required=True, validate=validate.Equal("healthy"))
    timestamp = fields.AwareDateTime(
        format="iso", required=True, metadata={"description": "The server's time"}
    )


@room_pages.get("/health", access=Access.PUBLIC, answers=Healthy)
async def rooms_health(call: Call) -> Document:
    """Whether the process is alive, where clients of rooms look for it."""
    return {"status": "healthy", "timestamp": timestamp(call.services.clock.now())}


class RoomStatistics(Schema):
    """Numbers of the rooms."""

    connections = fields.Integer(
        required=True, metadata={"description": "Sockets that are open at `/ws/{client_id}`", "example": 42}
    )
    rooms = fields.Integer(required=True, metadata={"description": "Rooms that somebody is in", "example": 3})
    selections = fields.Integer(
        required=True,
        metadata={"description": "Seats and places held now, through whichever door", "example": 17},
    )
    timestamp = fields.AwareDateTime(
        format="iso", required=True, metadata={"description": "The server's time"}
    )


@room_pages.get("/stats", access=Access.PUBLIC, answers=RoomStatistics)
async def room_statistics(call: Call) -> Document:
    """How many clients are in how many rooms, and how much is held."""
    services = call.services
    return {
        "connections": services.rooms.client_count,
        "rooms": services.rooms.occupied_count,
        "selections": services.screenings.hold_count,
        "timestamp": timestamp(services.clock.now()),
    }


class RoomSelections(Schema):
    """The seats of a room that are taken."""

    room_id = fields.String(required=True, metadata={"example": "funcion_123"})
    selections = fields.List(fields.Nested(Selection), required=True)


@room_pages.get(
    "/room/{room_id:text}/selections",
    access=Access.PUBLIC,
    answers=RoomSelections,
    refusals=(NoSuchRoom,),
)
async def room_selections(call: Call, room_id: str) -> Answer:
    """The seats of a room that are taken, as `current_selections` lists them.

    A room that does not exist has none; only what can be no room's name is not found. Reading makes no room.
    """
    listed = await call.services.rooms.selections(room_id)
    return Answer.of({"room_id": room_id, "selections": listed})

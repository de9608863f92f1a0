"""The HTTP endpoints of the rooms guide: health, statistics, and the selections of a room."""

from marshmallow import Schema, fields, validate

from api.overload import Urgency
from api.rest.endpoint import Access, Answer, Call, Document, Resource
from api.rooms.messages import Selection
from api.rooms.room import NoSuchRoom
from api.wire import timestamp

room_pages = Resource("", tag="Live selections")


class Healthy(Schema):
    status = fields.String(required=True, validate=validate.Equal("healthy"))
    timestamp = fields.AwareDateTime(
        format="iso", required=True, metadata={"description": "The server's time"}
    )


@room_pages.get("/health", access=Access.PUBLIC, answers=Healthy, urgency=Urgency.ALWAYS)
async def rooms_health(call: Call) -> Document:
    """Check that the process is alive, at the path of the rooms guide."""
    return {"status": "healthy", "timestamp": timestamp(call.services.clock.now())}


class RoomStatistics(Schema):
    connections = fields.Integer(
        required=True, metadata={"description": "Open sockets at `/ws/{client_id}`", "example": 42}
    )
    rooms = fields.Integer(
        required=True, metadata={"description": "Rooms with at least one client", "example": 3}
    )
    selections = fields.Integer(
        required=True,
        metadata={"description": "Seats and tickets currently held, through any API", "example": 17},
    )
    timestamp = fields.AwareDateTime(
        format="iso", required=True, metadata={"description": "The server's time"}
    )


@room_pages.get("/stats", access=Access.PUBLIC, answers=RoomStatistics)
async def room_statistics(call: Call) -> Document:
    """Get the numbers of clients, occupied rooms and held seats."""
    clients, rooms, holds = await call.services.totals.rooms()
    return {
        "connections": clients,
        "rooms": len(rooms),
        "selections": holds,
        "timestamp": timestamp(call.services.clock.now()),
    }


class RoomSelections(Schema):
    room_id = fields.String(required=True, metadata={"example": "funcion_123"})
    selections = fields.List(fields.Nested(Selection), required=True)


@room_pages.get(
    "/room/{room_id:text}/selections",
    access=Access.PUBLIC,
    answers=RoomSelections,
    refusals=(NoSuchRoom,),
)
async def room_selections(call: Call, room_id: str) -> Answer:
    """List the selected and sold seats of a room, as in `current_selections`.

    A room that does not exist has an empty list and is not created; only an invalid room name is not found.
    """
    listed = await call.services.rooms.selections(room_id)
    return Answer.of({"room_id": room_id, "selections": listed})

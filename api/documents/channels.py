"""The doors as AsyncAPI shows them: one row for every address that sockets are served at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from marshmallow import Schema

from api.events.messages import EVENT_CLIENT_MESSAGES, EVENT_SERVER_MESSAGES, EventQuery
from api.rest.fields import LARGEST_ID
from api.rooms.messages import ROOM_CLIENT_MESSAGES, ROOM_SERVER_MESSAGES, RoomQuery
from api.seats.messages import CLIENT_MESSAGES, SERVER_MESSAGES, WatchQuery
from api.ws.messages import Ping, Pong


@dataclass(frozen=True, slots=True)
class Channel:
    """A door's description.

    Attributes:
        name: among the channels.
        address: with its parameters in braces.
        description: for people.
        listening: name of the operation by which the server sends.
        speaking: name of the operation by which clients do.
        query: what may stand in the query of the handshake.
        server_messages: what the server sends; the name of a schema is the name of its message.
        client_messages: what a client may send.
        parameters: what stands for each parameter of the address.
    """

    name: str
    address: str
    description: str
    listening: str
    speaking: str
    query: type[Schema]
    server_messages: Sequence[type[Schema]]
    client_messages: Sequence[type[Schema]]
    parameters: Mapping[str, str] = field(default_factory=dict)


CHANNELS = (
    Channel(
        "screening",
        "/ws/screenings/{screeningId}",
        "The seats of one screening.",
        "watchSeats",
        "checkConnection",
        WatchQuery,
        SERVER_MESSAGES,
        CLIENT_MESSAGES,
        {"screeningId": f"Id of a screening, 1 to {LARGEST_ID}."},
    ),
    Channel(
        "events",
        "/ws",
        "How much is left of the events that a client subscribes to.",
        "followEvents",
        "chooseEvents",
        EventQuery,
        EVENT_SERVER_MESSAGES,
        EVENT_CLIENT_MESSAGES,
    ),
    Channel(
        "event",
        "/ws/events/{eventId}",
        "How much is left of one event, and of those that a client subscribes to besides.",
        "followEvent",
        "chooseMoreEvents",
        EventQuery,
        EVENT_SERVER_MESSAGES,
        EVENT_CLIENT_MESSAGES,
        {"eventId": f"Id of an event or of a screening, 1 to {LARGEST_ID}."},
    ),
    Channel(
        "rooms",
        "/ws/{clientId}",
        "Rooms in which seats are selected and seen to be selected.",
        "watchRooms",
        "selectSeats",
        RoomQuery,
        (*ROOM_SERVER_MESSAGES, Pong),
        (*ROOM_CLIENT_MESSAGES, Ping),
        {"clientId": "What others call the client: 1 to 64 letters, digits or characters of ._:-"},
    ),
)

"""The WebSocket endpoints as described in the AsyncAPI document, one row each."""

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
    """The description of a WebSocket endpoint.

    Attributes:
        name: unique name of the channel.
        address: path, with parameters in braces.
        description: one sentence for the document.
        listening: name of the operation that receives the server's messages.
        speaking: name of the operation that sends the client's messages.
        query: schema of the handshake's query.
        server_messages: messages sent by the server; a message has the name of its schema.
        client_messages: messages accepted from clients.
        parameters: description of each path parameter.
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
        "Availability of the events that a client subscribes to.",
        "followEvents",
        "chooseEvents",
        EventQuery,
        EVENT_SERVER_MESSAGES,
        EVENT_CLIENT_MESSAGES,
    ),
    Channel(
        "event",
        "/ws/events/{eventId}",
        "Availability of one event, and of other events that a client subscribes to.",
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
        "Rooms whose clients select seats and see each other's selections.",
        "watchRooms",
        "selectSeats",
        RoomQuery,
        (*ROOM_SERVER_MESSAGES, Pong),
        (*ROOM_CLIENT_MESSAGES, Ping),
        {"clientId": "Id of the client, visible to others: 1 to 64 letters, digits or characters of ._:-"},
    ),
)

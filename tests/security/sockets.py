"""Sockets of every channel of the AsyncAPI document, opened by roles."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.api.caller import Caller

Channels = Mapping[str, str]
"""Paths of the channels by their names, with the ids of chosen objects."""


def channels(document: Mapping[str, Any], event_id: int) -> Channels:
    """Return the paths of all channels, each for the same screening or event."""
    ids = {"screeningId": event_id, "eventId": event_id, "clientId": "a-stranger"}
    return {name: channel["address"].format(**ids) for name, channel in document["channels"].items()}


def client_messages(document: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return an example of each message that clients may send, by channel and name."""
    examples = {}
    for operation in document["operations"].values():
        if operation["action"] == "receive":
            channel = operation["channel"]["$ref"].rpartition("/")[2]
            for message in operation["messages"]:
                name = message["$ref"].rpartition("/")[2]
                (example,) = document["components"]["messages"][name]["examples"]
                examples[channel, name] = example["payload"]
    return examples


@asynccontextmanager
async def opened(caller: Caller, path: str, **headers: str) -> AsyncIterator[ClientConnection]:
    """Open a socket with the caller's token."""
    query = "" if caller.token is None else f"{'&' if '?' in path else '?'}token={caller.token}"
    url = caller.base_url.replace("http", "ws", 1) + path + query
    async with connect(url, proxy=None, additional_headers=headers) as socket:
        yield socket


async def told(socket: ClientConnection, *types: str) -> dict[str, Any]:
    """Return the next message that has one of these types."""
    async with asyncio.timeout(60):
        while (message := json.loads(await socket.recv()))["type"] not in types:
            pass
    return message


async def admission(caller: Caller, path: str, **headers: str) -> str:
    """Return how a socket is admitted: the status of a refused handshake, the close code, or "open"."""
    try:
        async with opened(caller, path, **headers) as socket:
            await socket.send('{"type":"ping"}')
            await told(socket, "pong")
            return "open"
    except InvalidStatus as refused:
        return f"HTTP {refused.response.status_code}"
    except ConnectionClosed as closed:
        assert closed.rcvd is not None
        return f"closed {closed.rcvd.code}"


async def answer_to(socket: ClientConnection, message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the last message before the answer to a ping that follows the message."""
    await socket.send(json.dumps(message))
    await socket.send('{"type":"ping"}')
    answer: dict[str, Any] = {"type": "nothing"}
    async with asyncio.timeout(60):
        while (received := json.loads(await socket.recv()))["type"] != "pong":
            answer = received
    return answer

"""Every channel of the AsyncAPI document with every role, and every message about somebody else's objects."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.catalogue.test_foreign_objects import UNKNOWN_ID, belongings, make_private_event
from tests.catalogue.world import World
from tests.security.roles import Role, powers, strangers
from tests.security.sockets import admission, answer_to, channels, client_messages, opened, told

pytestmark = pytest.mark.gen_test(timeout=180)

OPEN = "open"

ADMITTED: Mapping[str, Mapping[str, str]] = {
    "screening": {"user": OPEN, "admin": OPEN},
    "events": {"user": OPEN, "admin": OPEN, "check-in": OPEN},
    "event": {"user": OPEN, "admin": OPEN, "check-in": OPEN},
    "rooms": {"nobody": OPEN, "user": OPEN, "admin": OPEN},
}
"""The kinds of roles that each channel admits; all others are closed with 1008."""

STAFF = ("admin", "check-in")

ANSWERED: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "SubscribeEvent": {
        "private": ("event_not_found", "seat_update"),
        "unknown": ("event_not_found", "event_not_found"),
    },
    "SubscribeCheckIns": {
        "private": ("not_allowed", "check_ins"),
        "unknown": ("not_allowed", "event_not_found"),
        "usual": ("not_allowed", "check_ins"),
    },
    "UnsubscribeEvent": {
        "private": ("not_subscribed", "not_subscribed"),
        "unknown": ("not_subscribed", "not_subscribed"),
    },
    "JoinRoom": dict.fromkeys(("private", "unknown"), ("room_not_found", "room_not_found")),
    "LeaveRoom": dict.fromkeys(("private", "unknown", "usual"), ("not_in_room", "not_in_room")),
    "SelectBest": dict.fromkeys(("private", "unknown"), ("room_not_found", "room_not_found")),
    "SelectSeat": {
        **dict.fromkeys(("private", "unknown"), ("room_not_found", "room_not_found")),
        "usual": ("seats_unavailable", "seats_unavailable"),
    },
    "ReleaseSeat": {
        **dict.fromkeys(("private", "unknown"), ("room_not_found", "room_not_found")),
        "usual": ("not_held", "not_held"),
    },
    "GetStatistics": {"usual": ("stats", "stats")},
    "Ping": {},
}
"""Answers by message and by the object that it names: to everybody, and to administrators and scanners.

A code, or the type of the last message. In the usual screening Ada holds the seat that the messages name."""

HER_SEAT = "B3"


async def document_of(world: World) -> Mapping[str, Any]:
    return (await world.house.guest.send("GET", "/asyncapi.json")).json


async def everybody(world: World) -> list[Role]:
    return [*await strangers(world), *await powers(world)]


async def test_every_channel_admits_the_roles_of_its_line_only(world: World) -> None:
    paths = channels(await document_of(world), world.things["usual"]["screening_id"])
    assert paths.keys() == ADMITTED.keys()
    for role in await everybody(world):
        for name, path in paths.items():
            expected = ADMITTED[name].get(role.kind, "closed 1008")
            assert await admission(role.caller, path) == expected, (role.name, name)


async def test_private_events_look_missing_on_every_channel(world: World) -> None:
    private = (await make_private_event(world.house))["event_id"]
    document = await document_of(world)
    hidden, missing = channels(document, private), channels(document, UNKNOWN_ID)
    for role in await everybody(world):
        for name in ("screening", "event"):
            seen = await admission(role.caller, hidden[name])
            if role.kind == "user":
                assert seen == await admission(role.caller, missing[name]) == "closed 4404", (role.name, name)
        if role.kind in STAFF:
            assert await admission(role.caller, hidden["event"]) == OPEN, role.name


async def test_every_message_is_authorised_by_itself(world: World) -> None:
    """An open socket gives no rights: each message that names an event, a room or a seat is checked."""
    document = await document_of(world)
    usual = world.things["usual"]["screening_id"]
    private = (await make_private_event(world.house))["event_id"]
    messages, paths = client_messages(document), channels(document, usual)
    assert {name for _, name in messages} == ANSWERED.keys()
    before = await belongings(world)
    for role in await everybody(world):
        for (channel, name), example in messages.items():
            if ADMITTED[channel].get(role.kind) != OPEN:
                continue
            for what, event in (("private", private), ("unknown", UNKNOWN_ID), ("usual", usual)):
                if what not in ANSWERED[name]:
                    continue
                there = {"eventId": event, "room_id": f"funcion_{event}", "seat_id": HER_SEAT}
                async with opened(role.caller, paths[channel]) as socket:
                    if channel == "event":
                        await told(socket, "seat_update")
                    answer = await answer_to(
                        socket, {field: there.get(field, value) for field, value in example.items()}
                    )
                expected = ANSWERED[name][what][role.kind in STAFF]
                assert answer.get("code", answer["type"]) == expected, (role.name, channel, what, answer)
                assert what == "private" or str(private) not in str(answer.get("data")), answer
    assert await belongings(world) == before

"""Commands that are sent to the owner of a screening: each has one effect, whatever is lost on the way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cluster import screenings
from cluster.nats_server import NatsServer
from engine.commands import BookSeats, HoldSeats, ReadSeats, ToggleSeats
from engine.errors import OutcomeUnknown
from engine.selling_errors import SeatsUnavailable
from tests.api.cinema import eventually
from tests.cluster.nodes import Wiretap
from tests.cluster.servers import Fleet, Server, fleet
from tests.http.stage import on_both_loops
from tests.nats import kill, own_nats_server

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop"), on_both_loops]

lose_replies = {"reply"}.__contains__


def changes_of(server: Server, screening_id: int = 1) -> int:
    """Return how many changes the owner of a screening has made."""
    position = server.screenings.position_of(screening_id)
    return position[1] if position else 0


@asynccontextmanager
async def crash_of_nats(server: NatsServer) -> AsyncIterator[None]:
    """NATS is away while the block runs."""
    kill(server)
    yield
    await server.start()


async def carried_out_unanswered(house: Fleet, command: Any) -> "asyncio.Future[Any]":
    """Send a command whose reply is lost, and return its future when the owner has carried it out."""
    owner, (gateway, *_) = house.owner_of(), house.others()
    before = changes_of(owner)
    owner.connection.loses = lose_replies
    asked = asyncio.ensure_future(gateway.ask(command))
    await eventually(lambda: changes_of(owner) == before + 1)
    owner.connection.loses = None
    return asked


async def test_commands_at_every_node_reach_the_owner(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url, 3) as house:
        owner, others = house.owner_of(), house.others()
        for seat, server in enumerate((owner, *others), 1):
            await server.hold_at("user:1", seat)
        booked = await others[0].ask(BookSeats(1, "user:1", (1, 2, 3)))
        assert len(booked.tickets) == 3
        assert [server.screenings.hold_count for server in others] == [0, 0]
        truth = await house.truth()
        for server in others:
            seats = (await server.ask(ReadSeats(1))).views
            assert {seat: (seats[seat].status, seats[seat].holder) for seat in truth} == truth
        assert ("BookSeats", "ok") in others[0].tally.outcomes


async def test_a_refusal_of_the_owner_is_raised_with_its_data(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house:
        owner, (gateway,) = house.owner_of(), house.others()
        await owner.hold_at("user:1", 1)
        await owner.hold_at("user:1", 2)
        await owner.ask(BookSeats(1, "user:1", (2,)))
        with pytest.raises(SeatsUnavailable) as refusal:
            await gateway.hold_at("user:2", 1, 2)
        assert (list(refusal.value.held), list(refusal.value.booked)) == ([1], [2])
        assert gateway.tally.outcomes == [("HoldSeats", SeatsUnavailable.code)]


async def test_after_a_lost_answer_the_owner_is_asked_again_and_the_effect_is_one(tmp_path: Path) -> None:
    async with own_nats_server(tmp_path) as nats, fleet(nats.url) as house:
        owner, (gateway,) = house.owner_of(), house.others()
        await gateway.hold_at("user:1", 1)
        # A second execution would release the seat.
        asked = await carried_out_unanswered(house, ToggleSeats(1, "user:1", (2,)))
        async with crash_of_nats(nats):
            pass
        toggled = await asked
        assert (toggled.holding is not None, toggled.releasing) == (True, None)
        assert changes_of(owner) == 2
        assert set(await house.truth()) == {1, 2}


async def answered_by_another_owner(nats: NatsServer, house: Fleet, asked: Awaitable[Any]) -> Any:
    """Let the owner vanish whose reply was lost, and wait for the answer to the command."""
    async with crash_of_nats(nats):
        await eventually(lambda: not any(server.connection.connected for server in house.others()))
        await house.kill(house.owner_of())
    return await asked


async def test_a_new_owner_is_not_asked_to_do_again_what_may_have_been_done(tmp_path: Path) -> None:
    async with own_nats_server(tmp_path) as nats, fleet(nats.url) as house:
        asked = await carried_out_unanswered(house, ToggleSeats(1, "user:1", (1,)))
        with pytest.raises(OutcomeUnknown):
            await answered_by_another_owner(nats, house, asked)


async def test_a_new_owner_is_asked_what_does_no_harm_twice(tmp_path: Path) -> None:
    async with own_nats_server(tmp_path) as nats, fleet(nats.url) as house:
        asked = await carried_out_unanswered(house, HoldSeats(1, "user:1", (1,)))
        held = await answered_by_another_owner(nats, house, asked)
        assert held is not None
        assert set(await house.truth()) == {1}


async def test_what_may_have_been_done_is_not_denied_if_a_new_owner_cannot_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screenings, "ASKING_AGAIN_LIMIT", 0)
    async with own_nats_server(tmp_path) as nats, fleet(nats.url) as house:
        asked = await carried_out_unanswered(house, HoldSeats(1, "user:1", (1,)))
        with pytest.raises(OutcomeUnknown):
            await answered_by_another_owner(nats, house, asked)


async def test_a_seat_map_that_has_not_changed_does_not_travel_again(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house, Wiretap(nats_server.url, house.name) as tap:
        owner, (gateway,) = house.owner_of(), house.others()
        await gateway.hold_at("user:1", 1)

        async def read() -> tuple[Any, int]:
            """The seats, and the length of the longest message from their owner."""
            await tap.catch_up()
            tap.messages.clear()
            seat_map = await gateway.ask(ReadSeats(1))
            await tap.catch_up()
            to_gateway = f"node.{gateway.name}"
            return seat_map, max(
                len(content) for subject, content in tap.messages if subject.endswith(to_gateway)
            )

        await owner.hold_at("user:2", *range(2, 12))
        first, whole = await read()
        second, unchanged = await read()
        assert second == first
        assert unchanged < whole / 2
        await owner.hold_at("user:1", 12)
        third, _ = await read()
        assert third.views[12].status == "reserved"


async def test_a_missing_layout_is_loaded_once(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house:
        (gateway,) = house.others()
        assert gateway.layouts.loads == 0
        seat_map = await gateway.ask(ReadSeats(1))
        assert set(seat_map.layout.by_id) == set(gateway.database.screenings[1][1].by_id)
        await gateway.hold_at("user:1", 1)
        await gateway.ask(ReadSeats(1))
        assert gateway.layouts.loads == 1


async def test_a_caller_that_has_gone_does_not_stop_its_command(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as house:
        owner, (gateway,) = house.owner_of(), house.others()
        answer: Any = gateway.routed.ask_active(HoldSeats(1, "user:1", (1,)))
        answer.cancel()
        await eventually(lambda: gateway.tally.outcomes == [("HoldSeats", "ok")])
        assert owner.screenings.hold_count == 1

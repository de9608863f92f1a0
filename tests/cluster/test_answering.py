"""Owners remember the commands of other nodes; those nodes cope if the owner cannot answer."""

import pytest

from cluster.forwarding import ASK
from cluster.nats_server import NatsServer
from cluster.wire import encode_command
from engine.commands import Command, HoldSeats, ReadSeats, ReleaseHolds
from engine.errors import OutcomeUnknown
from engine.selling_errors import SeatsUnavailable
from persistence.errors import DefectiveStatement
from tests.cluster.servers import SECONDS, Server, fleet
from tests.http.stage import on_both_loops

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop"), on_both_loops]


async def send(gateway: Server, owner: Server, number: int, command: Command) -> object:
    """Send a command with a number of its own."""
    return await gateway.links.call(owner.name, ASK, (number, encode_command(command)), SECONDS)


async def test_a_command_whose_answer_is_forgotten_is_not_carried_out_again(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.answering.ANSWERS_KEPT", 4)
    async with fleet(nats_server.url, 3) as house:
        owner, (gateway, other) = house.owner_of(), house.others()
        hold = HoldSeats(1, "user:1", (1,))
        first = await send(gateway, owner, 1, hold)
        assert await send(gateway, owner, 1, hold) == first
        await send(gateway, owner, 2, ReleaseHolds(1, "user:1", (1,)))
        for number in range(3, 15):
            await send(gateway, owner, number, HoldSeats(1, f"user:{number}", (number,)))
        with pytest.raises(OutcomeUnknown):
            await send(gateway, owner, 1, hold)
        assert 1 not in await house.truth()
        # Reads may be repeated, and the numbers of another node have nothing to do with these.
        await send(gateway, owner, 1, ReadSeats(1))
        await send(other, owner, 1, hold)
        assert 1 in await house.truth()


async def test_a_refusal_is_remembered_like_a_reply(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.answering.ANSWERS_KEPT", 4)
    async with fleet(nats_server.url) as house:
        owner, (gateway,) = house.owner_of(), house.others()
        await send(gateway, owner, 1, HoldSeats(1, "user:1", (1,)))
        hold = HoldSeats(1, "user:2", (1,))
        with pytest.raises(SeatsUnavailable):
            await send(gateway, owner, 2, hold)
        await send(gateway, owner, 3, ReleaseHolds(1, "user:1", (1,)))
        # The seat is free by now, but this command has been refused.
        with pytest.raises(SeatsUnavailable) as again:
            await send(gateway, owner, 2, hold)
        assert list(again.value.held) == [1]
        assert await house.truth() == {}
        for number in range(4, 15):
            await send(gateway, owner, number, HoldSeats(1, f"user:{number}", (number,)))
        with pytest.raises(OutcomeUnknown):
            await send(gateway, owner, 2, hold)
        assert 1 not in await house.truth()


async def test_a_defect_while_a_layout_is_loaded_fails_the_read(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fleet(nats_server.url) as house:
        (gateway,) = house.others()

        async def layout(room_id: int, version: int) -> object:
            raise DefectiveStatement("the table is gone")

        monkeypatch.setattr(gateway.layouts, "layout", layout)
        with pytest.raises(DefectiveStatement):
            await gateway.ask(ReadSeats(1))

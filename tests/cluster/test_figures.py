"""Figures of all nodes for operators, over real connections."""

import asyncio

import pytest

from cluster.everybody import Everybody
from cluster.figures import FIGURES, ClusterServers
from cluster.nats_server import NatsServer
from engine.errors import NotFound
from engine.figures import ScreeningFigures, ServerFigures
from tests.api.cinema import eventually
from tests.cluster.heartbeats import Fleet, Member, fleet

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop")]

SCREENING = ScreeningFigures(7, 3, 40, 100, 60, 25, 2, 12.5)


def figures_of(level: str, *screenings: ScreeningFigures) -> ServerFigures:
    return ServerFigures(level, 4, 0.25, len(screenings), 9, {7: 3}, list(screenings))


async def two_nodes(nodes: Fleet) -> tuple[ClusterServers, Member, Member, list[tuple[str, ...]]]:
    """Return what one node sees, both nodes, and the log levels that were set."""
    changed: list[tuple[str, ...]] = []

    def servers_of(member: Member, figures: ServerFigures) -> ClusterServers:
        everybody = Everybody(member.links, member.membership)
        return ClusterServers(
            lambda: figures,
            lambda level, by: changed.append((member.mark, level, by)),
            member.links,
            everybody,
            member.membership,
        )

    first, second = await nodes.join("a"), await nodes.join("b")
    await eventually(lambda: first.sees(second) == second.sees(first) == "serving")
    servers_of(second, figures_of("debug", SCREENING))
    return servers_of(first, figures_of("info")), first, second, changed


async def test_all_nodes_are_shown_with_their_figures(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        servers, first, second, _ = await two_nodes(nodes)
        shown = await servers.all()
        assert [(server.mark, server.name, server.state) for server in shown] == [
            (first.mark, "a", "serving"),
            (second.mark, "b", "serving"),
        ]
        assert [server.figures for server in shown] == [figures_of("info"), figures_of("debug", SCREENING)]


async def test_a_node_that_does_not_answer_is_shown_without_figures(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.figures.WAIT_SECONDS", 0.1)
    async with fleet(nats_server.url) as nodes:
        servers, _, second, _ = await two_nodes(nodes)
        never = asyncio.get_running_loop().create_future()
        for answer in (never, ["older"], [*figures_of("info").plain()[:6], [[1]]]):
            second.links.on(FIGURES, lambda sender, value, answer=answer: answer)
            assert [server.figures is None for server in await servers.all()] == [False, True]
        never.cancel()


async def test_a_newer_node_may_tell_more(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        servers, _, second, _ = await two_nodes(nodes)
        *fields, screenings = figures_of("debug", SCREENING).plain()
        newer = [*fields, [[*screening, "new"] for screening in screenings], "new"]
        second.links.on(FIGURES, lambda sender, value: newer)
        assert (await servers.all())[1].figures == figures_of("debug", SCREENING)


async def test_the_log_level_of_any_node_can_be_changed(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        servers, first, second, changed = await two_nodes(nodes)
        for member in (first, second):
            await servers.set_log_level(member.mark, "debug", "user:1")
        assert changed == [(first.mark, "debug", "user:1"), (second.mark, "debug", "user:1")]
        with pytest.raises(NotFound):
            await servers.set_log_level("nobody", "debug", "user:1")

"""Facts that one node knows or is told hold on the other one, at the public interface of two nodes."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.ioloop import IOLoop
from websockets.asyncio.client import connect

from cluster.beats import Load, Timing
from cluster.connection import Connection
from cluster.nats_server import NatsServer
from cluster.roster import Roster
from frontrow.server import Server
from tests.api.cinema import eventually, receive
from tests.box_office import ADA, Guest, data, days_ahead, make_event, make_type
from tests.catalogue.members import member
from tests.contracts.guide_cinema import CINEMA, SCREENING, GuideCinema
from tests.contracts.room_client import ROOM
from tests.database import execute
from tests.house import House
from tests.nats import nats_url, own_nats_server
from tests.several_servers import NodesInProcess
from tests.signing_keys import STRONG_SECRET

pytestmark = pytest.mark.gen_test(timeout=120)

SETTINGS: dict[str, object] = {
    "jwt_secret": STRONG_SECRET,
    "password_memory_kib": 64,
    "password_passes": 1,
    "ask_timeout_seconds": 30.0,
    "sweep_seconds": 3600.0,
    "revocation_refresh_seconds": 300.0,
}
EVENTS = 6
"""Enough for both nodes to own some."""


async def metrics_of(house: House) -> bytes:
    return (await house.guest.send("GET", "/metrics")).body


class Node(GuideCinema):
    """One of the nodes."""

    def __init__(self, server: Server, database_url: str, data_dir: Path) -> None:
        self._started = server
        House.__init__(self, database_url, data_dir)  # the cinema is there already

    def _new_server(self) -> Any:
        return self._started


class Nodes:
    """Two nodes that serve the guides' cinema."""

    def __init__(self, database_url: str, data_dir: Path, settings: dict[str, object]) -> None:
        execute(database_url, CINEMA)
        self.database_url = database_url
        self._data_dir = data_dir
        self._cluster = NodesInProcess(
            database_url, 2, {**SETTINGS, **settings, "port": 0, "data_dir": data_dir}
        )

    async def open(self) -> None:
        await self._cluster.start()
        self.here, self.there = (
            Node(server, self.database_url, self._data_dir) for server in self._cluster.nodes
        )
        self.both = (self.here, self.there)
        for node in self.both:
            async with asyncio.timeout(60):
                while b'frontrow_cluster_nodes{state="serving"} 2.0' not in await metrics_of(node):
                    pass

    async def close(self) -> None:
        await self._cluster.stop()


@pytest.fixture
def nodes(
    request: pytest.FixtureRequest,
    database_url: str,
    tmp_path: Path,
    io_loop: IOLoop,
    nats_server: NatsServer,
) -> Iterator[Nodes]:
    """Two nodes; a parameter gives settings that are not the usual ones."""
    opened = Nodes(database_url, tmp_path, getattr(request, "param", {}))
    io_loop.run_sync(opened.open, timeout=60)
    yield opened
    io_loop.run_sync(opened.close, timeout=60)


async def ticket_types(house: House) -> list[str]:
    return [await make_type(house, await make_event(house)) for _ in range(EVENTS)]


async def test_what_one_node_has_done_can_be_read_from_the_other(nodes: Nodes) -> None:
    kinds = await ticket_types(nodes.here)
    for number, kind in enumerate(kinds * 3):
        here, there = nodes.both if number % 2 else nodes.both[::-1]
        session = f"session-of-guest-{number:04}"
        reservation = await Guest(here, session).reserved(kind)
        listed = data(await Guest(there, session).reservations())
        assert [row["id"] for row in listed] == [reservation]
    statistics = data(await nodes.there.admin.send("GET", "/api/admin/reservations/cleanup"))
    assert statistics["active"] == len(kinds) * 3


async def test_a_new_price_is_charged_at_once_everywhere(nodes: Nodes) -> None:
    (kind, *_) = await ticket_types(nodes.here)
    for number, price in enumerate((26.0, 27.0, 28.0)):
        changed = await nodes.here.admin.send("PATCH", f"/api/admin/ticket-types/{kind}", {"price": price})
        assert changed.status == 200
        reserved = data(await Guest(nodes.there, f"session-of-guest-{number:04}").reserve(kind))
        assert reserved["reservation"]["ticketType"]["price"] == price


async def test_a_revoked_token_is_rejected_by_the_other_node(nodes: Nodes) -> None:
    ada, eve = await member(nodes.here), await member(nodes.here, "eve@home.example")
    old_eve = nodes.there.user(eve.user_id)
    old_eve.token = eve.token
    for user in (ada, old_eve):
        user.base_url = nodes.there.base_url
    assert (await ada.who_am_i()).status == 200
    assert (await old_eve.send("GET", "/api/v1/auth/me")).status == 200
    ada.base_url = nodes.here.base_url
    assert (await ada.log_out()).status == 204
    ada.base_url = nodes.there.base_url
    assert (await eve.change_password("another horse battery")).status == 200
    async with asyncio.timeout(60):  # far less than until the next refresh
        while (await ada.who_am_i()).status != 401:
            pass
        while (await old_eve.send("GET", "/api/v1/auth/me")).status != 401:
            pass


async def test_a_scan_at_one_node_is_counted_live_at_the_other(nodes: Nodes) -> None:
    here, there = nodes.both
    event = await make_event(here, startDate=days_ahead(1 / 24))
    kind = await make_type(here, event)
    guest = Guest(here, "guest-at-the-door", here.token(7))
    tickets = data(await guest.purchase(await guest.reserved(kind, 2), ADA, ADA))["tickets"]
    url = f"{there.base_url.replace('http', 'ws')}/ws?token={there.token(1, admin=True)}"
    async with connect(url, proxy=None) as socket:
        await socket.send(json.dumps({"type": "subscribe_check_ins", "eventId": int(event)}))
        while (await receive(socket))["type"] != "check_ins":
            pass
        scans = [
            node.admin.send("POST", "/api/v1/check-in", {"code": tickets[0]["qrCode"], "gate": "North"})
            for node in nodes.both * 5
        ]
        assert sorted([scan.status for scan in await asyncio.gather(*scans)]) == [200] + [409] * 9
        while (await receive(socket)).get("admitted") != 1:
            pass


async def test_statistics_and_aliases_are_the_same_at_both_nodes(nodes: Nodes) -> None:
    assert (await nodes.here.user().reserve(SCREENING, [42])).status == 201
    async with (
        nodes.here.watch(),
        nodes.there.watch(8),
        nodes.here.room_client("ana") as ana,
        nodes.there.room_client("eva") as eva,
        nodes.there.room_client("juan") as juan,
    ):
        await ana.join("left")
        await eva.join("left")
        await juan.join()
        await juan.select("A1")
        for node in nodes.both:
            assert (await node.guest.send("GET", "/ws/stats")).json["screening_details"] == {
                str(SCREENING): 2
            }
            stats = (await node.guest.send("GET", "/stats")).json
            assert (stats["connections"], stats["rooms"], stats["selections"]) == (3, 2, 2)
        lists = [(await node.guest.send("GET", f"/room/{ROOM}/selections")).json for node in nodes.both]
        aliases = [{row["client_id"] for row in listed["selections"]} for listed in lists]
        assert aliases[0] == aliases[1]
        assert any(alias.startswith("~") for alias in aliases[0])


async def test_a_room_that_somebody_enters_at_another_node_is_not_deleted(nodes: Nodes) -> None:
    async with nodes.here.room_client("ana") as ana:
        await ana.join("quiet")
    assert (await nodes.there.guest.send("GET", "/room/quiet/selections")).status == 200
    unused_since = "SELECT count(*) FROM free_rooms WHERE used_at < now() - interval '1 hour'"
    execute(nodes.database_url, "UPDATE free_rooms SET used_at = now() - interval '1 day'")
    assert execute(nodes.database_url, unused_since) == [(1,)]
    async with nodes.there.room_client("eva") as eva:
        await eva.join("quiet")
        assert execute(nodes.database_url, unused_since) == [(0,)]


@pytest.mark.parametrize("nodes", [{"free_room_idle_seconds": 2.0}], indirect=True)
async def test_each_node_keeps_the_rooms_of_its_own_sockets(nodes: Nodes) -> None:
    rooms = "SELECT array_agg(name ORDER BY name) FROM free_rooms"
    async with nodes.here.room_client("ana") as ana, nodes.there.room_client("eva") as eva:
        await ana.join("here")
        await eva.join("there")
        async with nodes.here.room_client("juan") as juan:
            await juan.join("left")
            assert (await nodes.there.guest.send("GET", "/room/left/selections")).status == 200
        await eventually(lambda: execute(nodes.database_url, rooms) == [(["here", "there"],)])
        # The other node still has the room that was deleted in its cache.
        assert (await eva.select("A1", "left"))["type"] == "seat_selected"


async def test_operators_see_the_load_of_a_node_and_drain_it(nodes: Nodes) -> None:
    kinds = await ticket_types(nodes.here)
    for kind in kinds:
        await Guest(nodes.here, "session-of-guest-0001").reserved(kind)
    connection = Connection([nats_url()], "operator")
    await connection.start()
    roster = Roster(connection, Timing())
    try:
        async with nodes.there.watch():
            loads: dict[str, Load] = {}
            async with asyncio.timeout(60):  # a load is told with the next heartbeat
                while sum(load.screenings for load in loads.values()) < EVENTS or not loads["node-2"].sockets:
                    loads = {beat.facts.name: beat.load for beat in await roster.nodes()}
        assert (await nodes.there.guest.send("GET", "/readyz")).status == 200
        await roster.drain("node-2", lambda beat: None)
    finally:
        roster.stop()
        await connection.stop()
    unready = await nodes.there.guest.send("GET", "/readyz")
    assert (unready.status, list(unready.json["reasons"])) == (503, ["node"])
    assert (await nodes.here.guest.send("GET", "/readyz")).status == 200
    assert len(data(await Guest(nodes.there, "session-of-guest-0001").reservations())) == EVENTS


async def test_without_nats_a_node_answers_for_itself_and_says_so(
    database_url: str, tmp_path: Path, nats_server: NatsServer
) -> None:
    async with own_nats_server(tmp_path) as nats:
        nodes = Nodes(database_url, tmp_path, {"nats_url": (nats.url,)})
        await nodes.open()
        try:
            async with nodes.here.watch():
                loaded = [b"frontrow_screenings_active 1.0" in await metrics_of(node) for node in nodes.both]
            owner = nodes.both[loaded.index(True)]
            await nats.stop()
            guest = Guest(owner, "session-of-guest-0001")
            listed = await guest.reservations()
            assert (listed.status, listed.code) == (503, "store_unavailable")
            assert listed.headers["Retry-After"]
            async with owner.watch(), asyncio.timeout(60):
                assert (await owner.guest.send("GET", "/ws/stats")).json["total_connections"] == 1
                while not (ready := await owner.guest.send("GET", "/readyz")).json["degraded"]:
                    assert (ready.status, ready.json["reasons"]) == (200, {})
                assert ready.status == 200, "a proxy would have no node left"
                assert "it only serves the screenings that it owns" in ready.json["degraded"]["nats"]
            await nats.start()
            async with asyncio.timeout(60):
                while (await owner.guest.send("GET", "/readyz")).json["degraded"]:
                    pass
                while (await guest.reservations()).status != 200:
                    pass
        finally:
            await nodes.close()

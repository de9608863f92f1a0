"""Traces, as a collector gets them over OTLP/HTTP; docs/traces.md."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from cluster.nats_server import NatsServer
from frontrow.otel import TracesNotInstalled
from tests.api.caller import RESERVATIONS, TICKETS
from tests.api.webhooks.receiver import Receiver
from tests.catalogue.programme import open_house
from tests.contracts.guide_cinema import FIRST_SEAT, SCREENING
from tests.database import execute
from tests.frontrow.collector import Collector, collector
from tests.frontrow.test_two_nodes import Nodes
from tests.house import House

__all__ = ["collector"]

pytestmark = pytest.mark.gen_test(timeout=120)

TRACE, CLIENT_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACED = {"traceparent": f"00-{TRACE}-{CLIENT_SPAN}-01"}
UNTRACED = {"traceparent": f"00-{TRACE}-{CLIENT_SPAN}-00"}
SERVER, CLIENT, PRODUCER = 2, 3, 4


@asynccontextmanager
async def traced_house(database_url: str, data_dir: Path, url: str, **settings: object) -> AsyncIterator[Any]:
    """Open a server that sends traces. Yields it with a screening and its seats."""
    house = House(database_url, data_dir, traces_url=url, webhook_private_addresses=True, **settings)
    await house.open()
    try:
        yield house, *await open_house(house)
    finally:
        await house.close()


async def spans_counted(house: House, result: str) -> float:
    page = (await house.guest.send("GET", "/metrics")).body.decode()
    name = f'frontrow_trace_spans_total{{result="{result}"'
    (line,) = [one for one in page.splitlines() if one.startswith(name)]
    return float(line.split()[-1])


async def test_a_booking_is_one_tree(database_url: str, tmp_path: Path, collector: Collector) -> None:
    receiver = Receiver()
    async with traced_house(database_url, tmp_path, collector.url, traces_share=0) as opened:
        house, screening, seats = opened
        hook = await house.admin.send("POST", "/api/v1/admin/webhooks", {"url": receiver.url})
        assert hook.status == 201, hook.body
        socket_path = f"/ws/screenings/{screening}?token={house.token(9)}"
        async with connect(house.base_url.replace("http", "ws") + socket_path) as socket:
            await asyncio.wait_for(socket.recv(), 60)
            body = {"screening_id": screening, "seat_ids": seats[:2], "payment_id": "pay-1"}
            booked = await house.user().send("POST", f"{TICKETS}/book", body, headers=TRACED)
            assert booked.status == 201, booked.body
            # The first update may show a purchase that has begun; the traced one comes with its commit.
            wanted = {"socket update", "POST webhook"}
            await collector.until(lambda: wanted <= {span.name for span in collector.spans})
        await receiver.until(lambda: receiver.of("booking.created"))

    (request,) = collector.named("POST /api/v1/tickets/book")
    assert (request.trace, request.parent, request.kind) == (TRACE, CLIENT_SPAN, SERVER)
    assert request.attributes["http.response.status_code"] == 201
    assert request.attributes["frontrow.request_id"] == booked.headers["X-Request-ID"]
    (command,) = collector.children(request)
    assert (command.name, command.attributes["frontrow.screening_id"]) == ("BookSeats", screening)
    by_name = {span.name: span for span in collector.children(command)}
    assert by_name.keys() == {"journal", "POST webhook"}

    (batch,) = collector.named("journal batch")
    assert batch.links == [command.id]
    assert by_name["journal"].links == [batch.id]
    (commit,) = collector.children(batch)
    assert (commit.name, commit.kind) == ("commit", CLIENT)
    (update,) = collector.named("socket update")
    assert (update.links, update.kind) == ([command.id], PRODUCER)
    assert update.attributes["frontrow.sockets"] == 1
    (sent,) = receiver.of("booking.created")
    assert sent.headers["traceparent"] == f"00-{TRACE}-{by_name['POST webhook'].id}-01"


async def test_the_owner_of_a_screening_continues_the_trace(
    database_url: str, tmp_path: Path, collector: Collector, nats_server: NatsServer
) -> None:
    nodes = Nodes(database_url, tmp_path, {"traces_url": collector.url, "traces_share": 0.0})
    await nodes.open()
    try:
        for number, node in enumerate(nodes.both):
            seat = FIRST_SEAT + number
            body = {"screening_id": SCREENING, "seat_ids": [seat], "payment_id": f"pay-{number}"}
            booked = await node.user().send("POST", f"{TICKETS}/book", body, headers=TRACED)
            assert booked.status == 201, booked.body
            named = "SELECT request_id FROM tickets WHERE seat_id = %s"
            assert execute(database_url, named, seat) == [(booked.headers["X-Request-ID"],)]
        await collector.until(
            lambda: (
                len(collector.named("BookSeats")) == 3
                and len(collector.named("journal")) == len(collector.named("POST /api/v1/tickets/book")) == 2
            )
        )
    finally:
        await nodes.close()
    (continued,) = [span for span in collector.named("BookSeats") if span.kind == SERVER]
    (forwarded,) = [span for span in collector.named("BookSeats") if span.id == continued.parent]
    assert continued.node != forwarded.node
    assert [span.name for span in collector.children(continued)] == ["journal"]
    assert {span.node for span in collector.named("journal")} == {continued.node}


async def test_the_parents_flag_decides(database_url: str, tmp_path: Path, collector: Collector) -> None:
    path = f"{RESERVATIONS}/reserve"
    async with traced_house(database_url, tmp_path, collector.url, traces_share=1) as opened:
        house, screening, seats = opened
        headers = [UNTRACED, TRACED, {}, {"traceparent": "00-nonsense-01"}]
        for seat, given in zip(seats, headers, strict=False):
            body = {"screening_id": screening, "seat_ids": [seat]}
            held = await house.user().send("POST", path, body, headers=given)
            assert held.status == 201, held.body
        taken = await house.user(8).send("POST", path, {"screening_id": screening, "seat_ids": seats[:1]})
        assert taken.status == 409
        await collector.until(lambda: len(collector.named(f"POST {path}")) == 4)
    holds = collector.named(f"POST {path}")
    assert [span.parent for span in holds if span.trace == TRACE] == [CLIENT_SPAN]
    assert len({span.trace for span in holds}) == 4
    (refused,) = [span for span in collector.named("HoldSeats") if span.failed]
    assert refused.attributes["error.type"] == taken.code


async def test_a_collector_that_is_away_delays_nothing(
    database_url: str, tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontrow.otel_export.QUEUE_LIMIT", 3)
    monkeypatch.setattr("frontrow.otel_export.BATCH_LIMIT", 1)
    collector.status = 400  # it is not asked again
    async with traced_house(database_url, tmp_path, collector.url, traces_share=1) as (house, screening, _):
        path = f"/api/v1/screenings/{screening}"
        async with asyncio.timeout(60):
            while not (await spans_counted(house, "failed") and await spans_counted(house, "dropped")):
                answers = await asyncio.gather(*[house.guest.send("GET", path) for _ in range(20)])
                assert {answer.status for answer in answers} == {200}
        assert await spans_counted(house, "sent") == 0
        assert not collector.spans


async def test_without_traces_nothing_is_imported_or_sent(database_url: str, tmp_path: Path) -> None:
    program = """
import sys
from frontrow.server import Server
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], check=True)
    house = House(database_url, tmp_path)
    await house.open()
    try:
        assert await spans_counted(house, "sent") == 0
    finally:
        await house.close()


def test_missing_packages_are_named(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    with pytest.raises(TracesNotInstalled, match=r"install frontrow\[traces\]"):
        House(database_url, tmp_path, traces_url="http://127.0.0.1:4318")

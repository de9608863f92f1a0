"""The programs that break connections and carry packets, without processes and networks; and the clients."""

import asyncio
import random
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from tests.torture.bad_link import QUEUE_LIMIT, Carrier
from tests.torture.caller import Caller, NotConnected, Unanswered, open_session
from tests.torture.recorder import Recorder
from tests.torture.requester import Requester
from tests.torture.statement_cutter import Cuts, Messages

ONE, OTHER = "10.77.0.2", "10.77.0.3"
FROM, TO = bytes((10, 77, 0, 2)), bytes((10, 77, 0, 3))
ADDRESS = "02:00:00:00:00:03"


def carried(packets: int = 1, **badness: float) -> tuple[Carrier, list[bytes]]:
    """Return a carrier that has taken packets at 0 s, a second long ones."""
    carrier = Carrier(seed=1)
    carrier.set_links([(ONE, OTHER, ADDRESS, badness)])
    sent = [bytes([number]) * 100 for number in range(packets)]
    for packet in sent:
        carrier.take(FROM, TO, packet, 0.0)
    return carrier, sent


def arrivals(carrier: Carrier, until: float) -> list[bytes]:
    arrived = []
    while packet := carrier.due(until):
        assert packet[0] == bytes.fromhex(ADDRESS.replace(":", ""))
        arrived.append(packet[1])
    return arrived


class TestBadLinks:
    def test_packets_are_late(self) -> None:
        carrier, sent = carried(3, delay_seconds=0.5)
        assert carrier.seconds_left(0.2) == pytest.approx(0.3)
        assert arrivals(carrier, 0.49) == []
        assert arrivals(carrier, 0.5) == sent
        assert carrier.seconds_left(0.5) is None

    def test_packets_overtake_each_other(self) -> None:
        carrier, sent = carried(50, jitter_seconds=0.5)
        arrived = arrivals(carrier, 0.5)
        assert arrived != sent
        assert sorted(arrived) == sent

    def test_packets_are_lost_and_doubled(self) -> None:
        assert len(arrivals(carried(100, loss=0.5)[0], 0.0)) in range(30, 70)
        assert len(arrivals(carried(100, duplicates=0.5)[0], 0.0)) in range(130, 170)

    def test_a_slow_link_sends_one_after_the_other(self) -> None:
        carrier, sent = carried(10, bytes_per_second=1000.0)
        assert arrivals(carrier, 0.35) == sent[:3]
        assert arrivals(carrier, 1.01) == sent[3:]

    def test_the_queue_is_bounded(self) -> None:
        carrier, _ = carried(0, delay_seconds=1.0)
        for _ in range(QUEUE_LIMIT + 1):
            carrier.take(FROM, TO, b"packet", 0.0)
        assert len(arrivals(carrier, 1.0)) == QUEUE_LIMIT

    def test_other_links_are_none_of_its_business(self) -> None:
        carrier, _ = carried(0)
        carrier.take(TO, FROM, b"packet", 0.0)
        assert arrivals(carrier, 1.0) == []


def message(kind: bytes, content: bytes) -> bytes:
    return kind + (len(content) + 4).to_bytes(4) + content


START = message(b"", b"\0\3\0\0user\0postgres\0\0")
ENCRYPTION = message(b"", (80877103).to_bytes(4))


class TestStatements:
    @pytest.mark.parametrize("start", [[START], [ENCRYPTION, START]], ids=["plain", "asks for encryption"])
    def test_a_stream_is_cut_into_messages(self, start: list[bytes]) -> None:
        sent = [*start, message(b"Q", b"BEGIN\0"), message(b"Q", b"COMMIT\0"), message(b"X", b"")]
        stream, draw = b"".join(sent), random.Random(1)
        for _ in range(50):
            messages, received = Messages(with_start=True), []
            ends = sorted(draw.sample(range(len(stream)), 5))
            for begin, end in zip([0, *ends], [*ends, len(stream)], strict=True):
                received += messages.feed(stream[begin:end])
            assert received == sent

    def test_so_many_connections_are_broken(self) -> None:
        cuts = Cuts()
        cuts.choose("COMMIT", "after", 2)
        statements = [b"BEGIN", b"COMMIT", b"COMMIT", b"COMMIT"]
        assert [cuts.take(statement) for statement in statements] == [False, True, True, False]
        assert (cuts.before, cuts.done) == (False, 2)


@pytest.mark.gen_test
async def test_a_client_knows_what_a_node_has_got_before_it_was_gone() -> None:
    async def read_and_go(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        server.close()
        writer.close()

    server = await asyncio.start_server(read_and_go, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with open_session() as session:
        with pytest.raises(Unanswered) as lost:
            await Caller(session, "token").send(url, "DELETE", "/tickets/1")
        assert not isinstance(lost.value, NotConnected)
        with pytest.raises(NotConnected):
            await Caller(session, "token").send(url, "DELETE", "/tickets/1")
    await server.wait_closed()


@pytest.mark.gen_test
async def test_only_seats_are_recorded_as_held_or_booked(tmp_path: Path) -> None:
    refusals = [
        {"code": "seats_unavailable", "held": [1], "booked": [2], "blocked": [3]},
        {"code": "hold_limit_exceeded", "held": 8, "requested": 1, "limit": 8},
    ]

    async def refuse(request: web.BaseRequest) -> web.Response:
        return web.json_response(refusals[int(request.path[1:])], status=409)

    async with RawTestServer(refuse) as server, open_session() as session:
        with Recorder(tmp_path / "history.jsonl") as recorder:
            caller = Caller(session, "token")
            client = Requester("ada", caller, {"node-1": str(server.make_url("")).rstrip("/")}, recorder, 1)
            for number, _ in enumerate(refusals):
                await client.request({"action": "hold"}, "POST", f"/{number}", is_hasty=False)
    answers = [record["data"] for record in recorder.records if record["kind"] == "return"]
    assert answers == [{"held": [1], "booked": [2]}, {}]

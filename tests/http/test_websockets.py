"""Connections upgraded to WebSockets on either layer, with clients of `websockets` or without any library."""

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode

from tests.http.conftest import OpenStage
from tests.http.conversation import GET, get, post
from tests.http.stage import Connection, Sockets, on_both_loops

pytestmark = [pytest.mark.gen_test, on_both_loops]

HANDSHAKE = (
    b"Connection: keep-alive, Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
)
UPGRADE = get(*HANDSHAKE, target=b"/socket")


def client_frame(text: bytes) -> bytes:
    """Return a message as a client sends it."""
    return Frame(Opcode.TEXT, text).serialize(mask=True, extensions=[])


def server_frame(text: bytes) -> bytes:
    """Return a message as a server sends it."""
    return Frame(Opcode.TEXT, text).serialize(mask=False, extensions=[])


async def expect(connection: Connection, text: bytes) -> None:
    expected = server_frame(text)
    async with asyncio.timeout(60):
        assert await connection.reader.readexactly(len(expected)) == expected


async def test_a_client_of_the_websockets_library_works(open_stage: OpenStage, layer: str) -> None:
    stage = open_stage(layer)
    async with connect(f"ws://127.0.0.1:{stage.port}/socket", proxy=None, compression=None) as client:
        for message in ("hello", b"\x00\xff", "x" * 200_000):
            await client.send(message)
            assert await client.recv() == message
    assert client.close_code == 1000


async def test_messages_sent_with_the_handshake_are_received(open_stage: OpenStage, layer: str) -> None:
    texts = [b"%d" % number for number in range(500)]
    async with open_stage(layer).connected() as connection:
        await connection.send(UPGRADE + b"".join(map(client_frame, texts)))
        assert (await connection.answer()).status == 101
        for text in texts:
            await expect(connection, text)
        await connection.send(client_frame(b"and later"))
        await expect(connection, b"and later")


async def test_a_handshake_may_arrive_in_pieces(open_stage: OpenStage, layer: str) -> None:
    stage = open_stage(layer)
    data = UPGRADE + client_frame(b"hello")
    for cut in range(len(UPGRADE) - 6, len(data), 3):
        async with stage.connected() as connection:
            await connection.send_in_pieces(data[:cut], data[cut:])
            assert (await connection.answer()).status == 101
            await expect(connection, b"hello")


async def test_a_connection_can_be_upgraded_after_other_requests(open_stage: OpenStage, layer: str) -> None:
    before = GET + post(b"hello", b"Content-Length: 5") + get(target=b"/parts")
    async with open_stage(layer).connected() as connection:
        await connection.send(before + UPGRADE + client_frame(b"hello"))
        for status in (200, 200, 200, 101):
            assert (await connection.answer()).status == status
        await expect(connection, b"hello")


async def test_a_refused_upgrade_leaves_the_connection_as_it_was(open_stage: OpenStage, layer: str) -> None:
    async with open_stage(layer).connected() as connection:
        await connection.send(get(*HANDSHAKE[:-1], target=b"/socket") + GET)
        assert (await connection.answer()).status == 400
        assert (await connection.answer()).status == 200
        await connection.send(UPGRADE + client_frame(b"hello"))
        assert (await connection.answer()).status == 101
        await expect(connection, b"hello")


@pytest.mark.parametrize(
    ("request_bytes", "status", "field"),
    [
        (get(*HANDSHAKE[:-1], target=b"/socket"), 400, ("content-type", "application/json")),
        (get(target=b"/socket"), 400, ("x-content-type-options", "nosniff")),
        (get(*HANDSHAKE[1:], target=b"/socket"), 400, ("server", "Frontrow")),
        (UPGRADE.replace(b"Version: 13", b"Version: 12"), 426, ("sec-websocket-version", "13")),
        (UPGRADE.replace(b"Sec-WebSocket-Version: 13\r\n", b""), 426, ("sec-websocket-version", "13")),
        (UPGRADE.replace(b"GET", b"PUT"), 405, ("allow", "GET")),
        (UPGRADE, 101, ("sec-websocket-accept", "ICX+Yqv66kxgM0FcWaLWlFLwTAI=")),
    ],
)
async def test_a_handshake_is_answered_as_the_standard_says(
    open_stage: OpenStage, layer: str, request_bytes: bytes, status: int, field: tuple[str, str]
) -> None:
    async with open_stage(layer).connected() as connection:
        await connection.send(request_bytes)
        answer = await connection.answer()
        assert (answer.status, answer.fields[field[0]]) == (status, field[1])
        assert answer.fields["x-request-id"]
        assert answer.fields["date"].endswith(" GMT")
        if status >= 400:
            assert set(answer.json) >= {"detail", "code", "retryable"}


async def test_a_defect_ends_the_connection(
    open_stage: OpenStage, layer: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for wait_seconds in (0.0, 0.01):
        monkeypatch.setattr(Sockets.overload, "handshake_wait_seconds", lambda wait=wait_seconds: wait)
        async with open_stage(layer).connected() as connection:
            await connection.send(UPGRADE.replace(b"/socket", b"/no-socket"))
            assert await connection.ended()
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError] * 2


async def test_sockets_outlive_the_server_that_accepted_them(open_stage: OpenStage, layer: str) -> None:
    stage = open_stage(layer)
    async with stage.connected() as connection:
        await connection.send(UPGRADE)
        assert (await connection.answer()).status == 101
        stage.server.stop()
        await stage.server.close_all_connections()
        await connection.send(client_frame(b"still here"))
        await expect(connection, b"still here")

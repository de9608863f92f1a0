"""Strangers send whatever they like: nothing is answered with a 5xx, and the server goes on as before.

The HTTP side is Schemathesis over the server's own OpenAPI document; the WebSocket side is seeded garbage.
"""

import asyncio
import random
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from pathlib import Path

import aiohttp
import orjson
import pytest

from tests.acceptance.client import Client, http_session
from tests.acceptance.figures import Figures, count_of
from tests.acceptance.server_process import ServerProcess
from tests.database import execute

_GUIDES_SCREENING = """
INSERT INTO screenings (id, room_id, starts_at, ends_at, price)
SELECT 123, room_id, starts_at, ends_at, price FROM screenings LIMIT 1
"""
"""The documents' examples are the guides': screening 123 with seats 42 to 44."""

_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "ignored_auth",
)

_OUTPUT_LINES = 80


async def _schemathesis(server: ServerProcess, directory: Path, examples: int, *options: str) -> None:
    command = (
        *("-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"),
        *(f"{server.url}/openapi.json", "--header", f"Authorization: Bearer {server.token(7)}"),
        *("--checks", ",".join(_CHECKS), "--phases", "examples,coverage,fuzzing"),
        *("--max-examples", str(examples), "--seed", "9", "--warnings", "off", "--no-color", *options),
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=directory, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, "\n".join(said.decode().splitlines()[-_OUTPUT_LINES:])


async def _fuzz_http(directory: Path, workplace: Path, examples: int, figures: Figures) -> None:
    async with ServerProcess(directory) as server, http_session() as session:
        await server.seed(screenings=1, rows=5, seats_per_row=20)
        execute(server.database.url, _GUIDES_SCREENING)
        await _schemathesis(server, workplace, examples)
        answered = await Client(server, session, 7).metrics("frontrow_http_requests_total")
        good, refused, failed = (_count(answered, f'status="{digit}') for digit in (2, 4, 5))
        figures(answers_2xx=good, answers_4xx=refused, answers_5xx=failed)
        assert good > 0
        assert not failed


def _count(answered: dict[str, float], labelled: str) -> int:
    return int(sum(count for labels, count in answered.items() if labelled in labels))


@pytest.mark.timeout(150)
@pytest.mark.gen_test(timeout=140)
async def test_no_request_is_answered_with_a_server_error(
    data_directory: Path, tmp_path: Path, figures: Figures
) -> None:
    await _fuzz_http(data_directory, tmp_path, count_of("HTTP_EXAMPLES", 60), figures)


@pytest.mark.soak
@pytest.mark.gen_test(timeout=3600)
async def test_no_request_of_very_many_is_answered_with_a_server_error(
    data_directory: Path, tmp_path: Path, figures: Figures
) -> None:
    await _fuzz_http(data_directory, tmp_path, count_of("SOAK_HTTP_EXAMPLES", 1000), figures)


class Garbage:
    """Messages that no client of ours sends, from a seed."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)

    def message(self) -> str | bytes:
        """Text or bytes of any kind."""
        kind = self._draw.choice((self._noise, self._text, self._document, self._nesting, self._mutilated))
        return kind()

    def _noise(self) -> bytes:
        return self._draw.randbytes(self._draw.randint(0, 300))

    def _text(self) -> str:
        length = self._draw.randint(0, 200)
        return "".join(
            chr(self._draw.choice((self._draw.randint(0, 127), 0x2028, 0x10FFFF))) for _ in range(length)
        )

    def _document(self) -> str:
        values = (None, True, -0.0, 2**63, 10**40, float("nan"), "ping", "pong", [], {}, "\0")
        return str({"type": self._draw.choice(values), "seat_id": self._draw.choice(values)}).replace(
            "'", '"'
        )

    def _nesting(self) -> str:
        depth = self._draw.randint(1, 5000)
        return self._draw.choice(("[", '{"type":')) * depth

    def _mutilated(self) -> str:
        text = orjson.dumps({"type": "ping", "screening_id": 123}).decode()
        return text[: self._draw.randint(0, len(text))]


async def _sent(socket: aiohttp.ClientWebSocketResponse, messages: Garbage, limit: int) -> int:
    """Send until the server has had enough, and see that it says why. Returns how many were sent."""
    sent = 0
    while sent < limit:
        message = messages.message()
        sent += 1
        if isinstance(message, bytes):
            await socket.send_bytes(message)
        else:
            await socket.send_str(message)
        answer = await socket.receive(timeout=5)
        if answer.type is not aiohttp.WSMsgType.TEXT:
            assert socket.close_code in (1007, 1008, 1009), (socket.close_code, message)
            break
        assert orjson.loads(answer.data)["type"] in ("error", "pong"), (answer.data, message)
    return sent


async def _fuzz_sockets(directory: Path, number: int, figures: Figures) -> None:
    messages = Garbage(seed=9)
    sent = sockets = 0
    async with ServerProcess(directory) as server, http_session() as session:
        (hall,) = await server.seed(screenings=1, rows=5, seats_per_row=20)
        url = f"{server.url}/ws/screenings/{hall.id}?token={server.token(7)}"
        async with session.ws_connect(url) as witness:
            assert (await witness.receive_json())["type"] == "connection_confirmed"
            while sent < number:
                async with session.ws_connect(url) as socket:
                    assert (await socket.receive_json())["type"] == "connection_confirmed"
                    sent += await _sent(socket, messages, number - sent)
                    sockets += 1
            await witness.send_json({"type": "ping"})
            assert (await witness.receive_json())["type"] == "pong"
        assert (await Client(server, session, 7).reserve(hall.id, hall.seat_ids[:1])).status == 201
        assert "Traceback" not in server.last_words()
    figures(messages=sent, sockets=sockets)


@pytest.mark.gen_test(timeout=100)
async def test_garbage_on_a_socket_is_answered_or_ends_that_socket_alone(
    data_directory: Path, figures: Figures
) -> None:
    await _fuzz_sockets(data_directory, count_of("SOCKET_MESSAGES", 3000), figures)


@pytest.mark.soak
@pytest.mark.gen_test(timeout=3600)
async def test_very_much_garbage_on_sockets(data_directory: Path, figures: Figures) -> None:
    await _fuzz_sockets(data_directory, count_of("SOAK_SOCKET_MESSAGES", 100_000), figures)

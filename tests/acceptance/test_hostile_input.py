"""Strangers send whatever they like: nothing is answered with a 5xx, and the server goes on as before.

The HTTP side is Schemathesis over the server's own OpenAPI document; the WebSocket side is seeded garbage.
"""

import random
from pathlib import Path

import aiohttp
import orjson
import pytest

from tests.acceptance.client import Client, http_session
from tests.acceptance.figures import Figures, count_of
from tests.acceptance.schemathesis_process import Schemathesis
from tests.acceptance.server_process import ServerProcess
from tests.database import execute

_GUIDES_SCREENING = "UPDATE screenings SET id = 123 WHERE id = (SELECT max(id) FROM screenings)"
"""The documents' examples are the guides': screening 123 with seats 42 to 44."""

# Passwords are hashed as fast as may be, and attempts are not counted.
_HASTY = {
    "password_memory_kib": 64,
    "password_passes": 1,
    "attempts_per_account": 1_000_000,
    "attempts_per_address": 1_000_000,
}


async def _fuzz_http(directory: Path, workplace: Path, examples: int, seconds: int, figures: Figures) -> None:
    async with ServerProcess(directory, **_HASTY) as server, http_session() as session:
        await server.seed(screenings=3, rows=5, seats_per_row=20)
        execute(server.database.url, _GUIDES_SCREENING)
        client = Client(server, session, 7)

        async def stranger(name: str) -> Schemathesis:
            account = {"email": f"{name}@home.example", "password": "correct horse battery"}
            user_id = (await client.send("POST", "/api/v1/auth/register", account)).document["id"]
            return Schemathesis(server, server.token(user_id, admin=True), workplace)

        await (await stranger("curious")).try_operations(examples)
        await (await stranger("leaving")).try_farewells(examples)
        document = (await client.send("GET", "/openapi.json")).document
        await (await stranger("diligent")).follow_links(document, seconds)

        answered = await client.metrics("frontrow_http_requests_total")
        good, refused, failed = (_count(answered, f'status="{digit}') for digit in (2, 4, 5))
        figures(answers_2xx=good, answers_4xx=refused, answers_5xx=failed)
        assert good > refused / 10
        assert not failed


def _count(answered: dict[str, float], labelled: str) -> int:
    return int(sum(count for labels, count in answered.items() if labelled in labels))


@pytest.mark.timeout(150)
@pytest.mark.gen_test(timeout=140)
async def test_no_request_is_answered_with_a_server_error(
    data_directory: Path, tmp_path: Path, figures: Figures
) -> None:
    await _fuzz_http(data_directory, tmp_path, count_of("HTTP_EXAMPLES", 20), 12, figures)


@pytest.mark.soak
@pytest.mark.gen_test(timeout=3600)
async def test_no_request_of_very_many_is_answered_with_a_server_error(
    data_directory: Path, tmp_path: Path, figures: Figures
) -> None:
    await _fuzz_http(data_directory, tmp_path, count_of("SOAK_HTTP_EXAMPLES", 1000), 600, figures)


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

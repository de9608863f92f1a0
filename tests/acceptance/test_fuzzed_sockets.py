"""Garbage over WebSockets: each message gets an error or ends its socket with a documented close code.

Other sockets are not disturbed, and nothing fails inside the server.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from websockets.frames import Opcode

from tests.acceptance.figures import Figures, count_of
from tests.acceptance.noise import Noise, NoiseMaker
from tests.acceptance.raw_socket import RawSocket, Received, masked
from tests.acceptance.server_process import ServerProcess

PING = masked(Opcode.TEXT, b'{"type":"ping"}')
CLOSE_CODES = {1002, 1007, 1008, 1009}
# Rate limits are not under test here, and many rooms are created.
UNHURRIED = {
    "socket_frames_per_second": 1_000_000,
    "socket_frames_at_once": 1_000_000,
    "guest_selections_limit": 1_000_000,
    "free_rooms_per_address": 1_000_000,
}


class Endpoint(NamedTuple):
    """A WebSocket endpoint.

    Attributes:
        name: for the measurements.
        path: with `{screening}`, `{token}` and `{number}` for what differs between sockets.
        greetings: number of messages that the server sends first.
    """

    name: str
    path: str
    greetings: int


ENDPOINTS = (
    Endpoint("screenings", "/ws/screenings/{screening}?token={token}", 1),
    Endpoint("events", "/ws?token={token}", 1),
    Endpoint("event", "/ws/events/{screening}?token={token}", 2),
    Endpoint("rooms", "/ws/client{number}", 0),
)


class Fuzzed:
    """Sends noise to one endpoint of a server.

    Args:
        server: the server.
        endpoint: the endpoint.
        screening_id: an existing screening.
        seed: seed of the noise.
    """

    def __init__(self, server: ServerProcess, endpoint: Endpoint, screening_id: int, seed: int) -> None:
        self._server = server
        self._door = endpoint
        self._screening_id = screening_id
        self._noise = NoiseMaker(seed)
        self._number = 0
        self.codes: Counter[int] = Counter()
        self.answers: Counter[str] = Counter()

    async def connected(self) -> RawSocket:
        """Connect and read the greeting."""
        self._number += 1
        token = self._server.token(7)
        path = self._door.path.format(screening=self._screening_id, token=token, number=self._number)
        socket = await RawSocket.connected(self._server.url + path)
        for _ in range(self._door.greetings):
            assert (await socket.receive()).opcode is Opcode.TEXT
        return socket

    async def fuzz(self, number: int) -> None:
        """Send `number` pieces of noise, on as many sockets as it takes."""
        async with await self.connected() as witness:
            while number > 0:
                async with await self.connected() as socket:
                    number -= 1
                    while await self._listened(socket, self._noise.next()) and number > 0:
                        number -= 1
                await self._undisturbed(witness)

    async def _listened(self, socket: RawSocket, noise: Noise) -> bool:
        """Send noise and check the reaction. Returns whether the socket is still open."""
        socket.send(noise.wire)
        socket.send(PING)
        answered = False
        while True:
            received = await socket.receive()
            match received.opcode:
                case Opcode.TEXT:
                    kind = json.loads(received.payload)["type"]
                    self.answers[kind] += 1
                    if kind == "pong" and (answered or not noise.answered or noise.wire == PING):
                        return True
                    answered = True
                case Opcode.PONG:
                    pass
                case _:
                    self._ended(received, noise)
                    return False

    def _ended(self, received: Received, noise: Noise) -> None:
        code = received.close_code
        assert code is not None, f"closed without a close code after {noise.wire[:200]!r}"
        assert code in CLOSE_CODES or code == noise.farewell, (code, noise.wire[:200])
        self.codes[code] += 1

    @staticmethod
    async def _undisturbed(witness: RawSocket) -> None:
        witness.send(PING)
        while True:
            received = await witness.receive()
            assert received.opcode is Opcode.TEXT, received
            if json.loads(received.payload)["type"] == "pong":
                return


async def _fuzz(directory: Path, endpoints: Sequence[Endpoint], number: int, figures: Figures) -> None:
    async with ServerProcess(directory, **UNHURRIED) as server:
        (hall,) = await server.seed(screenings=1, rows=5, seats_per_row=20)
        fuzzed = [Fuzzed(server, endpoint, hall.id, seed) for seed, endpoint in enumerate(endpoints)]
        await asyncio.gather(*(endpoint.fuzz(number // len(endpoints)) for endpoint in fuzzed))
        words = server.last_words()
        assert "Traceback" not in words and '"level":"error"' not in words, words
        for endpoint, one in zip(endpoints, fuzzed, strict=True):
            assert one.answers["error"] > sum(one.codes.values()), "most noise must not end its socket"
            assert set(one.codes) >= {1002, 1007, 1009}
            figures(
                **{
                    f"{endpoint.name}_answers": one.answers.total(),
                    f"{endpoint.name}_closed": one.codes.total(),
                }
            )


@pytest.mark.gen_test(timeout=510)
async def test_noise_is_answered_or_ends_its_own_socket(data_directory: Path, figures: Figures) -> None:
    await _fuzz(data_directory, ENDPOINTS, count_of("SOCKET_MESSAGES", 3000), figures)


@pytest.mark.soak
@pytest.mark.gen_test(timeout=3600)
async def test_very_much_noise(data_directory: Path, figures: Figures) -> None:
    await _fuzz(data_directory, ENDPOINTS, count_of("SOAK_SOCKET_MESSAGES", 100_000), figures)

"""Seats selected and released over WebSockets, several commands ahead of their replies.

Each client is a user alone in a room, so that replies are all there is to send; the bound on the frames of
one socket is lifted, and that on the journal, which takes in more here than PostgreSQL takes at once. The
peer sends back what it gets, messages of the same size.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import orjson

from bench.load.frames import TEXT
from bench.load.sockets import Commands
from bench.rounds import Contender, Figures
from bench.stage import Stage

_SEAT = "A1"
_HALL = (15, 20)
_UNBOUNDED: dict[str, Any] = {
    "socket_frames_per_second": 100_000,
    "socket_frames_at_once": 100_000,
    "journal_limit": 10_000_000,
}


def _message(kind: str, screening_id: int, **more: object) -> bytes:
    return orjson.dumps({"type": kind, "room_id": f"funcion_{screening_id}", **more})


@asynccontextmanager
async def prepare(stage: Stage) -> AsyncIterator[list[Contender]]:
    """Ours, and an echo."""
    sizes = stage.sizes
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(stage.frontrow(**_UNBOUNDED))
        seeded = await stage.activated(server, await server.process.seed(sizes.sockets, *_HALL))
        paths = [
            f"/ws/bench_{screening.id}?token={stage.tokens[number % len(stage.tokens)]}"
            for number, screening in enumerate(seeded)
        ]
        first = [[_message("join_room", screening.id)] for screening in seeded]
        messages = [
            [_message(kind, screening.id, seat_id=_SEAT) for kind in ("select_seat", "release_seat")]
            for screening in seeded
        ]
        depth, seconds = sizes.commands_depth, stage.seconds
        ours = Commands(*server.target, paths, first, messages, depth, seconds)

        async def play_ours() -> Figures:
            figures = await _play(stage, ours)
            return {**figures, "flush_seconds": await server.flushed()}

        contenders = [Contender("frontrow", play_ours)]
        target = await stage.join(stack, "websockets-echo")
        if target is not None:
            echo = Commands(*target, ["/"] * len(paths), (), messages, depth, seconds)

            async def play_echo() -> Figures:
                return await _play(stage, echo)

            contenders.append(Contender("websockets-echo", play_echo))
        yield contenders


async def _play(stage: Stage, load: Commands) -> Figures:
    return (await stage.load.run(load)).figures(TEXT)

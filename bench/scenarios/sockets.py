"""WebSockets: changes that go to many sockets, and commands that come from many."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson

from bench.load.frames import TEXT
from bench.load.sockets import Commands, FanOut
from bench.load.tally import TooManyFailures
from bench.plan import Contenders, Figures
from bench.seats import Repeated, SeatPairs
from bench.stage import GREETING, Server, Stage, watching_paths

AHEAD = (1, 2, 4, 16)
"""Numbers of changes in flight. `tornado-broadcast` is only measured with the highest."""

_PROBE_SECONDS = 0.5
_HALL = (15, 20)
_SEAT = "A1"
_UNBOUNDED: dict[str, Any] = {
    "socket_frames_per_second": 100_000,
    "socket_frames_at_once": 100_000,
    "journal_limit": 10_000_000,
}
"""Commands come faster than one socket may send, and than PostgreSQL takes what they journal."""


async def prepare_fan_out(stage: Stage) -> Contenders:
    """Prepare changes of seats by REST, each in a frame of its own, and messages of that size for peers."""
    server = await stage.start(socket_tick_ms=0)
    (screening,) = await stage.activated(server, await server.process.seed(1, *_HALL))
    pairs = SeatPairs(stage.tokens, [screening])
    paths = watching_paths(stage.tokens, screening.id, stage.plan.sockets)

    def changing(ahead: int, seconds: float = stage.plan.seconds) -> FanOut:
        toggles = Repeated([pairs.toggle(pair) for pair in range(ahead)])
        return FanOut(server.address, server.pid, paths, GREETING, toggles, ahead, seconds)

    def passing_on(peer: Server, text: bytes, ahead: int) -> FanOut:
        listeners = ["/"] * len(paths)
        return FanOut(peer.address, peer.pid, listeners, None, text, ahead, stage.plan.seconds)

    probe = await stage.load.run(changing(1, _PROBE_SECONDS))
    text = b"x" * (probe.received_bytes // max(probe.outcomes[TEXT], 1))
    peers = {name: await stage.peer(name) for name in ("websockets-broadcast", "tornado-broadcast")}
    loads = {}
    for ahead in AHEAD:
        loads[f"frontrow-{ahead}"] = changing(ahead)
        for name, peer in peers.items():
            if peer and (ahead == AHEAD[-1] or name == "websockets-broadcast"):
                loads[f"{name}-{ahead}"] = passing_on(peer, text, ahead)
    return {name: partial(_deliver, stage, load) for name, load in loads.items()}


async def _deliver(stage: Stage, load: FanOut) -> Figures:
    tally = await stage.load.run(load)
    if tally.unanswered:
        raise TooManyFailures(f"{tally.unanswered} sockets were closed")
    bytes_each = tally.received_bytes / max(tally.answered, 1)
    cores = {"server_cpu": tally.server_cpu, "load_cpu": tally.load_cpu}
    return {"rate": tally.per_second, "bytes_each": bytes_each, **cores}


async def prepare_commands(stage: Stage) -> Contenders:
    """Prepare sockets that select and release a seat, and a peer that echoes messages of the same size.

    Each socket is alone in its room, so replies are all that is sent.
    """
    plan = stage.plan
    server = await stage.start(**_UNBOUNDED)
    seeded = await stage.activated(server, await server.process.seed(plan.sockets, *_HALL))
    paths = [
        f"/ws/bench_{screening.id}?token={stage.tokens[number % len(stage.tokens)]}"
        for number, screening in enumerate(seeded)
    ]
    first = [[_message("join_room", screening.id)] for screening in seeded]
    messages = [
        [_message(kind, screening.id, seat_id=_SEAT) for kind in ("select_seat", "release_seat")]
        for screening in seeded
    ]

    async def play(server: Server, paths: Sequence[str], first: Sequence[Sequence[bytes]]) -> Figures:
        load = Commands(
            server.address, server.pid, paths, first, messages, plan.commands_depth, stage.plan.seconds
        )
        return {**(await stage.load.run(load)).figures(TEXT), **await server.flushed()}

    contenders = {"frontrow": partial(play, server, paths, first)}
    if peer := await stage.peer("websockets-echo"):
        contenders["websockets-echo"] = partial(play, peer, ["/"] * len(paths), ())
    return contenders


def _message(kind: str, screening_id: int, **more: object) -> bytes:
    return orjson.dumps({"type": kind, "room_id": f"funcion_{screening_id}", **more})

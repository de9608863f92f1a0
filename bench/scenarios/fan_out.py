"""Every change goes to many sockets: deliveries per second, while changes are made as fast as they are taken.

Ours are changes of seats, made by REST, each in a frame of its own (no tick to merge them in). The peers pass
a message of the same size on. As many changes as messages are on their way together.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from bench.load.frames import TEXT
from bench.load.sockets import ByMessage, ByRequests, FanOut
from bench.load.tally import Tally, TooManyFailures
from bench.rounds import Contender, Figures
from bench.seats import Repeated, SeatPairs
from bench.stage import Frontrow, Stage, Target

_PROBE_SECONDS = 0.5
GREETING = b'"connection_confirmed"'


def watching_paths(tokens: Sequence[str], screening_id: int, number: int) -> list[str]:
    """Paths of sockets that watch a screening, by as many users as there are."""
    return [
        f"/ws/screenings/{screening_id}?updates=bulk&token={tokens[place % len(tokens)]}"
        for place in range(number)
    ]


@asynccontextmanager
async def prepare(stage: Stage) -> AsyncIterator[list[Contender]]:
    """Ours, and two ways to broadcast."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(stage.frontrow(socket_tick_ms=0))
        load = await _changes_of_seats(stage, server)
        probe = await stage.load.run(replace(load, seconds=_PROBE_SECONDS))
        contenders = [_contender(stage, "frontrow", load)]
        text = b"x" * (probe.received_bytes // max(probe.outcomes[TEXT], 1))
        message = ByMessage(text, stage.sizes.changes_ahead)
        for name in ("websockets-broadcast", "tornado-broadcast"):
            target = await stage.join(stack, name)
            if target is not None:
                contenders.append(_contender(stage, name, _messages(stage, target, message)))
        yield contenders


async def _changes_of_seats(stage: Stage, server: Frontrow) -> FanOut:
    (screening,) = await stage.activated(server, await server.process.seed(1, 15, 20))
    pairs, ahead = SeatPairs(stage.tokens, [screening]), stage.sizes.changes_ahead
    changes = ByRequests(Repeated([pairs.toggle(pair) for pair in range(ahead)]), ahead)
    paths = watching_paths(stage.tokens, screening.id, stage.sizes.sockets)
    return FanOut(*server.target, paths, GREETING, changes, stage.seconds)


def _messages(stage: Stage, target: Target, message: ByMessage) -> FanOut:
    return FanOut(*target, ["/"] * stage.sizes.sockets, None, message, stage.seconds)


def _contender(stage: Stage, name: str, load: FanOut) -> Contender:
    async def play() -> Figures:
        tally: Tally = await stage.load.run(load)
        if tally.unanswered:
            raise TooManyFailures(f"{tally.unanswered} sockets were closed")
        return {
            "rate": tally.per_second,
            "bytes_each": tally.received_bytes / max(tally.answered, 1),
            "server_cpu": tally.server_cpu,
            "load_cpu": tally.load_cpu,
        }

    return Contender(name, play)

"""Every change goes to many sockets: deliveries per second, while changes are made as fast as they are taken.

Ours are changes of seats, made by REST, each in a frame of its own (no tick to merge them in). The peers pass
a message of the same size on. As many changes as messages are on their way together: one, and several.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from bench.load.frames import TEXT
from bench.load.sockets import ByMessage, ByRequests, FanOut
from bench.load.tally import Tally, TooManyFailures
from bench.rounds import Contender, Figures
from bench.seats import Repeated, SeatPairs
from bench.stage import Frontrow, Stage
from tests.acceptance.server_process import SeededScreening

AHEAD = {"websockets-broadcast": (1, 2, 4, 16), "tornado-broadcast": (16,)}
"""How many changes are on their way together, by the peer that is compared with."""

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
        (screening,) = await stage.activated(server, await server.process.seed(1, 15, 20))
        loads = {
            f"frontrow-{ahead}": _changes_of_seats(stage, server, screening, ahead, stage.seconds)
            for ahead in sorted({number for numbers in AHEAD.values() for number in numbers})
        }
        probe = await stage.load.run(_changes_of_seats(stage, server, screening, 1, _PROBE_SECONDS))
        text = b"x" * (probe.received_bytes // max(probe.outcomes[TEXT], 1))
        for name, numbers in AHEAD.items():
            target = await stage.join(stack, name)
            if target is not None:
                paths = ["/"] * stage.sizes.sockets
                loads |= {
                    f"{name}-{ahead}": FanOut(*target, paths, None, ByMessage(text, ahead), stage.seconds)
                    for ahead in numbers
                }
        yield [_contender(stage, name, load) for name, load in loads.items()]


def _changes_of_seats(
    stage: Stage, server: Frontrow, screening: SeededScreening, ahead: int, seconds: float
) -> FanOut:
    pairs = SeatPairs(stage.tokens, [screening])
    changes = ByRequests(Repeated([pairs.toggle(pair) for pair in range(ahead)]), ahead)
    paths = watching_paths(stage.tokens, screening.id, stage.sizes.sockets)
    return FanOut(*server.target, paths, GREETING, changes, seconds)


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

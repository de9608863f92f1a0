"""The cost of sockets, screenings and large halls: memory, time per hold, and time to recover."""

import asyncio
from functools import partial

from bench.load.http import CREATED, NO_CONTENT, OK
from bench.load.tally import TooManyFailures, cpu_seconds
from bench.plan import Contenders, Figures
from bench.seats import Repeated, SeatPairs, Walk
from bench.stage import Frontrow, Stage
from frontrow.seeding import SCREENINGS_PER_ROOM

_SMALL_HALL, _USUAL_HALL = (10, 10), (15, 20)

_KILL_AFTER = 0.5
"""Share of a round after which the server is killed."""

_BEGIN_SECONDS = 60.0
"""Time limit for the load to hold its first seat."""

_RELEASE_SECONDS = 60.0


# Each round that measures memory has a server of its own: freed memory would hide what is allocated next.
# Resident memory includes what Python and the allocator waste, but not what the kernel keeps per connection.


async def prepare_sockets(stage: Stage) -> Contenders:
    """Prepare measuring the memory of silent sockets, and the processor time that opening one takes."""
    number = stage.plan.idle_sockets

    async def play() -> Figures:
        async with stage.frontrow() as server:
            (screening,) = await stage.activated(server, await server.process.seed(1, *_USUAL_HALL))
            # The first socket allocates what all of them share.
            async with stage.silent_sockets(server, screening.id, 1):
                before_bytes = server.process.resident_bytes
            before_seconds = cpu_seconds(server.pid)
            async with stage.silent_sockets(server, screening.id, number):
                return {
                    "bytes_each": (server.process.resident_bytes - before_bytes) / number,
                    "open_cpu_ms": (cpu_seconds(server.pid) - before_seconds) / number * 1e3,
                }

    return {"frontrow": play}


async def prepare_screenings(stage: Stage) -> Contenders:
    """Prepare measuring the memory of active screenings."""
    number = stage.plan.active_screenings

    async def play() -> Figures:
        async with stage.frontrow() as server:
            screenings = await server.process.seed(2 * number, *_USUAL_HALL)
            # One screening of each room loads the layout that the others share. The other firsts fill caches
            # of request heads, which differ here from screening to screening.
            firsts = {*screenings[::SCREENINGS_PER_ROOM], *screenings[:number]}
            await stage.activated(server, sorted(firsts))
            counted = [screening for screening in screenings if screening not in firsts]
            before_bytes = server.process.resident_bytes
            await stage.activated(server, counted)
            return {"bytes_each": (server.process.resident_bytes - before_bytes) / len(counted)}

    return {"frontrow": play}


async def prepare_scale(stage: Stage) -> Contenders:
    """Prepare four servers: a small one, and one each with a large hall, many screenings and many sockets.

    The clients are the same everywhere, few enough for the small hall: each toggles a pair of its own.
    """
    plan = stage.plan
    halls = {
        "plain": (1, *_SMALL_HALL),
        "large-hall": (1, *plan.large_hall),
        "active-screenings": (plan.active_screenings, *_USUAL_HALL),
        "idle-sockets": (2, *_SMALL_HALL),
    }
    clients = min(plan.connections, _SMALL_HALL[0] * _SMALL_HALL[1] // 2)
    contenders = {}
    for name, hall in halls.items():
        server = await stage.start()
        screenings = await stage.activated(server, await server.process.seed(*hall))
        if name == "idle-sockets":
            # The sockets watch a screening in which nothing happens.
            watched = screenings.pop()
            await stage.stack.enter_async_context(stage.silent_sockets(server, watched.id, plan.idle_sockets))
        pairs = SeatPairs(stage.tokens, screenings)
        apart = len(pairs) // clients
        toggles = Repeated([pairs.toggle(client * apart) for client in range(clients)])
        contenders[name] = partial(_toggle, stage, server, toggles, clients)
    return contenders


async def _toggle(stage: Stage, server: Frontrow, toggles: Repeated, clients: int) -> Figures:
    tally = await stage.closed_loop(server, toggles, connections=clients)
    return {**tally.figures(OK), **await server.flushed()}


async def prepare_recovery(stage: Stage) -> Contenders:
    """Prepare kill -9 while seats are held, and a start."""
    server = await stage.start()
    pairs = SeatPairs(stage.tokens, await stage.seeded(server))

    async def play() -> Figures:
        holding = asyncio.create_task(stage.closed_loop(server, Walk(pairs, SeatPairs.reserve)))
        await asyncio.sleep(_KILL_AFTER * stage.plan.seconds)
        async with asyncio.timeout(_BEGIN_SECONDS):
            while not await server.client.metric("frontrow_holds_live"):
                pass
        await server.process.kill()
        tally = await holding
        if not tally.outcomes[CREATED]:
            raise TooManyFailures("the server was killed before it held a seat")
        ready_seconds = await stage.restart(server)
        # The latest holds may be lost; releasing them succeeds all the same.
        releases = Walk(pairs, SeatPairs.release, steps=tally.sent)
        (await stage.closed_loop(server, releases, seconds=_RELEASE_SECONDS)).require(NO_CONTENT)
        return {"ready_seconds": ready_seconds, "held": float(tally.outcomes[CREATED])}

    return {"frontrow": play}

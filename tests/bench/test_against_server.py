"""The scenarios' requests and sockets, sent to a server of ours: it does what they count on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench.load.closed_loop import ClosedLoop
from bench.load.frames import TEXT
from bench.load.http import CONFLICT, CREATED, NO_CONTENT, NOT_MODIFIED, OK, Address, Requests
from bench.load.sockets import FanOut
from bench.load.tally import Tally
from bench.scenarios.contention import Rush
from bench.seats import Repeated, SeatPairs, Walk, availability
from bench.stage import GREETING, watching_paths
from frontrow.seeding import seed
from persistence.bulk import BulkLoader
from persistence.connector import Connector
from tests.acceptance.seeding import SeededScreening
from tests.bench.scripted_server import OWN_PID
from tests.database import execute
from tests.house import House

pytestmark = pytest.mark.gen_test

USERS, CONNECTIONS, SECONDS = 7, 4, 0.1


class Venue:
    """A server with two screenings of twenty seats, and the seats' buyers."""

    def __init__(self, house: House, screenings: list[SeededScreening]) -> None:
        self.address = Address("127.0.0.1", house.server.port)
        self.pairs = SeatPairs([house.token(user_id) for user_id in range(1, USERS + 1)], screenings)

    async def ask(self, requests: Requests, seconds: float = 60, **more: bool) -> Tally:
        load = ClosedLoop(self.address, OWN_PID, requests, CONNECTIONS, seconds, **more)
        return await load.run()


@asynccontextmanager
async def venue(database_url: str, data_dir: Path, **settings: object) -> AsyncIterator[Venue]:
    house = House(database_url, data_dir, **settings)
    connector = Connector(database_url, pool_size=1)
    try:
        await house.open()
        seeded = [room async for room in seed(BulkLoader(connector), 2, 2, 10)]
        yield Venue(house, [SeededScreening(*screening) for screening in seeded[0]])
    finally:
        connector.close()
        await house.close()


async def test_every_pair_is_held_and_given_back(database_url: str, tmp_path: Path) -> None:
    async with venue(database_url, tmp_path) as place:
        held = await place.ask(Walk(place.pairs, SeatPairs.reserve))
        assert held.outcomes == {CREATED: len(place.pairs)}
        released = await place.ask(Walk(place.pairs, SeatPairs.release, steps=held.sent))
        assert released.outcomes == {NO_CONTENT: len(place.pairs)}
        again = await place.ask(Walk(place.pairs, SeatPairs.reserve))
        assert again.outcomes == {CREATED: len(place.pairs)}


async def test_every_pair_is_bought_once_where_several_want_it(database_url: str, tmp_path: Path) -> None:
    async with venue(database_url, tmp_path) as place:
        tally = await place.ask(Rush(place.pairs))
        assert tally.outcomes[CREATED] == len(place.pairs)
        assert tally.outcomes.keys() == {CREATED, CONFLICT}
    assert execute(database_url, "SELECT count(*) FROM tickets") == [(2 * len(place.pairs),)]


async def test_a_sale_goes_on_where_it_was(database_url: str, tmp_path: Path) -> None:
    async with venue(database_url, tmp_path) as place:
        first = await place.ask(Walk(place.pairs, SeatPairs.book, steps=[1] * CONNECTIONS))
        rest = await place.ask(Walk(place.pairs, SeatPairs.book, first=CONNECTIONS))
        assert first.outcomes == {CREATED: CONNECTIONS}
        assert rest.outcomes == {CREATED: len(place.pairs) - CONNECTIONS}


async def test_own_seats_can_always_be_toggled_and_hot_ones_by_turns(
    database_url: str, tmp_path: Path
) -> None:
    async with venue(database_url, tmp_path) as place:
        own = await place.ask(Repeated([place.pairs.toggle(pair) for pair in range(CONNECTIONS)]), SECONDS)
        assert own.outcomes.keys() == {OK}
        last = len(place.pairs) - 1
        hot = await place.ask(Repeated([place.pairs.toggle(last, user) for user in range(4)]), SECONDS)
        assert hot.outcomes.keys() == {OK, CONFLICT}


async def test_availability_is_answered_by_its_tag(database_url: str, tmp_path: Path) -> None:
    async with venue(database_url, tmp_path) as place:
        polls = Repeated([availability(place.pairs.screenings[0].id)])
        tally = await place.ask(polls, SECONDS, revalidates=True)
        assert tally.outcomes[OK] == CONNECTIONS
        assert tally.outcomes[NOT_MODIFIED] > 0
        assert tally.outcomes.keys() == {OK, NOT_MODIFIED}


async def test_a_change_reaches_every_socket_at_once(database_url: str, tmp_path: Path) -> None:
    async with venue(database_url, tmp_path, socket_tick_ms=0) as place:
        pairs = place.pairs
        paths = watching_paths(pairs.tokens, pairs.screenings[0].id, 10)
        toggles = Repeated([pairs.toggle(0), pairs.toggle(1)])
        tally = await FanOut(place.address, OWN_PID, paths, GREETING, toggles, 2, SECONDS).run()
    assert tally.unanswered == 0
    assert tally.outcomes[TEXT] > len(paths)

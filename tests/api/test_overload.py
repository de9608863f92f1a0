"""More requests than can be answered: who is refused first, and that all are served again afterwards."""

import asyncio
from collections.abc import Callable
from time import monotonic

import pytest
from websockets.exceptions import InvalidStatus

from api.overload import PATIENCE_SECONDS, TURN_SECONDS, Overload, Overloaded, Urgency
from tests.api.caller import Caller, Response
from tests.api.cinema import Cinema
from tests.api.rooms.test_socket import joined, next_message, room_message
from tests.api.venue import ORIGIN, SCREENING, Venue

LIMIT_SECONDS = 0.1
LONG, SHORT = 5 * LIMIT_SECONDS, TURN_SECONDS


def burden(overload: Overload, pressure: float) -> None:
    """Report turns that are too long until a given share is refused, and hardly more."""
    while overload.pressure == 0:
        overload.measured(1.1 * LIMIT_SECONDS, busy_seconds=LIMIT_SECONDS)
    while overload.pressure > pressure + 0.1:
        overload.measured(0.45 * LIMIT_SECONDS, busy_seconds=LIMIT_SECONDS)
    while overload.pressure < pressure:
        overload.measured(0.6 * LIMIT_SECONDS, busy_seconds=LIMIT_SECONDS)


def relieve(overload: Overload) -> None:
    """Report short turns until nothing is refused; raise if that takes more than five seconds."""
    for _ in range(round(5 / SHORT)):
        if not overload.refusing:
            return
        overload.measured(SHORT, busy_seconds=0)
    raise AssertionError(f"still at {overload.pressure}")


def is_refused(response: Response) -> bool:
    """Tell whether a response is the refusal of an overloaded server, which is checked."""
    if response.status != 503:
        return False
    assert response.code == "overloaded"
    assert 1 <= int(response.headers["Retry-After"]) <= 4
    assert response.headers["X-Request-ID"]
    return True


class Loop:
    """The clocks of an event loop, moved by hand, and the `Overload` that reads them."""

    def __init__(self) -> None:
        self.seconds = self.used_seconds = self.began = self.used_before = 0.0
        self.overload = Overload(LIMIT_SECONDS, now=lambda: self.seconds, used=lambda: self.used_seconds)

    def work(self, seconds: float, *, share: float = 1.0) -> None:
        """Go on with the turn, with a share of the processor."""
        self.seconds += seconds
        self.used_seconds += share * seconds

    def end_turn(self) -> None:
        """Begin the next turn."""
        self.overload.measured(self.seconds - self.began, self.used_seconds - self.used_before)
        self.began, self.used_before = self.seconds, self.used_seconds

    def refuses(self, requests: int = 60) -> bool:
        """Ask for a number of looks now. Returns True if the last one is refused."""
        admitted = [not self.overload.refusing or self.overload.admits(Urgency.LOOK) for _ in range(requests)]
        return not admitted[-1]


def test_a_burst_is_answered() -> None:
    loop = Loop()
    loop.end_turn()
    for _ in range(3):
        loop.work(0.9 * PATIENCE_SECONDS)
        assert not loop.refuses()
        loop.end_turn()
        loop.work(SHORT)
        assert not loop.refuses()
        loop.end_turn()


def test_a_turn_of_too_many_requests_is_cut_short() -> None:
    loop = Loop()
    loop.end_turn()
    loop.work(1.1 * PATIENCE_SECONDS)
    assert loop.refuses()


def test_something_else_that_blocks_the_loop_once_is_no_overload() -> None:
    loop = Loop()
    loop.end_turn()
    loop.work(10 * PATIENCE_SECONDS)
    assert not loop.refuses(40)
    loop.end_turn()
    loop.work(SHORT)
    assert not loop.refuses()


def test_the_second_turn_that_is_too_long_is_cut_shorter() -> None:
    loop = Loop()
    loop.end_turn()
    loop.work(PATIENCE_SECONDS)
    loop.end_turn()
    loop.work(0.9 * LIMIT_SECONDS)
    assert not loop.refuses()
    loop.work(0.2 * LIMIT_SECONDS)
    assert loop.refuses()


def test_turns_that_are_hardly_too_long_are_borne_for_a_while() -> None:
    loop = Loop()
    loop.end_turn()
    loop.work(1.2 * LIMIT_SECONDS)
    assert not loop.refuses()
    loop.end_turn()
    loop.work(0.9 * LIMIT_SECONDS)
    assert not loop.refuses()
    loop.work(0.2 * LIMIT_SECONDS)
    assert loop.refuses()


def test_a_machine_that_is_busy_with_something_else_is_no_overload() -> None:
    loop = Loop()
    for _ in range(100):
        loop.work(LONG, share=0.1)
        assert not loop.refuses()
        loop.end_turn()


def test_a_turn_that_the_machine_made_long_is_not_cut_short() -> None:
    loop = Loop()
    loop.end_turn()
    loop.work(PATIENCE_SECONDS)
    loop.end_turn()
    loop.work(LONG, share=0.1)
    assert not loop.refuses()


def test_refusing_begins_and_ends_once() -> None:
    changes: list[bool] = []
    overload = Overload(LIMIT_SECONDS, on_change=changes.append)
    burden(overload, 2.5)
    relieve(overload)
    assert changes == [True, False]
    assert all(overload.admits(urgency) for urgency in Urgency)


def test_the_pressure_has_a_limit_and_a_part_of_the_sales_is_always_answered() -> None:
    overload = Overload(LIMIT_SECONDS)
    for _ in range(1000):
        overload.measured(LONG, LONG)
    answered = [urgency for urgency in Urgency for _ in range(100) if overload.admits(urgency)]
    assert {urgency: answered.count(urgency) for urgency in Urgency} == {
        Urgency.LOOK: 0,
        Urgency.HOLD: 0,
        Urgency.SALE: pytest.approx(10, abs=1),
        Urgency.ALWAYS: 100,
    }
    assert overload.refused == [100, 100, pytest.approx(90, abs=1)]


def test_a_queue_that_refusals_shorten_settles_below_the_limit() -> None:
    """A server that is asked for three times what it can do, and for which refusing is nearly free."""
    overload = Overload(LIMIT_SECONDS)
    turn_seconds, turns = 0.02, []
    for _ in range(1000):
        asked = [overload.admits(urgency) for urgency in (Urgency.LOOK, Urgency.HOLD, Urgency.SALE)]
        admitted = sum(asked) if overload.refusing else 3
        turn_seconds = min(max(turn_seconds * (admitted + 0.1) / 1.6, TURN_SECONDS), 1.0)
        overload.measured(turn_seconds, turn_seconds)
        turns.append(turn_seconds)
    assert sum(turns[200:]) / 800 < LIMIT_SECONDS


@pytest.mark.gen_test
async def test_looks_are_refused_before_holds_and_holds_before_sales(venue: Venue) -> None:
    overload, user, guest = venue.services.overload, venue.user(7), venue.user(8)
    held = await user.reserve(SCREENING, [41, 42])
    assert held.status == 201
    burden(overload, 1.0)
    assert is_refused(await guest.availability(SCREENING))
    assert is_refused(await guest.my_tickets())
    assert (await guest.reserve(SCREENING, [43], key="general-path")).status == 201
    assert (await guest.reserve(SCREENING, [44])).status == 201
    burden(overload, 2.0)
    for attempt in range(3):
        assert is_refused(await guest.reserve(SCREENING, [45 + attempt]))
        assert is_refused(await guest.reserve(SCREENING, [45 + attempt], key=f"k-{attempt}"))
    assert is_refused(await guest.availability(SCREENING))
    booked = [await user.book(SCREENING, [seat], payment_id=f"p-{seat}") for seat in (41, 42)]
    assert [each.status for each in booked] == [201, 201]
    assert await operators_are_answered(venue)
    relieve(overload)
    seats = (await guest.availability(SCREENING)).json
    assert [seat["seat"]["id"] for seat in seats if seat["status"] == "reserved"] == [43, 44]


async def operators_are_answered(venue: Venue) -> bool:
    caller = Caller(venue.base_url)
    answers = [await caller.send("GET", path) for path in ("/healthz", "/readyz", "/health", "/metrics")]
    return [answer.status for answer in answers] == [200] * 4


@pytest.mark.gen_test
async def test_pages_of_other_origins_can_read_when_to_come_back(venue: Venue) -> None:
    burden(venue.services.overload, 1.0)
    caller = Caller(venue.base_url)
    path = f"/api/v1/seat-reservations/screening/{SCREENING}/availability"
    refused = [await caller.send("GET", path, headers={"Origin": ORIGIN}) for _ in range(4)]
    assert all(map(is_refused, refused))
    assert {each.headers["Access-Control-Allow-Origin"] for each in refused} == {ORIGIN}
    assert all("Retry-After" in each.headers["Access-Control-Expose-Headers"] for each in refused)
    assert len({each.headers["Retry-After"] for each in refused}) > 1, "they would come back together"


@pytest.mark.gen_test
async def test_the_ticket_guides_refusal_has_its_envelope(venue: Venue) -> None:
    burden(venue.services.overload, 1.0)
    refused = await Caller(venue.base_url).send("GET", "/api/public/events")
    assert is_refused(refused)
    assert (refused.json["success"], refused.json["error"]["retryable"]) == (False, True)


@pytest.mark.gen_test
async def test_new_sockets_are_admitted_at_a_bounded_rate(open_cinema: Callable[..., Cinema]) -> None:
    now = [0.0]
    cinema = open_cinema(overload=Overload(handshakes_per_second=0.2, now=lambda: now[0]))
    await cinema.join(7)
    with pytest.raises(InvalidStatus) as refused:
        await cinema.join(8)
    response = refused.value.response
    assert response.status_code == 503
    assert 2 <= int(response.headers["Retry-After"]) <= 6
    now[0] += 5
    await cinema.join(8)


def test_each_new_socket_waits_for_its_turn() -> None:
    now = [0.0]
    overload = Overload(handshakes_per_second=2, now=lambda: now[0])
    assert [overload.handshake_wait_seconds() for _ in range(9)] == [0.5 * turn for turn in range(9)]
    asked = set()
    for _ in range(5):
        with pytest.raises(Overloaded) as refused:
            overload.handshake_wait_seconds()
        asked.add(int(refused.value.headers["Retry-After"]))
    assert asked == set(range(2, 7))
    assert overload.refused_handshakes == 5
    now[0] = 0.6
    assert overload.handshake_wait_seconds() == pytest.approx(3.9)
    now[0] = 60.0
    assert [overload.handshake_wait_seconds() for _ in range(2)] == [0.0, 0.5]


@pytest.mark.gen_test
async def test_a_handshake_is_answered_when_its_turn_comes(open_cinema: Callable[..., Cinema]) -> None:
    cinema = open_cinema(overload=Overload(handshakes_per_second=20))
    joined_at = []

    async def join(user: int) -> None:
        await cinema.join(user)
        joined_at.append(monotonic())

    began_at = monotonic()
    async with asyncio.TaskGroup() as group:
        for user in range(1, 6):
            group.create_task(join(user))
    assert all(at - began_at >= 0.05 * turn for turn, at in enumerate(joined_at))
    assert cinema.requests.requests == [("/ws/screenings/{screening_id}", "GET", 101)] * 5


@pytest.mark.gen_test
async def test_sockets_of_rooms_refuse_selections_as_holds(open_cinema: Callable[..., Cinema]) -> None:
    overload = Overload(LIMIT_SECONDS)
    cinema = open_cinema(overload=overload)
    ana = await joined(cinema, "ana")
    await ana.send(room_message("select_seat", "A1"))
    assert (await next_message(ana))["type"] == "seat_selected"
    burden(overload, 2.0)
    await ana.send(room_message("select_seat", "A2"))
    refused = await next_message(ana)
    assert (refused["type"], refused["code"]) == ("error", "overloaded")
    await ana.send(room_message("release_seat", "A1"))
    assert (await next_message(ana))["type"] == "seat_released"
    with pytest.raises(InvalidStatus):
        await cinema.join(8)
    relieve(overload)
    await ana.send(room_message("select_seat", "A2"))
    assert (await next_message(ana))["type"] == "seat_selected"

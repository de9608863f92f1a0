"""Events of a running server show in its `/metrics`."""

import asyncio
import time
from math import nan

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse
from websockets.asyncio.client import connect

from tests.api.cinema import receive_close
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.members import AUTH, Member, member
from tests.catalogue.programme import add_seats, make_room, make_screening
from tests.catalogue.programme import open_house as open_house_of
from tests.database import locked
from tests.house import House
from tests.inbox import Inbox

pytestmark = pytest.mark.gen_test(timeout=120)

PRICE_CENTS = 1250


async def value(house: House, name: str, **labels: str) -> float:
    """Return the sum of the samples of this name that have these labels; nan if the name has none."""
    page = (await house.guest.send("GET", "/metrics")).body.decode()
    samples = [sample for family in parse(page) for sample in family.samples if sample.name == name]
    chosen = [sample.value for sample in samples if labels.items() <= sample.labels.items()]
    return sum(chosen) if samples else nan


async def until(wanted: float, house: House, name: str, **labels: str) -> None:
    """Wait until the samples add up to a value."""
    async with asyncio.timeout(60):
        while await value(house, name, **labels) != wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def risen(house: House, name: str) -> float:
    """Wait until the samples add up to more than 0, and return the sum."""
    async with asyncio.timeout(60):
        while not (found := await value(house, name)) > 0:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found


async def test_sales_cancellations_and_what_is_owed(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontrow.server._FIGURES_SECONDS", 0.05)
    house = await open_house(metrics_screenings=(1,))
    room_id = await make_room(house)
    seats = await add_seats(house, room_id)
    shown, another = [await make_screening(house, room_id, hour) for hour in (12, 18)]
    assert shown == 1
    await until(0, house, "frontrow_refunds_owed")
    buyer = house.user(7)
    for screening, payment in ((shown, "pay-1"), (another, "pay-2")):
        assert (await buyer.reserve(screening, seats[:2])).status == 201
        booked = await buyer.book_reservation(screening, seats[:2], payment)
        assert booked.status == 201, booked.body
    assert (await buyer.cancel_ticket(booked.json[0]["id"])).status == 204

    sales = {"kind": "screening", "screening": "1"}
    others = {"kind": "screening", "screening": "other"}
    assert await value(house, "frontrow_seats_sold_total", **sales) == 2
    assert await value(house, "frontrow_sold_cents_total", **sales) == 2 * PRICE_CENTS
    assert await value(house, "frontrow_sold_cents_total") == 4 * PRICE_CENTS
    assert await value(house, "frontrow_cancelled_cents_total", **sales) == 0
    assert await value(house, "frontrow_cancelled_cents_total", **others) == PRICE_CENTS
    await until(1, house, "frontrow_refunds_owed")
    assert await value(house, "frontrow_refunds_owed_cents") == PRICE_CENTS


async def test_the_size_of_the_database_its_connections_and_the_disk(house: House) -> None:
    assert await risen(house, "frontrow_database_bytes") > 1_000_000
    connections = await value(house, "frontrow_database_connections")
    assert 0 < connections <= await value(house, "frontrow_database_connections_limit")
    free = await risen(house, "frontrow_data_disk_free_bytes")
    assert free < await value(house, "frontrow_data_disk_bytes")


async def test_log_ins_by_result(open_house: OpenHouse) -> None:
    house = await open_house(attempts_per_account=2)
    ada = await member(house)
    stranger = Member(house, ada.email, "a wrong password")
    assert [(await stranger.log_in()).status for _ in range(3)] == [401, 401, 429]
    assert (await ada.change_password("another horse battery", "a wrong password")).status == 429
    for result, number in (("succeeded", 1), ("failed", 2), ("throttled", 2)):
        assert await value(house, "frontrow_logins_total", result=result) == number


async def test_sockets_by_how_they_ended(house: House) -> None:
    screening, seats = await open_house_of(house)
    url = f"{house.base_url.replace('http', 'ws')}/ws/screenings/{screening}?token="
    refused = await connect(f"{url}nonsense", proxy=None)
    assert (await receive_close(refused))[0] == 1008
    socket = await connect(url + house.token(7), proxy=None)
    await socket.recv()
    await house.user(8).reserve(screening, seats[:1])
    await socket.recv()
    await until(1, house, "frontrow_socket_update_age_seconds_count")
    await socket.close(code=1000)
    labels = {"endpoint": "screenings", "by": "client", "code": "1000"}
    await until(1, house, "frontrow_socket_closes_total", **labels)
    assert await value(house, "frontrow_socket_closes_total") == 1
    assert await value(house, "frontrow_socket_refusals_total", endpoint="screenings", code="1008") == 1
    assert await value(house, "frontrow_sockets_open") == 0


async def test_a_pool_that_is_exhausted_and_a_journal_that_waits(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontrow.server._READINESS_SECONDS", 0.05)
    house = await open_house(database_pool_size=1, ready_lag_seconds=0.1)
    screening, seats = await open_house_of(house)
    assert (await house.user(7).reserve(screening, seats[:1])).status == 201
    assert await value(house, "frontrow_database_pool_limit") == 1
    assert await value(house, "frontrow_database_pool_wait_seconds_count") > 0
    with locked(house.database_url, "LOCK TABLE movies, holds IN ACCESS EXCLUSIVE MODE"):
        assert (await house.user(7).reserve(screening, seats[1:2])).status == 201
        await until(1, house, "frontrow_not_ready", component="journal")
        stuck = [asyncio.create_task(house.guest.send("GET", "/api/v1/movies/")) for _ in range(3)]
        await until(1, house, "frontrow_database_pool_connections", state="busy")
        await risen(house, "frontrow_database_pool_exhausted_total")
    assert 503 in {answer.status for answer in await asyncio.gather(*stuck)}
    await until(0, house, "frontrow_not_ready", component="journal")
    await until(0, house, "frontrow_database_pool_waiting")
    assert await value(house, "frontrow_http_responses_total", status="503") > 0


async def test_mails_by_result(open_house: OpenHouse, inbox: Inbox) -> None:
    inbox.answers = ["554 this is spam"]
    house = await open_house(smtp_url=inbox.url)
    ada = await member(house)
    for _ in range(2):
        await house.guest.send("POST", f"{AUTH}/forgot-password", {"email": ada.email})
    await inbox.next_mail()
    await until(1, house, "frontrow_mails_total", result="sent")
    await until(1, house, "frontrow_mails_total", result="dropped")
    assert await value(house, "frontrow_mails_total", result="rejected") == 1


async def test_steps_of_the_clock(house: House) -> None:
    assert await value(house, "frontrow_clock_steps_total") == 0
    house.server._clock._wall = lambda: time.time() - 3600
    await until(1, house, "frontrow_clock_steps_total", direction="backwards")
    assert await value(house, "frontrow_clock_steps_total") == 1

"""Sockets keep their picture over failing networks, and end when the server says so."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from frontrow_client import (
    AsyncFrontrow,
    AsyncSeatWatch,
    BestSelected,
    ConnectionFailed,
    Frontrow,
    HoldExpiring,
    NotAuthenticated,
    NotDone,
    NotWatched,
    RoomJoined,
    SalesChanged,
    ScreeningChanged,
    SeatReleased,
    SeatsChanged,
    SeatSelected,
    SeatsNotFound,
    SocketClosed,
    TicketsLeft,
    TicketsSold,
)
from frontrow_client._async import connection
from frontrow_client.live import Next, ProtocolError, SeatPicture, next_after
from tests.catalogue.programme import set_soon
from tests.clients.conftest import Box
from tests.web.network import Network

pytestmark = pytest.mark.gen_test

PATIENCE_SECONDS = 60


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect at once."""
    monkeypatch.setattr(connection.Backoff.__init__, "__defaults__", (0.02, 0.1))


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        *((code, "", Next.RETURN) for code in (1000, 1001, 1006, 1011, 1013, 4408, 4409, 4429)),
        *((1008, reason, Next.NEW_TOKEN) for reason in ("Invalid Token", "Token expired", "token revoked")),
        (4401, "", Next.NEW_TOKEN),
        *((code, "Invalid query", Next.STAY_AWAY) for code in (1002, 1003, 1007, 1008, 1009, 4404, 4410)),
    ],
)
def test_close_codes(code: int, reason: str, expected: Next) -> None:
    assert next_after(code, reason) is expected


def seat(seat_id: int, status: str = "available") -> dict[str, Any]:
    return {"seat_id": seat_id, "status": status, "is_mine": False}


def test_a_split_update_takes_effect_with_its_last_part() -> None:
    picture = SeatPicture()
    first = {"type": "bulk_seat_update", "updates": [seat(1)], "snapshot": True, "more": True}
    last = {"type": "bulk_seat_update", "updates": [seat(2)], "snapshot": True, "epoch": 3, "seq": 5}
    assert list(picture.take(first)) == [] and picture.seats == {}
    (changed,) = picture.take(last)
    assert isinstance(changed, SeatsChanged) and changed.replaced
    assert picture.seats.keys() == {1, 2} and (picture.epoch, picture.seq) == (3, 5)
    more = {"type": "bulk_seat_update", "updates": [seat(1, "booked")], "epoch": 3, "more": True}
    assert list(picture.take(more)) == []
    picture.begin()  # the connection was lost in between
    assert picture.seats[1].status == "available" and picture.seq == 5
    (replaced,) = picture.take({**last, "updates": [seat(2)], "seq": 9})
    assert isinstance(replaced, SeatsChanged)
    assert (replaced.changed, replaced.removed) == ([], [1])


@pytest.mark.parametrize(
    "message",
    [
        {"type": "bulk_seat_update", "updates": [seat(1)], "epoch": 4, "seq": 1},
        {"type": "bulk_seat_update", "updates": [seat(1)], "epoch": 3},
        {"type": "bulk_seat_update", "updates": [{"status": "booked"}], "epoch": 3, "seq": 6},
        {"type": "bulk_seat_update", "updates": 5, "epoch": 3, "seq": 6},
        {"type": "hold_expiring", "seat_ids": [1], "epoch": 3, "seq": 6},
    ],
)
def test_a_message_that_cannot_be_understood_changes_nothing(message: dict[str, Any]) -> None:
    picture = SeatPicture()
    list(picture.take({"type": "seat_update", **seat(1), "snapshot": True, "epoch": 3, "seq": 5}))
    before = dict(picture.seats)
    with pytest.raises(ProtocolError):
        list(picture.take(message))
    assert (picture.epoch, picture.seq, picture.seats) == (3, 5, before)
    assert list(picture.take({"type": "from_the_future"})) == []


def test_a_warning_that_another_server_repeats_is_told_once() -> None:
    picture = SeatPicture()
    warning = {"type": "hold_expiring", "seat_ids": [1], "expires_at": "2030-01-26T18:30:00.000Z"}
    warning |= {"remaining_seconds": 60, "epoch": 0, "seq": 1}
    assert [type(told) for told in picture.take(warning)] == [HoldExpiring]
    assert list(picture.take({**warning, "seq": 2, "remaining_seconds": 58})) == []
    assert list(picture.take({**warning, "seq": 3, "expires_at": "2030-01-26T18:35:00.000Z"}))


@asynccontextmanager
async def watching(box: Box, screening_id: int = 1) -> AsyncIterator[tuple[Network, AsyncSeatWatch]]:
    """A user's watch through a network, with the whole picture."""
    async with (
        Network(box.server.port) as network,
        AsyncFrontrow(network.url, box.token(7)) as frontrow,
        frontrow.watch_seats(screening_id) as watch,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        first = await anext(watch)
        assert isinstance(first, SeatsChanged) and first.replaced and watch.is_live
        yield network, watch


async def agrees(box: Box, watch: AsyncSeatWatch, screening_id: int = 1) -> None:
    """Wait until the picture is what the server says."""
    async with box.client() as frontrow:
        seats = await frontrow.seats(screening_id)
    expected = {one.seat.id: (one.status.removesuffix("_by_me"), one.is_mine) for one in seats}
    while {one.seat_id: (one.status, one.is_mine) for one in watch.seats.values()} != expected:
        await anext(watch)


async def test_the_picture_follows_all_changes(box: Box) -> None:
    async with watching(box) as (_, watch), box.client() as frontrow, box.client(8) as other:
        await agrees(box, watch)
        mine = await frontrow.reserve_best(1, 2)
        await other.book(1, [(await other.reserve_best(1, 1)).seat_ids[0]], payment_id="p-1")
        await other.release(1)
        await agrees(box, watch)
        assert watch.seats[mine.seat_ids[0]].price == mine.reservations[0].price
        assert watch.seats[mine.seat_ids[0]].is_mine


async def test_a_message_that_is_lost_unnoticed_is_found_by_the_hash(
    box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    await box.restart(state_hash_seconds=0.2)
    async with watching(box) as (network, watch), box.client(8) as other:
        network.lost = b'"seat_id"'
        await other.reserve_best(1, 2)
        await agrees(box, watch)
        assert watch.mismatches == 1
        assert "the seats are not those of the server at" in caplog.text
        await other.release(1)
        await agrees(box, watch)
        assert watch.mismatches == 1


def test_a_picture_that_does_not_agree_is_loaded_again_less_and_less_often() -> None:
    picture, renewed = SeatPicture(), []
    for number in range(1, 10):
        snapshot = {"type": "bulk_seat_update", "updates": [seat(1, "reserved")], "snapshot": True}
        list(picture.take({**snapshot, "epoch": 3, "seq": number}))
        try:
            list(picture.take({"type": "state_hash", "epoch": 3, "seq": number, "hash": "bb704eb2"}))
        except ProtocolError:
            renewed.append(number)
            assert (picture.epoch, picture.seq) == (0, 0)
    assert (renewed, picture.mismatches) == ([1, 2, 4, 8], 9)
    list(picture.take({**snapshot, "epoch": 3, "seq": 10}))
    list(picture.take({"type": "state_hash", "epoch": 3, "seq": 12, "hash": "bb704eb1"}))
    assert (picture.seq, picture.mismatches) == (12, 9)


async def test_it_resumes_after_cuts_and_misses_nothing(box: Box) -> None:
    async with watching(box) as (network, watch), box.client(8) as other:
        network.admitting = False
        network.cut()
        reading = asyncio.ensure_future(anext(watch))
        while watch.is_live:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.01)
        booked = await other.reserve_best(1, 4)
        network.admitting = True
        update = await reading
        assert isinstance(update, SeatsChanged) and not update.replaced
        assert {one.seat_id for one in update.changed} == set(booked.seat_ids)
        network.cut_after(200)
        await other.release(1)
        await agrees(box, watch)


async def test_it_survives_a_restart_and_a_change_of_the_screening(box: Box) -> None:
    async with watching(box) as (network, watch):
        before = watch.position
        restart = asyncio.ensure_future(box.restart())
        reading = asyncio.ensure_future(anext(watch))
        await restart
        network.port = box.server.port
        assert isinstance(await reading, SeatsChanged)
        assert watch.position > before
        async with box.client(1, admin=True) as admin:
            await admin.update_screening(1, price=12)
        while not isinstance(await anext(watch), ScreeningChanged):
            pass
        async with box.client(8) as other:
            await other.reserve_best(1, 1)
        await agrees(box, watch)


async def test_a_revoked_token_is_replaced(box: Box) -> None:
    async with await box.logged_in() as frontrow, frontrow.watch_seats(1) as watch:
        await anext(watch)
        async with AsyncFrontrow(box.base_url, frontrow.token) as thief, asyncio.timeout(PATIENCE_SECONDS):
            await thief.log_out()
            reading = asyncio.ensure_future(anext(watch))
            async with box.client(8) as other:
                while not reading.done():
                    await other.toggle(1, [1])
                    await asyncio.wait([reading], timeout=0.1)
            assert isinstance(await reading, SeatsChanged)


async def test_it_ends_where_reconnecting_is_useless(box: Box) -> None:
    async with box.client() as frontrow:
        with pytest.raises(SocketClosed) as closed:
            await anext(frontrow.watch_seats(10**9))
        assert (closed.value.code, closed.value.reason) == (4404, "Screening not found")
    async with AsyncFrontrow(box.base_url, "not.a.token") as frontrow:
        with pytest.raises(NotAuthenticated):
            await anext(frontrow.watch_seats(1))
    async with Network(box.server.port) as network, AsyncFrontrow(network.url, box.token(7)) as frontrow:
        network.upgradable = False
        with pytest.raises(ConnectionFailed, match=r"within 1 seconds"):
            await anext(frontrow.watch_seats(1, give_up_seconds=1))
        assert network.refused > 1


async def test_a_silent_network_is_noticed(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PING_SECONDS", 0.1)
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 1.0)
    async with watching(box) as (network, watch), box.client(8) as other:
        network.silent = True
        reading = asyncio.ensure_future(anext(watch))
        await other.reserve_best(1, 1)
        while watch.is_live:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.01)
        network.silent = False
        assert isinstance(await reading, SeatsChanged)


async def test_closing_ends_the_iteration(box: Box) -> None:
    async with box.client() as frontrow:
        watch = frontrow.watch_seats(1)
        await anext(watch)
        reading = asyncio.ensure_future(anext(watch, None))
        await asyncio.sleep(0)
        await frontrow.close()
        assert await reading is None
        assert [update async for update in watch] == []


async def test_events_and_their_counts(box: Box) -> None:
    async with box.client() as frontrow, asyncio.timeout(PATIENCE_SECONDS):
        event = await frontrow.event((await anext(frontrow.events())).id)
        async with Network(box.server.port) as network, AsyncFrontrow(network.url, box.token(8)) as other:
            async with other.watch_events([event.id, 10**9]) as watch:
                told = [await anext(watch), await anext(watch)]
                (refused,) = (update for update in told if isinstance(update, NotWatched))
                assert (refused.event_id, refused.error.code) == (10**9, "event_not_found")
                left = watch.counts[int(event.id)]
                await frontrow.reserve_tickets({event.ticket_types[0].id: 2})
                assert await anext(watch) == TicketsLeft(
                    event_id=int(event.id),
                    available_seats=left.available_seats - 2,
                    seat_capacity=left.seat_capacity,
                )
                network.cut()
                assert isinstance(await anext(watch), TicketsLeft)
                await watch.subscribe(1)
                await anext(watch)
                assert watch.counts.keys() == {int(event.id), 1}
                await watch.unsubscribe(1)
                await frontrow.book(1, (await frontrow.reserve_best(1, 1)).seat_ids)
                await watch.subscribe(2)
                assert await anext(watch) == watch.counts[2]
                await frontrow.book(2, (await frontrow.reserve_best(2, 1)).seat_ids)
                while not isinstance(await anext(watch), TicketsSold):
                    pass


async def test_rooms(box: Box) -> None:
    room = "funcion_1"
    async with (
        Network(box.server.port) as network,
        AsyncFrontrow(network.url) as guest,
        AsyncFrontrow(box.base_url) as other,
        guest.rooms_socket("ada") as mine,
        other.rooms_socket("ben") as theirs,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        assert not await mine.select(room, "D1"), "there is no connection"
        for socket in (mine, theirs):
            await socket.join(room)
            joined = await anext(socket)
            assert isinstance(joined, RoomJoined) and joined.selections == []
        assert await mine.select(room, "D1", {"name": "Ada"})
        for socket in (mine, theirs):
            selected = await anext(socket)
            assert isinstance(selected, SeatSelected) and selected.selection.client_id == "ada"
        assert theirs.selections(room)["D1"].user_info == {"name": "Ada"}
        await theirs.select(room, "Z99")
        refused = await anext(theirs)
        assert isinstance(refused, NotDone) and isinstance(refused.error, SeatsNotFound)
        await theirs.select_best(room, 2)
        best = await anext(theirs)
        assert isinstance(best, BestSelected) and len(best.seat_ids) == 2
        assert [type(await anext(mine)) for _ in best.seat_ids] == [SeatSelected] * 2
        network.cut()
        assert isinstance(await anext(mine), RoomJoined)
        assert mine.selections(room).keys() == {"D1", *best.seat_ids}
        await mine.release(room, "D1")
        assert isinstance(await anext(theirs), SeatReleased)
        assert "D1" not in theirs.selections(room)
        await mine.leave(room)
        assert mine.selections(room) == {}


async def test_sales_that_open_are_told(box: Box) -> None:
    async with watching(box) as (_, watch), box.client(1, admin=True) as admin:
        await set_soon(lambda start: admin.update_screening(1, sales_start=start))
        while not (isinstance(update := await anext(watch), SalesChanged) and update.is_open):
            pass


async def test_the_blocking_client_watches_too(box: Box) -> None:
    def watch() -> list[str]:
        with Frontrow(box.base_url, box.token(7)) as frontrow, frontrow.watch_seats(1) as watch:
            seen = [type(next(watch)).__name__]
            frontrow.toggle(1, [1])
            seen.append(watch.seats[1].status)
            update = next(watch)
            assert isinstance(update, SeatsChanged)
            seen.append(update.changed[0].status)
            ending = threading.Timer(0.05, watch.close)
            ending.start()
            assert list(watch) == []
            ending.join()
        with Frontrow(box.base_url) as guest, guest.rooms_socket("ada") as rooms:
            rooms.join("funcion_1")
            assert isinstance(next(rooms), RoomJoined)
            rooms.select("funcion_1", "D1")
            seen.append(type(next(rooms)).__name__)
        with Frontrow(box.base_url, box.token(7)) as frontrow, frontrow.watch_events([1]) as events:
            seen.append(type(next(events)).__name__)
        return seen

    expected = ["SeatsChanged", "available", "reserved", "SeatSelected", "TicketsLeft"]
    assert await asyncio.to_thread(watch) == expected

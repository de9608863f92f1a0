"""Every method of the client does what it says, with the real server."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from frontrow_client import (
    AlreadyWaiting,
    ApiError,
    AsyncFrontrow,
    Frontrow,
    NotFound,
    OfflineScan,
    PaymentRequired,
    Person,
    RefundUnvouched,
    ScanRefused,
    StillAvailable,
)
from tests.clients.conftest import Box
from tests.web.demo_house import PASSWORD

pytestmark = pytest.mark.gen_test

ADA = Person(
    full_name="Ada Byron",
    identity_type="passport",
    identity_number="4711",
    email="ada@home.example",
    whatsapp="+492281234567",
)


async def every(entries: AsyncIterator[Any]) -> list[Any]:
    return [entry async for entry in entries]


async def test_the_programme_and_its_administration(box: Box) -> None:
    async with box.client(1, admin=True) as admin:
        cinema = await admin.create_cinema("Electric Palace", city="Bonn", time_zone="Europe/Berlin")
        assert await admin.cinema(cinema.id) == cinema
        assert [one.id for one in await every(admin.cinemas(city="Bonn"))] == [cinema.id]
        movie = await admin.create_movie("The General", duration_minutes=78, release_date="1926-12-31")
        assert await admin.movie(movie.id) == movie
        assert movie.id in [one.id for one in await every(admin.search_movies("general"))]
        assert len(await every(admin.movies())) == 5
        room = await admin.create_room(cinema.id, "Hall 1")
        seats = await admin.add_rows(room.id, 3, 50)
        assert (len(seats), seats[0].row_label, seats[-1].row_label) == (150, "A", "C")
        with pytest.raises(ValueError, match="26"):
            await admin.add_rows(room.id, 27, 1)
        assert sorted(seat.id for seat in await every(admin.room_seats(room.id))) == sorted(
            s.id for s in seats
        )
        layout = await admin.layout(room.id)
        layout["seats"] = layout["seats"][:-1]
        assert (await admin.publish_layout(room.id, layout, dry_run=True))["removed"] == 1
        await admin.publish_layout(room.id, layout)
        assert [(await admin.room(room.id)).seat_count] == [149]
        assert [one.name for one in await every(admin.rooms(cinema.id))] == ["Hall 1"]
        evening = datetime.now(UTC).replace(microsecond=0) + timedelta(days=7)
        screening = await admin.create_screening(room.id, evening, 12.5, movie_id=movie.id)
        assert await admin.screening(screening.id) == screening
        assert (screening.starts_at, screening.title) == (evening, "The General")
        changed = await admin.update_screening(screening.id, price=14, max_per_user=None)
        assert (changed.price, changed.max_per_user) == (14.0, None)
        day = screening.starts_at_local.date()
        for listed in (
            admin.screenings(cinema_id=cinema.id, day=day),
            admin.showtimes(starts_from=evening, starts_before=evening + timedelta(hours=1), city="Bonn"),
        ):
            assert [one.id for one in await every(listed)] == [screening.id]
        assert {price.seat_type: price.price for price in await admin.prices(screening.id)} == {
            "standard": 14.0
        }
        assert (await admin.scarcity(screening.id)).available == 149
        await admin.delete_screening(screening.id, cancel_bookings=True)
        with pytest.raises(NotFound):
            await admin.screening(screening.id)


async def test_pages_are_fetched_as_they_are_needed(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frontrow_client._async.base.PAGE_SIZE", 7)
    monkeypatch.setattr("frontrow_client._sync.base.PAGE_SIZE", 7)
    async with box.client() as frontrow, box.client(1, admin=True) as admin:
        found = await every(frontrow.screenings())
        assert len({screening.id for screening in found}) == len(found) == 30
        for number in range(9):
            await admin.create_event(f"Evening {number}", datetime.now(UTC) + timedelta(days=number + 1))
        assert len(await every(frontrow.events())) == 10

    def blocking() -> list[int]:
        with Frontrow(box.base_url) as other:
            screenings: Iterator[Any] = other.screenings()
            return [screening.id for screening in screenings]

    assert await asyncio.to_thread(blocking) == [screening.id for screening in found]


async def test_seats_tickets_and_refunds(box: Box) -> None:
    async with box.client() as mine, box.client(1, admin=True) as admin:
        reserved = await mine.reserve_best(1, 4)
        first, second, third, fourth = reserved.seat_ids
        assert reserved.total == 43.96
        extended = await mine.extend(1, [first], minutes=1)
        assert extended.reservations[0].expires_at > reserved.reservations[0].expires_at
        await mine.release(1, [fourth])
        toggled = await mine.toggle(1, [third, fourth])
        assert [hold.seat_id for hold in toggled.released] == [third]
        assert [hold.seat_id for hold in toggled.reserved] == [fourth]
        assert len(await every(mine.my_reservations())) == 3
        paid, other = await mine.book_reserved(1, [first, second], "p-1", expected_total=21.98)
        shown = await mine.ticket(paid.id)
        assert (shown.id, shown.seat_id, shown.status) == (paid.id, paid.seat_id, paid.status)
        (pending,) = await mine.book(1, [fourth], payment_pending=True)
        assert (pending.status, pending.payment_deadline is not None) == ("pending", True)
        confirmed = await mine.confirm_payment(pending.id, "p-2", expected_total=10.99)
        assert confirmed.status == "confirmed"
        moved = await mine.move_ticket(paid.id, seat_id=third)
        assert (moved.id, moved.seat_id) == (paid.id, third)
        screening = await mine.screening(1)
        later = next(one for one in await every(mine.screenings(room_id=screening.room_id)) if one.id != 1)
        both = await mine.move_tickets([paid.id, other.id], screening_id=later.id, expected_total=0)
        assert {ticket.screening_id for ticket in both} == {later.id}
        await admin.update_screening(1, price=20)
        with pytest.raises(PaymentRequired) as required:
            await mine.move_ticket(paid.id, screening_id=1)
        assert required.value.amount == 9.01
        await mine.cancel_ticket(confirmed.id)
        await mine.cancel_tickets([paid.id, other.id])
        assert {ticket.status for ticket in await every(mine.my_tickets())} == {"cancelled"}
        records = await every(admin.all_tickets(user_id=7, status="cancelled"))
        assert {record.holder for record in records} == {"user:7"}
        owed = await every(admin.refunds(status="owed", user_id=7))
        assert sum(refund.amount for refund in owed) == pytest.approx(32.97)
        own = await every(mine.my_refunds(status="owed", screening_id=1))
        assert [refund.id for refund in own] == [refund.id for refund in owed if refund.screening_id == 1]
        assert {(refund.title, refund.reason) for refund in own} == {(screening.title, "ticket_cancelled")}
        with pytest.raises(RefundUnvouched):
            await admin.settle_refund(owed[0].id, "re-1")
        assert (await admin.settle_refund(owed[0].id, "re-1", confirm=True)).status == "settled"


async def test_waiting(box: Box) -> None:
    async with box.client() as mine, box.client(8) as other, box.client(1, admin=True) as admin:
        with pytest.raises(StillAvailable) as available:
            await mine.join_waitlist(1, 2)
        assert available.value.available > 200, "wheelchair places are not given out by the list"
        (taken,) = (await other.reserve_best(1, 1)).seat_ids
        watched = await mine.notify_when_free(1, taken)
        assert watched.seat_id == taken
        free = [seat.seat.id for seat in await admin.seats(1) if seat.is_available]
        block = {"label": "All", "kind": "house", "seat_ids": free}
        await admin.request("POST", "/api/v1/admin/screenings/1/blocks", dict, json=block)
        entry = await mine.join_waitlist(1, 1)
        with pytest.raises(AlreadyWaiting) as waiting:
            await mine.join_waitlist(1, 1)
        assert waiting.value.entry_id == entry.id
        assert {one.id for one in await every(mine.my_waitlist())} == {entry.id, watched.id}
        await mine.leave_waitlist(watched.id)
        async with mine.watch_seats(1) as watch:
            await anext(watch)
            await other.release(1)
            while type(offered := await anext(watch)).__name__ != "SeatsOffered":
                pass
        assert offered.seat_ids == [taken]
        (offer,) = [one.offer for one in await every(mine.my_waitlist())]
        assert offer is not None and offer.reservation_id == offered.reservation_id


async def test_tickets_by_quantity_and_the_door(box: Box) -> None:
    async with box.client(1, admin=True) as admin, box.client() as mine, AsyncFrontrow(box.base_url) as guest:
        event = await admin.create_event(
            "First Night", datetime.now(UTC) + timedelta(minutes=30), venue="Hall"
        )
        kind = await admin.create_ticket_type(event.id, "Standing", 10, 20)
        assert (await guest.ticket_availability(kind.id)).available == 20
        session = await guest.new_session()
        (held,) = await guest.reserve_tickets({kind.id: 2}, session=session, minutes=5, metadata={"till": 4})
        assert (held.total_price, held.metadata) == (20.0, {"till": 4})
        longer = await guest.extend_tickets(held.id, 3, session=session)
        assert longer.expires_at > held.expires_at
        assert [one.id for one in await every(guest.my_ticket_reservations(session=session))] == [held.id]
        assert (await guest.ticket_reservation(held.id, session=session)).status == "ACTIVE"
        assert (await guest.release_tickets(held.id, session=session)).status == "CANCELLED"

        (held,) = await mine.reserve_tickets({kind.id: 2})
        bought = await mine.purchase(held.id, ADA, [ADA, ADA], expected_total=20)
        assert (len(bought.tickets), bought.total_price) == (2, 20.0)
        assert (await mine.purchase(held.id, ADA, [ADA, ADA])).tickets[0].id == bought.tickets[0].id
        shown = await every(mine.shown_tickets())
        assert {ticket.title for ticket in shown} == {"First Night"}
        assert (await mine.ticket_picture(bought.tickets[0].id)).startswith(b"<")
        assert (await mine.ticket_picture(bought.tickets[0].id, "png")).startswith(b"\x89PNG")
        assert b"BEGIN:VCALENDAR" in await mine.ticket_calendar(bought.tickets[0].id)

        rest = await every(guest.my_waitlist(session=session))
        assert rest == []
        event_id = int(event.id)
        assert (await admin.qr_key())["crv"] == "Ed25519"
        assert len(await every(admin.expected_tickets(event_id))) == 2
        async with admin.watch_events() as watch:
            await watch.subscribe(event_id, check_ins=True)
            assert (await anext(watch)).admitted == 0
            code = bought.tickets[0].code
            admitted = await admin.check_in(code, "North", screening_id=event_id)
            assert (admitted.result, admitted.holder) == ("admitted", "Ada Byron")
            while (counts := await anext(watch)).admitted == 0:
                pass
            assert counts.gates == [{"gate": "North", "admitted": 1}]
        with pytest.raises(ScanRefused) as again:
            await admin.check_in(code, "South")
        assert (again.value.code, again.value.gate) == ("already_admitted", "North")
        assert again.value.admitted_at == admitted.admitted_at
        assert (await admin.undo_check_in(code, "North")).result == "undone"
        scan = OfflineScan(
            scan_id="1", code=bought.tickets[1].code, gate="South", scanned_at=datetime.now(UTC)
        )
        (result,) = await admin.report_scans("scanner-1", [scan])
        assert (result.result, result.repeated) == ("admitted", False)
        assert (await admin.check_in_counts(event_id)).admitted == 1


async def test_everybody_waits_for_tickets(box: Box) -> None:
    async with box.client(1, admin=True) as admin, box.client() as mine, AsyncFrontrow(box.base_url) as guest:
        event = await admin.create_event("Small", datetime.now(UTC) + timedelta(days=1))
        kind = await admin.create_ticket_type(event.id, "Seat", 10, 1)
        await mine.reserve_tickets({kind.id: 1})
        session = await guest.new_session()
        entry = await guest.join_ticket_waitlist(kind.id, 1, session=session)
        assert [one.id for one in await every(guest.my_waitlist(session=session))] == [entry.id]
        await guest.leave_waitlist(entry.id, session=session)


async def test_accounts(box: Box) -> None:
    async with AsyncFrontrow(box.base_url) as frontrow:
        profile = await frontrow.register("grace@home.example", PASSWORD, "Grace Hopper")
        await frontrow.log_in("grace@home.example", PASSWORD)
        assert await frontrow.me() == profile
        with pytest.raises(ApiError) as refused:
            await frontrow.register("grace@home.example", PASSWORD)
        assert refused.value.status == 409


def test_no_method_is_left_out() -> None:
    """The tests above and those of tokens, sockets and refusals use all of them."""
    here = Path(__file__).parent
    tests = "".join(module.read_text() for module in here.glob("test_*.py"))
    methods = {name for name, _ in inspect.getmembers(AsyncFrontrow, inspect.isfunction) if name[0] != "_"}
    assert [name for name in methods if f".{name}(" not in tests] == []

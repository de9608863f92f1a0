"""Mails about what has happened: to whom, in which language, and once for each cause."""

import asyncio
import json
import re
from datetime import datetime
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import vobject

from api.mails.delivery import PAGE
from tests.api.caller import TICKETS, Caller
from tests.box_office import ADA, BOB, Guest, data, days_ahead, make_event, make_type
from tests.catalogue.members import member
from tests.catalogue.programme import SCREENINGS, hour, make_screening, open_house
from tests.database import execute
from tests.house import House
from tests.inbox import Inbox

pytestmark = pytest.mark.gen_test

ANN = "ann@home.example"


@pytest.fixture
def house(house_with_mail: House) -> House:
    return house_with_mail


def add_user(house: House, email: str = ANN, **preferences: object) -> int:
    statement = """
        INSERT INTO users (id, email, full_name, password_hash, preferences)
        SELECT 100 + count(*), %s, 'Ann', '', %s FROM users RETURNING id
    """
    return execute(house.database_url, statement, email, json.dumps(preferences))[0][0]


def plain(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return body.get_content()


def calendar(mail: EmailMessage) -> Any:
    (part,) = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    assert part.get_content_charset() == "utf-8"
    entry = vobject.readOne(part.get_content())
    assert part.get_param("method") == entry.method.value
    return entry


async def mails(inbox: Inbox, number: int) -> dict[str, EmailMessage]:
    """Return the next mails by their recipient."""
    found = [await inbox.next_mail() for _ in range(number)]
    by_recipient = {mail["To"]: mail for mail in found}
    assert len(by_recipient) == number, [mail["To"] for mail in found]
    return by_recipient


async def all_sent(house: House) -> None:
    """Wait until no mail is waiting."""
    async with asyncio.timeout(60):
        # The database notifies nobody.
        while execute(house.database_url, "SELECT id FROM outbox WHERE status = 'waiting'"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert not execute(house.database_url, "SELECT error FROM outbox WHERE status <> 'delivered'")


async def bought(house: House, *holders: Any, user_id: int = 7, language: str = "") -> list[dict[str, Any]]:
    """Buy a ticket of a new event for each holder, with Ada as the buyer."""
    kind = await make_type(house, await make_event(house))
    guest = Guest(house, "guest-of-an-event", house.token(user_id))
    reservation = await guest.reserved(kind, len(holders))
    body = {"sessionId": "guest-of-an-event", "buyerInfo": ADA, "ticketHolders": list(holders)}
    headers = {"Accept-Language": language} if language else {}
    answer = await guest.send(
        "POST", f"/api/public/reservations/{reservation}/purchase", body, headers=headers
    )
    return data(answer)["tickets"]


async def test_buyer_and_holders_of_event_tickets_get_their_tickets(house: House, inbox: Inbox) -> None:
    tickets = await bought(house, ADA, BOB, BOB)
    found = await mails(inbox, 2)
    text = plain(found[ADA["email"]])
    assert all(ticket["code"] in text for ticket in tickets)
    assert "Hello Ada Example," in text
    text = plain(found[BOB["email"]])
    assert [ticket["code"] in text for ticket in tickets] == [False, True, True]
    assert "Hello Bob Example," in text
    await all_sent(house)
    assert inbox.empty


async def test_a_guest_at_the_counter_needs_no_address(house: House, inbox: Inbox) -> None:
    event_id = await make_event(house)
    order = {"ticket_type_id": int(await make_type(house, event_id)), "quantity": 2}
    guest = {"full_name": "Ada Byron"}
    path = f"/api/v1/ops/screenings/{event_id}/sales"
    sold = await house.admin.send("POST", path, {**order, "guest": guest})
    assert sold.status == 201, sold.body
    await all_sent(house)
    assert inbox.empty


async def test_mails_are_in_the_language_of_the_browser(house: House, inbox: Inbox) -> None:
    await bought(house, BOB, language="ja, es-CO;q=0.9, en;q=0.8")
    found = await mails(inbox, 2)
    assert {mail["Subject"] for mail in found.values()} == {"Tus entradas para Night of the Brass Bands"}
    assert {mail["Content-Language"] for mail in found.values()} == {"es"}


async def test_mails_are_in_the_language_that_a_user_prefers(house: House, inbox: Inbox) -> None:
    screening, seats = await open_house(house)
    user = await member(house, ANN)
    preferred = await user.send("PUT", "/api/v1/users/me/preferences", {"language": "de-AT"})
    assert preferred.status == 200
    await user.book(screening, seats[:1])
    mail = await inbox.next_mail()
    assert mail["Subject"] == "Ihre Tickets für Brass and Thunder"
    assert "Reihe A, Platz 1" in plain(mail)
    html = mail.get_body(("html",)).get_content()
    assert '<html lang="de">' in html
    assert "Reihe A, Platz 1" in html


@pytest.mark.parametrize("tag", ["", "d", "deutsch!", "de-", "x" * 36, 5])
async def test_a_language_must_be_a_tag(house: House, tag: object) -> None:
    user = await member(house, ANN)
    refused = await user.send("PUT", "/api/v1/users/me/preferences", {"language": tag})
    assert (refused.status, list(refused.json["errors"])) == (422, ["language"])


async def test_the_calendar_of_a_ticket_is_in_the_language_of_the_browser(house: House) -> None:
    screening, seats = await open_house(house)
    user = house.user()
    ticket = (await user.book(screening, seats[:1])).json[0]["id"]
    path = f"/api/public/tickets/{ticket}/calendar.ics"
    answer = await user.send("GET", path, headers={"Accept-Language": "id"})
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    entry = vobject.readOne(answer.body.decode())
    assert "Baris A, kursi 1" in entry.vevent.description.value
    assert (entry.vevent.uid.value, entry.vevent.sequence.value) == (f"booking-{ticket}@frontrow", "0")


async def test_moved_tickets_get_new_codes_and_replace_their_calendar_entry(
    house: House, inbox: Inbox
) -> None:
    screening, seats = await open_house(house)
    room = (await house.guest.send("GET", f"{SCREENINGS}/{screening}")).json["room_id"]
    later = await make_screening(house, room, 22)
    user = house.user(add_user(house))
    booked = (await user.book(screening, seats[:2], payment_id="pay-1")).json
    first, second = [ticket["id"] for ticket in booked]
    calendar(await inbox.next_mail())
    assert (await user.send("POST", f"{TICKETS}/{first}/move", {"screening_id": later})).status == 200
    both = [await inbox.next_mail(), await inbox.next_mail()]
    parts = {calendar(mail).vevent.uid.value: mail for mail in both}
    moved, stays = parts[f"booking-{first}@frontrow"], parts[f"booking-{first}-{screening}@frontrow"]
    assert calendar(moved).vevent.dtstart.value > calendar(stays).vevent.dtstart.value
    assert {calendar(mail).vevent.sequence.value for mail in both} == {"1"}
    codes = [(await user.ticket(ticket)).json["code"] for ticket in (first, second)]
    for mail, code, other in ((moved, *codes), (stays, *codes[::-1])):
        assert f"ticket {code}" in plain(mail) and other not in plain(mail)
    assert (await user.send("POST", f"{TICKETS}/{second}/move", {"screening_id": later})).status == 200
    together = await inbox.next_mail()
    assert all(f"ticket {code}" in plain(together) for code in codes)
    entry = calendar(together)
    assert (entry.method.value, entry.vevent.sequence.value) == ("PUBLISH", "2")
    assert entry.vevent.uid.value == f"booking-{first}@frontrow"
    await all_sent(house)


async def test_buyers_learn_what_a_cancellation_means_for_their_money(house: House, inbox: Inbox) -> None:
    screening, seats = await open_house(house)
    user_id = add_user(house)
    user = house.user(user_id)
    first, second = [
        ticket["id"] for ticket in (await user.book(screening, seats[:2], payment_id="pay-1")).json
    ]
    booked = calendar(await inbox.next_mail())
    assert (await user.cancel_ticket(first)).status == 204
    partly = await inbox.next_mail()
    assert partly["Subject"] == "Cancelled tickets for Brass and Thunder"
    assert "We have cancelled this ticket, as you asked." in plain(partly)
    assert "If you have paid, you get €12.50 back" in plain(partly)
    assert "Your other ticket of this booking stays valid." in plain(partly)
    codes = [(await user.ticket(ticket)).json["code"] for ticket in (first, second)]
    assert [code in plain(partly) for code in codes] == [True, False]
    changed = await house.admin.send("PUT", f"{TICKETS}/{second}/status", {"status": "cancelled"})
    assert changed.status == 200
    last = await inbox.next_mail()
    assert "The venue has cancelled this ticket." in plain(last)
    entries = [booked, calendar(partly), calendar(last)]
    assert [entry.method.value for entry in entries] == ["PUBLISH", "PUBLISH", "CANCEL"]
    assert [entry.vevent.sequence.value for entry in entries] == ["0", "1", "2"]
    assert {entry.vevent.uid.value for entry in entries} == {f"booking-{first}@frontrow"}
    await user.cancel_ticket(second)
    await all_sent(house)
    assert inbox.empty


async def test_a_cancelled_screening_reaches_everybody_once(house: House, inbox: Inbox) -> None:
    screening, seats = await open_house(house)
    people = [f"user{number}@home.example" for number in range(3)]
    for person, seat in zip(people, seats, strict=False):
        await house.user(add_user(house, person)).book(screening, [seat], payment_pending=person == people[0])
    await house.user(777).book(screening, seats[4:5])
    await mails(inbox, 2)
    gone = await house.admin.send("DELETE", f"{SCREENINGS}/{screening}?cancel_bookings=true")
    assert gone.status == 204
    found = await mails(inbox, 3)
    assert list(sorted(found)) == people
    for mail in found.values():
        assert mail["Subject"] == "Cancelled: Brass and Thunder"
        assert "The venue has cancelled Brass and Thunder." in plain(mail)
        assert calendar(mail).method.value == "CANCEL"
    assert "Nothing was paid" in plain(found[people[0]])
    await all_sent(house)
    assert inbox.empty


async def test_a_move_reaches_those_who_have_tickets(house: House, inbox: Inbox) -> None:
    screening, seats = await open_house(house)
    user_id = add_user(house)
    user = house.user(user_id)
    booked = (await user.book(screening, seats[:2], payment_id="pay-1")).json
    other = (await house.user(add_user(house, "bea@home.example")).book(screening, seats[3:4])).json
    await mails(inbox, 2)
    await house.user(add_user(house, "cat@home.example")).reserve(screening, seats[4:5])
    for start in (20, 21):
        moved = await house.admin.send("PUT", f"{SCREENINGS}/{screening}", {"starts_at": hour(start)})
        assert moved.status == 200
        # Neither price nor a repetition moves anything.
        for change in ({"price": 5}, {"starts_at": hour(start)}):
            assert (await house.admin.send("PUT", f"{SCREENINGS}/{screening}", change)).status == 200
    found = [await inbox.next_mail() for _ in range(4)]
    own = sorted(
        (mail for mail in found if mail["To"] == ANN),
        key=lambda mail: calendar(mail).vevent.sequence.value,
    )
    assert [mail["Subject"] for mail in own] == ["Changed: Brass and Thunder"] * 2
    begins = [calendar(mail).vevent.dtstart.value.isoformat(timespec="milliseconds") for mail in own]
    assert [begin.replace("+00:00", "Z") for begin in begins] == [hour(20), hour(21)]
    assert [calendar(mail).vevent.sequence.value for mail in own] == ["1", "2"]
    assert calendar(own[0]).vevent.uid.value == f"booking-{booked[0]['id']}@frontrow"
    assert "20:00 UTC. Until now it was" in plain(own[0])
    assert "18:00 UTC." in plain(own[0])
    assert "Your 2 tickets and their QR codes stay valid" in plain(own[0])
    assert [mail["To"] for mail in found].count("bea@home.example") == 2
    path = f"/api/public/tickets/{booked[0]['id']}/calendar.ics"
    assert vobject.readOne((await user.send("GET", path)).body.decode()).vevent.sequence.value == "2"
    await all_sent(house)
    assert inbox.empty
    assert other


async def test_a_changed_event_reaches_holders_too(house: House, inbox: Inbox) -> None:
    await bought(house, BOB)
    await mails(inbox, 2)
    ((event,),) = execute(house.database_url, "SELECT max(id) FROM events")
    changed = await house.admin.send(
        "PATCH", f"/api/admin/events/{event}", {"startDate": days_ahead(31), "venue": "Opera"}
    )
    assert changed.status == 200, changed.body
    for mail in (await mails(inbox, 2)).values():
        assert mail["Subject"] == "Changed: Night of the Brass Bands"
        assert "The place is now: Opera. Until now it was: Harbour Hall." in plain(mail)


async def test_the_end_of_a_payment_window_is_announced_once(house: House, inbox: Inbox) -> None:
    screening, seats = await open_house(house)
    people = ("ann@home.example", "bea@home.example", "cat@home.example")
    wants = ({}, {"email_notifications": False}, {})
    users = [house.user(add_user(house, *who[:1], **who[1])) for who in zip(people, wants, strict=True)]
    for user, seat in zip(users, seats, strict=False):
        assert (await user.book(screening, [seat], payment_pending=True)).status == 201
    # As if most of the window had passed, for two of them.
    soon = """
        UPDATE tickets SET booked_at = now() - interval '1 hour', payment_deadline = now() + interval '299 s'
        WHERE seat_id = ANY (%s)
    """
    execute(house.database_url, soon, list(seats[:2]))
    mail = await inbox.next_mail()
    assert (mail["To"], mail["Subject"]) == (people[0], "Please pay soon: Brass and Thunder")
    assert "Your ticket is not paid yet." in plain(mail)
    await house.restart()  # searches again
    await all_sent(house)
    assert inbox.empty


async def test_the_end_of_a_hold_is_announced_to_those_who_want_that(house: House, inbox: Inbox) -> None:
    screening, seats = await open_house(house)
    users = [
        house.user(add_user(house, ANN, hold_reminders=True, language="es")),
        house.user(add_user(house, "bea@home.example")),
    ]
    for user, seat in zip(users, (seats[:2], seats[2:3]), strict=True):
        assert (await user.reserve(screening, seat)).status == 201
    soon = "UPDATE holds SET reserved_at = now() - interval '1 hour', expires_at = now() + interval '59 s'"
    async with asyncio.timeout(60):
        while len(execute(house.database_url, "SELECT id FROM holds")) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    execute(house.database_url, soon)
    mail = await inbox.next_mail()
    assert mail["To"] == ANN
    assert "Guardamos tus 2 asientos para Brass and Thunder" in plain(mail)
    assert "Fila A, asiento 1, reservado hasta las" in plain(mail)
    assert "Fila A, asiento 2, reservado hasta las" in plain(mail)
    assert f"/screenings/{screening}/checkout" in plain(mail)
    await all_sent(house)
    assert inbox.empty


async def test_seats_that_were_reserved_one_by_one_are_announced_together(house: House, inbox: Inbox) -> None:
    screening, seats = await open_house(house)
    user = house.user(add_user(house, hold_reminders=True))
    for seat in seats[:3]:
        assert (await user.reserve(screening, [seat])).status == 201
    async with asyncio.timeout(60):
        while len(execute(house.database_url, "SELECT id FROM holds")) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    soon = """
        UPDATE holds SET reserved_at = now() - interval '1 hour',
               expires_at = now() + interval '50 s' + interval '3 s' * (seat_id - %s)
    """
    execute(house.database_url, soon, seats[0])
    mail = await inbox.next_mail()
    assert "We keep your 3 seats for Brass and Thunder" in plain(mail)
    assert [f"Row A, seat {number}, reserved until" in plain(mail) for number in (1, 2, 3)] == [True] * 3
    await house.restart()  # searches again
    await all_sent(house)
    assert inbox.empty


async def test_refunds_are_announced_when_owed_and_settled(house: House, inbox: Inbox) -> None:
    screening, seats = await open_house(house)
    user_id = add_user(house)
    database = house.database_url
    execute(database, "UPDATE cinemas SET time_zone = 'Europe/Berlin'")
    pay = """
        INSERT INTO payments (payment_id, holder, screening_id, created_at)
        VALUES ('vouched:pi_1', %s, %s, now())
    """
    execute(database, pay, f"user:{user_id}", screening)
    owe = """
        INSERT INTO refunds (payment_id, screening_id, holder, amount, reason, seat_ids)
        VALUES ('vouched:pi_1', %s, %s, 12.5, 'seats_unavailable', %s)
    """
    execute(database, owe, screening, f"user:{user_id}", list(seats[:2]))
    owed = await inbox.next_mail()
    begins = datetime.fromisoformat(hour(18)).astimezone(ZoneInfo("Europe/Berlin"))
    places = ("Odeon, Great Hall", "Row A, seat 1\r\nRow A, seat 2\r\n")
    for text in ("Brass and Thunder", f"{begins:%H:%M} CE", *places):
        assert text in plain(owed), text
    assert owed["Subject"] == "You get €12.50 back"
    assert "Your payment pi_1 could not be used" in plain(owed)
    settle = "UPDATE refunds SET status = 'settled', settled_at = now(), reference = %s"
    execute(database, settle, "RE-7")
    settled = await inbox.next_mail()
    assert settled["Subject"] == "Your refund of €12.50"
    assert "of your payment pi_1." in plain(settled)
    assert "give the reference RE-7" in plain(settled)
    assert "Brass and Thunder" in plain(settled)
    assert "Row A, seat 2" in plain(settled)
    execute(database, settle, "RE-7")
    await all_sent(house)
    assert inbox.empty


async def test_many_bookings_are_written_to_in_pages(house: House, inbox: Inbox) -> None:
    """The transaction of the cause writes one message, whatever the number of bookings."""
    screening, _ = await open_house(house)
    user_id, number = add_user(house), PAGE + 2
    sell = """
        INSERT INTO tickets (screening_id, id, booking_id, holder, price, status, booked_at, confirmed_at)
        SELECT %s, n, n, %s, 5, 'confirmed', now(), now() FROM generate_series(1, %s) AS n
    """
    database = house.database_url
    execute(database, "ALTER TABLE tickets DISABLE TRIGGER tickets_confirmation_of_new")
    execute(database, sell, screening, f"user:{user_id}", number)
    execute(database, "UPDATE screenings SET title = 'Low Water' WHERE id = %s", screening)
    await all_sent(house)
    ((pages, bookings),) = execute(
        database,
        """
        SELECT count(*) FILTER (WHERE payload ? 'beyond'), count(DISTINCT payload -> 'booking_id') FROM outbox
        """,
    )
    assert (pages, bookings) == (1, number)


async def test_links_have_the_port_that_the_server_listens_on(house: House, inbox: Inbox) -> None:
    screening, seats = await open_house(house)
    await house.user(add_user(house)).book(screening, seats[:1])
    port = house.base_url.rpartition(":")[2]
    assert f"http://127.0.0.1:{port}/my-tickets" in plain(await inbox.next_mail())


async def test_a_repeated_mail_is_recognised(house: House, inbox: Inbox) -> None:
    screening, seats = await open_house(house)
    await house.user(add_user(house)).book(screening, seats[:1])
    first = await inbox.next_mail()
    await all_sent(house)
    execute(house.database_url, "UPDATE outbox SET status = 'waiting', finished_at = NULL, due_at = now()")
    again = await inbox.next_mail()
    assert first["Message-ID"] == again["Message-ID"]
    assert first["Message-ID"].endswith("@localhost>")


async def test_mails_with_secret_links_are_in_the_language_of_their_reader(
    house: House, inbox: Inbox
) -> None:
    user = await member(house, ANN, full_name="Ann")
    asked = {"email": ANN}

    async def reset(language: str) -> EmailMessage:
        headers = {"Accept-Language": language}
        answer = await house.guest.send("POST", "/api/v1/auth/forgot-password", asked, headers=headers)
        assert answer.status == 202
        return await inbox.next_mail()

    mail = await reset("de-AT, en;q=0.5")
    assert mail["Subject"] == "Ihr Passwort zurücksetzen"
    assert "Ann" in plain(mail)
    html = mail.get_body(("html",)).get_content()
    assert '<html lang="de">' in html
    assert re.search(r'href="[^"]+/reset-password\?token=[^"]+"', html)
    preferred = await user.send("PUT", "/api/v1/users/me/preferences", {"language": "id"})
    assert preferred.status == 200
    assert (await reset("de"))["Subject"] == "Atur ulang kata sandi Anda"

    await house.restart(guest_purchase=True)
    screening, seats = await open_house(house)
    for seat in seats[:2]:
        guest = data(await house.guest.send("POST", "/api/public/guests"))
        caller = Caller(house.base_url, guest["accessToken"])
        details = {"fullName": "Ann", "email": ANN}
        assert (await caller.send("PUT", "/api/public/guests/me", details)).status == 200
        assert (await caller.book(screening, [seat])).status == 201
        await inbox.next_mail()
    answer = await house.guest.send(
        "POST", "/api/public/guests/ticket-links", asked, headers={"Accept-Language": "es"}
    )
    assert answer.status == 202
    mail = await inbox.next_mail()
    assert mail["Subject"] == "Tus entradas"
    assert len(re.findall(r"Ver mis entradas \(\d\): \S+/my-tickets#guest=", plain(mail))) == 2
    assert len(re.findall(r'href="[^"]+/my-tickets#guest=', mail.get_body(("html",)).get_content())) == 2

"""Users over HTTP: profiles, preferences, pictures, searches, and deleted accounts."""

import asyncio
import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from persistence.catalogue.logins import Logins
from persistence.connector import Connector
from persistence.mails import MailRows
from tests.box_office import PUBLIC, make_event, make_type
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.members import AUTH, PASSWORD, Member, member
from tests.catalogue.programme import open_house
from tests.database import execute
from tests.house import House

pytestmark = pytest.mark.gen_test

USERS = "/api/v1/users"
ME = f"{USERS}/me"
PICTURE = f"{ME}/profile-picture"
HISTORY = f"{ME}/search-history"


def picture(form: str = "PNG", size: tuple[int, int] = (700, 300), **options: object) -> bytes:
    made = BytesIO()
    Image.new("RGB", size, "teal").save(made, form, **options)
    return made.getvalue()


async def upload(caller: Member, content: bytes, media_type: str):
    return await caller.send("PUT", PICTURE, raw=content, headers={"Content-Type": media_type})


def as_form(content: bytes, media_type: str, field: str = "file") -> tuple[bytes, str]:
    """Return the body and the media type of a form with one file."""
    head = (
        f'--edge\r\nContent-Disposition: form-data; name="{field}"; filename="me.png"\r\n'
        f"Content-Type: {media_type}\r\n\r\n"
    )
    return head.encode() + content + b"\r\n--edge--\r\n", "multipart/form-data; boundary=edge"


def bomb(side: int) -> bytes:
    """Return a PNG of a few bytes that claims to be enormous."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


async def test_a_profile_is_read_and_changed(house: House) -> None:
    ada = await member(house, full_name="Ada")
    shown = (await ada.send("GET", ME)).json
    assert shown == (await ada.who_am_i()).json
    assert shown == shown | {"id": ada.user_id, "full_name": "Ada", "phone": "", "preferences": {}}
    overreaching = await ada.send("PUT", ME, {"phone": "+44 20 7946 0000", "is_admin": True, "id": 1})
    assert (overreaching.status, set(overreaching.json["errors"])) == (422, {"is_admin", "id"})
    changed = await ada.send("PUT", ME, {"phone": "+44 20 7946 0000"})
    assert changed.json == shown | {"phone": "+44 20 7946 0000", "updated_at": changed.json["updated_at"]}
    assert (await ada.send("PUT", ME, {"full_name": "x" * 201})).status == 422


async def test_others_only_see_public_fields(house: House) -> None:
    ada = await member(house, full_name="Ada Byron")
    shown = (await house.guest.send("GET", f"{USERS}/{ada.user_id}")).json
    assert set(shown) == {"id", "full_name", "picture_url", "created_at"}
    assert (shown["id"], shown["full_name"]) == (ada.user_id, "Ada Byron")
    unknown = await house.guest.send("GET", f"{USERS}/{ada.user_id + 1}")
    assert (unknown.status, unknown.code) == (404, "user_not_found")


async def test_another_address_needs_the_password_and_must_be_free(house: House) -> None:
    ada, eve = await member(house), await member(house, "eve@home.example")
    for body, status, code in (
        ({"email": "ada@work.example"}, 403, "wrong_password"),
        ({"email": "ada@work.example", "current_password": "not the password"}, 403, "wrong_password"),
        ({"email": "EVE@home.example", "current_password": PASSWORD}, 409, "email_exists"),
    ):
        refused = await ada.send("PUT", ME, body)
        assert (refused.status, refused.code) == (status, code)
    assert (await ada.send("PUT", ME, {"email": "ADA@home.example"})).status == 200
    body = {"email": "ada@work.example", "current_password": PASSWORD}
    assert (await ada.send("PUT", ME, body)).json["email"] == "ada@work.example"
    ada.email = "ada@work.example"
    assert (await ada.log_in()).status == 200
    assert (await eve.log_in()).status == 200


async def test_preferences_are_replaced(house: House) -> None:
    ada = await member(house)
    wanted = {"language": "de", "favorite_genres": ["Drama", "Krimi"], "email_notifications": False}
    assert (await ada.send("PUT", f"{ME}/preferences", wanted)).json == wanted
    assert (await ada.send("PUT", f"{ME}/preferences", {**wanted, "unknown": 1})).status == 422
    assert (await ada.send("GET", ME)).json["preferences"] == wanted
    assert (await ada.send("PUT", f"{ME}/preferences", {"theme": "dark"})).json == {"theme": "dark"}
    for bad in ({"theme": "pink"}, {"favorite_genres": ["x"] * 51}, {"email_notifications": "yes"}):
        assert (await ada.send("PUT", f"{ME}/preferences", bad)).status == 422


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
async def test_a_picture_is_reencoded_and_served_safely(house: House, form: str) -> None:
    ada = await member(house)
    uploaded = await upload(ada, picture(form), f"image/{form.lower()}")
    assert uploaded.status == 200, uploaded.body
    address = uploaded.json["picture_url"]
    assert (await house.guest.send("GET", f"{USERS}/{ada.user_id}")).json["picture_url"] == address
    served = await house.guest.send("GET", address, headers={"Accept-Encoding": "gzip"})
    assert served.headers["Content-Type"] == "image/webp"
    assert served.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in served.headers["Content-Security-Policy"]
    with Image.open(BytesIO(served.body)) as image:
        assert (image.format, image.size) == ("WEBP", (300, 300))
    known = await house.guest.send("GET", address, headers={"If-None-Match": served.headers["ETag"]})
    assert known.status == 304


async def test_a_picture_can_be_sent_as_a_form_and_loses_its_metadata(house: House) -> None:
    ada = await member(house)
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    photo = picture("JPEG", (2000, 1500), exif=exif)
    assert b"taken at home" in photo
    body, media_type = as_form(photo, "image/jpeg")
    address = (await upload(ada, body, media_type)).json["picture_url"]
    served = await house.guest.send("GET", address)
    assert b"taken at home" not in served.body
    with Image.open(BytesIO(served.body)) as image:
        assert image.size == (512, 512)


async def test_a_picture_url_replaces_an_uploaded_picture(house: House) -> None:
    ada = await member(house)
    await upload(ada, picture(), "image/png")
    elsewhere = "https://pictures.example/ada.png"
    changed = await ada.send("PUT", f"{PICTURE}-url", {"url": elsewhere})
    assert changed.json["picture_url"] == elsewhere
    assert (await house.guest.send("GET", f"{USERS}/{ada.user_id}/profile-picture")).status == 404
    assert (await ada.send("PUT", f"{PICTURE}-url", {"url": None})).json["picture_url"] is None
    for bad in (
        *("javascript:alert(1)", "data:image/png;base64,AA", "//pictures.example", ""),
        *(f"https://pictures.example/a{mark}b" for mark in "\"'<>`\\ \n{}^|"),
        'https://ex.example/a"><script>',
    ):
        assert (await ada.send("PUT", f"{PICTURE}-url", {"url": bad})).status == 422


async def test_invalid_pictures_are_refused(house: House) -> None:
    ada = await member(house)
    empty_form = b"--edge--\r\n", "multipart/form-data; boundary=edge"
    for content, media_type, status in (
        (b"<script>alert(1)</script>", "image/png", 415),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 415),
        (b"%PDF-1.7", "application/pdf", 415),
        (b"{}", "application/json", 415),
        (picture("PNG"), "image/jpeg", 415),
        (picture("BMP"), "application/octet-stream", 415),
        (picture("PNG")[:200], "image/png", 422),
        (bomb(6000), "image/png", 422),
        (bomb(30_000), "image/png", 422),
        (b"", "image/png", 422),
        (*empty_form, 422),
        (*as_form(picture(), "image/png", field="other"), 422),
        (*as_form(picture(), "image/jpeg"), 415),
        (*as_form(b"#!/bin/sh", "application/octet-stream"), 415),
        (b"no form", "multipart/form-data", 422),
        (b"no form", "multipart/form-data; boundary=edge", 422),
    ):
        refused = await upload(ada, content, media_type)
        assert (refused.status, content[:40]) == (status, content[:40]), refused.body
    assert (await ada.send("GET", ME)).json["picture_url"] is None


async def test_the_size_of_a_picture_is_bounded(open_house: OpenHouse) -> None:
    house = await open_house(upload_limit_bytes=1_500_000)
    ada = await member(house)
    large = picture("PNG") + bytes(1_400_000)
    assert (await upload(ada, large, "image/png")).status == 200
    for size in (1_500_001, 2_900_000, 20_000_000):
        refused = await upload(ada, bytes(size), "image/png")
        assert (refused.status, refused.code, refused.json["limit"]) == (413, "body_too_large", 1_500_000)
    too_large = await ada.send("PUT", ME, {"full_name": "x" * 70_000})
    assert (too_large.status, too_large.json["limit"]) == (413, 65_536)


async def test_searches_are_kept_once_newest_first_and_bounded(house: House) -> None:
    ada = await member(house)
    for query in ("tide", "50% 'off' 🎬", "tide"):
        assert (await ada.send("POST", HISTORY, {"query": query})).status == 201
    assert [entry["query"] for entry in (await ada.send("GET", HISTORY)).json] == ["tide", "50% 'off' 🎬"]
    for number in range(105):
        added = await ada.send("POST", HISTORY, {"query": f"film {number}"})
    page = await ada.send("GET", f"{HISTORY}?size=2&sort=newest")
    assert [entry["query"] for entry in page.json] == ["film 104", "film 103"]
    assert page.headers["X-Total-Count"] == "100"
    assert 'rel="next"' in page.headers["Link"]
    oldest = (await ada.send("GET", f"{HISTORY}?size=1&sort=oldest")).json
    assert [entry["query"] for entry in oldest] == ["film 5"]
    entry = f"{HISTORY}/{added.json['id']}"
    assert [(await ada.send("DELETE", entry)).status for _ in range(2)] == [204, 404]
    assert (await ada.send("DELETE", HISTORY)).status == 204
    assert (await ada.send("GET", HISTORY)).json == []


async def test_searches_are_private(house: House) -> None:
    ada, eve = await member(house), await member(house, "eve@home.example")
    entry = (await ada.send("POST", HISTORY, {"query": "tide"})).json
    refused = await eve.send("DELETE", f"{HISTORY}/{entry['id']}")
    assert (refused.status, refused.code) == (404, "search_entry_not_found")
    await eve.send("DELETE", HISTORY)
    assert (await eve.send("GET", HISTORY)).json == []
    assert (await ada.send("GET", HISTORY)).json == [entry]
    for bad in ({}, {"query": ""}, {"query": "x" * 201}, {"query": 7}):
        assert (await ada.send("POST", HISTORY, bad)).status == 422


async def test_a_deleted_account_leaves_only_its_tickets(house: House) -> None:
    ada = await member(house, full_name="Ada Byron", email="ada@home.example")
    screening, seats = await open_house(house)
    assert (await ada.book(screening, seats[:2])).status == 201
    end(house, screening)
    await ada.send("POST", HISTORY, {"query": "tide"})
    await upload(ada, picture(), "image/png")
    assert (await ada.send("DELETE", ME)).status == 204
    assert (await ada.who_am_i()).code == "token_revoked"
    assert (await ada.log_in()).status == 401
    assert (await house.guest.send("GET", f"{USERS}/{ada.user_id}")).status == 404
    assert (await house.guest.send("GET", f"{USERS}/{ada.user_id}/profile-picture")).status == 404
    ((sold,),) = execute(house.database_url, "SELECT count(*) FROM tickets WHERE status = 'confirmed'")
    assert sold == 2
    ((left,),) = execute(house.database_url, "SELECT users::text FROM users")
    assert "ada" not in left.lower()
    assert execute(house.database_url, "SELECT count(*) FROM search_history") == [(0,)]
    minted = house.user(ada.user_id)
    for method, path in (("GET", ME), ("DELETE", ME), ("GET", f"{AUTH}/me")):
        assert (await minted.send(method, path)).code == "user_not_found"
    assert (await Member(house, "ada@home.example").register()).status == 201


def end(house: House, screening: int) -> None:
    """Move a screening into the past."""
    moved = (
        "UPDATE screenings SET starts_at = now() - interval '3 hours', ends_at = now() - interval '1 hour'"
        " WHERE id = %s"
    )
    execute(house.database_url, moved, screening)


async def test_an_account_with_tickets_to_come_is_deleted_only_with_them(house: House) -> None:
    ada = await member(house, email="ada@home.example")
    screening, seats = await open_house(house)
    assert (await ada.reserve(screening, seats[:1])).status == 201
    booked = (await ada.book(screening, seats[1:3], payment_id="pay-1")).json
    over, over_seats = await open_house(house)
    await ada.book(over, over_seats[:1])
    end(house, over)
    refused = await ada.send("DELETE", ME)
    assert (refused.status, refused.code) == (409, "account_has_tickets")
    assert [ticket["ticket_id"] for ticket in refused.json["tickets"]] == [ticket["id"] for ticket in booked]
    assert refused.json["tickets"][0]["screening_id"] == screening
    assert "cancel_tickets=true" in refused.json["detail"]
    assert (await ada.who_am_i()).status == 200
    assert await taken(house, screening) == {seats[0]: "reserved", seats[1]: "booked", seats[2]: "booked"}
    assert (await ada.send("DELETE", f"{ME}?cancel_tickets=true")).status == 204
    assert (await ada.who_am_i()).code == "token_revoked"
    assert await taken(house, screening) == {}
    statuses = "SELECT status, count(*)::int FROM tickets GROUP BY 1 ORDER BY 1"
    assert execute(house.database_url, statuses) == [("cancelled", 2), ("confirmed", 1)]
    owed = "SELECT sum(amount)::float FROM refunds WHERE status = 'owed' AND payment_id = 'pay-1'"
    assert execute(house.database_url, owed) == [(sum(ticket["price"] for ticket in booked),)]


async def test_what_is_booked_while_an_account_is_deleted_is_cancelled_and_owed(house: House) -> None:
    ada = await member(house)
    screening, seats = await open_house(house)
    deleted, *booked = await asyncio.gather(
        ada.send("DELETE", f"{ME}?cancel_tickets=true"),
        *[ada.book(screening, [seat], payment_id=f"pay-{seat}") for seat in seats[:-1]],
    )
    assert deleted.status == 204
    paid = [answer.json[0]["price"] for answer in booked if answer.status == 201]
    # A server that has not heard of the deletion accepts a token that this one would refuse.
    late = await house.user(ada.user_id).book(screening, seats[-1:], payment_id="late")
    assert late.status == 201, late.body
    paid += [ticket["price"] for ticket in late.json]
    waiting = "SELECT subject FROM outbox WHERE kind = 'account_deleted' AND status = 'waiting'"
    assert execute(house.database_url, waiting) == [(f"user {ada.user_id}",)]
    execute(house.database_url, "UPDATE outbox SET due_at = now() WHERE kind = 'account_deleted'")
    async with asyncio.timeout(60):
        while execute(house.database_url, waiting):
            await taken(house, screening)
    assert await taken(house, screening) == {}
    statuses = "SELECT status, count(*)::int FROM tickets GROUP BY 1"
    assert execute(house.database_url, statuses) == [("cancelled", len(paid))]
    owed = "SELECT sum(amount)::float FROM refunds WHERE status = 'owed'"
    assert execute(house.database_url, owed) == [(sum(paid),)]


async def taken(house: House, screening: int) -> dict[int, str]:
    availability = (await house.guest.availability(screening)).json
    return {entry["seat"]["id"]: entry["status"] for entry in availability if entry["status"] != "available"}


async def test_reservations_of_places_end_with_the_account(house: House) -> None:
    ada = await member(house)
    kind = await make_type(house, await make_event(house))
    reserve = {"ticketTypeId": kind, "quantity": 2}
    assert (await ada.send("POST", f"{PUBLIC}/reservations", reserve)).status == 201
    assert (await ada.send("DELETE", ME)).status == 204
    stock = (await house.guest.send("GET", f"{PUBLIC}/availability/{kind}")).json["data"]
    assert stock["reserved"] == 0


async def test_the_address_of_a_deleted_account_stays_until_no_news_may_follow(house: House) -> None:
    ada = await member(house, full_name="Ada Byron", email="ada@home.example")
    screening, seats = await open_house(house)
    (ticket,) = (await ada.book(screening, seats[:1], payment_id="pay-1")).json
    began = "UPDATE screenings SET starts_at = now() - interval '1 minute' WHERE id = %s"
    execute(house.database_url, began, screening)
    assert (await ada.send("DELETE", ME)).status == 204
    kept = "SELECT last_email, full_name FROM users"
    assert execute(house.database_url, kept) == [("ada@home.example", "")]
    connector = Connector(house.database_url)
    try:
        (booked,) = await MailRows(connector).bookings([ticket["id"]])
        assert booked["email"] == "ada@home.example"
        logins = Logins(connector, 3600.0)
        await logins.forget_expired()
        assert execute(house.database_url, kept) == [("ada@home.example", "")]
        end(house, screening)
        owe = (
            "INSERT INTO refunds (payment_id, screening_id, amount, reason, holder) "
            "VALUES ('pay-1', %s, 10, 'test', %s)"
        )
        execute(house.database_url, owe, screening, f"user:{ada.user_id}")
        await logins.forget_expired()
        assert execute(house.database_url, kept) == [("ada@home.example", "")]
        execute(
            house.database_url,
            "UPDATE refunds SET status = 'settled', settled_at = now(), reference = 'transfer 1'",
        )
        await logins.forget_expired()
        assert execute(house.database_url, kept) == [(None, "")]
        (booked,) = await MailRows(connector).bookings([ticket["id"]])
        assert booked["email"] is None
    finally:
        connector.close()


async def test_users_without_an_account_get_an_error(house: House) -> None:
    stranger = house.user(4711)
    for method, path, body in (
        ("GET", ME, None),
        ("PUT", ME, {"full_name": "X"}),
        ("PUT", ME, {"email": "x@home.example", "current_password": "x"}),
        ("DELETE", ME, None),
        ("PUT", f"{ME}/preferences", {}),
        ("PUT", f"{PICTURE}-url", {"url": None}),
        ("POST", HISTORY, {"query": "tide"}),
    ):
        refused = await stranger.send(method, path, body)
        assert (refused.status, refused.code) == (404, "user_not_found"), (method, path)
    assert (await upload(stranger, picture(), "image/png")).code == "user_not_found"
    assert (await stranger.send("GET", HISTORY)).json == []


async def test_callers_without_a_token_are_refused(house: House) -> None:
    paths = (("GET", ME), ("PUT", ME), ("DELETE", ME), ("PUT", f"{ME}/preferences"), ("PUT", PICTURE))
    others = (("PUT", f"{PICTURE}-url"), ("GET", HISTORY), ("POST", HISTORY), ("DELETE", HISTORY))
    answers = await asyncio.gather(
        *(
            house.guest.send(method, path, {})
            for method, path in (*paths, *others, ("DELETE", f"{HISTORY}/1"))
        )
    )
    assert {answer.status for answer in answers} == {401}

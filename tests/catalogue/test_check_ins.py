"""Admission at the door: one ticket admits once, whoever scans it where, and whenever its scan arrives."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.api.caller import TICKETS, Caller, Response
from tests.api.cinema import receive
from tests.box_office import ADA, Guest, data, make_event, make_type
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.members import member
from tests.catalogue.programme import SCREENINGS, add_seats, make_room, schedule
from tests.database import execute
from tests.house import House
from tests.site.blocks import blocks

pytestmark = pytest.mark.gen_test

CHECK_IN = "/api/v1/check-in"
SCANNERS = 50


def from_now(minutes: float) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()


def scanner(house: House) -> Caller:
    """A scanner with a service token."""
    return Caller(house.base_url, house.tokens.issue_to_service("check-in", ttl_seconds=3600))


async def code_of(house: House, ticket: Any) -> str:
    """Return the code printed on a ticket given by its id; other codes are returned unchanged."""
    if isinstance(ticket, str):
        return ticket
    listed = (await house.admin.send("GET", f"{TICKETS}/?size=100")).json
    return next(entry["code"] for entry in listed if entry["id"] == ticket)


async def scan(house: House, ticket: Any, gate: str = "North", **more: Any) -> Response:
    body = {"code": await code_of(house, ticket), "gate": gate, **more}
    return await scanner(house).send("POST", CHECK_IN, body)


async def undo(house: House, ticket: Any, gate: str = "Office") -> Response:
    body = {"code": await code_of(house, ticket), "gate": gate}
    return await scanner(house).send("POST", f"{CHECK_IN}/undo", body)


async def batch(house: House, scanner_id: str, *scans: tuple[str, Any, str, float]) -> list[dict[str, Any]]:
    """Send scans: their ids, tickets, gates and how many minutes ago they were made. Returns the results."""
    body = {
        "scanner_id": scanner_id,
        "scans": [
            {
                "scan_id": scan_id,
                "code": await code_of(house, ticket),
                "gate": gate,
                "scanned_at": from_now(-ago),
            }
            for scan_id, ticket, gate, ago in scans
        ],
    }
    response = await scanner(house).send("POST", f"{CHECK_IN}/batch", body)
    assert response.status == 200, response.body
    return response.json["results"]


async def open_doors(house: House, minutes: float = 60, **details: Any) -> tuple[int, list[int]]:
    """Create a screening that starts in some minutes. Returns its id and seats."""
    room = await make_room(house)
    seats = await add_seats(house, room)
    times = {"starts_at": from_now(minutes), "ends_at": from_now(minutes + 120)}
    made = await schedule(house, room, **times, **details)
    assert made.status == 201, made.body
    return made.json["id"], seats


async def sold(house: House, screening: int, seats: list[int], caller: Caller | None = None) -> list[int]:
    booked = await (caller or house.user()).book(screening, seats)
    assert booked.status == 201, booked.body
    return [ticket["id"] for ticket in booked.json]


async def admissions(house: House, screening: int, query: str = "") -> list[dict[str, Any]]:
    listed = await house.admin.send("GET", f"/api/v1/admin/screenings/{screening}/check-ins{query}")
    assert listed.status == 200, listed.body
    return listed.json


async def test_the_first_scan_admits_and_every_other_is_told_when_and_where(house: House) -> None:
    ada = await member(house, full_name="Ada Byron", email="ada@home.example")
    screening, seats = await open_doors(house)
    (ticket,) = await sold(house, screening, seats[:1], ada)
    assert (await ada.ticket(ticket)).json.get("admitted_at") is None
    admitted = await scan(house, ticket, screening_id=screening)
    assert (admitted.status, admitted.json["result"]) == (200, "admitted"), admitted.body
    shown = {
        "seat_id": seats[0],
        "place": "Row A, seat 1",
        "holder": "Ada Byron",
        "gate": "North",
        "entries": 1,
    }
    assert admitted.json == admitted.json | shown | {
        "ticket_id": ticket,
        "screening_id": screening,
        "inside": True,
    }
    again = await scan(house, ticket, "South")
    assert (again.status, again.code) == (409, "already_admitted")
    assert again.json == again.json | shown | {"admitted_at": admitted.json["admitted_at"]}
    own = (await ada.ticket(ticket)).json
    assert (
        own["admitted_at"] == (await ada.my_tickets()).json[0]["admitted_at"] == admitted.json["admitted_at"]
    )
    (entry,) = (await house.admin.send("GET", f"{TICKETS}/")).json
    assert entry["admitted_at"] == own["admitted_at"]
    export = await house.admin.send("GET", f"{TICKETS}/export.csv?screening_id={screening}")
    assert export.body.decode().splitlines()[1].endswith(",North")


async def test_fifty_scanners_at_once_admit_one(house: House) -> None:
    screening, seats = await open_doors(house)
    (ticket,) = await sold(house, screening, seats[:1])
    responses = await asyncio.gather(*(scan(house, ticket, f"gate {number}") for number in range(SCANNERS)))
    assert sorted(response.status for response in responses) == [200] + [409] * (SCANNERS - 1)
    (winner,) = [response.json["gate"] for response in responses if response.status == 200]
    assert {response.json["gate"] for response in responses} == {winner}
    metrics = (await house.guest.send("GET", "/metrics")).body.decode()
    for result, number in (("admitted", 1), ("already_admitted", SCANNERS - 1)):
        assert f'frontrow_check_ins_total{{result="{result}"}} {number:.1f}' in metrics


async def test_codes_are_read_as_printed_and_never_logged(house: House, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    kind = await make_type(house, event := await make_event(house, startDate=from_now(60)))
    guest = Guest(house, "guest-of-an-event", house.token(7))
    (ticket,) = data(await guest.purchase(await guest.reserved(kind), ADA))["tickets"]
    typed, qr = ticket["code"], ticket["qrCode"]
    admitted = await scan(house, f" {qr}\n", screening_id=int(event))
    assert (admitted.status, admitted.json["holder"]) == (200, ADA["fullName"]), admitted.body
    assert (admitted.json["ticket_type"], admitted.json["seat_id"]) == ("Standing", None)
    for spelling in (typed, typed.lower(), typed.replace("-", ""), typed.lower().replace("-", " ")):
        assert (await scan(house, spelling)).code == "already_admitted", spelling
    name, *numbers, signature = qr.split(".")
    for forged in (
        *(
            "no such code",
            "2222-2222-2222-2222",
            "0",
            str(2**63),
            "FR1",
            "\u0661\u0662",
            typed[:-1],
            "FR1...",
            "-",
        ),
        *(
            qr[:-2] + "AA",
            qr.swapcase(),
            ".".join((name, "999", *numbers[1:], signature)),
            qr.replace("FR1", "FR2"),
        ),
    ):
        refused = await scan(house, forged)
        assert (refused.status, refused.code) == (404, "unknown_code"), forged
    for bad in (
        {"code": ""},
        {"code": "x\x00"},
        {"code": "1" * 301},
        {"gate": " "},
        {"gate": "a\nb"},
        {"direction": "up"},
    ):
        body = {"code": typed, "gate": "North", **bad}
        assert (await scanner(house).send("POST", CHECK_IN, body)).status == 422, bad
    logged = caplog.text + (await house.guest.send("GET", "/metrics")).body.decode()
    assert typed not in logged and typed.replace("-", "") not in logged and signature not in logged
    assert "Ada" not in caplog.text


async def test_refusals_say_what_is_wrong_with_a_ticket(house: House) -> None:
    screening, seats = await open_doors(house)
    other, other_seats = await open_doors(house, 200, title="Low Water")
    valid, cancelled, elsewhere = [
        *await sold(house, screening, seats[:2]),
        *await sold(house, other, other_seats[:1]),
    ]
    (pending,) = [
        t["id"] for t in (await house.user().book(screening, seats[2:3], payment_pending=True)).json
    ]
    await house.user().cancel_ticket(cancelled)
    for code, more, expected in (
        (pending, {}, "ticket_unpaid"),
        (cancelled, {}, "ticket_cancelled"),
        (elsewhere, {}, "too_early"),
        (elsewhere, {"screening_id": screening}, "wrong_screening"),
        (valid, {"direction": "out"}, "reentry_not_allowed"),
    ):
        refused = await scan(house, code, **more)
        assert (refused.status, refused.code) == (409, expected)
        assert (refused.json["ticket_id"], refused.json["admitted_at"]) == (code, None)
    assert "Low Water" in (await scan(house, elsewhere, screening_id=screening)).json["detail"]
    assert (await undo(house, valid)).code == "not_admitted"
    execute(
        house.database_url,
        "UPDATE screenings SET starts_at = now() - interval '3 h', ends_at = now() - interval '1 s'",
    )
    assert (await scan(house, valid)).code == "screening_over"
    assert await admissions(house, screening) == []


async def test_only_scanners_and_administrators_admit_and_scanners_do_nothing_else(house: House) -> None:
    screening, seats = await open_doors(house)
    first, second = await sold(house, screening, seats[:2])
    body = {"code": await code_of(house, first), "gate": "North"}
    payments = Caller(house.base_url, house.tokens.issue_to_service("payments", ttl_seconds=60))
    for caller, status, code in (
        (house.guest, 401, "not_authenticated"),
        (house.user(), 403, "admin_required"),
        (payments, 403, "service_not_allowed"),
    ):
        for path in (CHECK_IN, f"{CHECK_IN}/undo"):
            refused = await caller.send("POST", path, body)
            assert (refused.status, refused.code) == (status, code)
            # Callers without the right are told who has it.
            assert ("scope check-in" in refused.json["detail"]) == (code == "admin_required")
    assert (await house.admin.send("POST", CHECK_IN, body)).status == 200
    staff = scanner(house)
    for refused in (
        await staff.book(screening, seats[2:3]),
        await staff.cancel_ticket(second),
        await staff.my_tickets(),
        await staff.send("GET", f"{TICKETS}/"),
        await staff.send("GET", f"/api/v1/admin/screenings/{screening}/check-ins"),
        await staff.send("GET", "/api/v1/ops/overview"),
    ):
        assert (refused.status, refused.code) == (403, "service_not_allowed")


async def test_who_was_admitted_cannot_give_the_ticket_back(house: House) -> None:
    screening, seats = await open_doors(house)
    used, kept, third = await sold(house, screening, seats[:3])
    await scan(house, used)
    owner = house.user()
    assert (await owner.cancel_ticket(used)).code == "ticket_admitted"
    refused = await owner.send("DELETE", f"{TICKETS}/?ids={kept},{used}")
    assert (refused.status, refused.code, refused.json["ticket_id"]) == (409, "ticket_admitted", used)
    # Nothing has been cancelled, so the other is admitted still.
    assert (await scan(house, kept)).status == 200
    assert (await undo(house, used)).json["result"] == "undone"
    assert (await owner.cancel_ticket(used)).status == 204
    by_hand = await house.admin.send("PUT", f"{TICKETS}/{kept}/status", {"status": "cancelled"})
    assert by_hand.status == 200
    assert [entry["status"] for entry in await admissions(house, screening)] == ["cancelled"]
    assert execute(house.database_url, "SELECT count(*) FROM cancellations_begun") == [(0,)]
    # Whichever comes first excludes the other.
    given_back, admitted = await asyncio.gather(owner.cancel_ticket(third), scan(house, third))
    assert (given_back.status, admitted.status) in ((204, 409), (409, 200))


async def test_visitors_leave_and_come_back_where_that_is_allowed(house: House) -> None:
    screening, seats = await open_doors(house, reentry=True)
    (ticket,) = await sold(house, screening, seats[:1])
    assert (await scan(house, ticket, direction="out")).code == "not_admitted"
    await scan(house, ticket)
    left = await scan(house, ticket, "South", direction="out")
    assert (left.status, left.json["result"], left.json["inside"], left.json["gate"]) == (
        200,
        "left",
        False,
        "South",
    )
    assert (await scan(house, ticket, direction="out")).code == "not_inside"
    back = await scan(house, ticket, "West")
    assert (back.json["result"], back.json["entries"], back.json["inside"]) == ("admitted", 2, True)
    assert (await scan(house, ticket)).code == "already_admitted"
    (entry,) = await admissions(house, screening, "?inside=true")
    assert (entry["gate"], entry["entries"]) == ("North", 2)
    closed = await house.admin.send("PUT", f"{SCREENINGS}/{screening}", {"reentry": False})
    assert (closed.status, closed.json["reentry"]) == (200, False)
    assert (await scan(house, ticket, direction="out")).code == "reentry_not_allowed"


async def test_batches_of_offline_scanners(house: House) -> None:
    screening, seats = await open_doors(house)
    first, second, third = await sold(house, screening, seats[:3])
    results = await batch(
        house,
        "north-1",
        ("1", first, "North", 10),
        ("2", second, "North", 9),
        ("3", first, "North", 12),
        ("4", "nonsense", "North", 8),
        ("5", third, "North", -5),
        ("6", third, "North", -0.5),
    )
    assert [result["result"] for result in results] == [
        *("conflict", "admitted", "admitted", "unknown_code", "clock_ahead", "admitted")
    ]
    assert [result["scan_id"] for result in results] == list("123456")
    assert results[0]["other_gate"] == "North" and results[0]["ticket"]["ticket_id"] == first
    again = await batch(house, "north-1", ("1", first, "North", 10), ("2", second, "North", 9))
    assert [(result["result"], result["repeated"]) for result in again] == [
        ("conflict", True),
        ("admitted", True),
    ]
    assert again[0]["other_at"] == results[0]["other_at"]
    (reused,) = await batch(house, "north-1", ("1", second, "North", 10))
    assert reused["result"] == "scan_id_reused"
    # An earlier scan that arrives later counts, and both are on record.
    (late,) = await batch(house, "south-1", ("1", second, "South", 20))
    assert (late["result"], late["other_gate"]) == ("conflict", "North")
    (entry,) = [
        one for one in await admissions(house, screening, "?conflicts=true") if one["ticket_id"] == second
    ]
    assert (entry["gate"], entry["conflicts"], entry["entries"]) == ("South", 1, 1)
    assert [other["gate"] for other in entry["other_scans"]] == ["North"]
    assert (await scan(house, second)).json["gate"] == "South"
    counts = await scanner(house).send("GET", f"/api/v1/admin/screenings/{screening}/check-ins/counts")
    assert counts.json == {
        "expected": 3,
        "admitted": 3,
        "inside": 3,
        "conflicts": 2,
        "gates": [{"gate": "North", "admitted": 2}, {"gate": "South", "admitted": 1}],
    }
    too_many = {
        "scanner_id": "x",
        "scans": [{"scan_id": "1", "code": "1", "gate": "N", "scanned_at": from_now(0)}] * 201,
    }
    assert (await scanner(house).send("POST", f"{CHECK_IN}/batch", too_many)).status == 422


async def test_scans_at_the_same_gate_in_the_same_second_are_all_listed(house: House) -> None:
    screening, seats = await open_doors(house)
    (ticket,) = await sold(house, screening, seats[:1])
    same = {"code": await code_of(house, ticket), "gate": "North", "scanned_at": from_now(-5)}
    for scan_id, expected in (("1", "admitted"), ("2", "conflict"), ("3", "conflict")):
        body = {"scanner_id": "north", "scans": [{**same, "scan_id": scan_id}]}
        (result,) = (await scanner(house).send("POST", f"{CHECK_IN}/batch", body)).json["results"]
        assert result["result"] == expected
    (entry,) = await admissions(house, screening)
    other = {"at": entry["admitted_at"], "gate": "North"}
    assert (entry["conflicts"], entry["other_scans"]) == (2, [other, other])


async def test_the_first_scan_by_time_counts_in_whatever_order_batches_arrive(house: House) -> None:
    screening, seats = await open_doors(house)
    tickets = await sold(house, screening, seats)
    scans = [("A", 30), ("B", 20), ("C", 40), ("A", 25)]
    orders = ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2], [3, 0, 1, 2], [0, 2, 1, 3])
    base = datetime.now(UTC)

    async def send(ticket: int, number: int) -> str:
        gate, ago = scans[number]
        one = {
            "scan_id": f"{ticket}-{number}",
            "code": await code_of(house, ticket),
            "gate": gate,
            "scanned_at": (base - timedelta(minutes=ago)).isoformat(),
        }
        response = await scanner(house).send("POST", f"{CHECK_IN}/batch", {"scanner_id": "s", "scans": [one]})
        return response.json["results"][0]["result"]

    for ticket, order in zip(tickets, orders, strict=True):
        results = [await send(ticket, number) for number in order]
        assert results == ["admitted", "conflict", "conflict", "conflict"]
    for entry in await admissions(house, screening):
        assert (entry["gate"], entry["conflicts"]) == ("C", 3)
        assert [other["gate"] for other in entry["other_scans"]] == ["A", "A", "B"]


async def follow(house: House, event: int, token: str) -> ClientConnection:
    """Open an event socket and ask for the counts of the door."""
    socket = await connect(f"{house.base_url.replace('http', 'ws')}/ws?token={token}", proxy=None)
    assert (await receive(socket))["type"] == "connection_established"
    await socket.send(json.dumps({"type": "subscribe_check_ins", "eventId": event}))
    return socket


async def test_the_staff_follows_the_counts_live_and_nobody_else(house: House) -> None:
    screening, seats = await open_doors(house, reentry=True)
    first, second = await sold(house, screening, seats[:2])
    socket = await follow(house, screening, scanner(house).token or "")
    counts = await receive(socket)
    assert (counts["type"], counts["eventId"], counts["expected"], counts["admitted"]) == (
        *("check_ins", screening),
        *(2, 0),
    )
    await asyncio.gather(scan(house, first), scan(house, second, "South"))
    await scan(house, second, "South", direction="out")
    while (counts["admitted"], counts["inside"]) != (2, 1):
        counts = await receive(socket)
    assert counts["gates"] == [{"gate": "North", "admitted": 1}, {"gate": "South", "admitted": 1}]
    await socket.send(json.dumps({"type": "unsubscribe_event", "eventId": screening}))
    assert (await receive(socket))["type"] == "unsubscribed"
    await socket.close()
    for event, token, code in (
        (screening, house.token(7), "not_allowed"),
        (10**9, house.token(1, admin=True), "event_not_found"),
    ):
        socket = await follow(house, event, token)
        refusal = await receive(socket)
        assert (refusal["type"], refusal["code"], refusal["eventId"]) == ("error", code, event)
        await socket.close()


async def test_offline_scanners_get_a_list_without_secrets(house: House) -> None:
    kind = await make_type(house, event := await make_event(house, startDate=from_now(60)))
    guest = Guest(house, "guest-of-an-event", house.token(7))
    tickets = data(await guest.purchase(await guest.reserved(kind, 2), ADA, ADA))["tickets"]
    await scan(house, tickets[0]["code"])
    path = f"/api/v1/admin/screenings/{event}/check-ins/tickets"
    page = await scanner(house).send("GET", f"{path}?size=1")
    rest = await scanner(house).send("GET", f"{path}?cursor={page.headers['X-Next-Cursor']}")
    listed = page.json + rest.json
    digests = [sha256(ticket["code"].replace("-", "").encode()).hexdigest() for ticket in tickets]
    assert [ticket["code_sha256"] for ticket in listed] == digests
    assert [ticket["gate"] for ticket in listed] == ["North", None]
    assert tickets[0]["code"].encode() not in page.body and b"Ada" not in page.body
    assert (await scanner(house).send("GET", path.replace(event, "999"))).status == 404


async def test_doors_open_as_early_as_the_setting_says(open_house: OpenHouse) -> None:
    house = await open_house(check_in_opens_seconds=12 * 3600)
    screening, seats = await open_doors(house, 11 * 60)
    (ticket,) = await sold(house, screening, seats[:1])
    key = "scan-1"
    body = {"code": await code_of(house, ticket), "gate": "North"}
    first = await scanner(house).send("POST", CHECK_IN, body, key=key)
    assert (first.status, first.json["result"]) == (200, "admitted")
    # A scanner that has got no response repeats the request.
    assert (await scanner(house).send("POST", CHECK_IN, body, key=key)).body == first.body


def example_scanner() -> Any:
    """The class `Scanner` of docs/how-to/door-scanner.md."""
    (code,) = [block.code for block in blocks("docs/how-to/door-scanner.md") if block.title == "scanner.py"]
    defined: dict[str, Any] = {}
    exec(code, defined)  # noqa: S102 - our own example
    return defined["Scanner"]


async def test_the_scanner_of_the_documentation_goes_on_while_it_is_offline(house: House) -> None:
    screening, seats = await open_doors(house)
    first, second = await sold(house, screening, seats[:2])
    online = example_scanner()(house.base_url, scanner(house).token, "north-1", "North", screening)

    codes = [await code_of(house, ticket) for ticket in (first, second)]

    async def scanned(code: str) -> str:
        result, _ = await asyncio.to_thread(online.scan, code)
        return result

    assert [await scanned(codes[0]), await scanned(codes[0]), await scanned("x")] == [
        *("admitted", "already_admitted", "unknown_code")
    ]
    online.url = "http://127.0.0.1:1"
    assert [await scanned(codes[1]), await scanned(codes[1])] == ["offline", "offline"]
    online.url = house.base_url
    results = await asyncio.to_thread(online.send_unsent)
    assert [result["result"] for result in results] == ["admitted", "conflict"]
    assert online.unsent == []


async def test_the_scanner_of_the_documentation_does_not_conflict_with_its_own_scan(house: House) -> None:
    screening, seats = await open_doors(house)
    first, second = await sold(house, screening, seats[:2])
    codes = [await code_of(house, ticket) for ticket in (first, second)]

    class LosesResponses(example_scanner()):  # type: ignore[misc]
        losing = True

        def _post(self, path: str, body: Any, key: str | None = None) -> Any:
            try:
                return super()._post(path, body, key)
            finally:
                if self.losing:
                    raise ConnectionResetError

    online = LosesResponses(house.base_url, scanner(house).token, "north-1", "North", screening)
    for code in (codes[0], codes[1], codes[1]):
        assert await asyncio.to_thread(online.scan, code) == ("offline", None)
    online.losing = False
    results = await asyncio.to_thread(online.send_unsent)
    # The third was a second visitor with the same ticket.
    assert [result["result"] for result in results] == ["admitted", "admitted", "conflict"]
    assert (online.unsent, online.unanswered) == ([], {})
    assert [entry["conflicts"] for entry in await admissions(house, screening)] == [0, 1]

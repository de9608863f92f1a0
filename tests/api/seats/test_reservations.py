"""Reserving, extending, toggling, cancelling and listing seats, over HTTP."""

import pytest

from engine.policy import Policy
from engine.records import Hold
from tests.api.caller import RESERVATIONS
from tests.api.venue import OTHER_SCREENING, PAST_SCREENING, SCREENING, Venue

pytestmark = pytest.mark.gen_test


def by_seat_id(seats: list[dict]) -> dict[int, dict]:
    """Return an availability response by seat id."""
    return {seat["seat"]["id"]: seat for seat in seats}


async def test_the_response_to_a_reservation_matches_the_guide(venue: Venue) -> None:
    response = await venue.user(7).reserve(SCREENING, [42, 43, 44])
    assert response.status == 201
    assert response.json == {
        "reservations": [
            {
                "id": 1001 + n,
                "screening_id": SCREENING,
                "seat_id": 42 + n,
                "user_id": 7,
                "reserved_at": "2027-01-15T08:00:00.000Z",
                "expires_at": "2027-01-15T08:05:00.000Z",
                "status": "active",
                "price": 15.99,
            }
            for n in range(3)
        ],
        "expires_in_minutes": 5,
        "message": "Reserved 3 seats for 5 minutes",
    }


async def test_messages_use_the_singular_for_one_seat(venue: Venue) -> None:
    user = venue.user(7)
    assert (await user.reserve(SCREENING, [42])).json["message"] == "Reserved 1 seat for 5 minutes"
    extended = await user.extend(SCREENING, [42], "?additional_minutes=1")
    assert extended.json["message"] == "Extended reservation for 1 seat by 1 minute"


async def test_a_repeated_seat_is_held_once(venue: Venue) -> None:
    response = await venue.user(7).reserve(SCREENING, [42, 42, 42])
    assert [held["seat_id"] for held in response.json["reservations"]] == [42]


async def test_refusals_name_the_seats_reserved_by_others(venue: Venue) -> None:
    await venue.user(8).reserve(SCREENING, [42, 43])
    response = await venue.user(7).reserve(SCREENING, [41, 42, 43])
    assert response.status == 409
    assert response.json == {
        "detail": "Seats [42, 43] are currently reserved by other users",
        "code": "seats_unavailable",
        "retryable": False,
        "held": [42, 43],
        "booked": [],
        "blocked": [],
    }
    available = by_seat_id((await venue.guest.availability(SCREENING)).json)
    assert available[41]["status"] == "available", "all or nothing"


async def test_refusals_name_the_booked_seats(venue: Venue) -> None:
    await venue.user(8).book(SCREENING, [44])
    response = await venue.user(7).reserve(SCREENING, [44])
    assert (response.status, response.json["detail"]) == (409, "Seats [44] are already booked")


async def test_past_screenings_cannot_be_reserved(venue: Venue) -> None:
    response = await venue.user(7).reserve(PAST_SCREENING, [42])
    assert (response.status, response.json["detail"]) == (400, "Cannot reserve seats for past screenings")


async def test_held_seats_per_user_are_limited(venue: Venue) -> None:
    user = venue.user(7)
    assert (await user.reserve(SCREENING, range(41, 51))).status == 201
    response = await user.reserve(SCREENING, [51])
    assert (response.status, response.code) == (409, "hold_limit_exceeded")
    assert (response.json["limit"], response.json["held"], response.json["requested"]) == (10, 10, 1)
    assert (await user.reserve(OTHER_SCREENING, [51])).status == 201


async def test_extending_moves_the_expiry(venue: Venue) -> None:
    user = venue.user(7)
    await user.reserve(SCREENING, [42, 43, 44])
    response = await user.extend(SCREENING, [42, 43, 44])
    assert response.status == 200
    assert response.json["message"] == "Extended reservation for 3 seats by 5 minutes"
    assert response.json["expires_in_minutes"] == 5
    assert {held["expires_at"] for held in response.json["reservations"]} == {"2027-01-15T08:10:00.000Z"}
    assert [held["id"] for held in response.json["reservations"]] == [1001, 1002, 1003]


async def test_extensions_are_limited(open_venue) -> None:
    user = open_venue(policy=Policy(hold_extension_limit=1)).user(7)
    await user.reserve(SCREENING, [42])
    assert (await user.extend(SCREENING, [42])).status == 200
    response = await user.extend(SCREENING, [42])
    assert (response.status, response.code) == (409, "extension_limit_reached")


async def test_only_the_holder_can_extend(venue: Venue) -> None:
    await venue.user(8).reserve(SCREENING, [42])
    response = await venue.user(7).extend(SCREENING, [42])
    assert (response.status, response.code, response.json["seat_ids"]) == (409, "not_held", [42])


async def test_toggling_one_seat_reserves_and_releases_it(venue: Venue) -> None:
    user = venue.user(7)
    reserved = await user.toggle(SCREENING, 42)
    assert reserved.status == 200
    assert [held["seat_id"] for held in reserved.json["reserved"]] == [42]
    assert (reserved.json["released"], reserved.json["expires_in_minutes"]) == ([], 5)
    assert reserved.json["message"] == "Reserved 1 seat"
    released = await user.toggle(SCREENING, 42)
    assert [(held["seat_id"], held["status"]) for held in released.json["released"]] == [(42, "released")]
    assert (released.json["reserved"], released.json["expires_in_minutes"]) == ([], None)
    assert released.json["message"] == "Released 1 seat"


async def test_toggling_several_seats_reserves_and_releases_in_one_request(venue: Venue) -> None:
    user = venue.user(7)
    await user.toggle(SCREENING, 42)
    response = await user.toggle(SCREENING, 42, 43, 44)
    assert response.json["message"] == "Reserved 2 seats, released 1 seat"


async def test_toggling_another_users_seat_changes_nothing(venue: Venue) -> None:
    user = venue.user(7)
    await user.toggle(SCREENING, 42)
    await venue.user(8).toggle(SCREENING, 43)
    assert (await user.toggle(SCREENING, 42, 43, 44)).status == 409
    available = by_seat_id((await user.own_availability(SCREENING)).json)
    assert [available[seat]["status"] for seat in (42, 43, 44)] == ["reserved_by_me", "reserved", "available"]


async def test_cancelling_releases_all_seats_or_the_given_ones(venue: Venue) -> None:
    user = venue.user(7)
    await user.reserve(SCREENING, [42, 43, 44, 45])
    response = await user.cancel_reservations(SCREENING, "?seat_ids=42,43")
    assert (response.status, response.body) == (204, b"")
    assert {held["seat_id"] for held in (await user.my_reservations()).json} == {44, 45}
    assert (await user.cancel_reservations(SCREENING)).status == 204
    assert (await user.my_reservations()).json == []
    assert (await user.cancel_reservations(SCREENING)).status == 204, "idempotent"


async def test_cancelling_does_not_affect_other_users(venue: Venue) -> None:
    await venue.user(8).reserve(SCREENING, [42])
    assert (await venue.user(7).cancel_reservations(SCREENING, "?seat_ids=42")).status == 204
    assert (await venue.user(7).reserve(SCREENING, [42])).status == 409


async def test_availability_matches_the_guide(venue: Venue) -> None:
    await venue.user(8).reserve(SCREENING, [43])
    await venue.user(9).book(SCREENING, [44])
    seats = (await venue.guest.availability(SCREENING)).json
    assert [seat["seat"]["id"] for seat in seats] == list(range(41, 61))
    assert seats[1] == {
        "seat": {"id": 42, "room_id": 1, "row_label": "A", "seat_number": 2, "seat_type": "standard"},
        "status": "available",
        "reserved_by": None,
        "expires_at": None,
    }
    assert (seats[2]["status"], seats[2]["reserved_by"]) == ("reserved", 8)
    assert seats[2]["expires_at"] == "2027-01-15T08:05:00.000Z"
    assert (seats[3]["status"], seats[3]["reserved_by"], seats[3]["expires_at"]) == ("booked", None, None)


async def test_own_availability_marks_ones_own_seats(venue: Venue) -> None:
    user = venue.user(7)
    await venue.user(8).reserve(SCREENING, [43])
    await user.reserve(SCREENING, [42])
    await user.book(SCREENING, [44])
    seats = by_seat_id((await user.own_availability(SCREENING)).json)
    assert {seat: (seats[seat]["status"], seats[seat]["is_mine"]) for seat in (41, 42, 43, 44)} == {
        41: ("available", False),
        42: ("reserved_by_me", True),
        43: ("reserved", False),
        44: ("booked", True),
    }
    assert seats[42]["reserved_by"] == 7
    assert by_seat_id((await venue.guest.availability(SCREENING)).json)[42]["status"] == "reserved"


async def test_an_expired_reservation_is_shown_until_the_next_one(venue: Venue) -> None:
    user = venue.user(7)
    await user.reserve(SCREENING, [42])
    venue.clock.advance(301)
    seat = by_seat_id((await venue.guest.availability(SCREENING)).json)[42]
    assert (seat["status"], seat["previously_reserved_by"]) == ("available", 7)
    await venue.user(8).reserve(SCREENING, [42])
    assert "previously_reserved_by" not in by_seat_id((await user.own_availability(SCREENING)).json)[42]


async def test_my_reservations_lists_active_reservations_newest_first(venue: Venue) -> None:
    user = venue.user(7)
    await user.reserve(SCREENING, [42])
    venue.clock.advance(200)
    await user.reserve(OTHER_SCREENING, [43])
    await venue.user(8).reserve(SCREENING, [50])
    response = await user.my_reservations()
    assert [(held["screening_id"], held["seat_id"]) for held in response.json] == [
        (OTHER_SCREENING, 43),
        (SCREENING, 42),
    ]
    venue.clock.advance(200)
    assert [held["seat_id"] for held in (await user.my_reservations()).json] == [43]
    every = (await user.my_reservations("?include_expired=true")).json
    assert [(held["seat_id"], held["status"]) for held in every] == [(43, "active"), (42, "expired")]


async def test_my_reservations_is_paged(venue: Venue) -> None:
    user = venue.user(7)
    await user.reserve(SCREENING, range(41, 46))
    response = await user.my_reservations("?page=2&size=2")
    assert [held["seat_id"] for held in response.json] == [43, 42]
    assert response.headers["X-Total-Count"] == "5"


async def test_cleanup_counts_the_released_seats(venue: Venue) -> None:
    now = venue.clock.now()
    for hold_id, seat in ((1, 42), (2, 43)):
        hold = Hold(hold_id, hold_id, SCREENING, seat, "user:7", now - 400, now - 100)
        venue.database.holds[hold_id] = (hold, "active")
    done = await venue.guest.clean_up()
    assert done.status == 200
    assert set(done.json) == {"message", "timestamp", "duration_seconds"}
    assert done.json["message"] == "Cleaned up 2 expired reservations"
    assert done.json["timestamp"] == "2027-01-15T08:00:00.000Z"
    assert isinstance(done.json["duration_seconds"], float)
    assert (await venue.guest.clean_up()).json["message"] == "Cleaned up 0 expired reservations"
    assert (await venue.user(8).reserve(SCREENING, [42, 43])).status == 201


async def test_unknown_screenings_and_seats_are_not_found(venue: Venue) -> None:
    user = venue.user(7)
    screening = await user.reserve(999, [42])
    assert (screening.status, screening.code) == (404, "screening_not_found")
    seat = await user.reserve(SCREENING, [42, 4242])
    assert (seat.status, seat.code, seat.json["seat_ids"]) == (404, "seat_not_found", [4242])
    assert (await venue.guest.availability(999)).status == 404
    assert (await user.cancel_reservations(999)).status == 404
    assert (await user.send("GET", f"{RESERVATIONS}/screening/{2**63}/availability/me")).status == 404

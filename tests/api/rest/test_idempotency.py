"""`Idempotency-Key`: one effect and one response per key, also if requests fail or overlap."""

import asyncio
from collections.abc import Callable

import pytest

from api.services import IdempotencyLookup, Limits
from engine.errors import StoreUnavailable
from engine.records import IdempotencyRecord
from tests.api.caller import RESERVATIONS, Response
from tests.api.venue import SCREENING, Venue

pytestmark = pytest.mark.gen_test

REPLAYED = "Idempotency-Replayed"


def assert_replay(again: Response, first: Response) -> None:
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers[REPLAYED] == "true"
    assert REPLAYED not in first.headers


async def test_a_repeated_toggle_toggles_once(venue: Venue) -> None:
    user = venue.user(7)
    first = await user.toggle(SCREENING, 42, key="k1")
    assert_replay(await user.toggle(SCREENING, 42, key="k1"), first)
    assert [held["seat_id"] for held in (await user.my_reservations()).json] == [42]
    released = await user.toggle(SCREENING, 42, key="k2")
    assert released.json["message"] == "Released 1 seat"


async def test_stored_responses_survive_a_restart(venue: Venue) -> None:
    first = await venue.user(7).toggle(SCREENING, 42, key="k1")
    venue.restart_api()
    assert_replay(await venue.user(7).toggle(SCREENING, 42, key="k1"), first)


async def test_recent_responses_are_repeated_without_the_database(venue: Venue) -> None:
    user = venue.user(7)
    first = await user.toggle(SCREENING, 42, key="k1")
    venue.readers.away = True
    assert_replay(await user.toggle(SCREENING, 42, key="k1"), first)


async def test_refusals_are_repeated_too(venue: Venue) -> None:
    user, other = venue.user(7), venue.user(8)
    await other.reserve(SCREENING, [42])
    first = await user.reserve(SCREENING, [42], key="k1")
    assert first.status == 409
    await other.cancel_reservations(SCREENING)
    assert_replay(await user.reserve(SCREENING, [42], key="k1"), first)
    assert (await user.reserve(SCREENING, [42], key="k2")).status == 201


async def test_a_different_request_with_the_same_key_is_refused(venue: Venue) -> None:
    user = venue.user(7)
    await user.reserve(SCREENING, [42], key="k1")
    for other in (
        await user.reserve(SCREENING, [43], key="k1"),
        await user.toggle(SCREENING, 42, key="k1"),
        await user.extend(SCREENING, [42], key="k1"),
    ):
        assert (other.status, other.code) == (422, "idempotency_key_reused")
    venue.restart_api()
    assert (await venue.user(7).reserve(SCREENING, [43], key="k1")).code == "idempotency_key_reused"


async def test_the_query_is_part_of_the_request(venue: Venue) -> None:
    user = venue.user(7)
    await user.reserve(SCREENING, [42])
    await user.extend(SCREENING, [42], "?additional_minutes=2", key="k1")
    other = await user.extend(SCREENING, [42], "?additional_minutes=3", key="k1")
    assert other.code == "idempotency_key_reused"


async def test_keys_are_separate_per_caller(venue: Venue) -> None:
    await venue.user(7).reserve(SCREENING, [42], key="k1")
    response = await venue.user(8).reserve(SCREENING, [43], key="k1")
    assert (response.status, response.json["reservations"][0]["user_id"]) == (201, 8)


async def test_public_operations_honour_keys(venue: Venue) -> None:
    first = await venue.guest.send("POST", f"{RESERVATIONS}/cleanup", key="k1")
    assert_replay(await venue.guest.send("POST", f"{RESERVATIONS}/cleanup", key="k1"), first)


async def test_an_invalid_request_does_not_use_its_key(venue: Venue) -> None:
    user = venue.user(7)
    assert (await user.reserve(SCREENING, [], key="k1")).status == 422
    assert (await user.reserve(SCREENING, [42], key="k1")).status == 201


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "schlüssel", '"', '"a'])
async def test_invalid_keys_are_refused(venue: Venue, key: str) -> None:
    response = await venue.user(7).reserve(SCREENING, [42], headers={"Idempotency-Key": key})
    assert (response.status, list(response.json["errors"])) == (422, ["Idempotency-Key"])


async def test_a_quoted_key_is_the_same_key(venue: Venue) -> None:
    user = venue.user(7)
    first = await user.reserve(SCREENING, [42], key='"k1"')
    assert_replay(await user.reserve(SCREENING, [42], key="k1"), first)


async def test_without_the_database_keyed_requests_are_refused(venue: Venue) -> None:
    user = venue.user(7)
    venue.readers.away = True
    response = await user.toggle(SCREENING, 42, key="k1")
    assert (response.status, response.code, response.headers["Retry-After"]) == (
        503,
        "store_unavailable",
        "2",
    )
    venue.readers.away = False
    assert (await user.toggle(SCREENING, 42, key="k1")).json["message"] == "Reserved 1 seat"


async def test_a_booking_that_times_out_continues_and_can_be_queried_with_its_key(
    open_venue: Callable[..., Venue],
) -> None:
    venue = open_venue(limits=Limits(ask_timeout_seconds=0.25))
    user = venue.user(7)
    venue.journal.automatic = False
    late = await user.book(SCREENING, [42], key="k1")
    assert (late.status, late.code, late.json["retryable"]) == (503, "outcome_unknown", True)
    assert late.headers["Retry-After"] == "2"
    assert late.json["detail"].endswith("repeat the request with the same Idempotency-Key")
    in_flight = await user.book(SCREENING, [42], key="k1")
    assert (in_flight.status, in_flight.code) == (409, "idempotency_key_in_flight")
    assert (await user.book(SCREENING, [43], key="k1")).code == "idempotency_key_reused"
    venue.journal.automatic = True
    venue.journal.write_next()
    await asyncio.sleep(0)
    told = await user.book(SCREENING, [42], key="k1")
    assert (told.status, told.json[0]["status"], told.headers[REPLAYED]) == (201, "confirmed", "true")
    (mine,) = (await user.my_tickets()).json
    assert told.json[0].items() <= mine.items()


async def test_a_booking_without_a_key_times_out_too(
    open_venue: Callable[..., Venue],
) -> None:
    venue = open_venue(limits=Limits(ask_timeout_seconds=0.25))
    user = venue.user(7)
    venue.journal.automatic = False
    late = await user.book(SCREENING, [42], payment_id="pi_1")
    assert (late.code, "payment_id" in late.json["detail"]) == ("outcome_unknown", True)
    venue.journal.automatic = True
    venue.journal.write_next()
    told = await user.book(SCREENING, [42], payment_id="pi_1")
    assert (told.status, told.json[0]["payment_id"]) == (201, "pi_1")


async def test_a_timeout_only_mentions_a_key_if_one_was_sent(open_venue: Callable[..., Venue]) -> None:
    venue = open_venue(limits=Limits(ask_timeout_seconds=0.25))
    user = venue.user(7)
    ticket = (await user.book(SCREENING, [42])).json[0]["id"]
    venue.journal.automatic = False
    for late in (await user.book(SCREENING, [43]), await user.cancel_ticket(ticket)):
        assert (late.status, late.code) == (503, "outcome_unknown")
        assert "key" not in late.json["detail"].lower()
    venue.journal.automatic = True
    venue.journal.write_next()


async def test_ten_concurrent_identical_bookings_have_one_effect(venue: Venue) -> None:
    user = venue.user(7)
    answers = await asyncio.gather(*(user.book(SCREENING, [42, 43], key="k1") for _ in range(10)))
    done = [answer for answer in answers if answer.status == 201]
    assert done
    assert {answer.code for answer in answers if answer.status != 201} <= {"idempotency_key_in_flight"}
    assert {answer.body for answer in done} == {(await user.book(SCREENING, [42, 43], key="k1")).body}
    assert len((await user.my_tickets()).json) == 2


async def test_repeating_a_payment_with_another_key_stores_that_key_too(venue: Venue) -> None:
    user = venue.user(7)
    first = await user.book(SCREENING, [42], key="k1", payment_id="pi_1")
    again = await user.book(SCREENING, [42], key="k2", payment_id="pi_1")
    assert again.body == first.body
    venue.restart_api()
    assert_replay(await venue.user(7).book(SCREENING, [42], key="k2", payment_id="pi_1"), again)


async def test_keys_in_flight_are_bounded(open_venue: Callable[..., Venue]) -> None:
    venue = open_venue(limits=Limits(ask_timeout_seconds=0.25, keys_in_flight=1))
    user = venue.user(7)
    venue.journal.automatic = False
    await user.book(SCREENING, [42], key="k1")
    response = await user.reserve(SCREENING, [43], key="k2")
    assert (response.status, response.code, response.headers["Retry-After"]) == (503, "overloaded", "1")
    assert (await user.reserve(SCREENING, [43])).status == 201


async def test_get_requests_ignore_keys(venue: Venue) -> None:
    user = venue.user(7)
    await user.reserve(SCREENING, [42])
    for _ in range(2):
        response = await user.send("GET", f"{RESERVATIONS}/my-reservations", key="k1")
        assert (response.status, REPLAYED in response.headers) == (200, False)


class AwayAfter:
    """Stored responses in a database that becomes unreachable after a number of reads."""

    def __init__(self, kept: IdempotencyLookup, lookups: int) -> None:
        self._kept = kept
        self._lookups = lookups

    async def lookup(self, scope: str, key: str) -> IdempotencyRecord | None:
        if not self._lookups:
            raise StoreUnavailable
        self._lookups -= 1
        return await self._kept.lookup(scope, key)


async def test_a_refusal_is_only_sent_after_the_key_has_been_looked_up_again(venue: Venue) -> None:
    await venue.user(8).reserve(SCREENING, [42])
    venue.restart_api(idempotency=AwayAfter(venue.readers, 1))
    refused = await venue.user(7).reserve(SCREENING, [42], key="k1")
    assert (refused.status, refused.code, refused.json["retryable"]) == (503, "store_unavailable", True)
    venue.restart_api(idempotency=venue.readers)
    await venue.user(8).cancel_reservations(SCREENING)
    assert (await venue.user(7).reserve(SCREENING, [42], key="k1")).status == 201


async def test_delete_honours_keys_too(venue: Venue) -> None:
    user = venue.user(7)
    ticket = (await user.book(SCREENING, [42])).json[0]["id"]
    first = await user.send("DELETE", f"/api/v1/tickets/{ticket}", key="k1")
    assert first.status == 204
    assert_replay(await user.send("DELETE", f"/api/v1/tickets/{ticket}", key="k1"), first)
    other = await user.send("DELETE", f"/api/v1/tickets/{ticket}?user_id=7", key="k1")
    assert (other.status, other.code) == (422, "idempotency_key_reused")

"""Every refusal of the server is an exception with its data."""

import inspect
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import frontrow_client
from api.errors import ApiError as ServedError
from api.rest.errors import TRANSLATIONS
from engine.errors import EngineError
from frontrow_client import (
    ApiError,
    AsyncFrontrow,
    Conflict,
    InvalidRequest,
    NoAdjacentSeats,
    NotAllowed,
    NotAuthenticated,
    NotEnoughTickets,
    NotFound,
    PersonLimitExceeded,
    PriceChanged,
    RefundRequired,
    SalesClosed,
    SalesNotOpen,
    ScreeningNotFound,
    SeatsNotFound,
    SeatsUnavailable,
    ServerError,
    TooManyRequests,
    Unavailable,
    WouldStrandSeat,
)
from frontrow_client.answers import Answer
from frontrow_client.errors import error_class
from tests.clients.conftest import Box


def below(kind: type) -> set[type]:
    return {kind}.union(*map(below, kind.__subclasses__()))


@pytest.mark.parametrize("error", sorted(TRANSLATIONS, key=lambda error: error.__name__))
def test_the_data_of_each_refusal_is_in_attributes(error: type[EngineError]) -> None:
    translation = TRANSLATIONS[error]
    kind = error_class(error.code, translation.status)
    for name in (*translation.data, *translation.times):
        known = "ticket_status" if name == "status" else name
        assert hasattr(kind, known) or name == "retry_after_seconds", f"{kind.__name__} lacks {name}"


def test_codes_are_those_of_the_server() -> None:
    served = {kind.code for kind in below(EngineError) | below(ServedError) if hasattr(kind, "code")}
    assert ApiError._by_code.keys() <= served
    for kind in below(ServedError) - {ServedError}:
        if hasattr(kind, "status") and hasattr(kind, "code"):
            answered = Answer(kind.status, {}, b'{"code": "%s", "detail": "d"}' % kind.code.encode()).refusal
            assert answered.status == kind.status
            assert type(answered) is not ApiError, kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((400, InvalidRequest), (401, NotAuthenticated), (403, NotAllowed), (404, NotFound)),
        *(
            (409, Conflict),
            (422, InvalidRequest),
            (429, TooManyRequests),
            (500, ServerError),
            (503, Unavailable),
        ),
    ],
)
def test_an_unknown_code_has_the_class_of_its_status(status: int, kind: type[ApiError]) -> None:
    content = b'{"code": "from_the_future", "detail": "Not yet", "retryable": true, "more": [1]}'
    error = Answer(status, {"retry-after": "7", "x-request-id": "r-1"}, content).refusal
    assert type(error) is kind
    assert (error.code, error.detail, error.status) == ("from_the_future", "Not yet", status)
    assert (error.retryable, error.retry_after_seconds, error.request_id) == (True, 7.0, "r-1")
    assert error.data == {"more": [1]}


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"[]", b"null", b'{"message": 1}', b"\xff", b'{"code": 5}']
)
def test_a_page_of_a_proxy_is_an_error_of_its_status(content: bytes) -> None:
    error = Answer(502, {}, content).refusal
    assert type(error) is Unavailable
    assert error.code == "http_502"


def test_data_of_an_unexpected_form_stays_readable() -> None:
    error = Answer(
        409, {}, b'{"code": "seats_unavailable", "detail": "d", "held": "all", "booked": [1]}'
    ).refusal
    assert isinstance(error, SeatsUnavailable)
    assert (error.held, error.booked, error.data["held"]) == ((), [1], "all")


def test_errors_cross_processes() -> None:
    error = Answer(409, {}, b'{"code": "seats_unavailable", "detail": "d", "held": [1]}').refusal
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # ours
    assert (type(copy), copy.held, copy.code, str(copy)) == (type(error), [1], error.code, str(error))


async def refused(coroutine: Any) -> Any:
    """Return the exception of a call."""
    with pytest.raises(ApiError) as raised:
        await coroutine
    return raised.value


@pytest.mark.gen_test
async def test_refusals_about_seats(box: Box) -> None:
    async with box.client() as frontrow, box.client(8) as other, box.client(1, admin=True) as admin:
        first, second, third, *_ = [seat.seat.id for seat in (await frontrow.seats(1))[20:]]
        await frontrow.reserve(1, [first])
        await frontrow.book(1, [second], payment_id="p-1")
        error = await refused(other.reserve(1, [first, second, third]))
        assert (type(error), error.held, error.booked) == (SeatsUnavailable, [first], [second])
        assert error.request_id and error.status == 409 and not error.retryable

        error = await refused(other.book_reserved(1, [first], "p-2"))
        assert (type(error), error.held, error.reason) == (RefundRequired, [first], "seats_unavailable")
        assert error.amount > 0 and error.refund_id > 0
        owed = [refund async for refund in admin.refunds(status="owed")]
        assert [(refund.id, refund.amount) for refund in owed] == [(error.refund_id, error.amount)]

        error = await refused(other.book(1, [third], expected_total=1.5))
        assert (type(error), error.expected) == (PriceChanged, 1.5)
        error = await refused(other.reserve_best(1, 2, max_price=0.5))
        assert (type(error), error.quantity, error.largest) == (NoAdjacentSeats, 2, 0)
        error = await refused(other.reserve(1, [10**9]))
        assert (type(error), error.seat_ids) == (SeatsNotFound, [10**9])
        error = await refused(other.reserve(10**9, [first]))
        assert (type(error), error.screening_id) == (ScreeningNotFound, 10**9)
        error = await refused(other.create_cinema("Mine"))
        assert (type(error), error.code) == (NotAllowed, "admin_required")
        error = await refused(other.reserve(1, []))
        assert type(error) is InvalidRequest and "seat_ids" in error.errors
    async with AsyncFrontrow(box.base_url) as nobody:
        assert type(await refused(nobody.reserve(1, [first]))) is NotAuthenticated


@pytest.mark.gen_test
async def test_refusals_of_an_organisers_rules(box: Box) -> None:
    async with box.client() as frontrow, box.client(1, admin=True) as admin:
        row = [seat.seat.id for seat in await frontrow.seats(2) if seat.seat.row_label == "C"]
        await admin.update_screening(2, max_per_user=2, orphan_rule="enforce")
        error = await refused(frontrow.reserve(2, row[:3]))
        assert type(error) is PersonLimitExceeded
        assert (error.limit, error.held, error.bought, error.requested) == (2, 0, 0, 3)
        error = await refused(frontrow.reserve(2, [row[1]]))
        assert (type(error), error.stranded) == (WouldStrandSeat, [row[0]])
        assert await frontrow.reserve(2, error.alternatives[0])

        begin = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
        await admin.update_screening(3, sales_start=begin)
        error = await refused(frontrow.reserve(3, [1]))
        assert (type(error), error.opens_at) == (SalesNotOpen, begin)
        wait = error.retry_after_seconds
        assert 0 < wait <= 7200
        await admin.update_screening(3, sales_start=None, sales_end=datetime.now(UTC) - timedelta(hours=1))
        assert type(await refused(frontrow.reserve(3, [1]))) is SalesClosed


@pytest.mark.gen_test
async def test_refusals_of_the_public_api(box: Box) -> None:
    async with AsyncFrontrow(box.base_url) as guest:
        session = await guest.new_session()
        event = await guest.event((await anext(guest.events())).id)
        kind = event.ticket_types[0]
        error = await refused(guest.reserve_tickets({kind.id: 1000}, session=session))
        assert type(error) is InvalidRequest and error.paths
        many = {other.id: 90 for other in event.ticket_types}
        error = await refused(guest.reserve_tickets(many, session=session))
        assert isinstance(error, NotEnoughTickets | Conflict), error
        assert (
            await refused(guest.ticket_reservation("1-1", session=session))
        ).code == "reservation_not_found"


def test_all_refusals_are_documented_as_a_tree() -> None:
    trees = inspect.getdoc(frontrow_client.errors) + inspect.getdoc(frontrow_client.refusals)
    for kind in below(ApiError):
        assert kind.__name__ in trees, kind

"""Consequences of declarations: routes, parsed arguments, stored answers, and background work."""

import logging
from collections.abc import Iterator

import pytest
from marshmallow import Schema, ValidationError, fields
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from api.application import RESOURCES
from api.errors import InvalidInput
from api.limits import Limits
from api.rest.background import BackgroundTasks
from api.rest.endpoint import Access, Resource
from api.rest.parsing import Parser
from api.rest.receipts import ReceiptForm
from api.sales.receipts import TICKET, TICKETS_CREATED, encode_reply
from engine.replies import Held
from engine.selling_errors import SeatsUnavailable
from tests.api.venue import SCREENING, Venue


class Connection:
    context = None


def request_with(body: bytes) -> HTTPServerRequest:
    request = HTTPServerRequest(
        start_line=RequestStartLine("POST", "/", "HTTP/1.1"),
        headers=HTTPHeaders({"Host": "x"}),
        connection=Connection(),
    )
    request.body = body
    return request


async def nothing(call: object, **named: int | str) -> list[int | str]:
    """Return the ids or texts that it was called with."""
    return list(named.values())


@pytest.mark.gen_test
async def test_paths_may_have_several_ids_and_an_optional_trailing_slash(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    cinemas = Resource("/cinemas", tag="Cinemas")
    cinemas.get("/", access=Access.PUBLIC)(nothing)
    cinemas.get("/{cinema_id}/rooms/{room_id}/", access=Access.PUBLIC)(nothing)
    cinemas.delete("", access=Access.PUBLIC, status=204)(nothing)
    monkeypatch.setattr("api.application.RESOURCES", (cinemas,))
    venue.restart_api()
    for path, answer in (
        ("/cinemas", []),
        ("/cinemas/", []),
        ("/cinemas/7/rooms/8", [7, 8]),
        (f"/cinemas/7/rooms/{2**63 - 1}/", [7, 2**63 - 1]),
    ):
        assert (await venue.guest.send("GET", path)).json == answer
    for path in (f"/cinemas/7/rooms/{2**63}", "/cinemas/7/rooms/8//", "/cinemas/{}/rooms/8", "/cinemas/7"):
        assert (await venue.guest.send("GET", path)).status == 404
    for path in ("/cinemas", "/cinemas/"):
        assert "DELETE" in (await venue.guest.send("OPTIONS", path)).headers["Allow"]


@pytest.mark.gen_test
async def test_paths_of_the_api_are_served_with_and_without_a_slash(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    things = Resource("/api/things", tag="Things")
    things.get("", access=Access.PUBLIC)(nothing)
    things.get("/{thing_id}", access=Access.PUBLIC)(nothing)
    things.get("/of/{name:text}", access=Access.PUBLIC)(nothing)
    monkeypatch.setattr("api.application.RESOURCES", (things,))
    venue.restart_api()
    for path, answer in (("", []), ("/7", [7]), ("/of/ada", ["ada"])):
        for slash in ("", "/"):
            assert (await venue.guest.send("GET", f"/api/things{path}{slash}")).json == answer
        assert (await venue.guest.send("GET", f"/api/things{path}//")).status == 404


@pytest.mark.gen_test
async def test_paths_may_contain_text_parameters(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = Resource("/room", tag="Rooms")
    rooms.get("/{room_id:text}/selections", access=Access.PUBLIC)(nothing)
    rooms.post("/{room_id:text}/selections", access=Access.PUBLIC, secret=True)(nothing)
    rooms.get("/{room_id:text}/{seat:text}/", access=Access.PUBLIC)(nothing)
    rooms.get("/{room_id}/seats", access=Access.PUBLIC)(nothing)
    monkeypatch.setattr("api.application.RESOURCES", (rooms,))
    venue.restart_api()
    for path, texts in (
        ("/room/funcion_123/selections", ["funcion_123"]),
        ("/room/7/selections", ["7"]),
        ("/room/a%2Fb%20%C3%A9+/selections", ["a/b é+"]),
        ("/room/{}/selections", ["{}"]),
        (f"/room/{'x' * 200}/selections", ["x" * 200]),
        ("/room/selections/A1", ["selections", "A1"]),
        ("/room/selections/A1/", ["selections", "A1"]),
        ("/room/7/seats", [7]),
    ):
        assert (await venue.guest.send("GET", path)).json == texts, path
    for path in (
        *("/room//selections", f"/room/{'x' * 201}/selections", "/room/%00/selections"),
        *("/room/%ff/selections", "/room/%ed%a0%80/selections", "/room/a/b/c", "/room/", "/room"),
    ):
        assert (await venue.guest.send("GET", path)).status == 404, path
    assert (await venue.guest.send("POST", "/room/a/selections")).json == ["a"]
    assert (await venue.guest.send("PUT", "/room/a/selections")).headers[
        "Allow"
    ] == "GET, POST, HEAD, OPTIONS"
    document = (await venue.guest.send("GET", "/openapi.json")).json
    (parameter,) = document["paths"]["/room/{room_id}/selections"]["get"]["parameters"]
    assert parameter["schema"] == {"type": "string", "minLength": 1, "maxLength": 200}


def test_a_path_cannot_mix_ids_and_texts() -> None:
    with pytest.raises(ValueError, match="both"):
        Resource("/rooms/{room_id}", tag="Rooms").get("/{seat:text}")


@pytest.mark.gen_test
async def test_an_operation_cannot_be_declared_twice(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    twice = Resource("", tag="Twice")
    twice.get("/things/{thing_id}")(nothing)
    twice.get("/things/{id}")(nothing)
    monkeypatch.setattr("api.application.RESOURCES", (twice,))
    with pytest.raises(ValueError, match="declared twice"):
        venue.restart_api()


def test_errors_in_nested_fields_are_reported_flat_and_once() -> None:
    class Row(Schema):
        label = fields.String(required=True)

    class Room(Schema):
        rows = fields.List(fields.Nested(Row))

    with pytest.raises(InvalidInput) as refused:
        Parser().parse(Room(), request_with(b'{"rows": [{}, {}, {"label": 5}]}'), location="json")
    assert refused.value.data["errors"] == {
        "rows": ["Missing data for required field.", "Not a valid string."]
    }


@pytest.mark.gen_test
async def test_the_stored_response_to_a_booking_equals_the_one_sent(venue: Venue) -> None:
    user = venue.user(7)
    answered = await user.book(SCREENING, [42, 43], key="k1")
    (receipt_reply,) = (venue.database.answers[key] for key in venue.database.answers)
    tickets = venue.database.tickets
    assert receipt_reply.tickets == tuple(tickets.values())
    assert encode_reply(TICKETS_CREATED.name, receipt_reply) == (answered.status, answered.body)


def request_schemas() -> Iterator[tuple[str, Schema]]:
    """The schema of every body and query, with the operation that declares it."""
    for resource in RESOURCES:
        for endpoint in resource.endpoints:
            for kind in (endpoint.body, endpoint.query):
                if kind is not None:
                    yield endpoint.name, kind(Limits())


def nested_schemas(schema: Schema) -> Iterator[Schema]:
    """A schema and those nested in it."""
    yield schema
    for field in schema.load_fields.values():
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            yield from nested_schemas(inner.schema)


@pytest.mark.parametrize(("operation", "schema"), list(request_schemas()))
def test_every_operation_refuses_unknown_fields(operation: str, schema: Schema) -> None:
    for one in nested_schemas(schema):
        with pytest.raises(ValidationError) as refusal:
            one.load({"field_of_another_version": 1})
        assert "field_of_another_version" in refusal.value.messages


@pytest.mark.parametrize("form", [TICKET, TICKETS_CREATED])
def test_receipt_forms_only_accept_bookings(form: ReceiptForm) -> None:
    with pytest.raises(TypeError, match="Held"):
        encode_reply(form.name, Held(()))


@pytest.mark.gen_test
@pytest.mark.parametrize(("failure", "lines"), [(SeatsUnavailable([42], []), 0), (ValueError("defect"), 1)])
async def test_only_unexpected_exceptions_of_background_work_are_logged(
    failure: Exception, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    background = BackgroundTasks()

    async def fail() -> None:
        raise failure

    background.start(fail())
    await background.finished()
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == lines

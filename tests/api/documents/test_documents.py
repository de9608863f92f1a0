"""The OpenAPI and AsyncAPI documents match the server."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from marshmallow import RAISE

from api.application import RESOURCES
from api.documents.openapi import ecma_pattern
from api.documents.texts import body_example
from api.rest.endpoint import Endpoint
from api.services import Limits
from tests.api.caller import RESERVATIONS, TICKETS
from tests.api.venue import SCREENING, Venue, without_catalogue

ENDPOINTS = [endpoint for resource in RESOURCES for endpoint in resource.endpoints]
CORE = [endpoint for endpoint in ENDPOINTS if without_catalogue(endpoint)]


def references(node: Any) -> set[str]:
    """Return all `$ref`s of a document."""
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(child) for child in node.values()))
    if isinstance(node, list):
        return set().union(*(references(child) for child in node))
    return set()


def resolves(document: Any, reference: str) -> bool:
    node = document
    for step in reference.removeprefix("#/").split("/"):
        node = node.get(step) if isinstance(node, dict) else None
    return node is not None


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_handlers_accept_the_declared_arguments(endpoint: Endpoint) -> None:
    parameters = inspect.signature(endpoint.handler).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    assert takes_any or set(parameters) >= {"call", *endpoint.path_parameters}
    assert inspect.getdoc(endpoint.handler), "the docstring is the operation's documentation"


def test_operation_names_are_unique() -> None:
    names = [endpoint.name for endpoint in ENDPOINTS]
    assert len(names) == len(set(names))


@pytest.mark.gen_test
async def test_openapi_lists_every_operation(venue: Venue) -> None:
    document = (await venue.guest.send("GET", "/openapi.json")).json
    assert document["openapi"] == "3.1.0"
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {
        *((endpoint.method, endpoint.path) for endpoint in ENDPOINTS),
        ("GET", "/openapi.json"),
        ("GET", "/asyncapi.json"),
    }
    assert all(resolves(document, reference) for reference in references(document))


@pytest.mark.gen_test
async def test_the_first_who_ask_at_once_get_the_same_document(open_venue: Callable[..., Venue]) -> None:
    guest = open_venue(limits=Limits(seats_per_request_limit=7)).guest
    answers = await asyncio.gather(*(guest.send("GET", "/openapi.json") for _ in range(5)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1


@pytest.mark.gen_test
async def test_openapi_states_limits_and_errors(venue: Venue) -> None:
    document = (await venue.guest.send("GET", "/openapi.json")).json
    reserve = document["paths"][f"{RESERVATIONS}/reserve"]["post"]
    assert reserve["security"] == [{"token": []}, {"password": []}]
    assert set(reserve["responses"]) == {
        "201",
        "400",
        "401",
        "403",
        "404",
        "409",
        "429",
        "413",
        "421",
        "415",
        "422",
        "503",
    }
    assert "`seats_unavailable`" in reserve["responses"]["409"]["description"]
    seats = document["components"]["schemas"]["SeatSelection"]["properties"]["seat_ids"]
    assert (seats["minItems"], seats["maxItems"]) == (1, Limits().seats_per_request_limit)
    assert (seats["items"]["minimum"], seats["items"]["maximum"]) == (1, 2**63 - 1)
    extend = document["paths"][f"{RESERVATIONS}/extend"]["post"]["parameters"]
    (minutes,) = [parameter for parameter in extend if parameter["name"] == "additional_minutes"]
    assert minutes["schema"] == {"type": "integer", "default": 5, "minimum": 1, "maximum": 60}
    assert document["paths"][f"{RESERVATIONS}/cleanup"]["post"]["security"] == []
    one_form = document["components"]["schemas"]["ToggleSelection"]["oneOf"]
    assert one_form == [{"required": ["seat_id"]}, {"required": ["seat_ids"]}]


@pytest.mark.gen_test
async def test_openapi_starts_with_seats_and_describes_every_tag(venue: Venue) -> None:
    document = (await venue.guest.send("GET", "/openapi.json")).json
    tags = [tag["name"] for tag in document["tags"]]
    assert tags[:2] == ["Seat reservations", "Tickets"]
    assert next(iter(document["paths"])).startswith(RESERVATIONS)
    assert all(tag["description"] for tag in document["tags"])
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert {tag for operation in operations for tag in operation["tags"]} == set(tags)
    halls = {operation["operationId"] for operation in operations if operation["tags"] == ["Rooms"]}
    assert halls == {"create_room", "list_rooms", "get_room"}
    assert document["servers"][0]["url"] == "/"
    password = document["components"]["securitySchemes"]["password"]
    assert password["flows"]["password"]["tokenUrl"] in document["paths"]


@pytest.mark.parametrize(
    "endpoint", [endpoint for endpoint in ENDPOINTS if endpoint.body], ids=lambda endpoint: endpoint.name
)
def test_request_examples_are_valid(endpoint: Endpoint) -> None:
    schema = endpoint.body(Limits())
    example = body_example(schema)
    assert example, "the example is empty"
    schema.load(example)


@pytest.mark.gen_test
async def test_openapi_has_an_example_of_every_request_and_a_schema_of_every_response(venue: Venue) -> None:
    paths = (await venue.guest.send("GET", "/openapi.json")).json["paths"]
    for path, methods in paths.items():
        for operation in methods.values():
            for parameter in operation["parameters"]:
                assert "example" in parameter or parameter["in"] != "path", (path, parameter)
            body = operation.get("requestBody", {"content": {}})["content"]
            assert all("example" in body[kind] for kind in body if kind == "application/json"), path
            (success,) = [status for status in operation["responses"] if status < "300"]
            # The documents themselves are the only JSON responses without a schema.
            if success not in ("202", "204") and path not in ("/openapi.json", "/asyncapi.json"):
                assert operation["responses"][success]["content"], path
    picture = paths["/api/public/tickets/{ticket_id}/qr.png"]["get"]["responses"]["200"]["content"]
    assert picture == {"image/png": {"schema": {"type": "string", "format": "binary"}}}


@pytest.mark.gen_test
async def test_openapi_has_no_defaults_and_unique_titles(venue: Venue) -> None:
    schemas = (await venue.guest.send("GET", "/openapi.json")).json["components"]["schemas"]
    titles = [schema["title"] for schema in schemas.values() if "title" in schema]
    assert len(titles) == len(set(titles))
    for name, schema in schemas.items():
        assert not [field for field in schema["properties"].values() if "default" in field], name


@pytest.mark.parametrize(
    ("pattern", "ecma"),
    [(r"^[a-z]+\Z", "^[a-z]+$"), (r"[a-z]+\Z", "^[a-z]+$"), (r"^[a-z]", "^[a-z]"), ("a$", "^a$")],
)
def test_patterns_are_converted_for_json_schema(pattern: str, ecma: str) -> None:
    assert ecma_pattern(pattern) == ecma


@pytest.mark.gen_test
async def test_openapi_links_creating_operations_to_those_that_take_the_id(venue: Venue) -> None:
    paths = (await venue.guest.send("GET", "/openapi.json")).json["paths"]
    ids = {endpoint.name: endpoint.path_parameters for endpoint in ENDPOINTS}

    def links(path: str) -> dict[str, Any]:
        return paths[path]["post"]["responses"]["201"]["links"]

    cinema = links("/api/v1/cinemas/")
    assert {"get_cinema", "update_cinema", "delete_cinema", "create_room"} <= set(cinema)
    assert cinema["get_cinema"] == {
        "operationId": "get_cinema",
        "parameters": {"cinema_id": "$response.body#/id"},
    }
    assert links("/api/v1/tickets/book")["get_ticket"]["parameters"] == {"ticket_id": "$response.body#/0/id"}
    for methods in paths.values():
        for operation in methods.values():
            for response in operation["responses"].values():
                for link in response.get("links", {}).values():
                    assert list(link["parameters"]) == ids[link["operationId"]]


@pytest.mark.gen_test
async def test_openapi_describes_the_envelope_of_the_public_api(venue: Venue) -> None:
    document = (await venue.guest.send("GET", "/openapi.json")).json
    path = "/api/public/reservations"
    reserve, listed = document["paths"][path]["post"], document["paths"][path]["get"]
    assert reserve["security"] == [{}, {"token": []}, {"password": []}]
    assert "422" not in reserve["responses"]
    assert "`not_enough_tickets`" in reserve["responses"]["409"]["description"]
    assert "`rate_limited`" in reserve["responses"]["429"]["description"]
    assert "RateLimit-Remaining" in reserve["responses"]["201"]["headers"]
    for status in ("400", "409", "429", "503"):
        refusal = reserve["responses"][status]["content"]["application/json"]["schema"]
        assert refusal == {"$ref": "#/components/schemas/Refusal"}
    page = listed["responses"]["200"]["content"]["application/json"]["schema"]
    assert page["required"] == ["success", "data", "meta"]
    assert page["properties"]["data"]["items"] == {"$ref": "#/components/schemas/ReservationOfTickets"}
    body = document["components"]["schemas"]["NewReservations"]
    assert {"ticketTypeId", "sessionId", "expirationMinutes", "reservations"} <= set(body["properties"])
    minutes = body["properties"]["expirationMinutes"]
    assert (minutes["minimum"], minutes["maximum"]) == (1, 30)
    assert "By default 10." in minutes["description"]
    links = document["paths"]["/api/admin/events"]["post"]["responses"]["201"]["links"]
    assert links["get_any_event"]["parameters"] == {"event_id": "$response.body#/data/id"}
    assert document["paths"]["/api/cron/cleanup-reservations"]["get"]["security"] == [{"cron": []}]


@pytest.mark.gen_test
async def test_asyncapi_describes_all_channels_and_resolves_its_references(venue: Venue) -> None:
    document = (await venue.guest.send("GET", "/asyncapi.json")).json
    assert document["asyncapi"] == "3.0.0"
    assert {name: channel["address"] for name, channel in document["channels"].items()} == {
        "screening": "/ws/screenings/{screeningId}",
        "events": "/ws",
        "event": "/ws/events/{eventId}",
        "rooms": "/ws/{clientId}",
    }
    for channel in document["channels"].values():
        assert all(f"{{{name}}}" in channel["address"] for name in channel["parameters"])
    assert "\\Z" not in str(document), "a pattern has Python's syntax"
    described = set(document["components"]["messages"])
    assert {"ConnectionConfirmed", "SeatUpdate", "BulkSeatUpdate"} <= described
    assert {"EventConnectionEstablished", "EventSeatUpdate", "EventBookingCreated"} <= described
    assert all(resolves(document, reference) for reference in references(document))


@pytest.mark.gen_test
async def test_responses_match_their_documented_schema(venue: Venue) -> None:
    user = venue.user(7)
    await venue.user(8).reserve(SCREENING, [50])
    answers = {
        "reserve_seats": await user.reserve(SCREENING, [42, 43]),
        "reserve_best_seats": await user.send(
            "POST", f"{RESERVATIONS}/best-available", {"screening_id": SCREENING, "quantity": 2}
        ),
        "extend_reservations": await user.extend(SCREENING, [42]),
        "toggle_seats": await user.toggle(SCREENING, 43, 44),
        "get_availability": await venue.guest.availability(SCREENING),
        "get_own_availability": await user.own_availability(SCREENING),
        "list_reservations": await user.my_reservations(),
        "clean_up": await venue.guest.clean_up(),
        "book_tickets": await user.book(SCREENING, [45], payment_pending=True),
        "book_from_reservation": await user.book_reservation(SCREENING, [42], "pi_1"),
        "list_tickets": await user.my_tickets(),
        "get_ticket": await user.ticket(2001),
        "confirm_payment": await user.confirm_payment(2001, "pi_2"),
        "get_channel_seats": await user.send("GET", f"/api/v1/screenings/{SCREENING}/channel-seats"),
        "move_ticket": await user.send("POST", f"{TICKETS}/2001/move", {"seat_id": 46}),
        "move_tickets": await user.send("POST", f"{TICKETS}/move", {"ticket_ids": [2001], "seat_ids": [47]}),
        "welcome": await venue.guest.send("GET", "/"),
        "health": await venue.guest.send("GET", "/healthz"),
        "readiness": await venue.guest.send("GET", "/readyz"),
        "rooms_health": await venue.guest.send("GET", "/health"),
        "room_statistics": await venue.guest.send("GET", "/stats"),
        "room_selections": await venue.guest.send("GET", f"/room/funcion_{SCREENING}/selections"),
        "socket_statistics": await venue.guest.send("GET", "/ws/stats"),
    }
    shaped = {endpoint.name: endpoint for endpoint in CORE if endpoint.answers}
    assert set(answers) == set(shaped), "this test calls every operation with a documented schema"
    for name, response in answers.items():
        schema = shaped[name].answers
        instance = schema() if isinstance(schema, type) else schema
        assert response.status == shaped[name].status
        instance.load(response.json, unknown=RAISE)

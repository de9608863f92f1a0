"""Tags and examples of the OpenAPI document.

`/docs` and generated documentation show tags in this order: seats first, then the rest of ticket selling.
"""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from api.rest.fields import RequestSchema

TAGS: Mapping[str, str] = {
    "Seat reservations": "Hold seats of a screening for some minutes: reserve, toggle, extend, cancel, and "
    "see which seats are free.",
    "Tickets": "Book seats, with or without a reservation; list, cancel and pay for tickets.",
    "Waiting list": "Wait for what others give back, and be told when a seat is free.",
    "Payments": "Webhooks of payment providers, which book and confirm what was paid for.",
    "Authentication": "Accounts, log-in and log-out, and passwords. `POST /api/v1/auth/login` returns "
    "the token that other operations require.",
    "Screenings": "Screenings of movies: room, time and price.",
    "Showtimes": "Upcoming screenings with their movie, cinema and room.",
    "Seats": "The seats of a cinema's rooms.",
    "Rooms": "The rooms (halls) of cinemas.",
    "Layouts": "The seats and the picture of a room as a whole: read, exchanged as a file, published.",
    "Cinemas": "Cinemas, and what they show.",
    "Movies": "Movies, with search, filters and recommendations.",
    "Cast": "Cast and crew of movies.",
    "Reviews": "Users' reviews of movies.",
    "Favorites": "A user's favourite cinemas.",
    "Users": "Profiles, pictures, preferences and searches.",
    "Events": "Events that sell tickets by quantity.",
    "Ticket types": "The ticket types of events: capacity, price and sales period.",
    "Guests": "Tokens for customers without an account.",
    "Reservations": "Reserve and buy tickets of events by quantity, also as a guest.",
    "Live selections": "Selections in the rooms of the WebSocket `/ws/{client_id}`, and the number of "
    "sockets; see `/asyncapi.json`.",
    "Statistics": "Sales statistics for administrators.",
    "Check-in": "Admission at the door: scans, batches of scanners that were offline, and who was admitted.",
    "Refunds": "For administrators: what is owed for payments, and settling it.",
    "Operations": "For administrators: live figures, who had a seat when, and releasing, selling and logging "
    "by hand.",
    "Webhooks": "For administrators: where events are sent to, and the log of deliveries.",
    "Server": "Health, readiness and metrics of the server.",
    "Documentation": "This documentation, for people and for machines.",
}
"""Descriptions of the tags, in the order in which they are shown."""

_IDS_IN_PATHS: Mapping[str, int | str] = {
    "screening_id": 123,
    "showtime_id": 123,
    "ticket_id": 2001,
    "ticket_type_id": 5,
    "event_id": 17,
    "user_id": 7,
    "mark": "3fa91c07",
    "reservation_id": "17-100023",
}


def id_example(name: str, *, text: bool) -> int | str:
    """Return an example of an id in a path, taken from the guides where they have one.

    Args:
        name: name of the path parameter.
        text: whether the endpoint's ids are strings.
    """
    return _IDS_IN_PATHS.get(name, "funcion_123" if text else 1)


def body_example(schema: RequestSchema) -> dict[str, Any]:
    """Return an example of a request body, built from the examples of its fields.

    Raises:
        ValueError: a required field has no example.
    """
    example: dict[str, Any] = {}
    for name, field in schema.load_fields.items():
        written = field.data_key or name
        if written in (*schema.exactly_one[1:], *schema.at_most_one[1:]):
            continue
        value = _field_example(field)
        if value is not None:
            example[written] = value
        elif field.required and not schema.partial:
            raise ValueError(f"{type(schema).__name__}.{name} has no example")
    return example


def _field_example(field: fields.Field[Any]) -> Any:
    if "example" in field.metadata:
        return field.metadata["example"]
    for rule in field.validators:
        if isinstance(rule, validate.OneOf):
            return next(iter(rule.choices))
    if isinstance(field, fields.List):
        one = _field_example(field.inner)
        return None if one is None else [one]
    if isinstance(field, fields.Nested) and isinstance(field.schema, RequestSchema):
        return body_example(field.schema)
    return None

"""Texts of the OpenAPI document beside its operations: the tags, in order, and examples.

`/docs` and generated documentation follow the order: seats first, then what a seller of tickets needs next.
"""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from api.rest.fields import RequestSchema

TAGS: Mapping[str, str] = {
    "Seat reservations": "Hold seats of a screening for some minutes: reserve, toggle, extend, cancel, and "
    "see which seats are free.",
    "Tickets": "Buy seats, with or without a reservation; show, cancel and pay for tickets.",
    "Authentication": "Accounts, log-in and log-out, and passwords. `POST /api/v1/auth/login` gives the "
    "token that other operations ask for.",
    "Screenings": "When and where something is shown, and for how much.",
    "Showtimes": "Screenings to come with their movie, cinema and room, as programmes print them.",
    "Seats": "The seats of a cinema's rooms.",
    "Rooms": "The rooms (halls) of cinemas.",
    "Cinemas": "Cinemas, and what they show.",
    "Movies": "What is shown, found by whatever somebody remembers of it.",
    "Cast": "Who plays in movies.",
    "Reviews": "What users think of movies.",
    "Favorites": "Cinemas that a user likes.",
    "Users": "Profiles, pictures, preferences and searches.",
    "Events": "Events that sell tickets by quantity.",
    "Ticket types": "What an event sells: how many, when and for how much.",
    "Reservations": "Reserve and buy tickets of events by quantity, also as a guest.",
    "Live selections": "What is selected in the rooms of the WebSocket `/ws/{client_id}`, and how many "
    "sockets there are; see `/asyncapi.json`.",
    "Statistics": "Figures for those who run the house.",
    "Server": "Whether the server is alive and ready, and its metrics.",
    "Documentation": "This documentation, for people and for machines.",
}
"""Every tag with its description, in the order in which they are shown."""

_IDS_IN_PATHS: Mapping[str, int | str] = {
    "screening_id": 123,
    "showtime_id": 123,
    "ticket_id": 2001,
    "ticket_type_id": 5,
    "event_id": 17,
    "user_id": 7,
    "reservation_id": "17-100023",
}


def id_example(name: str, *, text: bool) -> int | str:
    """An example of an id in a path, as in the guides where they have one.

    Args:
        name: of the parameter.
        text: whether ids of this endpoint are strings.
    """
    return _IDS_IN_PATHS.get(name, "funcion_123" if text else 1)


def body_example(schema: RequestSchema) -> dict[str, Any]:
    """An example of a body, made of the examples of its fields.

    Raises:
        ValueError: a field that must be given has no example.
    """
    example: dict[str, Any] = {}
    for name, field in schema.load_fields.items():
        written = field.data_key or name
        if written in schema.exactly_one[1:]:
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

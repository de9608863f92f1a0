"""The people behind holders and actors, for operators."""

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import Schema, fields

from api.rest.endpoint import Access, Call, Document, Resource
from api.rest.fields import EMAIL_LIMIT, RequestSchema, text
from api.wire import holder_of, user_id_of
from engine.errors import NotFound

people = Resource("/api/v1/ops/people", tag="Operations")


class Person(Schema):
    """An account, or a guest who has given a name."""

    holder = fields.String(required=True, metadata={"example": "user:7"})
    user_id = fields.Integer(required=True, metadata={"example": 7})
    full_name = fields.String(required=True, metadata={"example": "Ada Byron"})
    email = fields.String(
        required=True, metadata={"description": "Empty if it is not known.", "example": "ada@home.example"}
    )


PEOPLE = {"description": "Accounts and guests named in this response, as far as they are known."}


def people_field() -> fields.List[Any]:
    """The accounts that a response names."""
    return fields.List(fields.Nested(Person), required=True, metadata=PEOPLE)


async def people_of(call: Call, holders: Iterable[str | None]) -> list[Mapping[str, Any]]:
    """Return the accounts and guests with a name among some holders, ordered by id."""
    user_ids = {user_id for user_id in map(user_id_of, holders) if user_id is not None}
    found = await call.services.event_log.people(user_ids) if user_ids else []
    return sorted(found, key=lambda person: person["user_id"])


class Wanted(RequestSchema):
    who = text(
        EMAIL_LIMIT,
        required=True,
        metadata={"description": "Id or e-mail address of the account.", "example": "ada@home.example"},
    )


@people.get("/find", access=Access.ADMIN, query=Wanted, answers=Person, refusals=(NotFound,))
async def find_person(call: Call, who: str) -> Document:
    """Find an account by its id or its e-mail address."""
    users = call.services.catalogue.users
    if who.isascii() and who.isdecimal():
        record = await users.find(int(who))
    else:
        credentials = await users.credentials_by_email(who.strip())
        if credentials is None:
            raise NotFound("user", who)
        record = await users.find(credentials.user_id)
    user_id = record["id"]
    return {
        "holder": holder_of(user_id),
        "user_id": user_id,
        "full_name": record["full_name"],
        "email": record["email"],
    }

"""`/api/admin/events`: which events there are, and who may know of them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import fields, validate

from api.errors import InvalidInput
from api.public.administration import Administration
from api.public.events import EventSearch, PublicEvent
from api.public.shapes import Id, Input
from api.rest.endpoint import Call, Resource
from api.rest.fields import Flag, Moment, optional_text, text
from api.rows import Record

USUAL_LENGTH = timedelta(hours=3)
LONGEST = timedelta(days=31)
FURTHEST_AHEAD = timedelta(days=5 * 365)
INVITED_LIMIT = 1000

admin_events = Resource("/api/admin/events", tag="Events")


class EventDetails(Input):
    """What takes place, where and when."""

    title = text(200, required=True, metadata={"example": "Night of the Brass Bands"})
    description = optional_text(5000)
    venue = optional_text(200, metadata={"example": "Harbour Hall"})
    start_date = Moment(
        required=True,
        attribute="starts_at",
        metadata={
            "description": "In the future, at most five years; until then tickets are sold.",
            "example": "2030-06-21T20:00:00.000Z",
        },
    )
    end_date = Moment(attribute="ends_at", metadata={"description": "By default three hours later."})
    private = Flag(
        metadata={
            "description": "Whether only administrators and invited users may know of it.",
            "example": False,
        }
    )
    invited_user_ids = fields.List(Id(), validate=validate.Length(0, INVITED_LIMIT))


class AdminEvent(PublicEvent):
    """An event as administrators see it."""

    private = fields.Boolean(required=True)
    invited_user_ids = fields.List(Id(), required=True)
    closed_at = Moment(required=True, allow_none=True)
    created_at = Moment(required=True)
    updated_at = Moment(required=True)


def _prepared(call: Call, given: Mapping[str, Any], present: Record | None) -> Mapping[str, Any]:
    """What is stored: with its end, which moves along with the beginning unless it is given.

    Raises:
        InvalidInput: what is given is not in the future, or the end not after the beginning.
    """
    values = dict(given)
    if "starts_at" in given:
        now = datetime.fromtimestamp(call.services.clock.now(), UTC)
        if not now < given["starts_at"] <= now + FURTHEST_AHEAD:
            raise InvalidInput({"startDate": ["Must be in the future, and at most five years ahead."]})
        length = present["ends_at"] - present["starts_at"] if present else USUAL_LENGTH
        values.setdefault("ends_at", given["starts_at"] + length)
    whole = {**(present or {}), **values}
    if not timedelta() < whole["ends_at"] - whole["starts_at"] <= LONGEST:
        raise InvalidInput({"endDate": ["Must be after the beginning, by a month at most."]})
    return values


administration = Administration(
    admin_events,
    "event",
    AdminEvent,
    lambda catalogue: catalogue.events,
    event_of=lambda record: None,
    prepare=_prepared,
)
administration.list("", EventSearch)
administration.create("", EventDetails, doc="Create an event.\n\nIts ticket types are created by themselves.")
administration.read("/{event_id}")
administration.update(
    "/{event_id}",
    EventDetails,
    doc="Change an event; fields that are not given stay as they are.\n\nIt takes effect at once.",
)
administration.delete("/{event_id}")
administration.close("/{event_id}")

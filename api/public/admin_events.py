"""`/api/admin/events`: administration of events and their invitations."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from marshmallow import fields, validate

from api.errors import InvalidInput
from api.public.administration import Administration
from api.public.events import EventSearch, PresaleOfEvent, PublicEvent
from api.public.shapes import Id, Input
from api.rest.endpoint import Call, Resource
from api.rest.fields import Flag, Timestamp, optional_text, text
from api.rest.local_times import TimeZoneName, VenueTimestamp
from api.rows import Record
from api.sales import sale_rules
from api.venue_time import resolved

USUAL_LENGTH = timedelta(hours=3)
LONGEST = timedelta(days=31)
FURTHEST_AHEAD = timedelta(days=5 * 365)
INVITED_LIMIT = 1000

_DATES = {
    "starts_at": "startDate",
    "ends_at": "endDate",
    "sales_start": "salesStart",
    "sales_end": "salesEnd",
    "moves_until": "movesUntil",
}

admin_events = Resource("/api/admin/events", tag="Events")


class EventDetails(Input):
    title = text(200, required=True, metadata={"example": "Night of the Brass Bands"})
    description = optional_text(5000)
    venue = optional_text(200, metadata={"example": "Harbour Hall"})
    time_zone = TimeZoneName(
        metadata={
            "description": "Name in the IANA time zone database; by default the setting FRONTROW_TIME_ZONE. "
            "A change keeps the event's times in UTC."
        }
    )
    start_date = VenueTimestamp(
        required=True,
        attribute="starts_at",
        metadata={
            "description": "In the future, at most five years ahead. Sales end when the event starts.",
            "example": "2030-06-21T20:00:00.000Z",
        },
    )
    end_date = VenueTimestamp(
        attribute="ends_at", metadata={"description": "Three hours after the start by default."}
    )
    private = Flag(
        metadata={
            "description": "Whether only administrators and invited users can see the event.",
            "example": False,
        }
    )
    sales_start = sale_rules.sales_start()
    sales_end = sale_rules.sales_end()
    presales = sale_rules.presales(PresaleOfEvent)
    max_per_user = sale_rules.max_per_user()
    reentry = sale_rules.reentry()
    moves_allowed = sale_rules.moves_allowed()
    moves_until = sale_rules.moves_until()
    transfers_allowed = sale_rules.transfers_allowed()
    invited_user_ids = fields.List(Id(), validate=validate.Length(0, INVITED_LIMIT))


class AdminEvent(PublicEvent):
    """An event as administrators see it."""

    private = fields.Boolean(required=True)
    invited_user_ids = fields.List(Id(), required=True)
    reentry = fields.Boolean(required=True)
    moves_allowed = fields.Boolean(required=True)
    moves_until = Timestamp(required=True, allow_none=True)
    transfers_allowed = fields.Boolean(required=True)
    closed_at = Timestamp(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


async def _prepared(call: Call, given: Mapping[str, Any], present: Record | None) -> Mapping[str, Any]:
    """Return the values to store. Unless `ends_at` is given, it moves with `starts_at`.

    Raises:
        InvalidInput: the given start is not in the future, or the end is not after the start; or a local time
            falls into a clock change.
    """
    values = dict(given) if present else {"time_zone": call.services.time_zone, **given}
    values = resolved(values, {**(present or {}), **values}["time_zone"], _DATES)
    if "starts_at" in values:
        now = call.now
        if not now < values["starts_at"] <= now + FURTHEST_AHEAD:
            raise InvalidInput({"startDate": ["Must be in the future, and at most five years ahead."]})
        length = present["ends_at"] - present["starts_at"] if present else USUAL_LENGTH
        values.setdefault("ends_at", values["starts_at"] + length)
    whole = {**(present or {}), **values}
    if not timedelta() < whole["ends_at"] - whole["starts_at"] <= LONGEST:
        raise InvalidInput({"endDate": [f"Must be after startDate, by at most {LONGEST.days} days."]})
    sale_rules.require_window(whole, "salesEnd", "salesStart")
    return await sale_rules.with_presales(call, values, whole)


administration = Administration(
    resource=admin_events,
    kind="event",
    shape=AdminEvent,
    select_rows=lambda catalogue: catalogue.events,
    event_of=lambda record: None,
    prepare=_prepared,
)
administration.list("", EventSearch)
administration.create("", EventDetails, doc="Create an event.\n\nCreate its ticket types separately.")
administration.read("/{event_id}")
administration.update(
    "/{event_id}",
    EventDetails,
    doc="Update an event. Omitted fields keep their values.\n\nThe change takes effect immediately.",
)
administration.delete("/{event_id}")
administration.close("/{event_id}")

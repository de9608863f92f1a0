"""`/api/admin/ticket-types`: the ticket types of events, with capacity, price and sales period."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from api.public.administration import Administration
from api.public.shapes import CamelCaseSchema, Id, Input, ListQuery, identifier
from api.rest.endpoint import Call, Resource
from api.rest.fields import Money, Timestamp, optional_text, text
from api.rows import Record
from api.sales import sale_rules
from api.venue_time import is_local, resolved
from engine.places import CAPACITY_LIMIT

USUAL_MAX_PER_ORDER = 10

_WINDOW = {"sales_start": "salesStart", "sales_end": "salesEnd"}

admin_ticket_types = Resource("/api/admin/ticket-types", tag="Ticket types")


class TicketTypeDetails(Input):
    name = text(100, required=True, metadata={"example": "Standing"})
    description = optional_text(2000)
    price = Money(
        required=True, metadata={"example": 25.5, "description": "Price per ticket at the time of purchase."}
    )
    capacity = fields.Integer(
        required=True, strict=True, validate=validate.Range(1, CAPACITY_LIMIT), metadata={"example": 100}
    )
    max_per_order = fields.Integer(
        strict=True,
        validate=validate.Range(1, CAPACITY_LIMIT),
        metadata={"description": f"Most tickets per reservation; {USUAL_MAX_PER_ORDER} by default."},
    )
    sales_start = sale_rules.sales_start()
    sales_end = sale_rules.sales_end()
    max_per_user = sale_rules.max_per_user()


class NewTicketType(TicketTypeDetails):
    event_id = Id(required=True, metadata={"example": "17"})


class AdminTicketType(CamelCaseSchema):
    """A ticket type as administrators see it."""

    id = identifier("5")
    event_id = identifier("17")
    name = fields.String(required=True)
    description = fields.String(required=True)
    price = Money(required=True)
    capacity = fields.Integer(required=True)
    max_per_order = fields.Integer(required=True)
    max_per_user = fields.Integer(required=True, allow_none=True)
    sales_start = Timestamp(required=True, allow_none=True)
    sales_end = Timestamp(required=True, allow_none=True)
    closed_at = Timestamp(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class TicketTypeList(ListQuery):
    event_id = Id()


async def _prepared(call: Call, given: Mapping[str, Any], present: Record | None) -> Mapping[str, Any]:
    """Return the values to store.

    Raises:
        InvalidInput: sales would end before they start, or a local time falls into a clock change.
        NotFound: the event of a new ticket type does not exist.
    """
    values = dict(given) if present else {"max_per_order": USUAL_MAX_PER_ORDER, **given}
    if any(map(is_local, values.values())):
        event = await call.services.catalogue.events.find((present or values)["event_id"])
        values = resolved(values, event["time_zone"], _WINDOW)
    sale_rules.require_window({**(present or {}), **values}, "salesEnd", "salesStart")
    return values


administration = Administration(
    resource=admin_ticket_types,
    kind="ticket_type",
    shape=AdminTicketType,
    select_rows=lambda catalogue: catalogue.ticket_types,
    event_of=lambda record: record["event_id"],
    prepare=_prepared,
)
administration.list("", TicketTypeList)
administration.create("", NewTicketType, doc="Create a ticket type of an event.")
administration.read("/{ticket_type_id}")
administration.update(
    "/{ticket_type_id}",
    TicketTypeDetails,
    doc=(
        "Update a ticket type. Omitted fields keep their values.\n\n"
        "The change takes effect immediately; reserved and sold tickets keep their price. "
        "The capacity cannot be lower than the number of sold and reserved tickets."
    ),
)
administration.delete("/{ticket_type_id}")
administration.close("/{ticket_type_id}")

"""`/api/public/events` and `/api/public/availability`: events, ticket types and how many tickets are left."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from marshmallow import fields

from api.looks import PUBLIC
from api.public.shapes import CamelCaseSchema, Input, ListQuery, identifier, listed_content
from api.rest.access_codes import AccessCode
from api.rest.endpoint import Access, Call, Document, Resource, dump
from api.rest.fields import Money, Timestamp, text
from api.rest.local_times import LocalTime, TimeZoneName
from api.rest.paging import Window
from api.rest.styles import Content
from api.sales.channels import kept_places
from api.sales.lapsing import lapsing_field, lapsing_of
from api.sales.sale_rules import PresaleDetails, shown_presales
from api.sales.visibility import visibility_filter
from api.wire import new_timestamp, timestamp_or_none
from engine.commands import ReadBlocks, ReadScarcity, ReadStock
from engine.errors import NotFound
from engine.replies import Blocks, Scarcity, Stock, StockLevel
from engine.sale_rules import ALWAYS
from engine.scarcity import WITHIN_SECONDS

TYPES_SHOWN = 100

public_events = Resource("/api/public", tag="Events")


class PresaleOfEvent(CamelCaseSchema, PresaleDetails):
    """Sales that open earlier for a channel."""


class PublicEvent(CamelCaseSchema):
    id = identifier("17")
    title = fields.String(required=True, metadata={"example": "Night of the Brass Bands"})
    description = fields.String(required=True)
    venue = fields.String(required=True, metadata={"example": "Harbour Hall"})
    start_date = Timestamp(required=True, attribute="starts_at")
    end_date = Timestamp(required=True, attribute="ends_at")
    time_zone = TimeZoneName(required=True)
    start_date_local = LocalTime("starts_at")
    end_date_local = LocalTime("ends_at")
    sales_start = Timestamp(required=True, allow_none=True)
    sales_end = Timestamp(required=True, allow_none=True)
    presales = shown_presales(PresaleOfEvent)
    max_per_user = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Most tickets of all types that a person may have; null for any."},
    )
    closed = fields.Function(
        lambda event: event["closed_at"] is not None,
        bool,
        required=True,
        metadata={"type": "boolean", "description": "Whether sales are closed."},
    )


class Availability(CamelCaseSchema):
    """Numbers of tickets of one type; `total` is the sum of the others."""

    total = fields.Integer(required=True, metadata={"example": 100})
    sold = fields.Integer(required=True, metadata={"example": 60})
    reserved = fields.Integer(required=True, metadata={"example": 15})
    blocked = fields.Integer(
        metadata={"description": "Kept back by the organiser; absent if there are none.", "example": 5}
    )
    available = fields.Integer(required=True, metadata={"example": 25})
    lapsing = lapsing_field()


_SERVER_TIME = "By this clock sales open and close."


class TicketAvailability(Availability):
    """Numbers of tickets of one type, and when they are on sale."""

    server_time = Timestamp(required=True, metadata={"description": _SERVER_TIME})
    sales_start = Timestamp(
        required=True,
        allow_none=True,
        metadata={"description": "When both the event and the type are on sale; null for always."},
    )
    sales_end = Timestamp(required=True, allow_none=True)


class PublicTicketType(Availability):
    id = identifier("5")
    name = fields.String(required=True, metadata={"example": "Standing"})
    description = fields.String(required=True)
    price = Money(required=True)
    max_per_order = fields.Integer(required=True)
    max_per_user = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Most tickets of this type that a person may have; null for any."},
    )
    sales_start = Timestamp(required=True, allow_none=True)
    sales_end = Timestamp(required=True, allow_none=True)
    on_sale = fields.Boolean(
        required=True, metadata={"description": "Whether sales are open, regardless of availability."}
    )


class EventWithTickets(PublicEvent):
    server_time = Timestamp(required=True, metadata={"description": _SERVER_TIME})
    ticket_types = fields.List(fields.Nested(PublicTicketType), required=True)


class EventSearch(ListQuery):
    search = text(
        200, attribute="q", metadata={"description": "Tolerates differences in accents and case, and typos."}
    )
    venue = text(200, metadata={"description": "Case-insensitive."})
    from_ = Timestamp(
        data_key="from", attribute="from", metadata={"description": "Starting at this time or later."}
    )
    to = Timestamp(metadata={"description": "Starting before this time."})
    date = fields.Date(metadata={"description": "Starting on this day, in the event's time zone."})


@public_events.get(
    "/events", access=Access.GUEST, query=EventSearch, answers=PublicEvent(many=True), listed=True
)
async def list_events(call: Call, window: Window, **wanted: Any) -> Content:
    """List events, earliest start first.

    Lists upcoming events unless `from` is given. Private events are only visible to invited users.
    """
    wanted = {"from": call.now, **wanted, **visibility_filter(call)}
    return await listed_content(call, window, call.services.catalogue.events, wanted, PublicEvent)


@public_events.get("/events/{event_id}", access=Access.GUEST, answers=EventWithTickets, refusals=(NotFound,))
async def get_event(call: Call, event_id: int) -> Document:
    """Get an event with its ticket types and their availability."""
    catalogue = call.services.catalogue
    event = await catalogue.events.find(event_id, **visibility_filter(call))
    call.services.looks.count(event_id, PUBLIC)
    types, _ = await catalogue.ticket_types.page({"event_id": event_id}, limit=TYPES_SHOWN, offset=0)
    stock: Stock = await call.ask(ReadStock(event_id))
    soon: Scarcity = await call.ask(ReadScarcity(event_id))
    shown = [
        {
            **kind,
            **_level(stock.ticket_types[kind["id"]], soon.ticket_types.get(kind["id"])),
            "on_sale": _on_sale(event, kind, call.now),
        }
        for kind in types
        if kind["id"] in stock.ticket_types
    ]
    return dump(EventWithTickets, {**event, "ticket_types": shown, "server_time": call.now})


class AvailabilityByChannel(Input):
    """Whose tickets to count."""

    access_code = AccessCode()


@public_events.get(
    "/availability/{ticket_type_id}",
    access=Access.GUEST,
    query=AvailabilityByChannel,
    answers=TicketAvailability,
    refusals=(NotFound,),
    access_code=True,
)
async def get_ticket_availability(call: Call, ticket_type_id: int) -> Document:
    """Get the current availability of a ticket type.

    Tickets that are kept back for a channel are available to those who give its access code, or have a token
    that names it.
    """
    offer = await call.services.offers.find(str(ticket_type_id), call.identity)
    stock: Stock = await call.ask(ReadStock(offer.event_id))
    if (level := stock.ticket_types.get(ticket_type_id)) is None:
        raise NotFound("ticket_type", ticket_type_id)
    soon: Scarcity = await call.ask(ReadScarcity(offer.event_id))
    window = stock.type_windows.get(ticket_type_id, ALWAYS)
    if call.access:
        blocks: Blocks = await call.ask(ReadBlocks(offer.event_id))
        opened = kept_places(blocks, call.access)[ticket_type_id]
        level = level._replace(blocked=level.blocked - opened)
    return {
        **_level(level, soon.ticket_types.get(ticket_type_id)),
        "serverTime": new_timestamp(call.services.clock.now()),
        "salesStart": timestamp_or_none(window.sales_start),
        "salesEnd": timestamp_or_none(window.sales_end),
    }


def _level(level: StockLevel, lapsing: Sequence[int] | None) -> dict[str, Any]:
    blocked = {"blocked": level.blocked} if level.blocked else {}
    return {
        "total": level.total,
        "sold": level.sold,
        "reserved": level.reserved,
        "available": level.available,
        "lapsing": lapsing_of(lapsing or (0,) * len(WITHIN_SECONDS)),
        **blocked,
    }


def _on_sale(event: Mapping[str, Any], kind: Mapping[str, Any], now: datetime) -> bool:
    windows = (event, kind)
    begun = all(each["sales_start"] is None or each["sales_start"] <= now for each in windows)
    ends = [each["sales_end"] for each in windows if each["sales_end"] is not None]
    ended = now >= min((*ends, event["starts_at"]))
    return begun and not ended and event["closed_at"] is None and kind["closed_at"] is None

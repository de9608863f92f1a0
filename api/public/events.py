"""`/api/public/events` and `/api/public/availability`: what there is to reserve, and how many are left."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import fields

from api.public.shapes import ListQuery, Named, Window, identifier
from api.rest.endpoint import Access, Call, Document, Resource
from api.rest.fields import Moment, Money, text
from api.rest.styles import Content
from engine.commands import ReadStock
from engine.errors import NotFound
from engine.replies import Stock, StockLevel

TYPES_SHOWN = 100

public_events = Resource("/api/public", tag="Events")


class PublicEvent(Named):
    """An event."""

    id = identifier("17")
    title = fields.String(required=True, metadata={"example": "Night of the Brass Bands"})
    description = fields.String(required=True)
    venue = fields.String(required=True, metadata={"example": "Harbour Hall"})
    start_date = Moment(required=True, attribute="starts_at")
    end_date = Moment(required=True, attribute="ends_at")
    closed = fields.Function(
        lambda event: event["closed_at"] is not None,
        bool,
        required=True,
        metadata={"type": "boolean", "description": "Whether nothing more is reserved."},
    )


_events = PublicEvent(many=True)


class Availability(Named):
    """How many tickets of a type there are; `total` is the sum of the others."""

    total = fields.Integer(required=True, metadata={"example": 100})
    sold = fields.Integer(required=True, metadata={"example": 60})
    reserved = fields.Integer(required=True, metadata={"example": 15})
    available = fields.Integer(required=True, metadata={"example": 25})


class PublicTicketType(Availability):
    """A ticket type with how many are left now."""

    id = identifier("5")
    name = fields.String(required=True, metadata={"example": "Standing"})
    description = fields.String(required=True)
    price = Money(required=True)
    max_per_order = fields.Integer(required=True)
    sales_start = Moment(required=True, allow_none=True)
    sales_end = Moment(required=True, allow_none=True)
    on_sale = fields.Boolean(
        required=True, metadata={"description": "Whether it can be reserved now, as long as there are any."}
    )


class EventWithTickets(PublicEvent):
    """An event and what it sells."""

    ticket_types = fields.List(fields.Nested(PublicTicketType), required=True)


_event = EventWithTickets()


class EventSearch(ListQuery):
    """Which events are wanted."""

    search = text(
        200, attribute="q", metadata={"description": "Accents, case and small typing errors are forgiven."}
    )
    venue = text(200, metadata={"description": "Whatever the case."})
    from_ = Moment(data_key="from", attribute="from", metadata={"description": "That begin then or later."})
    to = Moment(metadata={"description": "That begin before."})


@public_events.get(
    "/events", access=Access.GUEST, query=EventSearch, answers=PublicEvent(many=True), listed=True
)
async def list_events(call: Call, window: Window, **wanted: Any) -> Content:
    """List events, the next one first.

    Only those to come, unless `from` says otherwise. Private ones are seen by whom they are for.
    """
    records, total = await call.services.catalogue.events.page(
        {"from": _now(call), **wanted, **_visible(call)}, limit=window.limit, offset=window.offset
    )
    return window.content(_events.dump(records), total)


@public_events.get("/events/{event_id}", access=Access.GUEST, answers=EventWithTickets, refusals=(NotFound,))
async def get_event(call: Call, event_id: int) -> Document:
    """Get an event with its ticket types, and how many of each are left."""
    catalogue = call.services.catalogue
    event = await catalogue.events.find(event_id, **_visible(call))
    types, _ = await catalogue.ticket_types.page({"event_id": event_id}, limit=TYPES_SHOWN, offset=0)
    stock: Stock = await call.ask(ReadStock(event_id))
    shown = [
        {**kind, **_level(stock.ticket_types[kind["id"]]), "on_sale": _on_sale(event, kind, _now(call))}
        for kind in types
        if kind["id"] in stock.ticket_types
    ]
    document: Document = _event.dump({**event, "ticket_types": shown})
    return document


@public_events.get(
    "/availability/{ticket_type_id}", access=Access.GUEST, answers=Availability, refusals=(NotFound,)
)
async def get_ticket_availability(call: Call, ticket_type_id: int) -> Document:
    """How many tickets of a type are left at this moment."""
    offer = await call.services.offers.find(str(ticket_type_id), call.identity)
    stock: Stock = await call.ask(ReadStock(offer.event_id))
    if (level := stock.ticket_types.get(ticket_type_id)) is None:
        raise NotFound("ticket_type", ticket_type_id)
    return _level(level)


def _level(level: StockLevel) -> dict[str, Any]:
    return {
        "total": level.total,
        "sold": level.sold,
        "reserved": level.reserved,
        "available": level.available,
    }


def _visible(call: Call) -> dict[str, Any]:
    """The filter that leaves out what the caller may not know of."""
    return {} if call.admin else {"visible_to": call.user_id}


def _on_sale(event: Mapping[str, Any], kind: Mapping[str, Any], now: datetime) -> bool:
    begun = kind["sales_start"] is None or kind["sales_start"] <= now
    ended = now >= min(kind["sales_end"] or event["starts_at"], event["starts_at"])
    return begun and not ended and event["closed_at"] is None and kind["closed_at"] is None


def _now(call: Call) -> datetime:
    return datetime.fromtimestamp(call.services.clock.now(), UTC)

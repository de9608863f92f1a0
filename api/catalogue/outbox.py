"""`/api/v1/admin/outbox`: messages that are to be delivered, have been, or could not be (docs/outbox.md)."""

from marshmallow import Schema, fields, validate

from api.catalogue.collection import Collection
from api.rest.endpoint import Access, Call, Document, Resource, dump
from api.rest.fields import Timestamp, text
from api.rest.paging import Page
from api.rows import Record
from api.sales.holders import shown
from engine.catalogue_errors import MessageDelivered
from engine.errors import NotFound

_KIND_LIMIT = 50

outbox = Resource("/api/v1/admin/outbox", tag="Operations")

_STATUS = validate.OneOf(("waiting", "delivered", "dead"))


class MessageEntry(Schema):
    """A message of the outbox."""

    id = fields.Integer(required=True, metadata={"example": 17})
    uid = fields.UUID(required=True, metadata={"description": "Sent with every attempt to deliver it."})
    kind = fields.String(required=True, metadata={"example": "mail"})
    subject = fields.String(
        required=True, metadata={"description": "What it is about.", "example": "booking 42"}
    )
    payload = fields.Dict(
        required=True,
        metadata={"description": "The cause and ids.", "example": {"cause": "booked", "booking_id": 42}},
    )
    status = fields.String(
        required=True,
        validate=_STATUS,
        metadata={"description": "`dead`: no further attempts, unless you retry it."},
    )
    attempts = fields.Integer(required=True)
    created_at = Timestamp(required=True)
    due_at = Timestamp(
        required=True, allow_none=True, metadata={"description": "The next attempt; null if there is none."}
    )
    finished_at = Timestamp(
        required=True, allow_none=True, metadata={"description": "When it was delivered, or given up."}
    )
    error = fields.String(
        required=True, allow_none=True, metadata={"description": "Why the last attempt failed."}
    )


class MessageList(Page):
    status = fields.String(validate=_STATUS)
    kind = text(_KIND_LIMIT, metadata={"example": "mail"})


def _shown(call: Call, record: Record) -> Record:
    """Return a message with its payload as operators may see it: without the session ids of guests."""
    payload = record["payload"]
    named = {name: shown(call, payload[name]) for name in ("holder", "actor") if payload.get(name)}
    return {**record, "payload": {**payload, **named}}


collection = Collection(outbox, "message", MessageEntry, lambda catalogue: catalogue.messages)
collection.list(
    "/",
    MessageList,
    access=Access.ADMIN,
    doc="List messages of the outbox.\n\nNewest first. Delivered messages and dead letters are kept for some "
    "weeks.",
    shown=_shown,
)


@outbox.post(
    "/{message_id}/retry",
    access=Access.ADMIN,
    answers=MessageEntry,
    refusals=(NotFound, MessageDelivered),
)
async def retry_message(call: Call, message_id: int) -> Document:
    """Deliver a dead letter after all.

    All attempts begin anew, the first one immediately. A message that waits is left as it is.
    """

    async def write() -> Document:
        return dump(MessageEntry, _shown(call, await call.services.catalogue.messages.retry(message_id)))

    return await call.kept(write)

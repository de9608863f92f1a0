"""`/api/v1/refunds/me`: what is owed to the caller, and what has been paid back."""

from marshmallow import Schema, fields

from api.catalogue.refunds import STATUS, refund_amount, refund_reason
from api.rest.endpoint import Answer, Call, Resource, dump_all
from api.rest.fields import Timestamp, identifier_in_query
from api.rest.local_times import LocalTime, TimeZoneName
from api.rest.paging import PAGING_HEADERS, Page, Window, paged
from api.sales.representations import vouched_by_field
from engine.vouching import providers_id

own_refunds = Resource("/api/v1/refunds", tag="Refunds")


class OwnRefund(Schema):
    """A refund as its receiver sees it."""

    id = fields.Integer(required=True, metadata={"example": 31})
    payment_id = fields.String(required=True, metadata={"example": "stripe_pi_1234567890"})
    vouched_by = vouched_by_field()
    amount = refund_amount()
    currency = fields.String(required=True, metadata={"example": "EUR"})
    reason = refund_reason()
    status = fields.String(required=True, validate=STATUS)
    screening_id = fields.Integer(required=True)
    booking_id = fields.Integer(required=True, allow_none=True)
    ticket_id = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "The ticket that it is for; null if the payment has issued no tickets."},
    )
    title = fields.String(required=True, metadata={"example": "Brass and Thunder"})
    place = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Seats or ticket types, if they are known.", "example": "Row A, seat 1"},
    )
    starts_at = Timestamp(required=True, allow_none=True)
    time_zone = TimeZoneName(required=True)
    starts_at_local = LocalTime("starts_at", allow_none=True)
    owed_at = Timestamp(required=True)
    settled_at = Timestamp(required=True, allow_none=True)
    reference = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "How it was paid back, e.g. the provider's id.", "example": "re_1234567890"},
    )


class OwnRefundList(Page):
    status = fields.String(validate=STATUS)
    screening_id = identifier_in_query()
    booking_id = identifier_in_query()


@own_refunds.get("/me", query=OwnRefundList, answers=OwnRefund(many=True), headers=PAGING_HEADERS)
async def list_own_refunds(call: Call, window: Window, **wanted: object) -> Answer:
    """List what is owed to the caller, and what has been paid back.

    Latest first.
    """
    found = await call.services.catalogue.own_refunds.listed(
        {**wanted, "holder": call.holder},
        limit=window.limit,
        offset=window.offset,
        after=window.after(call),
        counted=window.cursor is None,
    )
    records = [
        {
            **record,
            "payment_id": providers_id(record["payment_id"]),
            "currency": record["currency"] or call.services.currency,
        }
        for record in found.records
    ]
    return paged(call, window, dump_all(OwnRefund, records), found.total, found.last)

"""`/api/v1/refunds/me`: what is owed to the caller, and what has been paid back."""

from marshmallow import fields

from api.catalogue.refunds import STATUS, RefundOf
from api.rest.endpoint import Answer, Call, Resource, dump_all
from api.rest.fields import Timestamp, identifier_in_query
from api.rest.local_times import LocalTime, TimeZoneName
from api.rest.paging import PAGING_HEADERS, Page, Window, paged
from engine.vouching import providers_id

own_refunds = Resource("/api/v1/refunds", tag="Refunds")


class OwnRefund(RefundOf):
    """A refund as its receiver sees it."""

    title = fields.String(required=True, metadata={"example": "Brass and Thunder"})
    place = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Seats or ticket types, if they are known.", "example": "Row A, seat 1"},
    )
    starts_at = Timestamp(required=True, allow_none=True)
    time_zone = TimeZoneName(required=True)
    starts_at_local = LocalTime("starts_at", allow_none=True)


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

"""`/api/v1/admin/refunds`: what is owed for payments, and what has been paid back."""

from marshmallow import Schema, fields, validate

from api.rest.endpoint import Access, Answer, Call, Document, Resource, dump, dump_all
from api.rest.fields import Flag, Money, RequestSchema, Timestamp, Trimmed, identifier_in_query, text
from api.rest.paging import PAGING_HEADERS, Page, Window, paged
from api.rows import Record
from api.sales.holders import holder_field, shown
from api.sales.representations import vouched_by_field
from api.sales.selling import PAYMENT_ID_LIMIT
from engine import selling_errors as errors
from engine.errors import NotFound

REFERENCE_LIMIT = 200

refunds = Resource("/api/v1/admin/refunds", tag="Refunds")

STATUS = validate.OneOf(["owed", "settled"])


class RefundOf(Schema):
    """A refund, as both buyers and administrators see it."""

    id = fields.Integer(required=True, metadata={"example": 31})
    payment_id = fields.String(required=True, metadata={"example": "stripe_pi_1234567890"})
    vouched_by = vouched_by_field()
    amount = Money(required=True, metadata={"example": 25.5})
    currency = fields.String(required=True, metadata={"example": "EUR"})
    reason = fields.String(
        required=True,
        metadata={
            "description": "`ticket_cancelled`, `ticket_moved` (to a cheaper seat), or the code of the error "
            "that refused the payment.",
            "example": "ticket_cancelled",
        },
    )
    status = fields.String(required=True, validate=STATUS)
    screening_id = fields.Integer(required=True)
    booking_id = fields.Integer(required=True, allow_none=True)
    ticket_id = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "The ticket that it is for; null if the payment has issued no tickets."},
    )
    owed_at = Timestamp(required=True)
    settled_at = Timestamp(required=True, allow_none=True)
    reference = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "How it was paid back, e.g. the provider's id.", "example": "re_1234567890"},
    )


class Refund(RefundOf):
    """A refund for a payment, owed or settled."""

    holder = holder_field()
    user_id = fields.Integer(required=True, allow_none=True)
    email = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "The user's address; null for guests and deleted accounts.",
            "example": "ada@home.example",
        },
    )


class RefundList(Page):
    status = fields.String(validate=STATUS)
    user_id = identifier_in_query()
    screening_id = identifier_in_query()
    payment_id = text(PAYMENT_ID_LIMIT)


@refunds.get("", access=Access.ADMIN, query=RefundList, answers=Refund(many=True), headers=PAGING_HEADERS)
async def list_refunds(call: Call, window: Window, **wanted: object) -> Answer:
    """List refunds.

    Oldest first.
    """
    found = await call.services.catalogue.refunds.listed(
        wanted,
        limit=window.limit,
        offset=window.offset,
        after=window.after(call),
        counted=window.cursor is None,
    )
    documents = dump_all(Refund, [_shown(call, record) for record in found.records])
    return paged(call, window, documents, found.total, found.last)


class Settlement(RequestSchema):
    reference = Trimmed(
        REFERENCE_LIMIT,
        required=True,
        metadata={"description": "How it was paid back, e.g. the provider's id.", "example": "re_1234567890"},
    )
    confirm = Flag(
        load_default=False,
        metadata={"description": "That the payment has arrived; needed if only the buyer has named it."},
    )


@refunds.post(
    "/{refund_id}/settle",
    access=Access.ADMIN,
    body=Settlement,
    answers=Refund,
    refusals=(NotFound, errors.RefundUnvouched, errors.RefundSettled),
    durable=True,
)
async def settle_refund(call: Call, refund_id: int, reference: str, confirm: bool) -> Document:
    """Record that a refund has been paid back.

    This moves no money. Settling it again with the same reference changes nothing. If nobody but the buyer
    has named the payment, the response is `refund_unvouched` until the request has `"confirm": true`.
    """

    async def write() -> Document:
        settled = await call.services.catalogue.refunds.settle(refund_id, reference, confirmed=confirm)
        return dump(Refund, _shown(call, settled))

    return await call.kept(write)


def _shown(call: Call, record: Record) -> Record:
    currency = record["currency"] or call.services.currency
    return {**record, "currency": currency, "holder": shown(call, record["holder"])}

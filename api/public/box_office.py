"""`/api/public/box-office`: what the pages need to know about this server before they sell."""

from marshmallow import fields

from api.public.shapes import CamelCaseSchema
from api.rest.endpoint import Access, Call, Document, Resource

box_office = Resource("/api/public/box-office", tag="Guests")


class SalesRules(CamelCaseSchema):
    guest_purchase = fields.Boolean(required=True, metadata={"description": "Whether guests can buy."})
    test_payment = fields.Boolean(
        required=True, metadata={"description": "Whether a payment is a test that moves no money."}
    )
    mails_sent = fields.Boolean(
        required=True, metadata={"description": "Whether mails are sent; false if they are written to files."}
    )


@box_office.get("", access=Access.GUEST, answers=SalesRules)
async def get_sales_rules(call: Call) -> Document:
    """Get what this server allows customers to do."""
    services = call.services
    return {
        "guestPurchase": services.guest_purchase,
        "testPayment": services.test_payment,
        "mailsSent": services.mails_sent,
    }

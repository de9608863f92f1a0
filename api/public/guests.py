"""`/api/public/guests`: tokens for guests, the name and address they buy with, and links to their tickets."""

from marshmallow import Schema, fields

from api.errors import TooManyAttempts
from api.identity.errors import LoginElsewhere
from api.public.errors import NotAGuest
from api.public.shapes import CamelCaseSchema, Input
from api.rest.endpoint import Access, Call, Document, Resource, dump
from api.rest.fields import email_address, text

guests = Resource("/api/public/guests", tag="Guests")

_LINKS_SENT = "If tickets were bought with this address, a mail with links to them is on its way"


class GuestToken(CamelCaseSchema):
    access_token = fields.String(required=True)
    expires_in = fields.Integer(
        required=True, metadata={"description": "Lifetime in seconds.", "example": 2_592_000}
    )


@guests.post(
    "",
    access=Access.GUEST,
    answers=GuestToken,
    status=201,
    refusals=(LoginElsewhere,),
    secret=True,
    creates=True,
)
async def create_guest(call: Call) -> Document:
    """Become a guest: get a token without an account.

    With it a guest can do what a user can: reserve seats and tickets, watch sockets and, if the server allows
    it, buy. Keep the token secret like a password. With a guest's token in the request, the response has a
    new token of the same guest. The server stores nothing until the guest gives an e-mail address.
    """
    served = call.services.guests
    return {"accessToken": served.admit(call.identity), "expiresIn": served.life_seconds}


class GuestDetails(Input):
    email = email_address(required=True)
    full_name = text(200, required=True, metadata={"example": "Ada Example"})


class Guest(CamelCaseSchema):
    email = fields.String(required=True)
    full_name = fields.String(required=True)


@guests.put("/me", access=Access.USER, body=GuestDetails, answers=Guest, refusals=(NotAGuest,))
async def describe_guest(call: Call, email: str, full_name: str) -> Document:
    """Set the name and the e-mail address that the guest buys with.

    Mails about tickets are sent to this address, in the first language of `Accept-Language` that mails have.
    """
    if not call.caller.guest:
        raise NotAGuest
    language = call.accepted_language or ""

    async def write() -> Document:
        return dump(Guest, await call.services.guests.describe(call.account_id, email, full_name, language))

    return await call.kept(write)


@guests.delete("/me", access=Access.USER, status=204, refusals=(NotAGuest,))
async def forget_guest(call: Call) -> None:
    """Erase the guest's name and e-mail address.

    Tickets stay with the guest's token, but no more mails are sent about them, and no links to them.
    """
    if not call.caller.guest:
        raise NotAGuest
    await call.kept(lambda: call.services.guests.forget(call.account_id))


class LinksWanted(Input):
    email = email_address(required=True)


class LinksRequested(Schema):
    message = fields.String(required=True)


@guests.post(
    "/ticket-links",
    access=Access.GUEST,
    body=LinksWanted,
    answers=LinksRequested,
    status=202,
    refusals=(TooManyAttempts, LoginElsewhere),
    secret=True,
    message=_LINKS_SENT,
)
async def send_ticket_links(call: Call, email: str) -> Document:
    """Request a mail with links to the tickets that a guest has bought with an e-mail address.

    The response is the same whether or not there are any. A link leads to the page `/my-tickets#guest=…` with
    a token of that guest, which works for a short time; exchange it for a new one.
    """
    await call.services.accounts.count_attempt(call.address)
    language = call.accepted_language or ""
    call.background.start(call.services.guests.send_links(email, language))
    return {"message": _LINKS_SENT}

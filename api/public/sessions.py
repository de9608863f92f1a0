"""`/api/public/sessions`: session ids, which identify guests."""

import secrets

from marshmallow import fields

from api.public.shapes import CamelCaseSchema
from api.rest.endpoint import Access, Call, Document, Resource

_BYTES = 24

sessions = Resource("/api/public/sessions", tag="Reservations")


class Session(CamelCaseSchema):
    session_id = fields.String(required=True, metadata={"example": "9pW0cIhJ3yq1kS5nZ8mAe2VtR7xLbD4f"})


@sessions.post("", access=Access.GUEST, answers=Session, status=201, secret=True, creates=True)
async def create_session(call: Call) -> Document:
    """Create a session id for a guest.

    Anybody who knows the id can act as the guest, so keep it secret like a password. The server stores
    nothing until the guest reserves something.
    """
    return {"sessionId": secrets.token_urlsafe(_BYTES)}

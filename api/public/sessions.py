"""`/api/public/sessions`: ids for guests, who are known by nothing else."""

import secrets

from marshmallow import fields

from api.public.shapes import Named
from api.rest.endpoint import Access, Call, Document, Resource

_BYTES = 24

sessions = Resource("/api/public/sessions", tag="Reservations")


class Session(Named):
    """A new session."""

    session_id = fields.String(required=True, metadata={"example": "9pW0cIhJ3yq1kS5nZ8mAe2VtR7xLbD4f"})


@sessions.post("", access=Access.GUEST, answers=Session, status=201, secret=True, creates=True)
async def create_session(call: Call) -> Document:
    """Get an id for a guest's session.

    Whoever knows it can do whatever the guest can, so it is to be kept like a password. Nothing is stored
    until something is reserved.
    """
    return {"sessionId": secrets.token_urlsafe(_BYTES)}

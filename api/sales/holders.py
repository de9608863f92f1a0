"""Holders and actors as they are shown to operators.

Guests without a token are shown by an alias, because what the engine calls them is a secret of theirs: a
session id.
"""

from typing import Any

from marshmallow import fields

from api.rest.endpoint import Call
from api.wire import user_id_of
from engine.events import SYSTEM
from engine.vouching import VOUCHERS
from engine.waitlist_records import WAITLIST

HOLDER = {
    "description": "`user:` and the id of an account or of a guest with a token, `system`, `waitlist`, "
    "`service:payments`, `provider:stripe`, or the alias of another guest, which begins with `~`.",
    "example": "user:7",
}


def holder_field(**options: Any) -> fields.String:
    """A holder or actor in a response."""
    return fields.String(required=True, metadata=HOLDER, **options)


def shown(call: Call, holder: str | None) -> str | None:
    """Return how a holder or an actor is shown."""
    if holder in (None, SYSTEM, WAITLIST, *VOUCHERS) or user_id_of(holder) is not None:
        return holder
    return call.services.aliases.of(holder)

"""`/api/v1/users`: profiles, preferences, profile pictures and search history."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import orjson
from marshmallow import Schema, fields, validate

from api.bodies import Body
from api.catalogue.collection import Collection
from api.catalogue.pictures import MEDIA_TYPE, PICTURE, portrait
from api.errors import ApiError, TooManyAttempts
from api.identity.errors import WrongPassword
from api.identity.passwords import LONGEST
from api.rest.endpoint import Access, Answer, Call, Document, Resource, dump
from api.rest.fields import (
    Flag,
    RequestSchema,
    Timestamp,
    email_address,
    optional_text,
    text,
    texts,
    web_address,
)
from api.rest.paging import Page, sorting
from api.rest.uploads import UploadedFile
from api.sales.waiting import leave_all
from api.wire import counted, timestamp
from engine import selling_errors as errors
from engine.catalogue_errors import AlreadyExists, NoAccount
from engine.commands import ReleaseHolds
from engine.errors import EngineError, NotFound

SEARCHES_KEPT = 100

_SHOWN = 100
"""Most tickets that a refusal names."""

LANGUAGE_TAG = r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*\Z"
"""The form of language tags (RFC 5646, section 2.1); some programs write `en_GB`."""

_PICTURE_HEADERS: Mapping[str, str] = {
    "Cache-Control": "public, max-age=300",
    "Content-Disposition": "inline",
    # Lets pages of other origins show the picture.
    "Cross-Origin-Resource-Policy": "cross-origin",
}

users = Resource("/api/v1/users", tag="Users")


class Preferences(RequestSchema):
    """A user's preferences; unset ones are absent."""

    language = fields.String(
        validate=[validate.Length(2, 35), validate.Regexp(LANGUAGE_TAG, error="Must be a tag like en-GB.")],
        metadata={
            "description": "A language tag (BCP 47). Mails are in this language if there is a translation.",
            "example": "en-GB",
        },
    )
    theme = fields.String(validate=validate.OneOf(("light", "dark", "system")))
    favorite_genres = texts(60, 50, metadata={"example": ["Drama"]})
    seat_type = text(40, metadata={"example": "vip"})
    email_notifications = Flag(
        metadata={
            "description": "False: no reminders by mail. Mails about bookings and money are still sent."
        }
    )
    hold_reminders = Flag(
        metadata={"description": "Whether to get a mail shortly before reserved seats become free again."}
    )


class PublicProfile(Schema):
    id = fields.Integer(required=True, metadata={"example": 7})
    full_name = fields.String(required=True, metadata={"example": "Ada Byron"})
    picture_url = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "An external URL, or a path on this server."},
    )
    created_at = Timestamp(required=True)


class Profile(PublicProfile):
    email = fields.String(required=True, metadata={"example": "ada@home.example"})
    phone = fields.String(required=True)
    is_admin = fields.Boolean(required=True)
    preferences = fields.Nested(Preferences, required=True)
    updated_at = Timestamp(required=True)


@contextmanager
def _not_found_as_no_account() -> Iterator[None]:
    try:
        yield
    except NotFound:
        raise NoAccount from None


async def own_profile(call: Call) -> Document:
    """Return the caller's profile.

    Raises:
        NoAccount: the token's user has no account here.
    """
    with _not_found_as_no_account():
        record = await call.services.catalogue.users.find(call.account_id)
    return _shown(Profile, record, call)


async def _update_own(call: Call, values: Mapping[str, Any]) -> Document:
    with _not_found_as_no_account():
        record = await call.services.catalogue.users.update(call.account_id, values)
    return _shown(Profile, record, call)


def _shown(kind: type[Schema], record: Mapping[str, Any], call: Call) -> Document:
    """Dump a profile. The path of an uploaded picture gets the server's path prefix."""
    shown = dump(kind, record)
    if shown["picture_url"] and shown["picture_url"].startswith("/"):
        shown["picture_url"] = call.services.path_prefix + shown["picture_url"]
    return shown


@users.get("/me", answers=Profile, refusals=(NoAccount,))
async def get_profile(call: Call) -> Document:
    """Get the caller's profile."""
    return await own_profile(call)


class ProfileChange(RequestSchema):
    full_name = optional_text(200)
    phone = optional_text(40)
    email = email_address()
    current_password = text(
        LONGEST, metadata={"description": "Required to change the e-mail address.", "format": "password"}
    )


@users.put(
    "/me",
    body=ProfileChange,
    answers=Profile,
    refusals=(NoAccount, AlreadyExists, WrongPassword, TooManyAttempts),
    secret=True,
)
async def update_profile(call: Call, current_password: str = "", **values: Any) -> Document:
    """Update the caller's profile. Omitted fields keep their values.

    Changing the e-mail address requires `current_password`, because password resets go to that address.
    """
    if "email" in values:
        with _not_found_as_no_account():
            known = await call.services.catalogue.users.find(call.account_id)
        if values["email"] != known["email"]:
            await call.services.accounts.require_password(call.address, call.account_id, current_password)
    return await _update_own(call, values)


class AccountHasTickets(ApiError):
    """The account has tickets for screenings or events to come.

    Args:
        tickets: the tickets.
    """

    status, code = 409, "account_has_tickets"

    def __init__(self, tickets: Sequence[Any]) -> None:
        super().__init__(
            f"The account has {counted(len(tickets), 'ticket')} for what has not begun; use them first, or "
            "delete the account with ?cancel_tickets=true, which cancels them"
        )
        self.data = {
            "tickets": [
                {**ticket._asdict(), "starts_at": timestamp(ticket.starts_at)} for ticket in tickets[:_SHOWN]
            ]
        }


class Departure(RequestSchema):
    cancel_tickets = fields.Boolean(
        load_default=False,
        metadata={"description": "Cancel the tickets for screenings and events that have not begun."},
    )


@users.delete(
    "/me",
    query=Departure,
    status=204,
    refusals=(NoAccount, AccountHasTickets, errors.ScreeningStarted, errors.BookingInProgress),
)
async def delete_account(call: Call, cancel_tickets: bool) -> None:
    """Delete the caller's account.

    Refused while it has tickets for what has not begun, unless they are to be cancelled; what was paid for
    them is owed then. Releases all reservations and leaves all waiting lists. Erases name, picture,
    preferences, favourites and searches. The e-mail address is kept until the last ticket is used and nothing
    is owed, for news about them, and erased then. Past tickets and reviews remain, without a name. All access
    tokens are revoked.
    """
    await own_profile(call)
    tickets = await call.services.tickets.to_come(call.holder)
    if tickets and not cancel_tickets:
        raise AccountHasTickets(tickets)
    for ticket in tickets:
        await call.services.box_office.cancel(call.holder, ticket.ticket_id)
    await call.services.accounts.delete(call.account_id)
    await _release_all(call)


async def _release_all(call: Call) -> None:
    """Release the caller's reservations, and leave all waiting lists.

    Reservations that cannot be released now expire by themselves.
    """
    with suppress(EngineError):
        await call.flushed()
        await leave_all(call.services.screenings, call.services.catalogue.waitlist, call.holder)
        for screening_id, reservation_id in await call.services.reservations.live_ids(
            call.holder, call.services.clock.now()
        ):
            with suppress(EngineError):
                await call.ask(ReleaseHolds(screening_id, call.holder, None, reservation_id))


@users.put("/me/preferences", body=Preferences, answers=Preferences, refusals=(NoAccount,))
async def update_preferences(call: Call, **preferences: Any) -> Document:
    """Replace the caller's preferences."""

    async def write() -> Document:
        await _update_own(call, {"preferences": orjson.dumps(preferences).decode()})
        return preferences

    return await call.kept(write)


@users.put("/me/profile-picture", upload=PICTURE, answers=Profile, refusals=(NoAccount,), encrypted=True)
async def upload_profile_picture(call: Call, file: UploadedFile) -> Document:
    """Upload a profile picture.

    Send a JPEG, PNG, WebP or GIF as the body itself or as the part `file` of a multipart form. It is cropped
    to a square of at most 512 pixels a side; metadata is dropped.
    """
    picture = await call.services.workers.run(portrait, file)
    return await call.kept(lambda: _update_own(call, {"picture": picture, "picture_url": None}))


class PictureAddress(RequestSchema):
    url = web_address(required=True, metadata={"example": "https://pictures.example/ada.jpg"})


@users.put(
    "/me/profile-picture-url", body=PictureAddress, answers=Profile, refusals=(NoAccount,), encrypted=True
)
async def update_profile_picture_url(call: Call, url: str | None) -> Document:
    """Set the URL of an external profile picture; null removes the picture.

    Replaces an uploaded picture.
    """
    return await call.kept(lambda: _update_own(call, {"picture": None, "picture_url": url}))


@users.get("/{user_id}", access=Access.PUBLIC, answers=PublicProfile, refusals=(NotFound,))
async def get_user(call: Call, user_id: int) -> Document:
    """Get a user's public profile."""
    return _shown(PublicProfile, await call.services.catalogue.users.find(user_id), call)


@users.get(
    "/{user_id}/profile-picture",
    access=Access.PUBLIC,
    refusals=(NotFound,),
    media_type=MEDIA_TYPE,
    headers={"ETag": "Version of the picture."},
)
async def get_profile_picture(call: Call, user_id: int) -> Answer:
    """Get a user's uploaded picture."""
    picture = await call.services.catalogue.users.picture(user_id)
    version = hashlib.sha256(picture).hexdigest()[:32]
    headers = {**_PICTURE_HEADERS, "ETag": f'"{version}"'}
    return Answer(200, Body(picture, compressible=False), headers, MEDIA_TYPE)


class SearchQuery(RequestSchema):
    query = text(200, required=True, metadata={"example": "observatory"})


class SearchEntry(SearchQuery):
    id = fields.Integer(required=True)
    created_at = Timestamp(required=True)


class SearchList(Page):
    sort = sorting("newest", "oldest")


searches = Collection(
    users, "search_entry", SearchEntry, lambda catalogue: catalogue.searches, plural="search_entries"
)
searches.list(
    "/me/search-history",
    SearchList,
    access=Access.USER,
    own=True,
    name="list_search_history",
    doc="List the caller's searches.",
)


@users.post("/me/search-history", body=SearchQuery, answers=SearchEntry, status=201, refusals=(NoAccount,))
async def add_search(call: Call, query: str) -> Document:
    """Add a search to the history.

    Keeps the last hundred distinct searches.
    """
    searches = call.services.catalogue.searches

    async def write() -> Document:
        return dump(SearchEntry, await searches.remember(call.account_id, query, SEARCHES_KEPT))

    return await call.kept(write)


@users.delete("/me/search-history/{search_id}", status=204, refusals=(NotFound,))
async def delete_search(call: Call, search_id: int) -> None:
    """Delete a search from the history."""
    await call.kept(lambda: call.services.catalogue.searches.forget(call.account_id, search_id))


@users.delete("/me/search-history", status=204)
async def clear_search_history(call: Call) -> None:
    """Delete the caller's search history."""
    await call.kept(lambda: call.services.catalogue.searches.forget_all(call.account_id))

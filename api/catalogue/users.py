"""`/api/v1/users`: people with an account, what they look like, and what they searched for."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson
from marshmallow import Schema, fields, validate

from api.bodies import Body
from api.catalogue.collection import Collection
from api.catalogue.pictures import MEDIA_TYPE, PICTURE, portrait
from api.errors import TooManyAttempts
from api.identity.errors import WrongPassword
from api.identity.passwords import LONGEST
from api.rest.endpoint import Access, Answer, Call, Document, Resource
from api.rest.fields import (
    Flag,
    Moment,
    RequestSchema,
    email_address,
    optional_text,
    text,
    texts,
    web_address,
)
from api.rest.paging import Page, sorting
from api.rest.uploads import UploadedFile
from engine.catalogue_errors import AlreadyExists, NoAccount
from engine.errors import NotFound

SEARCHES_KEPT = 100

_PICTURE_HEADERS: Mapping[str, str] = {
    "Cache-Control": "public, max-age=300",
    "Content-Disposition": "inline",
    # Pages of other origins may show it.
    "Cross-Origin-Resource-Policy": "cross-origin",
}

users = Resource("/api/v1/users", tag="Users")


class Preferences(RequestSchema):
    """What a user likes; what is not set is not there."""

    language = text(35, metadata={"description": "A language tag (BCP 47).", "example": "en-GB"})
    theme = fields.String(validate=validate.OneOf(("light", "dark", "system")))
    favorite_genres = texts(60, 50, metadata={"example": ["Drama"]})
    seat_type = text(40, metadata={"example": "vip"})
    email_notifications = Flag()


class PublicProfile(Schema):
    """What everybody may know of a user."""

    id = fields.Integer(required=True, metadata={"example": 7})
    full_name = fields.String(required=True, metadata={"example": "Ada Byron"})
    picture_url = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "An address elsewhere, or a path on this server."},
    )
    created_at = Moment(required=True)


_public_profile = PublicProfile()


class Profile(PublicProfile):
    """What users see of themselves."""

    email = fields.String(required=True, metadata={"example": "ada@home.example"})
    phone = fields.String(required=True)
    is_admin = fields.Boolean(required=True)
    preferences = fields.Nested(Preferences, required=True)
    updated_at = Moment(required=True)


_profile = Profile()


@contextmanager
def _of_account() -> Iterator[None]:
    try:
        yield
    except NotFound:
        raise NoAccount from None


async def own_profile(call: Call) -> Document:
    """The caller's profile.

    Raises:
        NoAccount: there is none.
    """
    with _of_account():
        record = await call.services.catalogue.users.find(call.account_id)
    return _shown(_profile, record, call)


async def _changed(call: Call, values: Mapping[str, Any]) -> Document:
    with _of_account():
        record = await call.services.catalogue.users.update(call.account_id, values)
    return _shown(_profile, record, call)


def _shown(schema: Schema, record: Mapping[str, Any], call: Call) -> Document:
    """A profile; a picture that is kept here has a path on this server."""
    shown: dict[str, Any] = schema.dump(record)
    if shown["picture_url"] and shown["picture_url"].startswith("/"):
        shown["picture_url"] = call.services.path_prefix + shown["picture_url"]
    return shown


@users.get("/me", answers=Profile, refusals=(NoAccount,))
async def get_profile(call: Call) -> Document:
    """The caller's profile."""
    return await own_profile(call)


class ProfileChange(RequestSchema):
    """What is to be different."""

    full_name = optional_text(200)
    phone = optional_text(40)
    email = email_address()
    current_password = text(
        LONGEST, metadata={"description": "Needed for another e-mail address.", "format": "password"}
    )


@users.put(
    "/me",
    body=ProfileChange,
    answers=Profile,
    refusals=(NoAccount, AlreadyExists, WrongPassword, TooManyAttempts),
    secret=True,
)
async def update_profile(call: Call, current_password: str = "", **values: Any) -> Document:
    """Change the caller's profile; fields that are not given stay as they are.

    Whoever has the e-mail address can set the password, so another address needs `current_password`.
    """
    if "email" in values:
        with _of_account():
            known = await call.services.catalogue.users.find(call.account_id)
        if values["email"] != known["email"]:
            await call.services.accounts.require_password(call.address, call.account_id, current_password)
    return await _changed(call, values)


@users.delete("/me", status=204, refusals=(NoAccount,))
async def delete_account(call: Call) -> None:
    """Delete the caller's account.

    Name, address, picture, preferences, favourites and searches are gone; tickets and reviews stay, without
    a name. All tokens are refused from now on.
    """
    await call.services.accounts.delete(call.account_id)


@users.put("/me/preferences", body=Preferences, answers=Preferences, refusals=(NoAccount,))
async def update_preferences(call: Call, **preferences: Any) -> Document:
    """Replace the caller's preferences."""
    await _changed(call, {"preferences": orjson.dumps(preferences).decode()})
    return preferences


@users.put("/me/profile-picture", upload=PICTURE, answers=Profile, refusals=(NoAccount,), sealed=True)
async def upload_profile_picture(call: Call, file: UploadedFile) -> Document:
    """Upload a profile picture.

    As the body itself, or as the part `file` of a form: JPEG, PNG, WebP or GIF. It is cut to a square of at
    most 512 pixels, and whatever it carries beside the picture is dropped.
    """
    picture = await call.services.workers.run(portrait, file)
    return await _changed(call, {"picture": picture, "picture_url": None})


class PictureAddress(RequestSchema):
    """Where a picture is."""

    url = web_address(required=True, metadata={"example": "https://pictures.example/ada.jpg"})


@users.put(
    "/me/profile-picture-url", body=PictureAddress, answers=Profile, refusals=(NoAccount,), sealed=True
)
async def update_profile_picture_url(call: Call, url: str | None) -> Document:
    """Show a picture that is elsewhere, or with null none at all.

    It takes the place of one that was uploaded.
    """
    return await _changed(call, {"picture": None, "picture_url": url})


@users.get("/{user_id}", access=Access.PUBLIC, answers=PublicProfile, refusals=(NotFound,))
async def get_user(call: Call, user_id: int) -> Document:
    """What everybody may know of a user."""
    return _shown(_public_profile, await call.services.catalogue.users.find(user_id), call)


@users.get(
    "/{user_id}/profile-picture",
    access=Access.PUBLIC,
    refusals=(NotFound,),
    media_type=MEDIA_TYPE,
    headers={"ETag": "The version of the picture."},
)
async def get_profile_picture(call: Call, user_id: int) -> Answer:
    """The picture that a user has uploaded."""
    picture = await call.services.catalogue.users.picture(user_id)
    version = hashlib.sha256(picture).hexdigest()[:32]
    headers = {**_PICTURE_HEADERS, "ETag": f'"{version}"'}
    return Answer(200, Body(picture, compressible=False), headers, MEDIA_TYPE)


class SearchQuery(RequestSchema):
    """What was searched for."""

    query = text(200, required=True, metadata={"example": "observatory"})


class SearchEntry(SearchQuery):
    """A search."""

    id = fields.Integer(required=True)
    created_at = Moment(required=True)


_search_entry = SearchEntry()


class SearchList(Page):
    """Which searches are wanted, in which order."""

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
    doc="The caller's searches.",
)


@users.post("/me/search-history", body=SearchQuery, answers=SearchEntry, status=201, refusals=(NoAccount,))
async def add_search(call: Call, query: str) -> Answer:
    """Note a search.

    The last hundred are kept, each once.
    """
    record = await call.services.catalogue.searches.remember(call.account_id, query, SEARCHES_KEPT)
    return Answer.of(_search_entry.dump(record), 201)


@users.delete("/me/search-history/{search_id}", status=204, refusals=(NotFound,))
async def delete_search(call: Call, search_id: int) -> None:
    """Forget a search."""
    await call.services.catalogue.searches.forget(call.account_id, search_id)


@users.delete("/me/search-history", status=204)
async def clear_search_history(call: Call) -> None:
    """Forget all of the caller's searches."""
    await call.services.catalogue.searches.forget_all(call.account_id)

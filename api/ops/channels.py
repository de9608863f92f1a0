"""`/api/v1/admin/channels`: groups of buyers for whom seats can be kept back, and their access codes."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from api.rest.endpoint import Access, Call, Document, Resource
from api.rest.fields import RequestSchema, Timestamp, printable, storable, without
from api.rest.paging import Page, Window
from api.sales.channels import channel_name
from api.wire import timestamp
from engine.catalogue_errors import AlreadyExists, InUse
from engine.errors import NotFound

_CODE_LENGTH = (8, 100)

channels = Resource("/api/v1/admin/channels", tag="Operations")


class AccessCode(RequestSchema):
    code = fields.String(
        load_default=None,
        allow_none=True,
        validate=[validate.Length(*_CODE_LENGTH), storable, printable],
        metadata={
            "description": "Buyers who send it as `X-Access-Code` have access; null if only tokens with "
            "the claim `channels` give it. It is stored as a hash, so it cannot be shown again.",
            "example": "ink-and-paper-2026",
        },
    )


class NewChannel(AccessCode):
    name = channel_name(required=True, metadata={"example": "press"})


class ChannelView(Schema):
    """A channel."""

    name = fields.String(required=True, metadata={"example": "press"})
    has_code = fields.Boolean(required=True)
    created_at = Timestamp(required=True)


@channels.post(
    "",
    access=Access.ADMIN,
    body=NewChannel,
    answers=ChannelView,
    status=201,
    refusals=(AlreadyExists,),
    secret=True,
)
async def create_channel(call: Call, name: str, code: str | None) -> Document:
    """Create a channel, for whose buyers seats can be kept back (`kind: channel` of a block)."""
    return _document(await call.services.channels.add(name, code))


@channels.get("", access=Access.ADMIN, query=without(Page, ("cursor",)), answers=ChannelView(many=True))
async def list_channels(call: Call, window: Window) -> Document:
    """List channels by name."""
    found = await call.services.channels.all(limit=window.limit, offset=window.offset)
    return [_document(channel) for channel in found]


@channels.put(
    "/{name:text}",
    access=Access.ADMIN,
    body=AccessCode,
    answers=ChannelView,
    refusals=(NotFound, AlreadyExists),
    secret=True,
)
async def replace_access_code(call: Call, name: str, code: str | None) -> Document:
    """Replace the access code of a channel. The old one ends within seconds."""
    return _document(await call.services.channels.change(name, code))


@channels.delete("/{name:text}", access=Access.ADMIN, status=204, refusals=(NotFound, InUse))
async def delete_channel(call: Call, name: str) -> None:
    """Delete a channel, unless seats are kept back for it."""
    await call.kept(lambda: call.services.channels.remove(name))


def _document(channel: Mapping[str, Any]) -> dict[str, Any]:
    return {**channel, "created_at": timestamp(channel["created_at"])}

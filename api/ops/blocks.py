"""`/api/v1/admin/screenings/{screening_id}/blocks`: seats and places that an organiser keeps back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from api.errors import InvalidInput
from api.limits import Limits
from api.rest.endpoint import Access, Call, Document, Resource
from api.rest.fields import Identifier, RequestSchema, SeatIds, SeatIdsInQuery, Timestamp, Trimmed, without
from api.rest.paging import Page, Window
from api.sales.channels import CHANNEL_NAME_LIMIT, channel_name
from api.sales.holders import holder_field, shown
from api.wire import timestamp, timestamp_or_none
from engine import selling_errors as errors
from engine.block_errors import BlockLimitReached, BlockNotFound
from engine.catalogue_errors import UnknownReference
from engine.commands import BlockSeats, ReadBlocks, UnblockSeats
from engine.events import SeatsBlocked
from engine.places import CAPACITY_LIMIT, ticket_type_of
from engine.records import CHANNEL, HOUSE, KILL
from engine.replies import BlockLevel, Blocks

BLOCK_SEATS_LIMIT = 10_000
"""Highest number of seats of a block."""

_BODY_LIMIT_BYTES = 256 * 1024
_LABEL_LIMIT = 100

blocks = Resource("/api/v1/admin/screenings", tag="Operations")


class BlockedSeats(SeatIds):
    """The seats of a block, which may be many."""

    def limit_to(self, limits: Limits) -> None:
        self.limit = BLOCK_SEATS_LIMIT
        self.validators = [validate.Length(1, self.limit)]


_SEATS = {"description": "Free seats of the screening.", "example": [42, 43]}


class NewBlock(RequestSchema):
    """Seats to keep back: by their ids, or a number of places of a ticket type."""

    exactly_one = ("seat_ids", "ticket_type_id")

    label = Trimmed(_LABEL_LIMIT, required=True, metadata={"example": "Press, front row"})
    kind = fields.String(
        required=True,
        validate=validate.OneOf((HOUSE, KILL, CHANNEL)),
        metadata={
            "description": "`house`: sold by administrators only. `kill`: nobody can have them. `channel`: "
            "buyers with access to the channel may have them.",
            "example": HOUSE,
        },
    )
    seat_ids = BlockedSeats(metadata=_SEATS)
    ticket_type_id = Identifier(metadata={"description": "With `quantity`, for an event.", "example": 5})
    quantity = fields.Integer(strict=True, validate=validate.Range(1, CAPACITY_LIMIT))
    channel = channel_name(metadata={"description": "For the kind `channel`."})
    release_at = Timestamp(
        load_default=None,
        allow_none=True,
        metadata={"description": "When the block is released by itself; null for never."},
    )

    @validates_schema
    def _check(self, data: Mapping[str, Any], **_: Any) -> None:
        if ("seat_ids" in data) == ("ticket_type_id" in data):
            raise ValidationError("Give either seat_ids or ticket_type_id.", "seat_ids")
        if ("ticket_type_id" in data) != ("quantity" in data):
            raise ValidationError("Give quantity together with ticket_type_id.", "quantity")
        if (data["kind"] == CHANNEL) != ("channel" in data):
            raise ValidationError("Give channel for the kind channel, and for no other.", "channel")


class BlockView(Schema):
    """Seats or places that are kept back."""

    id = fields.Integer(required=True, metadata={"example": 4001})
    label = fields.String(required=True, metadata={"example": "Press, front row"})
    kind = fields.String(required=True, metadata={"example": HOUSE})
    channel = fields.String(required=True, allow_none=True, validate=validate.Length(max=CHANNEL_NAME_LIMIT))
    seat_ids = fields.List(
        fields.Integer(),
        required=True,
        metadata={
            "description": "Also those that somebody holds or has bought.",
            "example": [42, 43],
        },
    )
    ticket_type_id = fields.Integer(required=True, allow_none=True)
    quantity = fields.Integer(required=True, metadata={"description": "Its seats or places.", "example": 2})
    kept = fields.Integer(required=True, metadata={"description": "Those that nobody has now.", "example": 2})
    sold = fields.Integer(required=True, metadata={"description": "Those that are paid for.", "example": 0})
    release_at = Timestamp(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    created_by = holder_field()


@blocks.post(
    "/{screening_id}/blocks",
    access=Access.ADMIN,
    body=NewBlock,
    answers=BlockView,
    status=201,
    refusals=(
        UnknownReference,
        errors.ScreeningNotFound,
        errors.SeatsNotFound,
        errors.TicketTypeNotFound,
        errors.ScreeningStarted,
        errors.SeatsUnavailable,
        errors.NotEnoughTickets,
        errors.NothingForSale,
        BlockLimitReached,
    ),
    body_limit_bytes=_BODY_LIMIT_BYTES,
    durable=True,
)
async def create_block(
    call: Call,
    screening_id: int,
    label: str,
    kind: str,
    release_at: datetime | None,
    seat_ids: tuple[int, ...] = (),
    ticket_type_id: int | None = None,
    quantity: int = 0,
    channel: str | None = None,
) -> Document:
    """Keep seats of a screening, or tickets of an event, back.

    All of them, or none: seats that somebody holds or has bought, or that are kept back already, are named in
    the refusal. Others see the seats as `booked`, with `blocked`, and their number is no longer available.
    """
    if release_at is not None and release_at <= call.now:
        raise InvalidInput({"release_at": ["Must be in the future."]})
    if channel is not None and not await call.services.channels.exists(channel):
        raise UnknownReference("channel")
    command = BlockSeats(
        *(screening_id, call.holder, label, kind, seat_ids, ticket_type_id, quantity, channel),
        None if release_at is None else release_at.timestamp(),
    )
    blocked: SeatsBlocked = await call.ask(command)
    return _document(call, BlockLevel(blocked.block, len(blocked.block.seat_ids), 0))


@blocks.get(
    "/{screening_id}/blocks",
    access=Access.ADMIN,
    query=without(Page, ("cursor",)),
    answers=BlockView(many=True),
    refusals=(errors.ScreeningNotFound,),
)
async def list_blocks(call: Call, screening_id: int, window: Window) -> Document:
    """List the blocks of a screening or an event, oldest first."""
    reply: Blocks = await call.ask(ReadBlocks(screening_id))
    shown_blocks = reply.blocks[window.offset : window.offset + window.limit]
    return [_document(call, level) for level in shown_blocks]


class SeatsToRelease(RequestSchema):
    """The seats to release; without `seat_ids`, all of the block."""

    seat_ids = SeatIdsInQuery(metadata={"description": "Comma-separated, e.g. 42,43."})


@blocks.delete(
    "/{screening_id}/blocks/{block_id}",
    access=Access.ADMIN,
    query=SeatsToRelease,
    status=204,
    refusals=(errors.ScreeningNotFound, BlockNotFound),
    durable=True,
)
async def release_block(
    call: Call, screening_id: int, block_id: int, seat_ids: tuple[int, ...] | None = None
) -> None:
    """Release a block, or some of its seats.

    Seats that somebody holds or has bought stay with them; all others are on sale at once.
    """
    await call.ask(UnblockSeats(screening_id, block_id, call.holder, seat_ids))


def _document(call: Call, level: BlockLevel) -> dict[str, Any]:
    block = level.block
    of_type = ticket_type_of(block.seat_ids[0]) if block.seat_ids[0] < 0 else None
    return {
        "id": block.id,
        "label": block.label,
        "kind": block.kind,
        "channel": block.channel,
        "seat_ids": [] if of_type else list(block.seat_ids),
        "ticket_type_id": of_type,
        "quantity": len(block.seat_ids),
        "kept": level.kept,
        "sold": level.sold,
        "release_at": timestamp_or_none(block.release_at),
        "created_at": timestamp(block.created_at),
        "created_by": shown(call, block.created_by),
    }

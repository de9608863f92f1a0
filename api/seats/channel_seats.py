"""`/api/v1/screenings/{screening_id}/channel-seats`: what is kept back for the caller's channels."""

from marshmallow import Schema, fields

from api.rest.endpoint import Access, Call, Document, Resource
from api.sales.channels import ByChannel, kept_places
from api.sales.visibility import require_visible
from engine.commands import ReadBlocks, ReadStock
from engine.replies import Blocks
from engine.selling_errors import ScreeningNotFound

channel_seats = Resource("/api/v1/screenings", tag="Screenings")


class KeptPlaces(Schema):
    ticket_type_id = fields.Integer(required=True, metadata={"example": 5})
    quantity = fields.Integer(
        required=True, metadata={"description": "Those that nobody has.", "example": 20}
    )


class ChannelSeats(Schema):
    """Seats and places that are kept back for the caller."""

    channels = fields.List(fields.String(), required=True, metadata={"example": ["press"]})
    seat_ids = fields.List(
        fields.Integer(),
        required=True,
        metadata={
            "description": "The caller may reserve those of them that nobody else has: see its "
            "`availability` with the same code.",
            "example": [42, 43],
        },
    )
    ticket_types = fields.List(fields.Nested(KeptPlaces), required=True)


@channel_seats.get(
    "/{screening_id}/channel-seats",
    access=Access.GUEST,
    query=ByChannel,
    answers=ChannelSeats,
    refusals=(ScreeningNotFound,),
    access_code=True,
)
async def get_channel_seats(call: Call, screening_id: int) -> Document:
    """Get the seats that are kept back for the caller's channels.

    They are those of the access code and of the token. Others see these seats as booked.
    """
    await require_visible(call, await call.ask(ReadStock(screening_id)))
    reply: Blocks = await call.ask(ReadBlocks(screening_id))
    own = [level for level in reply.blocks if level.block.key in call.access]
    return {
        "channels": sorted({level.block.channel for level in own if level.block.channel}),
        "seat_ids": [seat_id for level in own for seat_id in level.block.seat_ids if seat_id > 0],
        "ticket_types": [
            {"ticket_type_id": each, "quantity": number}
            for each, number in kept_places(reply, call.access).items()
        ],
    }

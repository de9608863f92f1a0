"""`/api/v1/screenings/{screening_id}/availability`: how much is left, and how much may soon be free again."""

from marshmallow import Schema, fields

from api.rest.endpoint import Access, Call, Document, Resource
from api.sales.lapsing import lapsing_field, lapsing_of
from api.sales.visibility import require_visible
from api.wire import timestamp
from engine.commands import ReadScarcity, ReadStock
from engine.replies import Scarcity as CountedScarcity
from engine.replies import Stock
from engine.selling_errors import ScreeningNotFound

scarcity = Resource("/api/v1/screenings", tag="Screenings")


class Scarcity(Schema):
    """Numbers of seats of a screening, or of places of an event."""

    screening_id = fields.Integer(required=True, metadata={"example": 123})
    capacity = fields.Integer(required=True, metadata={"example": 300})
    available = fields.Integer(required=True, metadata={"example": 0})
    held = fields.Integer(
        required=True,
        metadata={"description": "Reserved and not paid for, without what is set aside.", "example": 12},
    )
    lapsing = lapsing_field()
    waiting = fields.Integer(
        required=True, metadata={"description": "Entries of the waiting list.", "example": 4}
    )
    server_time = fields.AwareDateTime(required=True, format="iso")


@scarcity.get(
    "/{screening_id}/availability",
    access=Access.PUBLIC,
    answers=Scarcity,
    refusals=(ScreeningNotFound,),
)
async def get_scarcity(call: Call, screening_id: int) -> Document:
    """How many seats of a screening, or places of an event, are left.

    `lapsing` says how many of the held ones will be free again within 60, 120 and 300 seconds, unless they
    are paid for or extended; it is at most a second old.
    """
    stock: Stock = await call.ask(ReadStock(screening_id))
    await require_visible(call, stock)
    counted: CountedScarcity = await call.ask(ReadScarcity(screening_id))
    return {
        "screening_id": screening_id,
        "capacity": stock.capacity,
        "available": stock.available,
        "held": counted.held,
        "lapsing": lapsing_of(counted.lapsing),
        "waiting": counted.waiting,
        "server_time": timestamp(call.services.clock.now()),
    }

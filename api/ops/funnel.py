"""`/api/v1/admin/screenings/{screening_id}/funnel`: what sells of a screening or an event."""

from datetime import date
from zoneinfo import ZoneInfo

from marshmallow import fields

from api.ops.history import find_operated
from api.rest.endpoint import Access, Answer, Call, Document, Resource, dump
from api.sales.funnels import FunnelFigures, FunnelQuery, csv_answer, days_of, funnel_of, wants_csv
from api.sales.spreadsheets import MEDIA_TYPE
from engine.errors import NotFound

funnels = Resource("/api/v1/admin/screenings", tag="Statistics")


class Funnel(FunnelFigures):
    """The sales of a screening or an event, by time and by door."""

    screening_id = fields.Integer(required=True, metadata={"example": 123})


@funnels.get(
    "/{screening_id}/funnel",
    access=Access.ADMIN,
    query=FunnelQuery,
    answers=Funnel,
    other_media_type=MEDIA_TYPE,
    refusals=(NotFound,),
)
async def get_funnel(
    call: Call,
    screening_id: int,
    first: date | None,
    last: date | None,
    granularity: str | None,
    time_zone: str | None,
    format: str | None,
) -> Document | Answer:
    """Get how a screening or an event sells: looked, held, lapsed, released and paid.

    By hour, day, week or month in the venue's time zone, and by door: the kind of endpoint. Covers all days
    since the first look or hold unless `from` and `to` are given; both days are included. As CSV there is a
    line for each period and door.
    """
    operated = await find_operated(call, screening_id)
    zone = ZoneInfo(time_zone or operated["time_zone"])
    beginning = await call.services.funnels.beginning(screening_id) or call.now
    days = days_of(call, zone, beginning, first, last, granularity)
    funnel = await funnel_of(call, days, screening_id)
    if wants_csv(call, format):
        return csv_answer(funnel, f"funnel-{screening_id}.csv")
    return dump(Funnel, {**funnel, "screening_id": screening_id})

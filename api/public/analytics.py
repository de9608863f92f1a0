"""`/api/admin/reservations/analytics`: what sells, the "analytics and reporting" of the ticket guide."""

from datetime import date, timedelta

from marshmallow import fields

from api.public.shapes import CamelCaseSchema, Id
from api.rest.endpoint import Access, Answer, Call, Document, Resource, dump
from api.sales.funnels import (
    DoorNumbers,
    FunnelFigures,
    FunnelPeriod,
    FunnelQuery,
    StageNumbers,
    Waits,
    csv_answer,
    days_of,
    funnel_of,
    wants_csv,
)
from api.sales.periods import zone_of_days
from api.sales.spreadsheets import MEDIA_TYPE
from engine.errors import NotFound

USUAL_DAYS = 30

analytics = Resource("/api/admin/reservations", tag="Reservations")


class AnalyticsQuery(FunnelQuery):
    event_id = Id(
        data_key="eventId",
        load_default=None,
        metadata={"description": "An event or a screening; without it, all of them.", "example": "17"},
    )


class DoorAnalytics(CamelCaseSchema, DoorNumbers):
    pass


class PeriodAnalytics(CamelCaseSchema, FunnelPeriod):
    doors = fields.List(fields.Nested(DoorAnalytics), required=True)


class TotalAnalytics(CamelCaseSchema, StageNumbers):
    pass


class WaitAnalytics(CamelCaseSchema, Waits):
    pass


class Analytics(CamelCaseSchema, FunnelFigures):
    """The sales of reservations, by time and by door."""

    totals = fields.Nested(TotalAnalytics, required=True)
    doors = fields.List(fields.Nested(DoorAnalytics), required=True)
    periods = fields.List(fields.Nested(PeriodAnalytics), required=True)
    seconds_to_payment = fields.Nested(WaitAnalytics, required=True)


@analytics.get(
    "/analytics",
    access=Access.ADMIN,
    query=AnalyticsQuery,
    answers=Analytics,
    other_media_type=MEDIA_TYPE,
    refusals=(NotFound,),
)
async def get_reservation_analytics(
    call: Call,
    first: date | None,
    last: date | None,
    granularity: str | None,
    time_zone: str | None,
    format: str | None,
    event_id: int | None,
) -> Document | Answer:
    """Get how reservations of tickets and seats sell: looked, held, lapsed, released and paid.

    Of all events and screenings, or of one. By hour, day, week or month, and by door: the kind of endpoint.
    Covers the last 30 days unless `from` and `to` are given; both days are included. As CSV there is a line
    for each period and door.
    """
    zone = await zone_of_days(call, time_zone)
    days = days_of(call, zone, timedelta(days=USUAL_DAYS - 1), first, last, granularity)
    funnel = await funnel_of(call, days, event_id and await _existing(call, event_id))
    if wants_csv(call, format):
        return csv_answer(funnel, "reservations.csv")
    return dump(Analytics, funnel)


async def _existing(call: Call, event_id: int) -> int:
    """Return the id of an event or a screening. Raises NotFound if neither has it."""
    try:
        await call.services.catalogue.screenings.find(event_id)
    except NotFound:
        await call.services.catalogue.events.find(event_id)
    return event_id

"""`/api/v1/admin/stats`: statistics for administrators.

A sale is a confirmed ticket that has not been cancelled since, dated by its confirmation.
"""

from datetime import date, timedelta
from itertools import pairwise

from marshmallow import Schema, fields, validate

from api.rest.endpoint import Access, Answer, Call, Document, Resource, dump, dump_all
from api.rest.fields import RequestSchema, Timestamp
from api.rest.local_times import TimeZoneName
from api.rest.paging import PAGING_HEADERS, Page, Window, paged
from api.sales.periods import (
    GRANULARITIES,
    DividedDays,
    Period,
    calendar_day,
    few_boundaries,
    period_boundaries,
    period_name,
    require_order,
    today,
    zone_field,
    zone_of_days,
)
from api.sales.representations import vouched_by_field
from api.wire import timestamp
from engine.records import TicketStatus

USUAL_DAYS = 30

statistics = Resource("/api/v1/admin/stats", tag="Statistics")


class Count(Schema):
    count = fields.Integer(required=True)


def _count(kind: str, doc: str) -> None:
    async def count(call: Call) -> Document:
        return await call.services.catalogue.statistics.count(kind)

    count.__name__, count.__doc__ = f"count_{kind}", doc
    statistics.get(f"/{kind}", access=Access.ADMIN, answers=Count)(count)


_count("movies", "Count the movies.")
_count("cinemas", "Count the cinemas.")
_count("users", "Count the accounts, without deleted ones.")


class RecentBooking(Schema):
    """A ticket with its screening and seat. Fields are null where unknown or deleted."""

    ticket_id = fields.Integer(required=True)
    booking_id = fields.Integer(required=True)
    user_id = fields.Integer(required=True, allow_none=True)
    movie_id = fields.Integer(required=True, allow_none=True)
    movie_title = fields.String(required=True, allow_none=True)
    cinema_id = fields.Integer(required=True, allow_none=True)
    cinema_name = fields.String(required=True, allow_none=True)
    room_id = fields.Integer(required=True, allow_none=True)
    room_name = fields.String(required=True, allow_none=True)
    screening_id = fields.Integer(required=True)
    starts_at = Timestamp(required=True, allow_none=True)
    time_zone = TimeZoneName(required=True, allow_none=True)
    seat_id = fields.Integer(required=True, allow_none=True)
    row_label = fields.String(required=True, allow_none=True)
    seat_number = fields.Integer(required=True, allow_none=True)
    price = fields.Float(required=True)
    status = fields.String(required=True, validate=validate.OneOf(tuple(TicketStatus)))
    booked_at = Timestamp(required=True)
    vouched_by = vouched_by_field()


@statistics.get(
    "/bookings/recent",
    access=Access.ADMIN,
    query=Page,
    answers=RecentBooking(many=True),
    headers=PAGING_HEADERS,
)
async def list_recent_bookings(call: Call, window: Window) -> Answer:
    """List the latest bookings, one entry per ticket."""
    figures = call.services.catalogue.statistics
    bookings, last = await figures.recent_bookings(
        limit=window.limit, offset=window.offset, after=window.after(call)
    )
    total = None if window.cursor else (await figures.tickets())["total"]
    return paged(call, window, dump_all(RecentBooking, bookings), total, last)


class Sales(Schema):
    tickets_sold = fields.Integer(required=True)
    revenue = fields.Float(required=True, metadata={"description": "Exact to the cent.", "example": 1599.95})


@statistics.get("/revenue", access=Access.ADMIN, answers=Sales)
async def get_revenue(call: Call) -> Document:
    """Get the total number of tickets sold and their revenue."""
    return dump(Sales, await call.services.catalogue.statistics.revenue())


class Days(RequestSchema):
    """Query parameters for a range of days, both ends included."""

    first = calendar_day(data_key="from")
    last = calendar_day(data_key="to")


class RevenuePeriods(Days):
    granularity = fields.String(load_default="day", validate=validate.OneOf(GRANULARITIES))
    time_zone = zone_field()


class SalesInPeriod(Period, Sales):
    """Sales in one period."""


class RevenueByPeriod(DividedDays, Sales):
    """Sales over a range of days, in total and by period."""

    periods = fields.List(fields.Nested(SalesInPeriod), required=True)


@statistics.get("/revenue/period", access=Access.ADMIN, query=RevenuePeriods, answers=RevenueByPeriod)
async def get_revenue_by_period(
    call: Call,
    granularity: str,
    time_zone: str | None,
    first: date | None = None,
    last: date | None = None,
) -> Document:
    """Get sales by hour, day, week or month.

    Covers the last 30 days unless `from` and `to` are given; both days are included. Periods without sales
    are listed with 0. Weeks start on Monday; `from` and `to` may cut the first and the last period short.
    """
    zone = await zone_of_days(call, time_zone)
    last = last or today(call, zone)
    first = first or last - timedelta(days=USUAL_DAYS - 1)
    boundaries = few_boundaries(first, last, granularity, zone)
    sales = await call.services.catalogue.statistics.revenue_by_period(boundaries)
    return {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "granularity": granularity,
        "timezone": zone.key,
        "tickets_sold": sum(sold["tickets_sold"] for sold in sales),
        "revenue": float(sum(sold["revenue"] for sold in sales)),
        "periods": [
            {
                "period": period_name(begin, granularity, zone),
                "begins_at": timestamp(begin.timestamp()),
                "ends_at": timestamp(end.timestamp()),
                "tickets_sold": sold["tickets_sold"],
                "revenue": float(sold["revenue"]),
            }
            for (begin, end), sold in zip(pairwise(boundaries), sales, strict=True)
        ],
    }


class TicketTotals(Schema):
    total = fields.Integer(required=True)
    pending = fields.Integer(required=True, metadata={"description": "Awaiting payment."})
    confirmed = fields.Integer(required=True, metadata={"description": "Sold."})
    cancelled = fields.Integer(required=True)
    lapsed = fields.Integer(required=True, metadata={"description": "Not paid in time."})


@statistics.get("/tickets/total", access=Access.ADMIN, answers=TicketTotals)
async def count_tickets(call: Call) -> Document:
    """Count the tickets, in total and by status."""
    return await call.services.catalogue.statistics.tickets()


class Popularity(Days):
    limit = fields.Integer(load_default=10, validate=validate.Range(1, 100))


class PopularMovie(Sales):
    movie_id = fields.Integer(required=True)
    title = fields.String(required=True)
    genre = fields.String(required=True)
    poster_url = fields.String(required=True, allow_none=True)


@statistics.get("/movies/popular", access=Access.ADMIN, query=Popularity, answers=PopularMovie(many=True))
async def list_popular_movies(
    call: Call, limit: int, first: date = date.min, last: date = date.max
) -> Document:
    """List the movies that sold the most tickets.

    Counts all sales, or those on the days from `from` to `to`: each cinema's own days, in its time zone.
    """
    require_order(first, last)
    popular = await call.services.catalogue.statistics.popular_movies(first, last, limit)
    return dump_all(PopularMovie, popular)


class Zone(RequestSchema):
    """Query parameter that decides which day is today."""

    time_zone = zone_field()


class Today(Sales):
    date = fields.Date(required=True)
    timezone = fields.String(required=True, metadata={"example": "Europe/Berlin"})
    screenings = fields.Integer(required=True, metadata={"description": "Screenings that start today."})
    new_users = fields.Integer(required=True)


@statistics.get("/today", access=Access.ADMIN, query=Zone, answers=Today)
async def gettoday(call: Call, time_zone: str | None) -> Document:
    """Get today's sales, screenings and new users."""
    zone = await zone_of_days(call, time_zone)
    day = today(call, zone)
    begin, end = period_boundaries(day, day, "day", zone)
    figures = await call.services.catalogue.statistics.between(begin, end)
    return dump(Today, {"date": day, "timezone": zone.key, **figures})

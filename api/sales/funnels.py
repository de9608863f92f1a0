"""Sales by time and door: how many looked, held, let their time run out, gave back and paid.

Looks are requests and sockets, not people. Everything else counts seats and places, each when it happened: a
seat that is held before midnight and paid after it counts in two days. Seats that are bought without a hold
are only paid.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from marshmallow import Schema, fields, validate

from api.bodies import Body
from api.rest.endpoint import Answer, Call
from api.rest.fields import RequestSchema
from api.sales.periods import (
    GRANULARITIES,
    DividedDays,
    Period,
    calendar_day,
    few_boundaries,
    period_name,
    today,
    zone_field,
)
from api.sales.spreadsheets import BYTE_ORDER_MARK, MEDIA_TYPE, cell, csv_of

STAGES = ("looked", "held", "lapsed", "released", "paid")
DOORS = ("rest", "socket", "rooms", "public", "counter", "service", "stripe")
FORMATS = ("json", "csv")

HOURS_DAYS = 2
"""Up to this many days are shown by hours unless the request says otherwise."""

_COLUMNS = ("period", "begins_at", "ends_at", "door", *STAGES, "revenue")


class FunnelQuery(RequestSchema):
    """Days, how they are divided, and the format. `Accept: text/csv` asks for CSV as well."""

    first = calendar_day(data_key="from", load_default=None)
    last = calendar_day(data_key="to", load_default=None)
    granularity = fields.String(validate=validate.OneOf(GRANULARITIES), load_default=None)
    time_zone = zone_field()
    format = fields.String(validate=validate.OneOf(FORMATS), load_default=None)


def _number(description: str = "") -> fields.Integer:
    return fields.Integer(required=True, metadata={"description": description} if description else {})


class StageNumbers(Schema):
    looked = _number("Requests for the seats or the event, and sockets that were opened for it.")
    held = _number("Seats and places that were held.")
    lapsed = _number("Of those that were not paid in time.")
    released = _number("Of those that were given back before they were paid.")
    paid = _number("Tickets that were paid, given away, or sold without a payment.")
    revenue = fields.Float(required=True, metadata={"example": 1599.95})


class DoorNumbers(StageNumbers):
    door = fields.String(
        required=True,
        validate=validate.OneOf(DOORS),
        metadata={"description": "Through which kind of endpoint."},
    )


class FunnelPeriod(Period, StageNumbers):
    doors = fields.List(fields.Nested(DoorNumbers), required=True)


def _seconds(share: str) -> fields.Float:
    return fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": f"{share} of them took at most so many seconds; null if there are none."},
    )


class Waits(Schema):
    """Times from the hold of a seat to its payment."""

    tickets = _number("Paid tickets whose seats were held before.")
    median = _seconds("Half")
    p90 = _seconds("90 %")
    p99 = _seconds("99 %")


class FunnelFigures(DividedDays):
    totals = fields.Nested(StageNumbers, required=True)
    doors = fields.List(fields.Nested(DoorNumbers), required=True)
    periods = fields.List(fields.Nested(FunnelPeriod), required=True)
    seconds_to_payment = fields.Nested(Waits, required=True)


class Days(NamedTuple):
    """The days of a funnel, how they are divided, and their time zone."""

    first: date
    last: date
    granularity: str
    zone: ZoneInfo


def days_of(
    call: Call,
    zone: ZoneInfo,
    usual_first: datetime | timedelta,
    first: date | None,
    last: date | None,
    granularity: str | None,
) -> Days:
    """Return the days of a request.

    Args:
        call: the request.
        zone: time zone of the days.
        usual_first: when they begin unless the request says otherwise; or how long before the last day.
        first, last, granularity: of the request.
    """
    last = last or today(call, zone)
    if first is None:
        begin = (
            last - usual_first if isinstance(usual_first, timedelta) else usual_first.astimezone(zone).date()
        )
        first = min(begin, last)
    if granularity is None:
        granularity = "hour" if (last - first).days < HOURS_DAYS else "day"
    return Days(first, last, granularity, zone)


async def funnel_of(call: Call, days: Days, screening_id: int | None) -> dict[str, Any]:
    """Return what sold, as `FunnelFigures` and its subclasses dump it.

    Args:
        call: the request.
        days: when.
        screening_id: a screening or event; None for all.

    Raises:
        InvalidInput: the days are in the wrong order, or are divided too finely.
        StoreUnavailable: the database cannot be reached.
    """
    bounds = few_boundaries(*days)
    await call.flushed()
    funnels = call.services.funnels
    stages = await funnels.stages(bounds, screening_id)
    number, seconds = await funnels.waits(bounds, screening_id)
    by_period: dict[int, list[tuple[int, str, str, int, float]]] = {}
    for stage in stages:
        by_period.setdefault(stage[0], []).append(stage)
    return {
        "first": days.first,
        "last": days.last,
        "granularity": days.granularity,
        "timezone": days.zone.key,
        "totals": _summed(stages),
        "doors": _by_door(stages),
        "periods": [
            {
                "period": period_name(begin, days.granularity, days.zone),
                "begins_at": begin,
                "ends_at": end,
                **_summed(by_period.get(place, ())),
                "doors": _by_door(by_period.get(place, ())),
            }
            for place, (begin, end) in enumerate(pairwise(bounds))
        ],
        "seconds_to_payment": {
            "tickets": number,
            **dict(zip(("median", "p90", "p99"), seconds or (None, None, None), strict=True)),
        },
    }


def _summed(stages: Iterable[tuple[int, str, str, int, float]]) -> dict[str, Any]:
    numbers: dict[str, Any] = {**dict.fromkeys(STAGES, 0), "revenue": 0.0}
    for _, _, stage, number, revenue in stages:
        numbers[stage] += number
        numbers["revenue"] += revenue
    numbers["revenue"] = round(numbers["revenue"], 2)
    return numbers


def _by_door(stages: Sequence[tuple[int, str, str, int, float]]) -> list[dict[str, Any]]:
    """Sum up the doors through which anything happened."""
    here = {door for _, door, _, _, _ in stages}
    return [
        {"door": door, **_summed(stage for stage in stages if stage[1] == door)}
        for door in (*DOORS, *sorted(here.difference(DOORS)))
        if door in here
    ]


def wants_csv(call: Call, format: str | None) -> bool:
    """Return whether a request asks for CSV: by `format`, or else by its Accept header."""
    return "text/csv" in call.headers.get("Accept", "") if format is None else format == "csv"


def csv_answer(funnel: Mapping[str, Any], name: str) -> Answer:
    """Return a line for each period and door through which anything happened.

    Args:
        funnel: of `funnel_of`.
        name: of the file.
    """
    lines = [
        [cell({**period, **numbers}[column]) for column in _COLUMNS]
        for period in funnel["periods"]
        for numbers in period["doors"]
    ]
    return Answer(
        200,
        Body((BYTE_ORDER_MARK + csv_of([_COLUMNS, *lines])).encode()),
        {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
        MEDIA_TYPE,
    )

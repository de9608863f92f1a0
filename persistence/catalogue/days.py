"""Filters by a day on a venue's calendar."""

_FURTHEST_OFFSET = "interval '16 hours'"
"""No zone has ever been further from UTC."""


def on_day(time: str, time_zone: str) -> str:
    """Return the condition that a timestamp is on the day `%(date)s` in a time zone.

    The comparison of local dates is exact, also on days of a clock change, but no index serves it. So the
    timestamp is also compared with bounds that enclose the day in every zone: an index reads three days.

    Args:
        time: SQL expression of the timestamp.
        time_zone: SQL expression of the zone's name.
    """
    midnight = "%(date)s::date::timestamp AT TIME ZONE 'UTC'"
    return (
        f"{time} >= {midnight} - {_FURTHEST_OFFSET}"
        f" AND {time} < {midnight} + interval '1 day' + {_FURTHEST_OFFSET}"
        f" AND ({time} AT TIME ZONE {time_zone})::date = %(date)s::date"
    )

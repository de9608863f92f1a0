"""Fields for time zones and for times in a venue's time zone; `api.venue_time` has the rules."""

from collections.abc import Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from marshmallow import ValidationError, fields

from api.rest.fields import Timestamp
from api.venue_time import local_time, zone_names

_NAME_LIMIT = 64
_NAIVE = fields.NaiveDateTime(format="iso")


class TimeZoneName(fields.String):
    """The IANA name of a time zone."""

    def __init__(self, **options: Any) -> None:
        metadata = {"description": "Name in the IANA time zone database.", "example": "Europe/Berlin"}
        super().__init__(metadata={**metadata, **options.pop("metadata", {})}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        name: str = super()._deserialize(value, attr, data)
        if name in zone_names():
            return name
        by_lower_case = {known.lower(): known for known in zone_names()}
        similar = get_close_matches(name[:_NAME_LIMIT].lower(), by_lower_case, 1)
        example = (
            f'did you mean "{by_lower_case[similar[0]]}"?' if similar else 'a valid one is "Europe/Berlin".'
        )
        raise ValidationError(f"Not a time zone of the IANA database; {example}")


class VenueTimestamp(Timestamp):
    """A timestamp that a request may give without an offset, in local time; it is then loaded without one."""

    def __init__(self, **options: Any) -> None:
        metadata = options.pop("metadata", {})
        meaning = "A time without an offset is local time of the venue."
        description = " ".join(filter(None, (metadata.get("description"), meaning)))
        super().__init__(metadata={**metadata, "description": description}, **options)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any
    ) -> datetime:
        try:
            local: datetime = _NAIVE.deserialize(value, attr, data, **options)
        except ValidationError:
            return super()._deserialize(value, attr, data, **options)
        return local


class LocalTime(fields.Field[str]):
    """A timestamp of a record in its `time_zone`, for responses.

    Args:
        of: name of the timestamp in the record.
    """

    _CHECK_ATTRIBUTE = False

    def __init__(self, of: str, **options: Any) -> None:
        metadata = {
            "type": ["string", "null"] if options.get("allow_none") else "string",
            "format": "date-time",
            "description": "In local time of the venue, with the offset that applies then.",
            "example": "2030-01-26T19:30:00+01:00",
        }
        super().__init__(required=True, metadata=metadata, **options)
        self._of = of

    def _serialize(self, value: Any, attr: str | None, obj: Any, **_: Any) -> str | None:
        time = obj[self._of]
        return None if time is None else local_time(time, obj["time_zone"]).isoformat(timespec="seconds")

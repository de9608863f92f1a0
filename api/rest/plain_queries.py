"""Queries whose fields are read one by one.

webargs prepares for repeated names, several locations and the texts of refusals, which takes longer than
releasing seats. Most queries have neither escapes nor faults; here each value goes straight to its field of
the schema. Any other query is left to webargs, which loads it or names its faults.
"""

from typing import Any

from marshmallow import ValidationError, fields

from api.limits import Limits
from api.rest.access_codes import AccessCode
from api.rest.fields import USUAL_LIMITS, RequestSchema


class PlainQuery(RequestSchema):
    """A query whose fields are judged one by one: without rules for several fields together.

    Args:
        limits: the bounds of requests.
    """

    def __init__(self, limits: Limits = USUAL_LIMITS, **options: Any) -> None:
        super().__init__(limits, **options)
        self._readers = {
            field.data_key or name: (
                field.attribute or name,
                isinstance(field, fields.List),
                field.deserialize,
            )
            for name, field in self.load_fields.items()
            if not isinstance(field, AccessCode)
        }

    def read(self, query: str) -> dict[str, Any] | None:
        """The arguments that a query gives, without the defaults of fields that it does not name.

        Returns:
            None if the query is refused, or has escapes or repeated names.
        """
        arguments: dict[str, Any] = {}
        try:
            for pair in query.split("&"):
                name, _, text = pair.partition("=")
                argument, listed, deserialize = self._readers[name]
                if argument in arguments or "%" in text or "+" in text:
                    return None
                arguments[argument] = deserialize([text] if listed else text, name, {})
        except (KeyError, ValidationError):
            return None
        return arguments

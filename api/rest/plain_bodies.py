"""Bodies whose fields can be judged one by one, loaded by the shortest way.

marshmallow keeps books about every load, so as to tell all faults at once. Almost every body has none.
So each field judges its own value here, by its own rules; only a body that does not pass takes the long way,
which finds the same faults again and the words for them.
"""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, missing, post_load

from api.rest.fields import RequestSchema


class PlainBody(RequestSchema):
    """A body without rules of marshmallow's beyond those of its fields.

    What concerns several fields stands in `united`.
    """

    def load(self, data: Any, **options: Any) -> Any:
        """What the handler gets.

        Raises:
            ValidationError: the body is not as it must be.
        """
        if isinstance(data, dict):
            try:
                return self.united(self._judged(data))
            except ValidationError:
                pass
        return super().load(data, **options)

    def united(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields together, each of which is right.

        Raises:
            ValidationError: they do not fit together.
        """
        return fields

    @post_load
    def _unite(self, fields: dict[str, Any], **_: Any) -> dict[str, Any]:
        return self.united(fields)

    def _judged(self, data: Mapping[str, Any]) -> dict[str, Any]:
        if not data.keys() <= self.load_fields.keys():
            raise ValidationError(self.error_messages["unknown"])
        judged = {}
        for name, field in self.load_fields.items():
            value = field.deserialize(data.get(name, missing), name, data)
            if value is not missing:
                judged[name] = value
        return judged

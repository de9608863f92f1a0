"""Bodies that msgspec decodes and checks in one step.

marshmallow collects every fault of a body and the texts for them, which takes longer than deciding a hold.
Most bodies have no fault. So a decoder is compiled from the schema; a body that it refuses is loaded by
marshmallow, which finds the same faults and names them.
"""

from typing import Annotated, Any

import msgspec
from marshmallow import ValidationError, fields, missing, post_load

from api.limits import Limits
from api.rest.access_codes import AccessCode
from api.rest.fields import LARGEST_ID, USUAL_LIMITS, Flag, Identifier, RequestSchema, SeatIds, Total

_Id = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)]


class PlainBody(RequestSchema):
    """A body whose fields are judged one by one. Rules for several fields together are in `united`.

    Args:
        limits: the bounds of requests.

    Raises:
        TypeError: a field has no compiled form.
    """

    def __init__(self, limits: Limits = USUAL_LIMITS, **options: Any) -> None:
        super().__init__(limits, **options)
        plain = {name: each for name, each in self.load_fields.items() if not isinstance(each, AccessCode)}
        compiled = [_compiled(name, field) for name, field in plain.items()]
        struct = msgspec.defstruct(type(self).__name__, compiled, forbid_unknown_fields=True, kw_only=True)
        self._decode = msgspec.json.Decoder(struct).decode
        self._complete = all(field.required for field in plain.values())
        self._unites = type(self).united is not PlainBody.united
        self._totals = [(name, field) for name, field in plain.items() if isinstance(field, Total)]
        self._checks = [
            (name, validate)
            for name, field in plain.items()
            if isinstance(field, fields.String)
            for validate in field.validators
        ]

    def decode(self, body: bytes) -> dict[str, Any] | None:
        """The arguments that a body gives; None if it is malformed or refused (`load` finds out why)."""
        try:
            arguments = msgspec.structs.asdict(self._decode(body))
            if not self._complete:
                arguments = {name: value for name, value in arguments.items() if value is not msgspec.UNSET}
            for name, validate in self._checks:
                if arguments.get(name) is not None:
                    validate(arguments[name])
            for name, field in self._totals:
                if arguments.get(name) is not None:
                    arguments[name] = field.deserialize(arguments[name])
            return self.united(arguments) if self._unites else arguments
        except (msgspec.DecodeError, UnicodeDecodeError, ValidationError):
            return None

    def united(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Check and combine fields that are valid one by one.

        Raises:
            ValidationError: they do not fit together.
        """
        return fields

    @post_load
    def _unite(self, fields: dict[str, Any], **_: Any) -> dict[str, Any]:
        return self.united(fields)


def _compiled(name: str, field: fields.Field[Any]) -> tuple[str, Any, Any]:
    """The field of a msgspec struct that takes the same values."""
    kind: Any
    if isinstance(field, Identifier):
        kind = _Id
    elif isinstance(field, SeatIds):
        kind = Annotated[tuple[_Id, ...], msgspec.Meta(min_length=1, max_length=field.limit)]
    elif isinstance(field, Flag):
        kind = bool
    elif isinstance(field, Total):
        kind = int | float
    elif type(field) is fields.String:
        kind = str
    else:
        raise TypeError(f"{name} has no compiled form")
    if field.allow_none:
        kind = kind | None
    if field.required:
        return name, kind, msgspec.NODEFAULT
    if field.load_default is missing:
        return name, kind | msgspec.UnsetType, msgspec.UNSET
    return name, kind, field.load_default

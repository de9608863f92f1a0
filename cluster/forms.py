"""Encodes and decodes records: the number of the kind (`cluster.kinds`), then the fields by position.

The fields are a msgpack array. The reader checks their types, so a damaged message never reaches the
engine. A record of another release may be shorter or longer: fields that are missing get their defaults,
and fields that are not known are ignored. So a new field comes last and has a default.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from cluster.messages import NotUnderstood

encode_fields = msgspec.msgpack.Encoder().encode

_decode_plain = msgspec.msgpack.Decoder().decode

_FAILURES = (ValueError, RecursionError)
"""Exceptions of msgspec for malformed bytes; `MsgspecError` and `UnicodeDecodeError` are ValueErrors."""


def decoder_of(name: str, row: Any) -> Callable[[bytes], Any]:
    """Return a function that decodes the fields of a record, also of a shorter or longer one.

    It raises NotUnderstood if they have another form.

    Args:
        name: of the record, for the error.
        row: a NamedTuple class, or another type that msgspec decodes.
    """
    decode_row = msgspec.msgpack.Decoder(row).decode
    cut = _cutter_of(row)

    def decode_fields(fields: bytes) -> Any:
        try:
            return decode_row(fields)
        except _FAILURES:
            try:
                plain = _decode_plain(fields)
                return msgspec.convert(plain if cut is None else cut(plain), row)
            except _FAILURES as error:
                raise NotUnderstood(f"{name}: {error}") from None

    return decode_fields


class Form:
    """The form of one kind of record.

    Args:
        kind: the number.
        record: the class, or another type that msgspec decodes, such as `tuple[Hold, ...]`.
        row: the type of the fields as they travel, if they differ from those of `record`.
        pack: makes the fields to send of a record.
        unpack: makes the record of a `row`.

    Attributes:
        encode: encodes a record, beginning with its number.
        decode: decodes a record without its number, or raises NotUnderstood.
    """

    __slots__ = ("decode", "encode")

    def __init__(
        self,
        kind: int,
        record: Any,
        row: Any = None,
        pack: Callable[[Any], object] | None = None,
        unpack: Callable[[Any], Any] | None = None,
    ) -> None:
        prefix = bytes((kind,))
        name = record.__name__ if isinstance(record, type) else str(record)
        decode_row = decoder_of(name, row or record)
        self.encode: Callable[[Any], bytes] = (
            (lambda record: prefix + encode_fields(record))
            if pack is None
            else (lambda record: prefix + encode_fields(pack(record)))
        )
        self.decode = decode_row if unpack is None else lambda fields: unpack(decode_row(fields))


def decode(forms: Mapping[int, Form], what: str, data: object) -> Any:
    """Decode a message.

    Args:
        forms: the possible forms, by number.
        what: name of the message, for the error.
        data: the received bytes.

    Raises:
        NotUnderstood: it is of another kind or form.
    """
    if type(data) is not bytes or not data:
        raise NotUnderstood(f"a {what} without a number")
    form = forms.get(data[0])
    if form is None:
        raise NotUnderstood(f"{what} {data[0]}")
    return form.decode(data[1:])


def row_type(name: str, fields: Mapping[str, Any], defaults: Sequence[object] = ()) -> Any:
    """Make a NamedTuple class.

    Args:
        name: its name.
        fields: the type of each field.
        defaults: defaults of the last fields.
    """
    row = namedtuple(name, tuple(fields), defaults=defaults)  # type: ignore[misc]
    row.__annotations__ = dict(fields)
    return row


def row_like(record: Any, **replaced: Any) -> Any:
    """Make a NamedTuple class like `record`, with other types for some fields."""
    hints = get_type_hints(record)
    fields = {name: replaced.get(name, hints[name]) for name in record._fields}
    return row_type(record.__name__, fields, tuple(record._field_defaults.values()))


@cache
def _cutter_of(hint: Any) -> Callable[[Any], Any] | None:
    """Return a function that cuts off, at every depth, the fields that a newer release has added to records.

    It takes a value that was decoded without a type, and leaves parts of other types alone.

    Args:
        hint: the type that the value should have.

    Returns:
        The function; None if there are no records in the type.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hasattr(hint, "_fields"):
        return _record_cutter(hint)
    if origin in (Union, UnionType):
        # msgspec permits one record in a union.
        return next(filter(None, map(_cutter_of, arguments)), None)
    if origin in (tuple, list):
        cut_item = _cutter_of(arguments[0])
        return cut_item and (lambda value: list(map(cut_item, value)) if isinstance(value, list) else value)
    if origin is not None and issubclass(origin, Mapping):
        cut_value = _cutter_of(arguments[1])
        return cut_value and (
            lambda value: (
                {key: cut_value(item) for key, item in value.items()} if isinstance(value, dict) else value
            )
        )
    return None


def _record_cutter(record: Any) -> Callable[[Any], Any]:
    hints, length = get_type_hints(record), len(record._fields)
    cutters = [(at, _cutter_of(hints[name])) for at, name in enumerate(record._fields)]
    inner = [(at, cut) for at, cut in cutters if cut is not None]

    def cut_record(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        fields = value[:length]
        for at, cut in inner:
            if at < len(fields):
                fields[at] = cut(fields[at])
        return fields

    return cut_record

"""Parses and validates request bodies and queries: webargs with orjson instead of `json`."""

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import orjson
from marshmallow import Schema, ValidationError
from webargs import core, tornadoparser

from api.errors import InvalidInput
from api.rest.errors import MalformedBody, UnsupportedMediaType
from api.rest.request import Request

# Browsers declare a string that a page sends without a header as text/plain, as in the cinema guide's
# first test scenario. That is safe here: no cookie ever authenticates a request.
_JSON_TYPES = frozenset({"", "application/json", "text/plain"})


_FORM_TYPE = "application/x-www-form-urlencoded"
_FIELDS = 100
_TYPES_KEPT = 256
_PATHS_NAMED = 50
"""Most nested fields to name in an error."""


def is_form(req: Request) -> bool:
    """Return whether the body is declared as an HTML form."""
    return _media_type(req.headers.get("Content-Type", "")) == _FORM_TYPE


@lru_cache(_TYPES_KEPT)
def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


@lru_cache(_TYPES_KEPT)
def _is_json(content_type: str) -> bool:
    media_type = _media_type(content_type)
    return media_type in _JSON_TYPES or media_type.endswith("+json")


class Parser(core.Parser[Request]):
    """Loads bodies and queries with their schemas."""

    # Each schema decides about unknown fields, not the location.
    DEFAULT_UNKNOWN_BY_LOCATION: Mapping[str, str | None] = {}  # type: ignore[assignment]

    def body(self, schema: Schema, req: Request) -> Any:
        """The validated body. Equivalent to `parse` for JSON bodies, without choosing a location.

        Raises:
            UnsupportedMediaType, MalformedBody: as `load_json`.
            InvalidInput: the body does not match the schema.
        """
        try:
            return schema.load(self.load_json(req, schema))
        except ValidationError as error:
            self._refuse(error.normalized_messages())  # type: ignore[no-untyped-call]

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The body as plain data, not validated yet.

        Raises:
            UnsupportedMediaType: the Content-Type is not a JSON type.
            MalformedBody: the body is not JSON in UTF-8, or contains NaN, lone surrogates or nesting deeper
                than orjson's limit.
        """
        if not _is_json(req.headers.get("Content-Type", "")):
            raise UnsupportedMediaType
        body = req.body
        if body.startswith(BOM_UTF8):
            # Some clients send a byte order mark, which parsers may ignore (RFC 8259, section 8.1).
            body = body[len(BOM_UTF8) :]
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise MalformedBody(f"The body is not valid JSON: {error}") from error

    def load_form(self, req: Request, schema: Schema) -> Any:
        """The fields of an HTML form as text; for a repeated name, the last value.

        Raises:
            InvalidInput: the body is not a form in UTF-8, or has more than 100 fields.
        """
        try:
            return dict(
                parse_qsl(
                    req.body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS
                )
            )
        except ValueError as error:
            raise InvalidInput({"body": ["Must be a form in UTF-8."]}) from error

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """The query's values as text.

        Raises:
            InvalidInput: the query is not UTF-8, or has more than 100 fields.
        """
        try:
            arguments = req.query_arguments
        except UnicodeDecodeError as error:
            raise InvalidInput({"query": ["Must be UTF-8."]}) from error
        except ValueError as error:
            raise InvalidInput({"query": ["Has too many fields."]}) from error
        return self._makeproxy(arguments, schema, cls=tornadoparser.WebArgsTornadoMultiDictProxy)

    def handle_error(self, error: ValidationError, req: Request, schema: Schema, **_: Any) -> NoReturn:
        """Translate a validation error.

        Raises:
            InvalidInput: always, with the messages by field.
        """
        (faults,) = error.normalized_messages().values()  # type: ignore[no-untyped-call]
        self._refuse(faults)

    @staticmethod
    def _refuse(faults: Mapping[str | int, Any]) -> NoReturn:
        paths = dict(islice(_paths(faults), _PATHS_NAMED))
        raise InvalidInput(
            {_name(field): _sentences(messages) for field, messages in faults.items()},
            paths if any("." in path for path in paths) else None,
        )


def _name(field: str | int) -> str:
    return "body" if field == "_schema" else str(field)


def _paths(faults: Mapping[str | int, Any], before: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield the messages of every field by its whole path, such as "ticketHolders.1.email"."""
    for field, messages in faults.items():
        path = f"{before}{_name(field)}"
        if isinstance(messages, dict):
            yield from _paths(messages, f"{path}.")
        else:
            yield path, _sentences(messages)


def _sentences(messages: Any) -> list[str]:
    """Flatten marshmallow's messages, which are nested like the data, and drop repeated ones."""
    if isinstance(messages, dict):
        messages = list(messages.values())
    if isinstance(messages, list):
        return list(dict.fromkeys(sentence for nested in messages for sentence in _sentences(nested)))
    return [str(messages)]

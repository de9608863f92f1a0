"""The OpenAPI 3.1 document, derived from the declarations of the operations and from nothing else."""

import inspect
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields

from api.bodies import MEDIA_TYPE
from api.documents.links import links_by_creator
from api.documents.texts import TAGS, body_example, id_example
from api.errors import ApiError, InvalidInput
from api.http1.common_headers import REQUEST_ID_HEADER
from api.http1.errors import BodyTooLarge
from api.identity.errors import (
    AdminRequired,
    CronDisabled,
    HostRefused,
    NotAuthenticated,
    OriginRefused,
    TokenRefused,
)
from api.limiter import RateLimited
from api.limits import Limits
from api.rest.endpoint import Access, Endpoint
from api.rest.errors import KeyInFlight, KeyReused, MalformedBody, UnsupportedMediaType, translation_of
from api.rest.fields import LARGEST_ID, RequestSchema
from api.rest.idempotency import KEY_HEADER, KEY_LIMIT, REPLAYED_HEADER
from api.rest.routes import TEXT_LIMIT
from api.rest.styles import InvalidInputShape, ProblemShape
from api.sales.representations import TicketSold
from engine.errors import EngineError, OutcomeUnknown, Unavailable

_DESCRIPTION = """\
Real-time seat reservations: REST as the seat guides describe it, with live updates on WebSockets
(see [asyncapi.json](asyncapi.json)).

Reservations are soft: they live in memory and are written behind. Tickets are hard: their answer is sent
after the database has committed. No answer to a booking, or a 503, means that it may have happened; the
same request with the same `payment_id` or `Idempotency-Key` tells.

Fields of a body that are not listed are refused by name, and so are query parameters where an operation has
some; the fields of an OAuth2 form and of WebSocket messages are not."""

_FIELDS = OpenAPIConverter("3.1.0", schema_name_resolver=lambda schema: None, spec=None)  # type: ignore[arg-type]
"""Describes answers that are no records, such as a list of words."""

_NAMES: Mapping[type[Schema], str] = {
    ProblemShape: "Problem",
    InvalidInputShape: "InvalidInput",
    TicketSold: "Ticket",
}

_BY_USER: list[dict[str, list[str]]] = [{"token": []}, {"password": []}]
_SECURITY: Mapping[Access, list[dict[str, list[str]]]] = {
    Access.PUBLIC: [],
    Access.GUEST: [{}, *_BY_USER],
    Access.USER: _BY_USER,
    Access.ADMIN: _BY_USER,
    Access.CRON: [{"cron": []}],
}

LOGIN_PATH = "/api/v1/auth/login"

_BINARY: Mapping[str, Any] = {"type": "string", "format": "binary"}

_RATE_HEADERS: Mapping[str, str] = {
    "RateLimit-Limit": "Requests per minute, by the limit that is nearest.",
    "RateLimit-Remaining": "How many of them are left.",
    "RateLimit-Reset": "Seconds until they are counted anew.",
}

_MEANINGS: Mapping[int, str] = {
    400: "The request cannot be carried out",
    401: "No valid token",
    403: "Not allowed",
    404: "Not found",
    409: "The present state forbids it",
    413: "The body is too large",
    415: "The body is of a kind that is not taken here",
    421: "The Host field is not one of this server's names",
    422: "The request has the wrong shape",
    429: "Tried too often; see Retry-After",
    503: "Not now; see Retry-After",
}


class _Plugin(MarshmallowPlugin):
    """Describes request schemas together with what they say of several fields."""

    class Converter(OpenAPIConverter):
        def schema2jsonschema(self, schema: Schema) -> dict[str, Any]:
            described: dict[str, Any] = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
            if isinstance(schema, RequestSchema) and schema.exactly_one:
                described["oneOf"] = [{"required": [name]} for name in schema.exactly_one]
            for described_field in described["properties"].values():
                _say_default(described_field)
            return described


def _say_default(described_field: dict[str, Any]) -> None:
    """Move a field's default into its description.

    Generators take `default` as a promise that the field is present, and then require it in requests.
    """
    if "default" in described_field:
        default = described_field.pop("default")
        if default not in (None, ""):
            said = f"By default {orjson.dumps(default).decode()}."
            described_field["description"] = " ".join(
                filter(None, (described_field.get("description"), said))
            )


def openapi_document(
    endpoints: Sequence[Endpoint], version: str, limits: Limits, path_prefix: str = ""
) -> dict[str, Any]:
    """The document.

    Args:
        endpoints: every operation that is served.
        version: of the server.
        limits: the bounds of requests, which the document states.
        path_prefix: the path under which everything is served.
    """
    spec = APISpec(
        title="Frontrow",
        version=version,
        openapi_version="3.1.0",
        info={"description": _DESCRIPTION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        servers=[{"url": path_prefix or "/"}],
        plugins=[_Plugin(schema_name_resolver=schema_name)],
    )
    for name, description in TAGS.items():
        spec.tag({"name": name, "description": description})
    spec.components.security_scheme(
        "token",
        {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A token from a log-in."},
    )
    spec.components.security_scheme(
        "password",
        {
            "type": "oauth2",
            "description": "User name (the e-mail address) and password; client id and secret stay empty.",
            "flows": {"password": {"tokenUrl": f"{path_prefix}{LOGIN_PATH}", "scopes": {}}},
        },
    )
    spec.components.security_scheme(
        "cron", {"type": "http", "scheme": "bearer", "description": "The secret in `FRONTROW_CRON_SECRET`."}
    )
    links = links_by_creator(endpoints)
    for endpoint in endpoints:
        operation = _operation(endpoint, limits)
        if endpoint.name in links:
            operation["responses"][str(endpoint.status)]["links"] = links[endpoint.name]
        spec.path(endpoint.path, operations={endpoint.method.lower(): operation})
    document: dict[str, Any] = with_ecma_patterns(spec.to_dict())
    return document


def with_ecma_patterns(node: Any) -> Any:
    """A document, or a part of one, with every pattern converted by `ecma_pattern`."""
    if isinstance(node, dict):
        return {
            name: ecma_pattern(value)
            if name == "pattern" and isinstance(value, str)
            else with_ecma_patterns(value)
            for name, value in node.items()
        }
    return [with_ecma_patterns(child) for child in node] if isinstance(node, list) else node


def ecma_pattern(pattern: str) -> str:
    r"""Convert a pattern for `re.match` to ECMA 262, which JSON Schema uses, unanchored.

    Args:
        pattern: ends in `\Z` where the whole text has to match; in Python `$` passes over a line feed.
    """
    begun = pattern if pattern.startswith("^") else f"^{pattern}"
    return f"{begun[:-2]}$" if begun.endswith(r"\Z") else begun


def schema_name(schema: Schema | type[Schema]) -> str:
    """What a schema is called among the components of a document."""
    kind = schema if isinstance(schema, type) else type(schema)
    return _NAMES.get(kind, kind.__name__)


def _operation(endpoint: Endpoint, limits: Limits) -> dict[str, Any]:
    summary, _, description = (inspect.getdoc(endpoint.handler) or "").partition("\n\n")
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": summary.removesuffix("."),
        "tags": [endpoint.tag],
        "parameters": _parameters(endpoint, limits),
        "responses": {str(endpoint.status): _success(endpoint), **_refusals(endpoint)},
    }
    if description:
        operation["description"] = description
    operation["security"] = _SECURITY[endpoint.access]
    if content := _request_content(endpoint, limits):
        operation["requestBody"] = {"required": not endpoint.body_optional, "content": content}
    return operation


def _request_content(endpoint: Endpoint, limits: Limits) -> dict[str, Any]:
    content: dict[str, Any] = {}
    # The OAuth2 form is not listed: the security scheme `password` says all of it, and of an operation with
    # two kinds of body openapi-python-client makes a module that cannot be imported.
    if endpoint.body:
        schema = endpoint.body(limits)
        content["application/json"] = {"schema": schema, "example": body_example(schema)}
    if upload := endpoint.upload:
        part = _BINARY
        form = {"type": "object", "required": [upload.field], "properties": {upload.field: part}}
        content["multipart/form-data"] = {
            "schema": form,
            "encoding": {upload.field: {"contentType": ", ".join(upload.media_types)}},
        }
        content |= {media_type: {"schema": part} for media_type in upload.media_types}
    return content


def _parameters(endpoint: Endpoint, limits: Limits) -> list[dict[str, Any]]:
    identifier: Mapping[str, Any] = {
        "type": "integer",
        "format": "int64",
        "minimum": 1,
        "maximum": LARGEST_ID,
    }
    if endpoint.text_parameters:
        identifier = {"type": "string", "minLength": 1, "maxLength": TEXT_LIMIT}
    parameters: list[dict[str, Any]] = [
        {
            "in": "path",
            "name": name,
            "required": True,
            "schema": identifier,
            "example": id_example(name, text=endpoint.text_parameters),
        }
        for name in endpoint.path_parameters
    ]
    if endpoint.query:
        parameters.append({"in": "query", "schema": endpoint.query(limits)})
    if endpoint.keyed:
        parameters.append(
            {
                "in": "header",
                "name": KEY_HEADER,
                "description": "The same key with the same request is answered again, not carried out again.",
                "schema": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": KEY_LIMIT,
                    "pattern": "^[!#-~]+$",
                },
            }
        )
    return parameters


def _success(endpoint: Endpoint) -> dict[str, Any]:
    headers = {REQUEST_ID_HEADER: "Id of the request in the log.", **endpoint.headers}
    if endpoint.style.rate_limited:
        headers |= _RATE_HEADERS
    if endpoint.keyed:
        headers[REPLAYED_HEADER] = "`true` if the answer is that of an earlier request under the same key."
    response: dict[str, Any] = {
        "description": "Done" if endpoint.status != 204 else "Done; there is nothing to say",
        "headers": {
            name: {"description": meaning, "schema": {"type": "string"}} for name, meaning in headers.items()
        },
    }
    if endpoint.answers:
        schema: Any = endpoint.answers
        if isinstance(schema, fields.Field):
            schema = _FIELDS.field2property(schema)
        schema = endpoint.style.described(schema, listed=endpoint.listed)
        response["content"] = {endpoint.media_type: {"schema": schema}}
    elif endpoint.media_type != MEDIA_TYPE:
        text = endpoint.media_type.startswith("text/")
        response["content"] = {endpoint.media_type: {"schema": {"type": "string"} if text else _BINARY}}
    return response


def _refusals(endpoint: Endpoint) -> dict[str, Any]:
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for error in _possible(endpoint):
        status = error.status if issubclass(error, ApiError) else translation_of(error).status
        by_status[endpoint.style.status_of(status)].append(error.code)
    return {
        str(status): {
            "description": f"{_MEANINGS[status]}: {', '.join(f'`{code}`' for code in codes)}",
            "content": {
                "application/json": {"schema": endpoint.style.refusal_shape(status)},
            },
        }
        for status, codes in sorted(by_status.items())
    }


def _possible(endpoint: Endpoint) -> Iterable[type[ApiError] | type[EngineError]]:
    """Everything the operation may be refused for: its own reasons and those of what precedes it."""
    yield from endpoint.refusals
    yield from (OriginRefused, HostRefused)
    yield BodyTooLarge
    yield Unavailable
    if endpoint.access is not Access.PUBLIC:
        yield from (NotAuthenticated, TokenRefused)
    if endpoint.access is Access.CRON:
        yield CronDisabled
    if endpoint.style.rate_limited:
        yield RateLimited
    if endpoint.access is Access.ADMIN:
        yield AdminRequired
    if endpoint.body:
        yield MalformedBody
    if endpoint.body or endpoint.upload:
        yield UnsupportedMediaType
    if endpoint.body or endpoint.query or endpoint.upload or endpoint.keyed:
        yield InvalidInput
    if endpoint.keyed:
        yield from (KeyInFlight, KeyReused)
    if endpoint.durable:
        yield OutcomeUnknown

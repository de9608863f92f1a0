"""Builds the OpenAPI 3.1 document from the declarations of the operations."""

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
from api.catalogue.auth import IssuedTokens, ResetRequested
from api.documents.links import links_by_creator
from api.documents.samples import code_samples
from api.documents.texts import TAGS, body_example, id_example
from api.errors import ApiError, InvalidInput, TooManyAttempts
from api.http1.common_headers import REQUEST_ID_HEADER
from api.http1.errors import BodyTooLarge
from api.identity.channels import ACCESS_CODE_HEADER, CODE_CHARACTERS
from api.identity.errors import (
    AccessCodeRefused,
    AdminRequired,
    CronDisabled,
    HostRefused,
    NotAuthenticated,
    OriginRefused,
    ServiceNotAllowed,
    ServiceRequired,
    TokenRefused,
)
from api.limiter import RateLimited
from api.limits import Limits
from api.rest.endpoint import Access, Endpoint
from api.rest.errors import (
    InvalidCursor,
    KeyInFlight,
    KeyReused,
    MalformedBody,
    UnsupportedMediaType,
    translation_of,
)
from api.rest.fields import LARGEST_ID, RequestSchema
from api.rest.idempotency import KEY_HEADER, KEY_LIMIT, REPLAYED_HEADER
from api.rest.routes import TEXT_LIMIT
from api.rest.styles import InvalidInputShape, ProblemShape
from api.sales.representations import TicketSold
from engine.errors import EngineError, OutcomeUnknown, Unavailable

_DESCRIPTION = """\
Real-time seat reservations over REST, with live updates over WebSockets
(see [asyncapi.json](asyncapi.json)).

Reservations are kept in memory and written to the database in the background. Bookings are durable: the
response is sent after the database has committed. If a booking gets no response, or a 503, it may still have
happened; repeat the request with the same `payment_id` or `Idempotency-Key` to find out.

Unknown fields in request bodies are refused with an error that names them, and so are unknown query
parameters of operations that take any. Unknown fields of OAuth2 forms and WebSocket messages are ignored."""

_FIELDS = OpenAPIConverter("3.1.0", schema_name_resolver=lambda schema: None, spec=None)  # type: ignore[arg-type]
"""Describes responses that are not records, such as a list of strings."""

_NAMES: Mapping[type[Schema], str] = {
    ProblemShape: "Problem",
    InvalidInputShape: "InvalidInput",
    TicketSold: "Ticket",
    ResetRequested: "Message",
    IssuedTokens: "Tokens",
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
    "RateLimit-Limit": "Requests per minute, for the limit closest to being reached.",
    "RateLimit-Remaining": "Requests left under that limit.",
    "RateLimit-Reset": "Seconds until the limit resets.",
}

_MEANINGS: Mapping[int, str] = {
    400: "The request is invalid",
    401: "The token is missing or invalid",
    403: "Not allowed",
    404: "Not found",
    409: "Conflict with the current state",
    413: "The body is too large",
    415: "The media type of the body is not supported",
    421: "The Host header is not one of this server's names",
    422: "Validation of the request failed",
    429: "Too many requests; see Retry-After",
    503: "Temporarily unavailable; see Retry-After",
}


class _Plugin(MarshmallowPlugin):
    """Describes request schemas, with their rules across fields and their defaults."""

    class Converter(OpenAPIConverter):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._references: dict[type[Schema], Any] = {}

        def resolve_nested_schema(self, schema: Any) -> Any:
            """Return the reference to a schema. Some are mentioned a thousand times, so it is made once."""
            if not isinstance(schema, type):
                return super().resolve_nested_schema(schema)  # type: ignore[no-untyped-call]
            if schema not in self._references:
                self._references[schema] = super().resolve_nested_schema(schema)  # type: ignore[no-untyped-call]
            return dict(self._references[schema])

        def schema2jsonschema(self, schema: Schema) -> dict[str, Any]:
            described: dict[str, Any] = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
            if isinstance(schema, RequestSchema) and schema.exactly_one:
                described["oneOf"] = [{"required": [name]} for name in schema.exactly_one]
            for described_field in described["properties"].values():
                _move_default_to_description(described_field)
            return described


def _move_default_to_description(described_field: dict[str, Any]) -> None:
    """Move a field's default into its description.

    Client generators read `default` as a promise that the field is present, and then require it in requests.
    """
    if "default" in described_field:
        default = described_field.pop("default")
        if default not in (None, ""):
            sentence = f"By default {orjson.dumps(default).decode()}."
            described_field["description"] = " ".join(
                filter(None, (described_field.get("description"), sentence))
            )


def openapi_document(
    endpoints: Sequence[Endpoint], version: str, limits: Limits, path_prefix: str = ""
) -> dict[str, Any]:
    """Return the OpenAPI document.

    Args:
        endpoints: all operations.
        version: version of the server.
        limits: limits of requests, stated in the document.
        path_prefix: path under which the server is mounted.
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
        {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "Access token of a log-in.",
        },
    )
    spec.components.security_scheme(
        "password",
        {
            "type": "oauth2",
            "description": "User name (the e-mail address) and password; leave client id and secret empty.",
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
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            operation["x-codeSamples"] = code_samples(method.upper(), path, operation, path_prefix)
    return document


def with_ecma_patterns(node: Any) -> Any:
    """Return a document, or a part of one, with every pattern converted by `ecma_pattern`."""
    if isinstance(node, dict):
        return {
            name: ecma_pattern(value)
            if name == "pattern" and isinstance(value, str)
            else with_ecma_patterns(value)
            for name, value in node.items()
        }
    return [with_ecma_patterns(child) for child in node] if isinstance(node, list) else node


def ecma_pattern(pattern: str) -> str:
    r"""Convert a pattern for `re.match` to an unanchored ECMA 262 pattern, as JSON Schema uses it.

    Args:
        pattern: ends in `\Z` to match the whole text, because Python's `$` also matches before a final
            newline.
    """
    begun = pattern if pattern.startswith("^") else f"^{pattern}"
    return f"{begun[:-2]}$" if begun.endswith(r"\Z") else begun


def schema_name(schema: Schema | type[Schema]) -> str:
    """Return the name of a schema among a document's components."""
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
    # The OAuth2 form is omitted: the security scheme `password` describes it, and openapi-python-client
    # generates a module that cannot be imported for an operation with two kinds of body.
    if endpoint.body:
        schema = endpoint.body(limits)
        content["application/json"] = {"schema": schema, "example": body_example(schema)}
    if endpoint.raw_body is not None:
        content["application/json"] = {"schema": {"type": "object"}, "example": endpoint.raw_body}
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
    if endpoint.access_code:
        parameters.append(
            {
                "in": "header",
                "name": ACCESS_CODE_HEADER,
                "description": "The access code of a channel; it opens the seats that are kept back for it.",
                "schema": {"type": "string", "minLength": 1, "maxLength": CODE_CHARACTERS},
            }
        )
    if endpoint.keyed:
        parameters.append(
            {
                "in": "header",
                "name": KEY_HEADER,
                "description": "A repeated request with the same key gets the first response and is not "
                "executed again.",
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
        headers[REPLAYED_HEADER] = "`true` if this repeats the response to an earlier request with this key."
    response: dict[str, Any] = {
        "description": "Success" if endpoint.status != 204 else "Success, without content",
        "headers": {
            name: {"description": meaning, "schema": {"type": "string"}} for name, meaning in headers.items()
        },
    }
    if endpoint.answers:
        schema: Any = endpoint.answers
        if isinstance(schema, fields.Field):
            schema = _FIELDS.field2property(schema)
        schema = endpoint.style.response_schema(schema, listed=endpoint.listed)
        response["content"] = {endpoint.media_type: {"schema": schema}}
        if endpoint.other_media_type:
            response["content"][endpoint.other_media_type] = {"schema": {"type": "string"}}
    elif endpoint.media_type != MEDIA_TYPE:
        text = endpoint.media_type.startswith("text/")
        response["content"] = {endpoint.media_type: {"schema": {"type": "string"} if text else _BINARY}}
    return response


def _refusals(endpoint: Endpoint) -> dict[str, Any]:
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for error in dict.fromkeys(_possible(endpoint)):
        status = error.status if issubclass(error, ApiError) else translation_of(error).status
        by_status[endpoint.style.error_status(status)].append(error.code)
    return {
        str(status): {
            "description": f"{_MEANINGS[status]}: {', '.join(f'`{code}`' for code in codes)}",
            "content": {
                "application/json": {"schema": endpoint.style.error_schema(status)},
            },
        }
        for status, codes in sorted(by_status.items())
    }


def _possible(endpoint: Endpoint) -> Iterable[type[ApiError] | type[EngineError]]:
    """Yield every error the operation may end in: its own, and those of the checks before it."""
    yield from endpoint.refusals
    if endpoint.access_code:
        yield AccessCodeRefused
        yield TooManyAttempts
    if endpoint.query is not None and "cursor" in endpoint.query().fields:
        yield InvalidCursor
    yield from (OriginRefused, HostRefused)
    yield BodyTooLarge
    yield Unavailable
    if endpoint.access is not Access.PUBLIC:
        yield from (NotAuthenticated, TokenRefused)
    if endpoint.access is Access.CRON:
        yield CronDisabled
    elif endpoint.service:
        yield ServiceRequired
    elif endpoint.access is not Access.PUBLIC:
        yield ServiceNotAllowed
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
    if endpoint.method != "GET":
        yield OutcomeUnknown

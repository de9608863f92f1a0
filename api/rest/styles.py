"""The two styles of responses: plain documents, as in the seat guides, and the ticket guide's envelope.

The path alone selects the style, so that unknown paths under a prefix are refused in the prefix's style:

    {"success": true, "data": …, "message": "…", "meta": {…}}
    {"success": false, "message": "…", "error": {"code": "…", "retryable": false, …}}

In the envelope, names are in camelCase, ids are strings, and validation errors have status 400, as in the
ticket guide; in the plain style they have status 422 (`api.errors.InvalidInput`).
"""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from marshmallow import INCLUDE, Schema, fields, validate

from api.errors import Problem

ENVELOPED = ("/api/public/", "/api/admin/", "/api/cron/")
"""Prefixes of the paths whose responses use the envelope."""


class Content(NamedTuple):
    """A handler's data with a message and metadata, which only the envelope can carry.

    Attributes:
        message: message for people.
        meta: page, size and total of a list.
    """

    data: Any
    message: str | None = None
    meta: Mapping[str, Any] | None = None


class _Reason(Schema):
    """The machine-readable part of an error response. Some have further fields, such as the seats taken."""

    class Meta:
        unknown = INCLUDE

    code = fields.String(required=True, metadata={"description": "Stable and machine-readable."})
    retryable = fields.Boolean(
        required=True, metadata={"description": "Whether the same request may succeed later."}
    )


def _errors(description: str = "Validation errors, by field.") -> fields.Dict:
    return fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": description},
    )


def _paths() -> fields.Dict:
    return _errors("The same by whole paths, such as `buyerInfo.email`, if fields are nested.")


class ProblemShape(_Reason):
    """An error response."""

    detail = fields.String(required=True, metadata={"description": "Message for people."})


class InvalidInputShape(ProblemShape):
    """An error response for validation errors."""

    errors = _errors()
    paths = _paths()


class RefusalError(_Reason):
    errors = _errors()
    paths = _paths()


class Refusal(Schema):
    """An error response in the envelope."""

    success = fields.Boolean(required=True, validate=validate.Equal(False))
    message = fields.String(required=True, metadata={"description": "Message for people."})
    error = fields.Nested(RefusalError, required=True)


class Style:
    """The plain style: the body is the document itself.

    Attributes:
        pointer: JSON pointer to the document in a response (RFC 6901).
        rate_limited: whether requests are rate limited and responses have RateLimit headers.
    """

    pointer: ClassVar[str] = ""
    rate_limited: ClassVar[bool] = False

    def render(self, content: Any) -> Any:
        """Return the body for a handler's result."""
        return content

    def render_error(self, problem: Problem) -> Problem:
        """Convert an error response to this style."""
        return problem

    def error_status(self, status: int) -> int:
        """Return the status that an error has in this style."""
        return status

    def response_schema(self, schema: Any, *, listed: bool) -> Any:
        """Return the OpenAPI schema of a response.

        Args:
            schema: schema of the response's document.
            listed: whether the response is a page of a list.
        """
        return schema

    def error_schema(self, status: int) -> type[Schema]:
        """Return the schema of error responses with this status."""
        return InvalidInputShape if status == 422 else ProblemShape


class Envelope(Style):
    """The style with an envelope."""

    pointer = "/data"
    rate_limited = True

    def render(self, content: Any) -> Any:
        if not isinstance(content, Content):
            content = Content(content)
        document = {"success": True, "data": content.data}
        if content.message is not None:
            document["message"] = content.message
        if content.meta is not None:
            document["meta"] = content.meta
        return document

    def render_error(self, problem: Problem) -> Problem:
        error = {camel_case(name): _id_as_string(name, value) for name, value in problem.document.items()}
        document = {"success": False, "message": error.pop("detail"), "error": error}
        return Problem(document, self.error_status(problem.status), problem.headers)

    def error_status(self, status: int) -> int:
        return 400 if status == 422 else status

    def response_schema(self, schema: Any, *, listed: bool) -> Any:
        properties: dict[str, Any] = {
            "success": {"type": "boolean", "const": True},
            "data": schema,
            "message": {"type": "string"},
        }
        if listed:
            properties["meta"] = ListMeta
        required = ["success", "data", "meta"] if listed else ["success", "data"]
        return {"type": "object", "required": required, "properties": properties}

    def error_schema(self, status: int) -> type[Schema]:
        return Refusal


class ListMeta(Schema):
    page = fields.Integer(required=True, metadata={"example": 1})
    limit = fields.Integer(required=True, metadata={"example": 10})
    total = fields.Integer(
        required=True, metadata={"description": "Number of entries on all pages.", "example": 1}
    )
    total_pages = fields.Integer(required=True, data_key="totalPages", metadata={"example": 1})
    next_cursor = fields.String(
        data_key="nextCursor",
        metadata={"description": "The `cursor` of the next page; absent on the last one."},
    )


PLAIN, ENVELOPE = Style(), Envelope()


def style_of(path: str) -> Style:
    """Return the style of responses to requests for a path."""
    return ENVELOPE if path.startswith(ENVELOPED) else PLAIN


def camel_case(name: str) -> str:
    """Convert a name to camelCase, e.g. "ticket_type_id" to "ticketTypeId"."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _id_as_string(name: str, value: Any) -> Any:
    return str(value) if name.endswith("_id") and isinstance(value, int) else value

"""The two styles of answers: plain documents, as in the seat guides, and the ticket guide's envelope.

The path alone decides, so that unknown paths under a prefix are refused in the style of that prefix:

    {"success": true, "data": …, "message": "…", "meta": {…}}
    {"success": false, "message": "…", "error": {"code": "…", "retryable": false, …}}

In the envelope names are in camelCase, ids are strings, and invalid content of a request is 400, as the
ticket guide says; in plain answers it is 422 (`api.errors.InvalidInput`).
"""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from marshmallow import INCLUDE, Schema, fields, validate

from api.errors import Problem

ENVELOPED = ("/api/public/", "/api/admin/", "/api/cron/")
"""The prefixes of paths that are answered in the envelope."""


class Content(NamedTuple):
    """A handler's data with a message and metadata, for which only the envelope has a place.

    Attributes:
        message: a sentence for people.
        meta: page, size and total of a list.
    """

    data: Any
    message: str | None = None
    meta: Mapping[str, Any] | None = None


class ProblemShape(Schema):
    """A refusal; some carry more data than this, such as the seats that are taken."""

    class Meta:
        unknown = INCLUDE

    detail = fields.String(required=True, metadata={"description": "For people."})
    code = fields.String(required=True, metadata={"description": "For machines; never renamed."})
    retryable = fields.Boolean(
        required=True, metadata={"description": "Whether the same request may succeed later by itself."}
    )


class InvalidInputShape(ProblemShape):
    """A request of the wrong shape."""

    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "What is wrong, by field."},
    )


class RefusalError(Schema):
    """What machines are told of a refusal; some carry more data than this, such as how many are left."""

    class Meta:
        unknown = INCLUDE

    code = fields.String(required=True, metadata={"description": "For machines; never renamed."})
    retryable = fields.Boolean(
        required=True, metadata={"description": "Whether the same request may succeed later by itself."}
    )
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "What is wrong with the request, by field."},
    )


class Refusal(Schema):
    """A refusal in the envelope."""

    success = fields.Boolean(required=True, validate=validate.Equal(False))
    message = fields.String(required=True, metadata={"description": "For people."})
    error = fields.Nested(RefusalError, required=True)


class Style:
    """Plain answers: the document itself.

    Attributes:
        pointer: where the document is in an answer (RFC 6901).
        rate_limited: whether requests are counted and answers have RateLimit headers.
    """

    pointer: ClassVar[str] = ""
    rate_limited: ClassVar[bool] = False

    def written(self, content: Any) -> Any:
        """The body for what a handler has returned."""
        return content

    def refused(self, problem: Problem) -> Problem:
        """The refusal in this style."""
        return problem

    def status_of(self, status: int) -> int:
        """The status of a refusal in this style, given its usual status."""
        return status

    def described(self, schema: Any, *, listed: bool) -> Any:
        """The OpenAPI schema of answers, given that of their document.

        Args:
            schema: of the document.
            listed: whether the answer is a page of a list.
        """
        return schema

    def refusal_shape(self, status: int) -> type[Schema]:
        """The schema of refusals with this status."""
        return InvalidInputShape if status == 422 else ProblemShape


class Envelope(Style):
    """Answers in the envelope."""

    pointer = "/data"
    rate_limited = True

    def written(self, content: Any) -> Any:
        if not isinstance(content, Content):
            content = Content(content)
        document = {"success": True, "data": content.data}
        if content.message is not None:
            document["message"] = content.message
        if content.meta is not None:
            document["meta"] = content.meta
        return document

    def refused(self, problem: Problem) -> Problem:
        error = {camel_case(name): _on_the_wire(name, value) for name, value in problem.document.items()}
        document = {"success": False, "message": error.pop("detail"), "error": error}
        return Problem(document, self.status_of(problem.status), problem.headers)

    def status_of(self, status: int) -> int:
        return 400 if status == 422 else status

    def described(self, schema: Any, *, listed: bool) -> Any:
        properties: dict[str, Any] = {
            "success": {"type": "boolean", "const": True},
            "data": schema,
            "message": {"type": "string"},
        }
        if listed:
            properties["meta"] = ListMeta
        required = ["success", "data", "meta"] if listed else ["success", "data"]
        return {"type": "object", "required": required, "properties": properties}

    def refusal_shape(self, status: int) -> type[Schema]:
        return Refusal


class ListMeta(Schema):
    """What there is to know of a list."""

    page = fields.Integer(required=True, metadata={"example": 1})
    limit = fields.Integer(required=True, metadata={"example": 10})
    total = fields.Integer(required=True, metadata={"description": "Entries over all pages.", "example": 1})
    total_pages = fields.Integer(required=True, data_key="totalPages", metadata={"example": 1})


PLAIN, ENVELOPE = Style(), Envelope()


def style_of(path: str) -> Style:
    """The style of answers to requests for a path."""
    return ENVELOPE if path.startswith(ENVELOPED) else PLAIN


def camel_case(name: str) -> str:
    """A name as the envelope spells it, e.g. "ticketTypeId" for "ticket_type_id"."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _on_the_wire(name: str, value: Any) -> Any:
    return str(value) if name.endswith("_id") and isinstance(value, int) else value

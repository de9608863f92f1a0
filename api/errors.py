"""The base class of the API's errors, and the errors that several packages raise.

The body of an error response is the guides' `{"detail": "…"}` plus `code` (stable, machine-readable),
`retryable` (whether the same request may succeed later), and the data of the error.

    ApiError
    ├── PathNotFound 404, MethodNotAllowed 405, InvalidInput 422, TooManyAttempts 429, InternalError 500
    ├── `api.http1.errors`: malformed or unacceptable HTTP
    ├── `api.identity.errors`: authentication and authorization
    └── `api.rest.errors`: bodies and idempotency keys; also translates the engine's errors
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

RETRY_SOON: Mapping[str, str] = {"Retry-After": "1"}


class Problem(NamedTuple):
    """An error response before it is serialized."""

    document: dict[str, Any]
    status: int
    headers: Mapping[str, str]

    @property
    def final(self) -> bool:
        """True if repeating the request would fail the same way, so that the response may be stored."""
        return self.status < 500 and self.status != 429 and not self.document["retryable"]


class ApiError(Exception):
    """The API refuses a request, before the engine sees it.

    Args:
        detail: message for people; by default that of the class.
        headers: response headers; by default those of the class.
        data: fields of the body beside `detail`, `code` and `retryable`.
    """

    status: ClassVar[int]
    code: str
    retryable: ClassVar[bool] = False
    detail: ClassVar[str] = ""
    headers: Mapping[str, str] = {}

    def __init__(
        self,
        detail: str = "",
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or self.detail)
        if headers:
            self.headers = headers
        self.data: Mapping[str, Any] = data or {}

    @property
    def problem(self) -> "Problem":
        """The error response."""
        document = {"detail": str(self), "code": self.code, "retryable": self.retryable, **self.data}
        return Problem(document, self.status, self.headers)


class PathNotFound(ApiError):
    """The path does not exist."""

    status, code = 404, "not_found"
    detail = "Not found"


class MethodNotAllowed(ApiError):
    """The path exists, but not with this method."""

    status, code = 405, "method_not_allowed"

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__("Method not allowed", {"Allow": ", ".join(allowed)})


class InvalidInput(ApiError):
    """Validation of the request failed.

    Args:
        errors: messages, by field.
        paths: messages by the whole path of a nested field, such as "buyerInfo.email".
    """

    status, code = 422, "invalid_input"

    def __init__(self, errors: Mapping[str, list[str]], paths: Mapping[str, list[str]] | None = None) -> None:
        summary = "; ".join(f"{field}: {' '.join(messages)}" for field, messages in errors.items())
        data = {"errors": errors, "paths": paths} if paths else {"errors": errors}
        super().__init__(f"Invalid input in {summary}", data=data)


class TooManyAttempts(ApiError):
    """A rate limit is exceeded.

    Args:
        retry_after_seconds: seconds until another attempt is allowed.
    """

    status, code, retryable = 429, "too_many_attempts", True
    detail = "Too many attempts; try again later"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(headers={"Retry-After": str(retry_after_seconds)})
        self.retry_after_seconds = retry_after_seconds


class InternalError(ApiError):
    """A bug in the server. The log has the details, under the request's id."""

    status, code = 500, "internal_error"

    def __init__(self, request_id: str) -> None:
        super().__init__("Internal server error", data={"request_id": request_id})

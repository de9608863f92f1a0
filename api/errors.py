"""The refusals of the API itself: their base class, and those that several packages raise.

An error's body is the guides' `{"detail": "…"}` plus `code` (stable, for machines) and `retryable`
(whether the same request may succeed later by itself), plus whatever data the error carries.

    ApiError
    ├── NotFound 404, MethodNotAllowed 405, InvalidInput 422, TooManyAttempts 429, InternalError 500
    ├── `api.http1.errors`: what is no acceptable HTTP
    ├── `api.identity.errors`: who is not believed, or not allowed
    └── `api.rest.errors`: bodies and idempotency keys; the engine's errors are translated there
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple


class Problem(NamedTuple):
    """A refusal, ready to be written down."""

    document: dict[str, Any]
    status: int
    headers: Mapping[str, str]

    @property
    def lasting(self) -> bool:
        """Whether the same request would be refused again, so that the refusal may be remembered."""
        return self.status < 500 and self.status != 429 and not self.document["retryable"]


class ApiError(Exception):
    """A request that is refused before the engine sees it.

    Args:
        detail: a sentence for people.
        headers: response headers that belong to the refusal.
        data: what the body says beyond `detail`, `code` and `retryable`.
    """

    status: ClassVar[int]
    code: str
    retryable: ClassVar[bool] = False

    def __init__(
        self, detail: str, headers: Mapping[str, str] | None = None, data: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail)
        self.headers: Mapping[str, str] = headers or {}
        self.data: Mapping[str, Any] = data or {}

    @property
    def problem(self) -> "Problem":
        """The answer to the refused request."""
        document = {"detail": str(self), "code": self.code, "retryable": self.retryable, **self.data}
        return Problem(document, self.status, self.headers)


class NotFound(ApiError):
    """Nothing is served at this path."""

    status, code = 404, "not_found"

    def __init__(self) -> None:
        super().__init__("Not found")


class MethodNotAllowed(ApiError):
    """Something is served at this path, but not by this method."""

    status, code = 405, "method_not_allowed"

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__("Method not allowed", {"Allow": ", ".join(allowed)})


class InvalidInput(ApiError):
    """The request has the wrong shape.

    Args:
        errors: what is wrong, by field.
    """

    status, code = 422, "invalid_input"

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        faults = "; ".join(f"{field}: {' '.join(messages)}" for field, messages in errors.items())
        super().__init__(f"Invalid input in {faults}", data={"errors": errors})


class TooManyAttempts(ApiError):
    """It has been tried too often.

    Args:
        retry_after_seconds: how long to wait.
    """

    status, code, retryable = 429, "too_many_attempts", True
    detail: ClassVar[str] = "Too many attempts; try again later"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(self.detail, {"Retry-After": str(retry_after_seconds)})


class InternalError(ApiError):
    """A defect of the server. What it is stands in the log, under the request's id."""

    status, code = 500, "internal_error"

    def __init__(self, request_id: str) -> None:
        super().__init__("Internal server error", data={"request_id": request_id})

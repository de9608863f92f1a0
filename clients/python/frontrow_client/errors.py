"""The base classes of exceptions; `frontrow_client.refusals` has the refusals that have data of their own.

    FrontrowError
    ├── ConnectionFailed            no answer: it is unknown whether the request was executed
    ├── UnexpectedAnswer            an answer that is not the server's, such as a proxy's page
    ├── SocketClosed                a socket has ended, and reconnecting would not help
    └── ApiError                    the server has refused a request
        ├── InvalidRequest          400, 422 and others: the request has to be changed
        ├── NotAuthenticated        401
        ├── NotAllowed              403
        ├── NotFound                404
        ├── Conflict                409: the present state forbids it
        ├── TooManyRequests         429
        └── ServerError             5xx
            └── Unavailable         408, 502, 503, 504

Catch the narrowest class that you can handle. Every `ApiError` has the server's `code`, `detail` and
`status`, and `data` with all further fields; a code that this version does not know is raised as the class of
its status. Every exception says with `may_have_been_executed` whether the request may have had an effect.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

import msgspec

_OUTCOME_UNKNOWN = frozenset({"outcome_unknown", "http_503"})
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


class FrontrowError(Exception):
    """Base of all exceptions of this package.

    Attributes:
        may_have_been_executed: whether it is unknown if the request, or one of its repetitions, was executed.
            If it is False, nothing has happened.
    """

    may_have_been_executed = False


class ConnectionFailed(FrontrowError):
    """The server could not be reached, or did not answer."""

    def __init__(self, detail: str, *, may_have_been_executed: bool) -> None:
        super().__init__(detail)
        self.may_have_been_executed = may_have_been_executed


class UnexpectedAnswer(FrontrowError):
    """The content of an answer is not what the server's documents describe.

    Attributes:
        status: HTTP status.
        content: the body.
    """

    def __init__(self, detail: str, status: int, content: bytes) -> None:
        super().__init__(detail)
        self.status = status
        self.content = content
        self.may_have_been_executed = status < 300


class SocketClosed(FrontrowError):
    """The server has closed a socket for a reason that would close the next one as well.

    Attributes:
        code: the close code, such as 4404 for an unknown screening.
        reason: the server's words.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"The socket was closed with {code}: {reason or 'no reason given'}")
        self.code = code
        self.reason = reason


class ApiError(FrontrowError):
    """The server has refused a request.

    Attributes:
        code: stable name of the reason.
        detail: message for people.
        status: HTTP status; 0 for refusals on a socket.
        retryable: whether the same request may succeed later.
        retry_after_seconds: how long the server asks to wait, if it does.
        data: all other fields of the refusal.
        request_id: id of the request in the server's log.
    """

    _by_code: ClassVar[dict[str, type["ApiError"]]] = {}
    _filled: ClassVar[Mapping[str, Any]] = {}
    """The types of the attributes that are filled from `data`."""

    def __init_subclass__(cls, codes: str = "") -> None:
        """Register a class for the codes that it stands for, separated by spaces."""
        ApiError._by_code.update(dict.fromkeys(codes.split(), cls))
        cls._filled = {**cls._filled, **cls.__annotations__}

    def __init__(
        self,
        code: str,
        detail: str,
        status: int,
        data: Mapping[str, Any],
        *,
        retryable: bool = False,
        retry_after_seconds: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(f"{detail} ({code})")
        self.code = code
        self.detail = detail
        self.status = status
        self.data = data
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds
        self.request_id = request_id
        # 503 is the server's own "not now"; anything else may come from a proxy in front of it.
        self.may_have_been_executed = status >= 500 and (status != 503 or code in _OUTCOME_UNKNOWN)
        for name, value in data.items():
            attribute = _CAPITAL.sub("_", name).lower()
            if attribute in self._filled:
                # What cannot be converted remains in `data`.
                with suppress(msgspec.ValidationError):
                    setattr(self, attribute, msgspec.convert(value, self._filled[attribute]))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it, so that it can cross processes."""
        return _rebuilt, (type(self), self.code, self.detail, self.status, self.data), self.__dict__


def _rebuilt(kind: type[ApiError], code: str, detail: str, status: int, data: Mapping[str, Any]) -> ApiError:
    return kind(code, detail, status, data)


class InvalidRequest(ApiError, codes="invalid_input malformed_json"):
    """The request has to be changed.

    Attributes:
        errors: what is wrong, by field.
        paths: the same by the whole path of a nested field, such as "buyerInfo.email".
    """

    errors: Mapping[str, Sequence[str]] = {}
    paths: Mapping[str, Sequence[str]] = {}


class NotAuthenticated(ApiError):
    """There is no token, or it has expired or was revoked."""


class NotAllowed(ApiError):
    """The caller may not do this."""


class NotFound(ApiError):
    """The requested record does not exist, or the caller may not know that it does."""


class Conflict(ApiError):
    """The present state does not allow the request."""


class TooManyRequests(ApiError):
    """A rate limit is exceeded; see `retry_after_seconds`."""


class ServerError(ApiError):
    """The server failed. `request_id` finds the reason in its log."""


class Unavailable(ServerError):
    """The server cannot do this now. Nothing was done, unless `may_have_been_executed`."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    401: NotAuthenticated,
    403: NotAllowed,
    404: NotFound,
    408: Unavailable,
    409: Conflict,
    429: TooManyRequests,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def error_class(code: str, status: int = 0) -> type[ApiError]:
    """Return the class that stands for a code, or else for an HTTP status."""
    if (known := ApiError._by_code.get(code)) is not None:
        return known
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return ServerError if status >= 500 else InvalidRequest if status >= 400 else ApiError

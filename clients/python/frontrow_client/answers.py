"""Reads the server's answers: JSON, with and without the envelope of the public API, and refusals."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec

from frontrow_client.errors import ApiError, UnexpectedAnswer, error_class
from frontrow_client.refusals import SalesClosed, SalesNotOpen

T = TypeVar("T")

JSON = "application/json"
ENVELOPED = ("/api/public/", "/api/admin/", "/api/cron/")
"""Paths whose answers have an envelope."""


class Answer(NamedTuple):
    """A response without its connection.

    Attributes:
        status: HTTP status.
        headers: with names in any case.
        content: the body.
        is_enveloped: whether the body is in the envelope of the public API.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    is_enveloped: bool = False

    def read(self, kind: type[T]) -> T:
        """Return the content as a type.

        Raises:
            UnexpectedAnswer: it is something else.
        """
        if kind is bytes:
            return self.content  # type: ignore[return-value]
        try:
            if self.content and not self.is_enveloped:
                return msgspec.json.decode(self.content, type=kind)
            document: Any = msgspec.json.decode(self.content) if self.content else None
            return msgspec.convert(document["data"] if self.is_enveloped else document, kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError) as error:
            message = f"The server's answer cannot be read: {error}"
            raise UnexpectedAnswer(message, self.status, self.content) from error

    @property
    def next_cursor(self) -> str | None:
        """Cursor at which the next page of a list begins; None after the last one."""
        if not self.is_enveloped:
            return self.headers.get("x-next-cursor")
        meta = msgspec.json.decode(self.content).get("meta", {})
        cursor: str | None = meta.get("nextCursor")
        return cursor

    @property
    def refusal(self) -> ApiError:
        """The error that the answer reports."""
        try:
            document = msgspec.json.decode(self.content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            document = None
        if not isinstance(document, dict):
            document = {}
        if isinstance(enveloped := document.get("error"), dict):
            document = {"detail": document.get("message"), **enveloped}
        retry_after = self.headers.get("retry-after", "")
        seconds = float(retry_after) if retry_after.isdecimal() else None
        return refusal_of(document, self.status, seconds, self.headers.get("x-request-id"))


def refusal_of(
    document: Mapping[str, Any],
    status: int = 0,
    retry_after_seconds: float | None = None,
    request_id: str | None = None,
) -> ApiError:
    """Return the exception for a refusal.

    Args:
        document: its fields; `message` takes the place of `detail` on sockets.
        status: HTTP status; 0 on sockets.
        retry_after_seconds: how long the server asks to wait.
        request_id: id of the request in the server's log.
    """
    data = dict(document)
    code = data.pop("code", None)
    detail = data.pop("detail", None) or data.pop("message", None)
    retryable = data.pop("retryable", False) is True
    if not isinstance(code, str):
        code, detail = f"http_{status}", detail or f"The answer has the status {status} and no reason"
    kind = error_class(code, status)
    if kind is SalesClosed and retry_after_seconds is not None:
        kind = SalesNotOpen
    if retry_after_seconds is None and isinstance(asked := data.get("retry_after_seconds"), int | float):
        retry_after_seconds = float(asked)
    return kind(
        code,
        str(detail or code),
        status,
        data,
        retryable=retryable,
        retry_after_seconds=retry_after_seconds,
        request_id=request_id,
    )

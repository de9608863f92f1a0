"""The response to a request that is refused before it reaches a handler."""

import time
from collections.abc import Callable
from http.client import responses
from typing import NamedTuple

import orjson

from api.bodies import MEDIA_TYPE
from api.errors import ApiError
from api.http1.common_headers import COMMON_HEADERS, REQUEST_ID_HEADER, http_date


class RejectedRequest(NamedTuple):
    """A request that was refused before it reached a handler, for logs and metrics.

    Attributes:
        status: HTTP status.
        address: the client's address.
        request_id: the request's id, as in the response.
    """

    status: int
    address: str
    request_id: str


RefusalReport = Callable[[RejectedRequest], None]


def refusal_bytes(error: ApiError, request_id: str) -> bytes:
    """The complete response. It closes the connection, since it is unknown where the next request begins.

    Args:
        error: the reason.
        request_id: the request's id.
    """
    document, status, headers = error.problem
    body = orjson.dumps(document)
    fields = {
        **COMMON_HEADERS.fields,
        **headers,
        "Date": http_date(int(time.time())),
        REQUEST_ID_HEADER: request_id,
        "Content-Type": MEDIA_TYPE,
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    lines = [
        f"HTTP/1.1 {status} {responses[status]}",
        *[f"{name}: {value}" for name, value in fields.items()],
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body

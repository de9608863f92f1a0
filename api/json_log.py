"""The log: one JSON object per line, and no token in any of them.

Tokens travel in the query of a WebSocket's address, guests' sessions in that of their reservations, and
Tornado's own loggers write whole addresses. So it is the formatter that takes secrets out, of every line,
whoever wrote it.
"""

import logging
import re
from datetime import UTC, datetime
from typing import Any

import orjson

_SECRETS = re.compile(
    r"""(?P<name>\b(?:token|sessionid)=|\bbearer\s+)[^&\s"'\\,;)]+ | \beyJ[\w-]+\.[\w-]+\.[\w-]*""",
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)
_REDACTED = "[redacted]"
# How much of a header field is repeated.
_QUOTED_LIMIT = 256

access = logging.getLogger("frontrow.access")
sockets = logging.getLogger("frontrow.sockets")


def redact(line: str) -> str:
    """The line without `token=` and `sessionId=` in addresses, bearer credentials, what looks like a JWT."""
    return _SECRETS.sub(lambda match: (match["name"] or "") + _REDACTED, line)


class JsonLines(logging.Formatter):
    """Formats a record, with the fields given as `extra={"fields": {…}}`, as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(orjson.dumps(line, default=str).decode())


def configure_logging(level: str) -> None:
    """Send everything that is logged, by whomever, to standard error in this format, and nowhere else.

    Args:
        level: the least severe level that is written, e.g. "INFO".
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Alembic tells each step of every start; what was applied is logged by whoever migrates.
    logging.getLogger("alembic").setLevel(logging.WARNING)


def log_socket(event: str, **fields: object) -> None:
    """Log a WebSocket that was opened, refused or closed.

    Args:
        event: "opened", "refused" or "closed".
        fields: of the line; those that are None are left out.
    """
    if sockets.isEnabledFor(logging.INFO):
        told = {name: value for name, value in fields.items() if value is not None}
        sockets.info("socket %s", event, extra={"fields": told})


def log_refused_caller(*, host: str | None, origin: str | None, request_id: str) -> None:
    """Log a request that was refused for its `Origin` or its `Host`.

    It shows an operator what is missing from FRONTROW_ALLOWED_ORIGINS or FRONTROW_HOSTS.

    Args:
        host: the `Host` header.
        origin: the `Origin` header.
        request_id: what its answer and its access line call the request.
    """
    named = {"origin": origin, "host": host}
    fields = {name: value[:_QUOTED_LIMIT] for name, value in named.items() if value is not None}
    access.warning(
        "the origin or the host is not allowed", extra={"fields": fields | {"request_id": request_id}}
    )


def log_access(
    *,
    method: str,
    route: str,
    path: str,
    status: int,
    seconds: float,
    address: str,
    request_id: str | None = None,
    user_id: int | None = None,
) -> None:
    """Write the access line of a finished request.

    Args:
        route: pattern of the path.
        path: the path itself, without its query.
        seconds: from the end of the request to the end of its answer.
        address: the client's address.
        user_id: whose token it carried.
    """
    if access.isEnabledFor(logging.INFO):
        fields = {
            "method": method,
            "route": route,
            "path": path,
            "status": status,
            "duration_ms": round(seconds * 1000, 3),
            "request_id": request_id,
            "user_id": user_id,
            "address": address,
        }
        access.info("request", extra={"fields": fields})

"""Logging as one JSON object per line, with secrets redacted.

URLs contain secrets (tokens of WebSockets, session ids of guests, access codes, passwords), and Tornado's own
loggers write whole URLs. So the formatter redacts every line, from any logger.
"""

import logging
import re
from datetime import UTC, datetime
from typing import Any

import orjson

from engine.causes import present_request_id

_SECRETS = re.compile(
    r"""(?P<name>\b(?:token|sessionid|access_?code)=|\bbearer\s+)[^&\s"'\\,;)]+ | \beyJ[\w-]+\.[\w-]+\.[\w-]*
    | (?P<user>\b[a-z]+://[^\s/:@"']*:)(?!\*\*\*@)[^\s/@"']+(?=@)""",
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)
_REDACTED = "[redacted]"
# Longest part of a header field that is logged.
_QUOTED_LIMIT = 256

access = logging.getLogger("frontrow.access")
sockets = logging.getLogger("frontrow.sockets")


def redact(line: str) -> str:
    """Replace tokens, session ids, access codes and passwords in URLs, Bearer credentials, and any JWT."""
    return _SECRETS.sub(lambda match: (match["name"] or match["user"] or "") + _REDACTED, line)


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON, including fields passed as `extra={"fields": {…}}`.

    A line that is written while a request is handled has its `request_id`.

    Args:
        worker: the number of the worker process, which each line names; None for a process without a number.

    Attributes:
        process: fields that each line has, because they tell which process has written it.
    """

    def __init__(self, worker: int | None = None) -> None:
        super().__init__()
        self.process: dict[str, Any] = {} if worker is None else {"worker": worker}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
            **self.process,
        }
        if "request_id" not in line and (request_id := present_request_id()) is not None:
            line["request_id"] = request_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(orjson.dumps(line, default=str).decode())


def configure_logging(level: str, worker: int | None = None) -> None:
    """Send all log records to standard error in this format, replacing other handlers.

    Args:
        level: lowest level that is logged, e.g. "INFO".
        worker: the number of this process, if it is a worker.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(worker))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Alembic logs several lines at every start; applied migrations are logged by the migration code.
    logging.getLogger("alembic").setLevel(logging.WARNING)


def log_level() -> str:
    """Return the lowest level that is logged, e.g. "info"."""
    return logging.getLevelName(logging.getLogger().getEffectiveLevel()).lower()


def set_log_level(level: str) -> None:
    """Change the lowest level that is logged, e.g. "info"."""
    logging.getLogger().setLevel(level.upper())


def name_process(**fields: str) -> None:
    """Add fields to all further lines of this process."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, JsonLines):
            handler.formatter.process |= fields


def log_socket(event: str, **fields: object) -> None:
    """Log a WebSocket that was opened, refused or closed.

    Args:
        event: "opened", "refused" or "closed".
        fields: further fields of the line; None is omitted.
    """
    if sockets.isEnabledFor(logging.INFO):
        present = {name: value for name, value in fields.items() if value is not None}
        sockets.info("socket %s", event, extra={"fields": present})


def log_refused_caller(*, host: str | None, origin: str | None, request_id: str) -> None:
    """Log a request that was refused for its `Origin` or `Host` header.

    The line shows operators what to add to FRONTROW_ALLOWED_ORIGINS or FRONTROW_HOSTS.

    Args:
        host: the `Host` header.
        origin: the `Origin` header.
        request_id: id of the request, as in its response and its access log line.
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
    """Write the access log line of a finished request.

    Args:
        method: HTTP method.
        route: path pattern.
        path: requested path, without the query.
        status: status of the response.
        seconds: time from the end of the request to the end of the response.
        address: IP address of the client.
        request_id: id of the request.
        user_id: user of the request's token.
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

"""`/api/v1/ops`: live figures of all servers and of the screenings in their memory, and what servers log.

A page asks for the overview once a second. No request touches the database or the seats of a screening.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from marshmallow import Schema, fields, validate

from api.rest.endpoint import Access, Call, Document, Resource
from api.rest.fields import RequestSchema, Timestamp
from api.wire import timestamp
from engine.errors import NotFound
from engine.figures import ScreeningFigures, Server

overview = Resource("/api/v1/ops", tag="Operations")

LOG_LEVELS = ("debug", "info", "warning", "error")


def _number(description: str = "") -> fields.Integer:
    return fields.Integer(required=True, metadata={"description": description} if description else {})


def _unknown(kind: type[fields.Field[Any]]) -> fields.Field[Any]:
    return kind(required=True, allow_none=True, metadata={"description": "null if it has not answered."})


class LiveServer(Schema):
    """A server process: the only one, or a node of a cluster."""

    mark = fields.String(
        required=True, metadata={"description": "Identity, random for each start.", "example": "3fa91c07"}
    )
    name = fields.String(required=True, metadata={"example": "box-office-1"})
    address = fields.String(required=True, metadata={"example": "10.0.0.5:8000"})
    version = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(("joining", "serving", "draining", "gone")))
    started_at = Timestamp(required=True)
    log_level = _unknown(fields.String)
    journal_depth = _unknown(fields.Integer)
    journal_lag_seconds = _unknown(fields.Float)
    screenings = _unknown(fields.Integer)
    sockets = _unknown(fields.Integer)


class LiveScreening(Schema):
    """A screening, an event or a free room in the memory of its server."""

    id = fields.Integer(required=True, metadata={"example": 123})
    server = fields.String(required=True, metadata={"description": "Mark of the server that owns it."})
    epoch = _number()
    seq = _number("Last event or change of the epoch.")
    capacity = _number("Seats and places.")
    available = _number("Free seats and places.")
    held = _number("Seats and places that are held.")
    blocked = _number("Seats and places that are kept back.")
    sold = _number("Seats and places that are sold, are being bought, or await payment.")
    queue = _number("Commands that wait for the screening.")
    holds_per_second = fields.Float(required=True, metadata={"description": "Over the last two seconds."})
    journal_lag_seconds = fields.Float(
        required=True, metadata={"description": "Age of its server's oldest uncommitted entry."}
    )
    sockets = _number("WebSockets that watch it, at all servers.")


class Overview(Schema):
    at = Timestamp(required=True)
    servers = fields.List(fields.Nested(LiveServer), required=True)
    screenings = fields.List(
        fields.Nested(LiveScreening),
        required=True,
        metadata={"description": "By id. Of each server the 500 that were used last."},
    )


@overview.get("/overview", access=Access.ADMIN, answers=Overview)
async def get_overview(call: Call) -> Document:
    """Get live figures of all servers and screenings.

    Meant to be asked for every second: it reads no database. A server that does not answer within 0.3 s is
    listed without figures, and its screenings are missing. Figures may be half a second old.
    """
    servers = await call.services.servers.all()
    return {
        "at": timestamp(call.services.clock.now()),
        "servers": [_server(server) for server in servers],
        "screenings": _screenings(servers),
    }


def _server(server: Server) -> dict[str, Any]:
    figures = server.figures
    return {
        "mark": server.mark,
        "name": server.name,
        "address": server.address,
        "version": server.version,
        "state": server.state,
        "started_at": timestamp(server.started_at),
        "log_level": figures and figures.log_level,
        "journal_depth": figures and figures.journal_depth,
        "journal_lag_seconds": figures and round(figures.lag_seconds, 3),
        "screenings": figures and figures.active,
        "sockets": figures and figures.sockets,
    }


def _screenings(servers: Sequence[Server]) -> list[dict[str, Any]]:
    watchers: Counter[int] = Counter()
    shown: dict[int, tuple[ScreeningFigures, Server]] = {}
    for server in servers:
        if server.figures is None:
            continue
        watchers.update(server.figures.watchers)
        for screening in server.figures.screenings:
            known = shown.get(screening.screening_id)
            # While a screening moves, its former owner may still list it.
            if known is None or known[0].epoch < screening.epoch:
                shown[screening.screening_id] = (screening, server)
    return [
        _screening(screening, server, watchers[screening_id])
        for screening_id, (screening, server) in sorted(shown.items())
    ]


def _screening(screening: ScreeningFigures, server: Server, sockets: int) -> dict[str, Any]:
    lag_seconds = server.figures.lag_seconds if server.figures else 0.0
    return {
        "id": screening.screening_id,
        "server": server.mark,
        "epoch": screening.epoch,
        "seq": screening.seq,
        "capacity": screening.capacity,
        "available": screening.available,
        "held": screening.held,
        "blocked": screening.blocked,
        "sold": screening.capacity - screening.available - screening.held - screening.blocked,
        "queue": screening.queue,
        "holds_per_second": round(screening.holds_per_second, 2),
        "journal_lag_seconds": round(lag_seconds, 3),
        "sockets": sockets,
    }


class LogLevel(RequestSchema):
    level = fields.String(required=True, validate=validate.OneOf(LOG_LEVELS))


@overview.put(
    "/servers/{mark:text}/log-level",
    access=Access.ADMIN,
    body=LogLevel,
    status=204,
    refusals=(NotFound,),
)
async def change_log_level(call: Call, mark: str, level: str) -> None:
    """Change the lowest level that a server logs.

    It holds until the server ends; a new one begins with `FRONTROW_LOG_LEVEL`. The log of the server names
    the administrator.
    """
    await call.services.servers.set_log_level(mark, level, call.holder)

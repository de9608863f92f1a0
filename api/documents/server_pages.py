"""Status pages of the server: welcome, health, readiness, socket counts."""

from collections.abc import Mapping

from marshmallow import Schema, fields, validate

from api.documents.pages import VARY, box_office, prefers_html
from api.overload import Urgency
from api.rest.endpoint import Access, Answer, Call, Document, Resource

server_pages = Resource("", tag="Server")

_LINKS: Mapping[str, str] = {
    "docs": "/docs",
    "openapi": "/openapi.json",
    "asyncapi": "/asyncapi.json",
    "health": "/healthz",
    "readiness": "/readyz",
    "metrics": "/metrics",
}


class Welcome(Schema):
    name = fields.String(required=True, metadata={"example": "Frontrow"})
    message = fields.String(required=True)
    version = fields.String(required=True)
    status = fields.String(required=True, validate=validate.Equal("ok"))
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


@server_pages.get("/", access=Access.PUBLIC, answers=Welcome)
async def welcome(call: Call) -> Answer:
    """Health check and welcome message.

    Browsers, which prefer `text/html`, get the box office instead.
    """
    if prefers_html(call.headers.get("Accept", "")):
        return box_office(call)
    document = {
        "name": "Frontrow",
        "message": "Welcome to the Frontrow seat reservation API",
        "version": call.services.version,
        "status": "ok",
        "links": {name: call.services.path_prefix + path for name, path in _LINKS.items()},
    }
    return Answer.of(document, headers={"Vary": VARY})


class Alive(Schema):
    status = fields.String(required=True, validate=validate.Equal("ok"))


@server_pages.get("/healthz", access=Access.PUBLIC, answers=Alive, urgency=Urgency.ALWAYS)
async def health(call: Call) -> Document:
    """Check that the process is alive."""
    return {"status": "ok"}


class Ready(Schema):
    """Readiness; `reasons` is filled in 503 responses."""

    status = fields.String(required=True, validate=validate.OneOf(("ready", "unavailable")))
    reasons = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "Problems by component."},
    )
    degraded = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "What a server that is ready does not serve at present, by component."},
    )


@server_pages.get("/readyz", access=Access.PUBLIC, answers=Ready, urgency=Urgency.ALWAYS)
async def readiness(call: Call) -> Answer:
    """Check that the server is ready: the database answers and accepts writes."""
    reasons = await call.services.readiness()
    degraded = dict(call.services.degraded())
    if reasons:
        document = {"status": "unavailable", "reasons": dict(reasons), "degraded": degraded}
        return Answer.of(document, 503, {"Retry-After": "1"})
    return Answer.of({"status": "ready", "reasons": {}, "degraded": degraded})


class SocketStatistics(Schema):
    total_connections = fields.Integer(required=True, metadata={"example": 42})
    active_screenings = fields.List(fields.Integer(), required=True, metadata={"example": [123, 124, 125]})
    screening_details = fields.Dict(
        keys=fields.String(), values=fields.Integer(), required=True, metadata={"example": {"123": 15}}
    )


@server_pages.get("/ws/stats", access=Access.PUBLIC, answers=SocketStatistics)
async def socket_statistics(call: Call) -> Document:
    """Get the number of sockets watching each screening."""
    connections = await call.services.totals.screening_sockets()
    watched = sorted(connections)
    return {
        "total_connections": sum(connections.values()),
        "active_screenings": watched,
        "screening_details": {str(screening_id): connections[screening_id] for screening_id in watched},
    }

"""`/api/v1/check-in`: scans at the door.

PostgreSQL decides a scan in one statement, so any number of scanners may come to any server with the same
ticket; the first is admitted. Codes are never logged. docs/tickets.md tells scanners how to use this.
"""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from marshmallow import fields, validate

from api.door.errors import (
    SCAN_REFUSALS,
    AlreadyAdmitted,
    CodeReplaced,
    NotAdmitted,
    NotInside,
    ReentryNotAllowed,
    ScreeningOver,
    TicketChanging,
    TicketIsCancelled,
    TicketUnpaid,
    TooEarly,
    UnknownCode,
    WrongScreening,
)
from api.door.scans import (
    ScannedTicket,
    code_field,
    direction_field,
    gate_field,
    scanned_ticket,
    ticket_named,
)
from api.rest.endpoint import Access, Call, Document, Resource
from api.rest.fields import Identifier, RequestSchema
from api.rows import Record
from api.sales.admissions import CHECK_IN_SERVICE

UNDO = "undo"

check_ins = Resource("/api/v1/check-in", tag="Check-in")


class Undo(RequestSchema):
    code = code_field()
    gate = gate_field()
    screening_id = Identifier(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "The screening or event that the gate admits to: tickets for others are refused.",
            "example": 123,
        },
    )


class Scan(Undo):
    direction = direction_field()


class Admission(ScannedTicket):
    """A scan that was accepted."""

    result = fields.String(required=True, validate=validate.OneOf(("admitted", "left", "undone")))


@check_ins.post(
    "",
    access=Access.ADMIN,
    service=CHECK_IN_SERVICE,
    body=Scan,
    answers=Admission,
    refusals=(
        *(
            UnknownCode,
            AlreadyAdmitted,
            TicketUnpaid,
            TicketIsCancelled,
            TicketChanging,
            WrongScreening,
            TooEarly,
            ScreeningOver,
        ),
        *(CodeReplaced, NotAdmitted, NotInside, ReentryNotAllowed),
    ),
    durable=True,
    encrypted=True,
)
async def check_in(call: Call, code: str, gate: str, screening_id: int | None, direction: str) -> Document:
    """Admit a ticket.

    The first scan is `admitted`; every other gets 409 `already_admitted` with when and where. Tickets are
    admitted from two hours before the start (`FRONTROW_CHECK_IN_OPENS_SECONDS`) until the end. Where the
    organiser allows it (`reentry`), `"direction": "out"` lets a visitor leave and come back. If there is no
    response, repeat the request with the same `Idempotency-Key`.
    """
    return await call.kept(lambda: _scanned(call, code, screening_id, direction, gate))


@check_ins.post(
    "/undo",
    access=Access.ADMIN,
    service=CHECK_IN_SERVICE,
    body=Undo,
    answers=Admission,
    refusals=(UnknownCode, CodeReplaced, NotAdmitted, WrongScreening),
    durable=True,
    encrypted=True,
)
async def undo_check_in(call: Call, code: str, gate: str, screening_id: int | None) -> Document:
    """Take back an admission, for example of a ticket that was scanned by mistake.

    Afterwards the ticket can be admitted again. The log of scans keeps both, with who made them.
    """
    return await call.kept(lambda: _scanned(call, code, screening_id, UNDO, gate))


async def _scanned(call: Call, code: str, screening_id: int | None, direction: str, gate: str) -> Document:
    services = call.services
    named = ticket_named(call, code)
    record: Record = {"result": UnknownCode.code, "screening_id": None}
    if named is not None:
        at = services.clock.now()
        record = await services.check_ins.scan(named, screening_id, direction, gate, at, call.holder)
    result = record["result"]
    services.door.scanned(record["screening_id"], result)
    if result == UnknownCode.code:
        raise UnknownCode
    if result == "undone":
        record |= {"admitted_at": None, "inside": False, "entries": 0}
    ticket = scanned_ticket(call, record)
    if refusal := SCAN_REFUSALS.get(result):
        raise refusal(ticket, _words(record))
    return {**ticket, "gate": gate, "result": result}


def _words(record: Record) -> Mapping[str, str]:
    """Return the words that messages for people need, with times in the time zone of the venue."""
    zone = ZoneInfo(record["time_zone"])

    def local(at: datetime | None, form: str = "%Y-%m-%d %H:%M") -> str:
        return "" if at is None else at.astimezone(zone).strftime(form)

    return {
        "since": local(record["admitted_at"], "%H:%M:%S"),
        "gate": record["gate"] or "",
        "title": record["title"],
        "begins": local(record["starts_at"]),
        "ends": local(record["ends_at"]),
    }

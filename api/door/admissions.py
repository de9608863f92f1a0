"""`/api/v1/admin/screenings/{screening_id}/check-ins`: who was admitted, and a list for offline scanners."""

from datetime import datetime
from hashlib import sha256
from typing import Any

from marshmallow import Schema, fields

from api.door.scans import GATE_LIMIT, ScannedTicket, shown_at_the_door
from api.papers.papers import printed_code
from api.papers.ticket_codes import TicketCodes
from api.rest.endpoint import Access, Answer, Call, Document, Resource, dump_all
from api.rest.fields import Timestamp, text
from api.rest.paging import PAGING_HEADERS, Page, Window, paged
from api.rows import Record, Rows
from api.sales.admissions import CHECK_IN_SERVICE, AdmissionCounts
from engine.errors import NotFound

admissions = Resource("/api/v1/admin/screenings", tag="Check-in")


class OtherScan(Schema):
    at = Timestamp(required=True)
    gate = fields.String(required=True, metadata={"example": "South"})


class CheckIn(ScannedTicket):
    """An admission."""

    status = fields.String(
        required=True,
        metadata={"description": "Of the ticket; an administrator may have cancelled it since."},
    )
    changed_at = Timestamp(required=True, metadata={"description": "When the visitor last came or left."})
    conflicts = fields.Integer(
        required=True,
        metadata={
            "description": "Further scans that were made offline: others may have entered with the ticket."
        },
    )
    other_scans = fields.List(fields.Nested(OtherScan), required=True)


class CheckInList(Page):
    gate = text(GATE_LIMIT)
    inside = fields.Boolean(metadata={"description": "Only visitors who are inside, or who have left."})
    conflicts = fields.Boolean(metadata={"description": "Only tickets with conflicts, or without."})


async def _listed(call: Call, rows: Rows, window: Window, screening_id: int, **wanted: Any) -> Any:
    found = await rows.listed(
        {"screening_id": screening_id, **wanted},
        limit=window.limit,
        offset=window.offset,
        after=window.after(call),
        counted=window.cursor is None,
    )
    if not found.records:
        await _require(call, screening_id)
    return found


async def _require(call: Call, screening_id: int) -> None:
    if not await call.services.check_ins.exists(screening_id):
        raise NotFound("screening", screening_id)


@admissions.get(
    "/{screening_id}/check-ins",
    access=Access.ADMIN,
    query=CheckInList,
    answers=CheckIn(many=True),
    headers=PAGING_HEADERS,
    refusals=(NotFound,),
)
async def list_check_ins(call: Call, screening_id: int, window: Window, **wanted: object) -> Answer:
    """List who was admitted to a screening or an event.

    In the order of admission. `GET /api/v1/tickets/export.csv?screening_id=…` has the same as a file.
    """
    found = await _listed(call, call.services.check_ins.admitted, window, screening_id, **wanted)
    documents = dump_all(CheckIn, [_shown(call, record) for record in found.records])
    return paged(call, window, documents, found.total, found.last)


def _shown(call: Call, record: Record) -> Record:
    others = [{**scan, "at": datetime.fromisoformat(scan["at"])} for scan in record["other_scans"]]
    return {**shown_at_the_door(call, record), "other_scans": others}


@admissions.get(
    "/{screening_id}/check-ins/counts",
    access=Access.ADMIN,
    service=CHECK_IN_SERVICE,
    answers=AdmissionCounts,
    refusals=(NotFound,),
)
async def count_check_ins(call: Call, screening_id: int) -> Document:
    """Count who was admitted to a screening or an event, by gate.

    The socket of the event tells the same as it happens.
    """
    await _require(call, screening_id)
    return await call.services.door.counts(screening_id)


class DoorTicket(Schema):
    """A ticket that may be admitted, for scanners that will be offline."""

    ticket_id = fields.Integer(required=True, metadata={"example": 2001})
    issue = fields.Integer(
        required=True,
        metadata={
            "description": "How often the ticket was given to somebody else; QR codes of other issues are "
            "void.",
            "example": 0,
        },
    )
    place = fields.String(required=True, allow_none=True, metadata={"example": "Row A, seat 1"})
    code_sha256 = fields.String(
        required=True,
        metadata={
            "description": "SHA-256 of the code under the QR code, in capitals and without dashes, in "
            "hexadecimal digits."
        },
    )
    admitted_at = Timestamp(required=True, allow_none=True)
    gate = fields.String(required=True, allow_none=True)


@admissions.get(
    "/{screening_id}/check-ins/tickets",
    access=Access.ADMIN,
    service=CHECK_IN_SERVICE,
    query=Page,
    answers=DoorTicket(many=True),
    headers=PAGING_HEADERS,
    refusals=(NotFound,),
)
async def list_door_tickets(call: Call, screening_id: int, window: Window) -> Answer:
    """List the confirmed tickets of a screening or an event, for scanners that will be offline.

    It has neither names nor codes: a list that is lost makes no ticket. Follow the cursor of each page.
    """
    found = await _listed(call, call.services.check_ins.door_list, window, screening_id)
    codes = call.services.ticket_codes
    documents = dump_all(DoorTicket, [_with_digest(record, codes) for record in found.records])
    return paged(call, window, documents, found.total, found.last)


def _with_digest(record: Record, codes: TicketCodes) -> Record:
    printed = printed_code(record, codes).replace("-", "")
    return {**record, "code_sha256": sha256(printed.encode()).hexdigest()}

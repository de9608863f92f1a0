"""The fields of a scan, and the ticket as the staff at the door sees it."""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from api.papers.papers import people_on
from api.papers.readable_codes import spelled
from api.rest.endpoint import Call, dump
from api.rest.fields import Timestamp, Trimmed, text
from api.rest.local_times import TimeZoneName
from api.rows import Record
from engine.door import ScannedCode

CODE_LIMIT, GATE_LIMIT = 300, 60
DIRECTIONS = ("in", "out")

_QR_FORM = re.compile(r"FR[0-9]+\.", re.ASCII)
_TICKET_ID = re.compile(r"[0-9]{1,19}", re.ASCII)


def code_field() -> fields.String:
    """The field with the scanned or typed code."""
    return text(
        CODE_LIMIT,
        required=True,
        metadata={
            "description": "The content of the QR code, or the code printed under it; case, blanks and "
            "dashes of the latter do not matter.",
            "example": "7K4M-2XPD-9RTA-CW3E",
        },
    )


def gate_field() -> Trimmed:
    """The field with the name of the gate."""
    return Trimmed(
        GATE_LIMIT,
        required=True,
        metadata={"description": "Name of the gate, as others are told.", "example": "North"},
    )


def direction_field() -> fields.String:
    """The field that says whether the visitor enters or leaves."""
    return fields.String(
        load_default="in",
        validate=validate.OneOf(DIRECTIONS),
        metadata={"description": "`out` for a visitor who leaves, where the organiser allows coming back."},
    )


def ticket_named(call: Call, code: str) -> ScannedCode | None:
    """Return which ticket a scanner has read; None if it is not one of ours.

    Args:
        call: the request.
        code: what was scanned or typed.
    """
    scanned, codes = code.strip(), call.services.ticket_codes
    if _QR_FORM.match(scanned):
        contents = codes.contents(scanned)
        return contents and ScannedCode(ticket_id=contents.ticket_id, issue=contents.issue)
    typed = spelled(scanned)
    if _TICKET_ID.fullmatch(typed):
        return ScannedCode(ticket_id=int(typed), issue=None)
    if (found := codes.printed.read(typed)) is not None:
        return ScannedCode(typed, *found)
    return ScannedCode(typed) if typed else None


class ScannedTicket(Schema):
    """A ticket, as the staff at the door sees it."""

    ticket_id = fields.Integer(required=True, metadata={"example": 2001})
    screening_id = fields.Integer(
        required=True, metadata={"description": "The screening or the event.", "example": 123}
    )
    title = fields.String(required=True, metadata={"example": "Brass and Thunder"})
    starts_at = Timestamp(required=True)
    ends_at = Timestamp(required=True)
    time_zone = TimeZoneName(required=True)
    place = fields.String(required=True, allow_none=True, metadata={"example": "Row A, seat 1"})
    seat_id = fields.Integer(required=True, allow_none=True, metadata={"example": 42})
    row_label = fields.String(required=True, allow_none=True, metadata={"example": "A"})
    seat_number = fields.Integer(required=True, allow_none=True, metadata={"example": 1})
    ticket_type = fields.String(
        required=True, allow_none=True, metadata={"description": "Null for seats.", "example": "Balcony"}
    )
    holder = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Name of the visitor; null if none is known.", "example": "Ada Byron"},
    )
    admitted_at = Timestamp(
        required=True,
        allow_none=True,
        metadata={"description": "When it was first scanned; null if it was not."},
    )
    gate = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Where it was admitted first; null if it was not.", "example": "North"},
    )
    inside = fields.Boolean(required=True, metadata={"description": "False before, and after leaving."})
    entries = fields.Integer(required=True, metadata={"description": "How often the visitor came in."})


def scanned_ticket(call: Call, record: Record) -> Mapping[str, Any]:
    """Return the document of a scanned ticket."""
    return dump(ScannedTicket, shown_at_the_door(call, record))


def shown_at_the_door(call: Call, record: Record) -> Record:
    """Return a record with what the staff sees of the ticket and its holder."""
    people = people_on(record, call.services.cipher)
    return {
        **record,
        "seat_id": record["seat_id"] if record["event_id"] is None else None,
        "ticket_type": record["type_name"],
        "holder": people.get("holder", {}).get("full_name") or record["account_name"] or None,
        "inside": bool(record["inside"]),
        "entries": record["entries"] or 0,
    }

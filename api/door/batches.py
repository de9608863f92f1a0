"""`/api/v1/check-in/batch`: scans that were made while a scanner was offline.

They have happened, and the visitors are inside, so nothing is decided afterwards: the first scan by time
counts, in whatever order the batches arrive, and every other is reported as a conflict. A scan has an id of
its scanner's choice, so a batch can be sent again until there is a response.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from marshmallow import Schema, fields, validate

from api.door.errors import SCAN_REFUSALS, UnknownCode
from api.door.scans import (
    ScannedTicket,
    code_field,
    direction_field,
    gate_field,
    scanned_ticket,
    ticket_named,
)
from api.rest.endpoint import Access, Call, Document, Resource
from api.rest.fields import Identifier, RequestSchema, Timestamp, Trimmed
from api.sales.admissions import CHECK_IN_SERVICE
from api.wire import timestamp_or_none

SCANS_LIMIT = 200
SCANNER_LIMIT = 100
CLOCK_AHEAD_SECONDS = 60.0
"""A scanner's clock may be ahead of the server's by up to this; its scans then count as made now."""

BATCH_SECONDS = 20.0
_BODY_LIMIT_BYTES = 256 * 1024

CLOCK_AHEAD, SCAN_ID_REUSED = "clock_ahead", "scan_id_reused"
_RESULTS = (*("admitted", "left", "conflict", UnknownCode.code, *SCAN_REFUSALS, CLOCK_AHEAD, SCAN_ID_REUSED),)

batches = Resource("/api/v1/check-in", tag="Check-in")


class OfflineScan(RequestSchema):
    scan_id = Trimmed(
        SCANNER_LIMIT,
        required=True,
        metadata={"description": "Different for each scan of the scanner.", "example": "000017"},
    )
    code = code_field()
    gate = gate_field()
    direction = direction_field()
    screening_id = Identifier(load_default=None, allow_none=True, metadata={"example": 123})
    scanned_at = Timestamp(required=True, metadata={"example": "2030-01-26T18:05:00.000Z"})


class Batch(RequestSchema):
    scanner_id = Trimmed(
        SCANNER_LIMIT,
        required=True,
        metadata={"description": "Identifies the scanner, always the same.", "example": "north-2"},
    )
    scans = fields.List(fields.Nested(OfflineScan), required=True, validate=validate.Length(1, SCANS_LIMIT))


class ScanResult(Schema):
    """The result of one scan of a batch."""

    scan_id = fields.String(required=True, metadata={"example": "000017"})
    result = fields.String(
        required=True,
        validate=validate.OneOf(_RESULTS),
        metadata={
            "description": "`admitted`, `left`, `conflict`: somebody else was scanned with the ticket; "
            "`clock_ahead`: set the scanner's clock and send the scan again; or the code of a refusal."
        },
    )
    repeated = fields.Boolean(required=True, metadata={"description": "Whether it was sent before."})
    other_at = Timestamp(
        required=True,
        allow_none=True,
        metadata={"description": "Of a conflict: when the other one was scanned."},
    )
    other_gate = fields.String(required=True, allow_none=True)
    ticket = fields.Nested(ScannedTicket, required=True, allow_none=True)


class BatchResult(Schema):
    results = fields.List(
        fields.Nested(ScanResult), required=True, metadata={"description": "In the order of the request."}
    )


@batches.post(
    "/batch",
    access=Access.ADMIN,
    service=CHECK_IN_SERVICE,
    body=Batch,
    answers=BatchResult,
    body_limit_bytes=_BODY_LIMIT_BYTES,
    extra_seconds=BATCH_SECONDS,
    durable=True,
    encrypted=True,
)
async def check_in_batch(call: Call, scanner_id: str, scans: Sequence[dict[str, Any]]) -> Document:
    """Report scans that were made offline.

    The first scan by time is the one that counts, whichever is sent first; every other gets `conflict`, and
    the list of admissions shows all of them. The same `scanner_id` and `scan_id` again get the same result. A
    scan more than a minute in the future is refused with `clock_ahead`.
    """
    now = call.services.clock.now()
    # Of one ticket, the earlier scan is decided first.
    in_order = sorted(range(len(scans)), key=lambda number: scans[number]["scanned_at"])
    results = {number: await _result(call, scanner_id, now, **scans[number]) for number in in_order}
    return {"results": [results[number] for number in range(len(scans))]}


async def _result(
    call: Call,
    scanner_id: str,
    now: float,
    *,
    scan_id: str,
    code: str,
    gate: str,
    direction: str,
    screening_id: int | None,
    scanned_at: datetime,
) -> dict[str, Any]:
    services, at, named = call.services, scanned_at.timestamp(), ticket_named(call, code)
    record: dict[str, Any] = {"result": UnknownCode.code, "screening_id": None, "repeated": False}
    if at > now + CLOCK_AHEAD_SECONDS:
        record["result"] = CLOCK_AHEAD
    elif named is not None:
        record = await services.check_ins.scan(
            named, screening_id, direction, gate, min(at, now), call.holder, (scanner_id, scan_id)
        )
    result = record["result"]
    if not record["repeated"]:
        services.door.scanned(record["screening_id"], result)
    conflicting = result == "conflict"
    return {
        "scan_id": scan_id,
        "result": result,
        "repeated": record["repeated"],
        "other_at": timestamp_or_none(record["other_at"].timestamp()) if conflicting else None,
        "other_gate": record["other_gate"] if conflicting else None,
        "ticket": scanned_ticket(call, record) if record.get("ticket_id") else None,
    }

"""Releases expired reservations on request: sections 9 to 11 of the ticket guide.

Timers release reservations as they expire, so there is hardly ever anything left to do. The endpoints exist
for clients of the guide that call them from a cron job.
"""

import time

from marshmallow import fields

from api.public.shapes import CamelCaseSchema
from api.rest.endpoint import Access, Call, Document, Resource
from api.rest.fields import Timestamp
from api.wire import timestamp, timestamp_or_none

cleanup = Resource("/api/admin/reservations", tag="Reservations")
cron = Resource("/api/cron", tag="Reservations")

_CLEANED = "Cleanup completed successfully"


class CleanupOfReservations(CamelCaseSchema):
    cleaned_count = fields.Integer(
        required=True, metadata={"description": "Tickets and seats that were released.", "example": 0}
    )
    timestamp = Timestamp(required=True)
    duration_seconds = fields.Float(required=True, metadata={"example": 0.004})


class ReservationFigures(CamelCaseSchema):
    """Numbers of reservations by status."""

    active = fields.Integer(required=True, metadata={"example": 12})
    overdue = fields.Integer(
        required=True, metadata={"description": "Expired but not yet released.", "example": 0}
    )
    expired = fields.Integer(required=True, metadata={"example": 31})
    converted = fields.Integer(required=True, metadata={"example": 60})
    cancelled = fields.Integer(required=True, metadata={"example": 7})
    total = fields.Integer(required=True, metadata={"example": 110})
    next_expiry = Timestamp(required=True, allow_none=True)
    timestamp = Timestamp(required=True)


@cleanup.post("/cleanup", access=Access.ADMIN, answers=CleanupOfReservations, message=_CLEANED, secret=True)
async def clean_up_reservations(call: Call) -> Document:
    """Release every reservation that has expired."""
    return await _cleaned(call)


@cleanup.get("/cleanup", access=Access.ADMIN, answers=ReservationFigures)
async def get_reservation_statistics(call: Call) -> Document:
    """Get the number of reservations by status, and when the next one expires."""
    await call.flushed()
    now = call.services.clock.now()
    counted = await call.services.reservations.statistics(now)
    return {
        "active": counted.active,
        "overdue": counted.overdue,
        "expired": counted.expired,
        "converted": counted.converted,
        "cancelled": counted.released,
        "total": sum(counted[:-1]),
        "nextExpiry": timestamp_or_none(counted.next_expiry),
        "timestamp": timestamp(now),
    }


@cron.get("/cleanup-reservations", access=Access.CRON, answers=CleanupOfReservations, message=_CLEANED)
async def clean_up_by_clock(call: Call) -> Document:
    """Release every reservation that has expired; for cron jobs.

    Send the secret in `FRONTROW_CRON_SECRET` as a Bearer token.
    """
    return await _cleaned(call)


async def _cleaned(call: Call) -> Document:
    started = time.perf_counter()
    count = await call.services.screenings.sweep()
    return {
        "cleanedCount": count,
        "timestamp": timestamp(call.services.clock.now()),
        "durationSeconds": round(time.perf_counter() - started, 3),
    }

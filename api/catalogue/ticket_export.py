"""`/api/v1/tickets/export.csv`: tickets with their buyers and holders, as a file for spreadsheets.

The file is written while it is sent, a page of tickets at a time by position (`persistence.keysets`). So a
million tickets take no more memory than a few hundred, and tickets that are sold meanwhile neither repeat nor
hide others. The personal data of buyers and holders is decrypted for this file, and every
export is logged.
"""

import logging
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from marshmallow import fields, validate

from api.papers.cipher import Cipher
from api.papers.papers import people_on, printed_code
from api.papers.ticket_codes import TicketCodes
from api.rest.endpoint import Access, Answer, Call, Resource
from api.rest.fields import RequestSchema, Timestamp, identifier_in_query
from api.rows import Listed, Rows
from api.sales.spreadsheets import BYTE_ORDER_MARK, MEDIA_TYPE, cell, csv_of
from api.wire import user_id_of
from engine.records import TicketStatus
from engine.vouching import providers_id

log = logging.getLogger("frontrow.api")

PAGE_TICKETS = 500
"""Tickets that are read and sent at once. Decrypting them takes a few milliseconds."""

_PERSON = ("full_name", "email", "identity_type", "identity_number", "whatsapp")

exported_tickets = Resource("/api/v1/tickets", tag="Tickets")

COLUMNS = (
    *("ticket_id", "booking_id", "status", "booked_at", "cancelled_at", "price", "payment_id"),
    *("screening_id", "title", "venue", "room", "starts_at", "time_zone", "place", "seat_type", "code"),
    *("user_id", "account_name", "account_email"),
    *(f"buyer_{name}" for name in _PERSON),
    *(f"holder_{name}" for name in _PERSON),
    *("admitted_at", "gate"),
)


class TicketSelection(RequestSchema):
    """The tickets to export; without filters all of them."""

    screening_id = identifier_in_query()
    status = fields.String(validate=validate.OneOf([status.value for status in TicketStatus]))
    from_ = Timestamp(
        data_key="from", attribute="from", metadata={"description": "Booked at this time or later."}
    )
    to = Timestamp(metadata={"description": "Booked before this time."})


@exported_tickets.get("/export.csv", access=Access.ADMIN, query=TicketSelection, media_type=MEDIA_TYPE)
async def export_tickets(call: Call, **wanted: Any) -> Answer:
    """Export tickets as CSV (RFC 4180, UTF-8 with a byte order mark), ordered by id.

    Tickets of events have the buyer and the holder that were given at the purchase. Cells that a spreadsheet
    would take for a formula begin with an apostrophe.
    """
    chosen = ", ".join(f"{name}={value}" for name, value in wanted.items()) or "all"
    log.info("user %d exports tickets with their holders: %s", call.account_id, chosen)
    services = call.services
    rows = services.catalogue.exported_tickets
    # A database that is away is answered with 503, which is possible only before the file begins.
    first = await rows.listed(wanted, limit=PAGE_TICKETS, counted=False)
    return Answer(
        200,
        headers={"Content-Disposition": 'attachment; filename="tickets.csv"', "Cache-Control": "no-store"},
        media_type=MEDIA_TYPE,
        stream=_lines(rows, wanted, first, services.cipher, services.ticket_codes),
    )


async def _lines(
    rows: Rows, wanted: Mapping[str, Any], page: Listed, cipher: Cipher, codes: TicketCodes
) -> AsyncGenerator[bytes, None]:
    """Yield the file piece by piece, beginning with a page."""
    yield (BYTE_ORDER_MARK + csv_of([COLUMNS])).encode()
    while True:
        if page.records:
            yield csv_of(_cells(record, cipher, codes) for record in page.records).encode()
        if page.last is None:
            return
        page = await rows.listed(wanted, limit=PAGE_TICKETS, after=page.last, counted=False)


def _cells(record: Mapping[str, Any], cipher: Cipher, codes: TicketCodes) -> list[Any]:
    """Return the cells of a ticket."""
    people = people_on(record, cipher)
    values = {
        **record,
        "code": printed_code(record, codes),
        "user_id": user_id_of(record["holder"]),
        "payment_id": record["payment_id"] and providers_id(record["payment_id"]),
        **{f"{who}_{name}": people.get(who, {}).get(name) for who in ("buyer", "holder") for name in _PERSON},
    }
    return [cell(values[name]) for name in COLUMNS]

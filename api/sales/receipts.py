"""Response encoders for durable commands, used for the first response and for repeats.

The journal stores the response in the booking's own transaction, so it must be able to encode it from the
engine's reply alone, by the name of a form. The live response uses the same encoder, so both have the same
bytes. Form names are part of stored data: forms may be added and may gain fields, but never be renamed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from api.rest.receipts import ReceiptForm
from api.sales.representations import ticket_document
from engine.replies import Booked, Moved, Reply


def _tickets(reply: Booked | Moved) -> object:
    return [ticket_document(ticket) for ticket in reply.tickets]


def _ticket(reply: Booked | Moved) -> object:
    return ticket_document(reply.tickets[0])


def _paid_tickets(documents: Sequence[Mapping[str, Any]]) -> Sequence[int]:
    return [document["id"] for document in documents if document.get("payment_id")]


TICKETS_CREATED = ReceiptForm("tickets_created", 201, _tickets, _paid_tickets)
TICKET = ReceiptForm("ticket", 200, _ticket, lambda document: _paid_tickets([document]))

# A repeat of a move says where the tickets were then, whatever has become of them.
TICKET_MOVED = ReceiptForm("ticket_moved", 200, _ticket, lambda document: ())
TICKETS_MOVED = ReceiptForm("tickets_moved", 200, _tickets, lambda documents: ())

_FORMS: Mapping[str, tuple[ReceiptForm, type[Booked | Moved]]] = {
    form.name: (form, kind)
    for kind, forms in ((Booked, (TICKETS_CREATED, TICKET)), (Moved, (TICKET_MOVED, TICKETS_MOVED)))
    for form in forms
}


def encode_reply(form: str, reply: Reply) -> tuple[int, bytes]:
    """Encode a reply for the journal.

    Args:
        form: name of one of this module's forms.
        reply: the engine's reply to the durable command.

    Returns:
        HTTP status and body.

    Raises:
        TypeError: the form does not support this type of reply.
    """
    found, kind = _FORMS[form]
    if not isinstance(reply, kind):
        raise TypeError(f"the form {form} does not support {type(reply).__name__}")
    return found.encoded(reply)

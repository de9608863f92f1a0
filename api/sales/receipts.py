"""How replies to durable commands are written down, for their caller and for every repeat.

The journal stores such an answer in the transaction of the booking itself, so it must be able to write
it without the request: from the reply alone, by the name of its form. The live answer is made by the
same function, hence its bytes are the same. Forms are part of stored data: they may be added, and a form
may gain fields, but none may be renamed.
"""

from api.rest.receipts import ReceiptForm
from api.sales.representations import ticket_document
from engine.replies import Booked, Reply


def _tickets(booked: Booked) -> object:
    return [ticket_document(ticket) for ticket in booked.tickets]


def _ticket(booked: Booked) -> object:
    return ticket_document(booked.tickets[0])


TICKETS_CREATED = ReceiptForm("tickets_created", 201, _tickets)
TICKET = ReceiptForm("ticket", 200, _ticket)

_FORMS = {form.name: form for form in (TICKETS_CREATED, TICKET)}


def encode_reply(form: str, reply: Reply) -> tuple[int, bytes]:
    """Write a reply down for the journal.

    Args:
        form: name of one of this module's forms.
        reply: the reply to the durable command.

    Returns:
        HTTP status and body.

    Raises:
        TypeError: the form is not for this kind of reply.
    """
    if not isinstance(reply, Booked):
        raise TypeError(f"the form {form} is not for {type(reply).__name__}")
    return _FORMS[form].encoded(reply)

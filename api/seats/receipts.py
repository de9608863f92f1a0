"""How replies to durable commands are written down, for their caller and for every repeat.

The journal stores such an answer in the transaction of the booking itself, so it must be able to write
it without the request: from the reply alone, by the name of its form. The live answer is made by the
same function, hence its bytes are the same. Forms are part of stored data: they may be added, and a form
may gain fields, but none may be renamed.
"""

from collections.abc import Callable, Mapping

import orjson

from api.seats.representations import ticket_document
from engine.replies import Booked, Reply

TICKETS_CREATED = "tickets_created"
TICKET = "ticket"


def _tickets(booked: Booked) -> tuple[int, object]:
    return 201, [ticket_document(ticket) for ticket in booked.tickets]


def _ticket(booked: Booked) -> tuple[int, object]:
    return 200, ticket_document(booked.tickets[0])


_FORMS: Mapping[str, Callable[[Booked], tuple[int, object]]] = {TICKETS_CREATED: _tickets, TICKET: _ticket}


def encode_reply(form: str, reply: Reply) -> tuple[int, bytes]:
    """Write a reply down.

    Args:
        form: one of this module's forms.
        reply: the reply to the durable command.

    Returns:
        HTTP status and body.

    Raises:
        TypeError: the form is not for this kind of reply.
    """
    if not isinstance(reply, Booked):
        raise TypeError(f"the form {form} is not for {type(reply).__name__}")
    status, document = _FORMS[form](reply)
    return status, orjson.dumps(document)

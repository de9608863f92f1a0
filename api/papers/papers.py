"""The buyer and the holder of a ticket, as stored with it: encrypted JSON."""

from collections.abc import Mapping
from typing import Any

import orjson

from api.papers.cipher import Cipher, DecryptionFailed
from api.papers.readable_codes import new_ticket_code
from api.papers.ticket_codes import TicketCodes
from engine.records import Paper


def new_paper(
    cipher: Cipher, buyer: Mapping[str, Any], holder: Mapping[str, Any], language: str | None
) -> Paper:
    """Return a new ticket code, and the encrypted personal data of its buyer and holder.

    `api.mails.recipients` reads it; the language is that of mails to both.
    """
    code = new_ticket_code()
    content = orjson.dumps({"buyer": buyer, "holder": holder, "language": language})
    return Paper(code, cipher.encrypt(content, code.encode()))


def people_on(ticket: Mapping[str, Any], cipher: Cipher) -> Mapping[str, Any]:
    """Return the `buyer` and the `holder` of a ticket, and the `language` of mails to them.

    Those that are unknown are absent: who has bought seats is known by the account alone.

    Args:
        ticket: `ticket_id`, and what is stored with it: `paper` and its `code`, and `given_to`.
        cipher: decrypts it.
    """
    people: dict[str, Any] = {}
    if (paper := ticket["paper"]) is not None:
        people = _decrypted(paper, (ticket["code"] or "").encode(), cipher)
    if (given_to := ticket["given_to"]) is not None:
        people["holder"] = person_given(given_to, ticket["ticket_id"], cipher)
    return people


def given_to_person(person: Mapping[str, Any], ticket_id: int, cipher: Cipher) -> bytes:
    """Encrypt the person to whom a ticket is given: `full_name` and `email`, which may be None."""
    return cipher.encrypt(orjson.dumps(person), _context(ticket_id))


def person_given(given_to: bytes, ticket_id: int, cipher: Cipher) -> Mapping[str, Any]:
    """Return the person to whom a ticket was given; empty if the key is no longer known."""
    return _decrypted(given_to, _context(ticket_id), cipher)


def printed_code(ticket: Mapping[str, Any], codes: TicketCodes) -> str:
    """Return the code printed under the QR code of a ticket.

    Args:
        ticket: `ticket_id`, `issue`, and `code`, which tickets of events are sold with.
        codes: makes all others.
    """
    if ticket["code"] is not None and not ticket["issue"]:
        return str(ticket["code"])
    return codes.printed.code(ticket["ticket_id"], ticket["issue"])


def _context(ticket_id: int) -> bytes:
    return f"holder of ticket {ticket_id}".encode()


def _decrypted(content: bytes, context: bytes, cipher: Cipher) -> dict[str, Any]:
    try:
        people: dict[str, Any] = orjson.loads(cipher.decrypt(bytes(content), context))
    except DecryptionFailed:
        return {}
    return people

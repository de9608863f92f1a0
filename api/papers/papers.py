"""Who bought and who holds a ticket of an event, as stored with it: encrypted JSON."""

from collections.abc import Mapping
from typing import Any

import orjson

from api.papers.cipher import Cipher, DecryptionFailed
from api.papers.readable_codes import new_ticket_code
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


def people_on(paper: bytes | None, code: str | None, cipher: Cipher) -> Mapping[str, Any]:
    """Return the `buyer` and the `holder` of a ticket, and the `language` of mails to them.

    Empty if the ticket has none, or their key is no longer known.

    Args:
        paper: stored with the ticket.
        code: of the ticket.
        cipher: decrypts it.
    """
    if paper is None:
        return {}
    try:
        people: Mapping[str, Any] = orjson.loads(cipher.decrypt(bytes(paper), (code or "").encode()))
    except DecryptionFailed:
        return {}
    return people

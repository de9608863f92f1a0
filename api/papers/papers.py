"""Who bought and who holds a ticket of an event, as stored with it: encrypted JSON."""

from collections.abc import Mapping
from typing import Any

import orjson

from api.papers.cipher import Cipher, DecryptionFailed


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

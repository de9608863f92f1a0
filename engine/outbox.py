"""Messages to the outside world, such as mails and webhooks: the data of one, and how a delivery fails.

A message is written to the outbox in the transaction of its cause (`persistence.outbox`). A handler
for each kind delivers it, at least once (`frontrow.deliveries`). docs/outbox.md describes all of it.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple


class Message(NamedTuple):
    """A message to deliver.

    Attributes:
        id: its number.
        uid: a UUID that is the same for every attempt. Send it along, so that receivers recognise a repeat.
        kind: names the handler.
        subject: what it is about, for operators.
        payload: the cause and ids.
        attempt: 1 for the first.
        created_at: when the cause was written, in seconds since the Unix epoch.
    """

    id: int
    uid: str
    kind: str
    subject: str
    payload: Mapping[str, Any]
    attempt: int
    created_at: float


Handler = Callable[[Message], Awaitable[None]]
"""Delivers a message, or returns if there is nothing to deliver any more.

It may run again after it has succeeded, if the server was killed just then. It raises `DeliveryFailed` or
`Undeliverable`; any other exception is logged as a defect, and the message is tried again.
"""


class DeliveryFailed(Exception):
    """An attempt failed, and a later one may succeed. The text is shown to operators."""


class Undeliverable(Exception):
    """No attempt will ever succeed, so the message is a dead letter. The text is shown to operators."""

"""Mails to administrators about webhooks that were disabled because they accepted nothing for days."""

from collections.abc import Callable
from typing import Protocol

from api.papers.mail import Mailer, text_mail
from api.rows import Record
from engine.outbox import Message

NOTICE = "webhook_notice"
"""The kind of these messages in the outbox. Each is for one administrator."""

_TEXT = """\
Frontrow does not send events to this webhook any more:

    {url}

Reason: {disabled_because}

Events that happen now wait for it. When the receiver works again, enable the webhook, and they are sent in
their order:

    POST {site_url}/api/v1/admin/webhooks/{id}/enable

The page of operators shows what was sent, and can do the same: {site_url}/ops
"""


class NoticeRows(Protocol):
    """Reads what a notice says."""

    async def notice(self, webhook_id: int, user_id: int) -> Record | None:
        """Return a disabled webhook and the `email` of an administrator; None if either is gone."""


class Notices:
    """Sends these mails.

    Args:
        rows: reads what a notice says.
        mailer: sends mails.
        site_url: returns the URL of this server.
    """

    def __init__(self, rows: NoticeRows, mailer: Mailer, site_url: Callable[[], str]) -> None:
        self._rows = rows
        self._mailer = mailer
        self._site_url = site_url

    async def deliver(self, message: Message) -> None:
        """Send the mail of a message, unless the webhook has been enabled or deleted since.

        Raises:
            DeliveryFailed, Undeliverable: as `Mailer.deliver`.
        """
        known = await self._rows.notice(message.payload["webhook_id"], message.payload["user_id"])
        if known is not None:
            text = _TEXT.format(site_url=self._site_url(), **known)
            mail = text_mail(known["email"], f"Webhook {known['id']} is disabled", text)
            await self._mailer.deliver(mail, message.uid)

"""The mail port of the API, and a builder for plain-text messages."""

import re
from email.headerregistry import HeaderRegistry
from email.message import EmailMessage
from email.policy import EmailPolicy
from functools import lru_cache
from typing import Protocol

from email_validator import EmailNotValidError, validate_email

from engine.errors import Unavailable


class _HeaderClasses(HeaderRegistry):
    """Makes a class for each kind of header; the registry of the library makes one for each header.

    Classes are reference cycles, so ten of a mail would stay until the next full garbage collection.
    """

    __getitem__ = lru_cache(maxsize=64)(HeaderRegistry.__getitem__)


_POLICY = EmailPolicy(header_factory=_HeaderClasses())


class MailQueueFull(Unavailable):
    """The queue of outgoing mails is full."""

    code = "mail_queue_full"
    detail = "Too many mails are waiting to be sent"


class Mailer(Protocol):
    """Sends mails."""

    async def send(self, message: EmailMessage) -> None:
        """Queue a mail. It is delivered later; a failure to deliver is logged.

        Args:
            message: must have `To`, `Subject` and content; may have attachments. `From`, `Date` and
                `Message-ID` are added if missing.

        Raises:
            MailQueueFull: the mail was not queued.
        """

    async def deliver(self, message: EmailMessage, uid: str) -> None:
        """Deliver a mail of the outbox, in one attempt.

        Args:
            message: as for `send`.
            uid: of the message in the outbox; becomes the `Message-ID`, so that mail programs recognise a
                mail that arrives twice.

        Raises:
            DeliveryFailed: a later attempt may succeed.
            Undeliverable: the server refuses this mail for good.
        """


_ADDRESS = re.compile(r"""[^\s<>"'(),:;\[\]][^\s<>"(),:;\[\]]{0,320}@[^\s<>"'(),:;\[\]]+""")


def without_addresses(text: str) -> str:
    """Return a text, such as the reply of a mail server, without the e-mail addresses in it."""
    return _ADDRESS.sub("(address)", text)


def _ascii_if_possible(address: str) -> str:
    """Return an address with its domain in ASCII (RFC 5891), for mail servers without SMTPUTF8."""
    try:
        checked = validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        return address
    return checked.ascii_email or checked.normalized


def text_mail(to: str, subject: str, text: str) -> EmailMessage:
    """Build a plain-text mail.

    Args:
        to: e-mail address of the recipient.
        subject: one line.
        text: content.
    """
    message = EmailMessage(_POLICY)
    message["To"] = _ascii_if_possible(to)
    message["Subject"] = subject
    message.set_content(text)
    return message

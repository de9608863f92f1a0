"""Mail, as the API needs it: whoever has something to tell builds a message and hands it over."""

from email.message import EmailMessage
from typing import Protocol

from email_validator import EmailNotValidError, validate_email

from engine.errors import Unavailable


class MailQueueFull(Unavailable):
    """More mails wait than are kept."""

    code = "mail_queue_full"

    def __init__(self) -> None:
        super().__init__("Too many mails are waiting to be sent")


class Mailer(Protocol):
    """Sends mails in the background."""

    async def send(self, message: EmailMessage) -> None:
        """Take a mail over; it is delivered later, and a failure is logged.

        Args:
            message: needs `To`, `Subject` and content, and may have attachments. `From`, `Date` and
                `Message-ID` are added where they are missing.

        Raises:
            MailQueueFull: it was not taken.
        """


def _for_any_server(address: str) -> str:
    """An address with its domain in ASCII (RFC 5891) if possible, for servers without SMTPUTF8."""
    try:
        checked = validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        return address
    return checked.ascii_email or checked.normalized


def text_mail(to: str, subject: str, text: str) -> EmailMessage:
    """A mail in plain text.

    Args:
        to: the address.
        subject: one line.
        text: the content.
    """
    message = EmailMessage()
    message["To"] = _for_any_server(to)
    message["Subject"] = subject
    message.set_content(text)
    return message

"""Mail, as the API needs it: whoever has something to tell builds a message and hands it over."""

from email.message import EmailMessage
from typing import Protocol

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


def text_mail(to: str, subject: str, text: str) -> EmailMessage:
    """A mail in plain text.

    Args:
        to: the address.
        subject: one line.
        text: the content.
    """
    message = EmailMessage()
    message["To"] = to
    message["Subject"] = subject
    message.set_content(text)
    return message

"""Mails whose links are secrets: password resets, and links to a guest's tickets.

They are sent at once and never stored, unlike those of `api.mails.delivery`; a lost one is requested again.
"""

import asyncio
from collections.abc import Sequence

from api.mails.languages import chosen_language, words_in
from api.mails.letters import Button, Letter, message_of
from api.mails.wordings import Reader
from api.papers.mail import Mailer


class LinkMails:
    """Implements `api.identity.accounts.ResetMails` and `api.identity.guests.TicketMails`.

    Args:
        mailer: sends mails.
        language: of readers whose language is unknown.
    """

    def __init__(self, mailer: Mailer, language: str) -> None:
        self._mailer = mailer
        self._language = language

    async def send_reset(self, email: str, full_name: str, link: str, minutes: int, language: str) -> None:
        """Send a link to choose a new password.

        Raises:
            MailQueueFull: the mail was not queued.
        """
        reader = self._reader(full_name, language)
        await self._send(password_reset(link, minutes, reader), email, reader)

    async def send_ticket_links(self, email: str, links: Sequence[str], minutes: int, language: str) -> None:
        """Send links to tickets, one for each guest that has bought some.

        Raises:
            MailQueueFull: the mail was not queued.
        """
        reader = self._reader("", language)
        await self._send(ticket_links(links, minutes, reader), email, reader)

    def _reader(self, full_name: str, language: str) -> Reader:
        return Reader(full_name, words_in(chosen_language(language, self._language)))

    async def _send(self, letter: Letter, email: str, reader: Reader) -> None:
        await self._mailer.send(await asyncio.to_thread(message_of, letter, email, reader.words))


def password_reset(link: str, minutes: int, reader: Reader) -> Letter:
    """Somebody has asked for a new password."""
    words = reader.words
    return Letter(
        subject=words.text("Reset your password"),
        heading=words.text("Choose a new password"),
        tone="plain",
        paragraphs=[
            reader.greeting,
            words.text("We received a request to reset the password of your account."),
            words.plural(
                "If you made it, open this page within a minute.",
                "If you made it, open this page within %(count)s minutes.",
                minutes,
            ),
        ],
        button=Button(words.text("Choose a new password"), link),
        closing=words.text("If you did not ask for it, ignore this mail: your password stays the same."),
    )


def ticket_links(links: Sequence[str], minutes: int, reader: Reader) -> Letter:
    """Somebody has asked for the tickets that were bought with the reader's address."""
    words = reader.words
    labels = [words.text("Show my tickets")]
    if len(links) > 1:
        labels = [
            words.text("Show my tickets (%(number)s)", number=number) for number in range(1, len(links) + 1)
        ]
    first, *further = map(Button, labels, links)
    return Letter(
        subject=words.text("Your tickets"),
        heading=words.text("Your tickets"),
        tone="plain",
        paragraphs=[
            reader.greeting,
            words.plural(
                "You asked for your tickets. Open them within a minute.",
                "You asked for your tickets. Open them within %(count)s minutes.",
                minutes,
            ),
        ],
        button=first,
        further=further,
        closing=words.text("If you did not ask for them, ignore this mail."),
    )

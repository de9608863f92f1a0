"""A real SMTP server that keeps the mails it receives, and its fixture."""

import asyncio
import socket
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from tornado.ioloop import IOLoop


class Inbox:
    """An SMTP server in this process.

    Attributes:
        answers: replies to send, one per mail, before mails are accepted.
        recipients: of the last accepted mail.
        international: whether to accept addresses in other scripts (RFC 6531).
    """

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.recipients: list[str] = []
        self.international = True
        self._arrived: asyncio.Queue[EmailMessage] = asyncio.Queue()
        # Until it listens, connections are refused.
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"smtp://127.0.0.1:{self._socket.getsockname()[1]}"

    async def open(self) -> None:
        """Accept connections."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._served, sock=self._socket)

    def _served(self) -> SMTP:
        return SMTP(self, loop=asyncio.get_running_loop(), enable_SMTPUTF8=self.international)

    async def close(self) -> None:
        """Stop accepting connections."""
        self._server.close()
        await self._server.wait_closed()

    @property
    def empty(self) -> bool:
        """True if all received mails have been read."""
        return self._arrived.empty()

    async def next_mail(self) -> EmailMessage:
        """Return the next mail; waits up to a minute."""
        async with asyncio.timeout(60):
            return await self._arrived.get()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Called by aiosmtpd for every mail."""
        if self.answers:
            return self.answers.pop(0)
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.recipients = envelope.rcpt_tos
        self._arrived.put_nowait(mail)
        return "250 OK"


@pytest.fixture
def inbox(io_loop: IOLoop) -> Iterator[Inbox]:
    """An SMTP server that receives mail."""
    inbox = Inbox()
    io_loop.run_sync(inbox.open)
    yield inbox
    io_loop.run_sync(inbox.close)

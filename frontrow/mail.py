"""Sends mail through an SMTP server, or writes it to a folder for developers if none is configured.

`MailQueue.deliver` makes one attempt, for the outbox. `MailQueue.send` queues a mail in memory and a few
workers deliver it. A temporary failure is retried with growing pauses; if the last attempt fails, or the
server rejects the mail permanently, the failure is logged and the mail dropped. Contents are never logged,
since they may include a token.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from email import policy
from email.message import EmailMessage
from email.utils import localtime, make_msgid
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib

from api.papers.mail import MailQueueFull, without_addresses
from engine.outbox import DeliveryFailed, Undeliverable
from frontrow.settings import Settings

log = logging.getLogger("frontrow.mail")

MAIL_FOLDER = "mail"
_QUEUE_LIMIT = 1000
_WORKERS = 4
_PAUSES_SECONDS = (1.0, 5.0, 25.0)
_PERMANENT_FROM = 500
_IMPLICIT_TLS_PORT, _SUBMISSION_PORT = 465, 587

Delivery = Callable[[EmailMessage], Awaitable[None]]
"""Delivers one mail; raises OSError or SMTPException if that fails."""


class MailObserver(Protocol):
    """Counts attempts to hand a mail to the mail server."""

    def mail_attempted(self, result: str) -> None:
        """A mail was "sent", has "failed" for now, was "rejected" for good, or was "dropped"."""


class MailQueue:
    """Implements `api.papers.mail.Mailer` with a bounded queue.

    Args:
        deliver: delivers one mail.
        sender: the address that mails are sent from.
        pauses_seconds: pause before each retry.
        observer: counts attempts.
    """

    def __init__(
        self,
        deliver: Delivery,
        sender: str,
        pauses_seconds: tuple[float, ...] = _PAUSES_SECONDS,
        observer: MailObserver | None = None,
    ) -> None:
        self._delivery = deliver
        self._observer = observer
        self._sender = sender
        self._pauses_seconds = pauses_seconds
        self._waiting: asyncio.Queue[EmailMessage] = asyncio.Queue(_QUEUE_LIMIT)
        self._workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._workers = [asyncio.create_task(self._work(), name="mail") for _ in range(_WORKERS)]

    async def stop(self, limit_seconds: float) -> None:
        """Deliver the queued mails, for at most `limit_seconds`, then stop."""
        try:
            async with asyncio.timeout(limit_seconds):
                await self._waiting.join()
        except TimeoutError:
            log.warning("the server stopped before all mails were delivered")
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def send(self, message: EmailMessage) -> None:
        """Queue a mail; see `api.papers.mail.Mailer`."""
        self._complete(message, make_msgid(domain=self._domain))
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            self._count("dropped")
            raise MailQueueFull from None

    async def deliver(self, message: EmailMessage, uid: str) -> None:
        """Deliver a mail now; see `api.papers.mail.Mailer`."""
        self._complete(message, f"<{uid}@{self._domain}>")
        try:
            await self._deliver(message)
        except (OSError, aiosmtplib.SMTPException) as failure:
            if _is_permanent(failure):
                raise Undeliverable(str(failure)) from failure
            raise DeliveryFailed(str(failure) or repr(failure)) from failure

    async def _deliver(self, message: EmailMessage) -> None:
        try:
            await self._delivery(message)
        except (OSError, aiosmtplib.SMTPException) as failure:
            self._count("rejected" if _is_permanent(failure) else "failed")
            raise
        self._count("sent")

    def _count(self, result: str) -> None:
        if self._observer is not None:
            self._observer.mail_attempted(result)

    @property
    def _domain(self) -> str:
        return self._sender.rpartition("@")[2]

    def _complete(self, message: EmailMessage, message_id: str) -> None:
        """Add the headers that are missing."""
        for name, value in (("From", self._sender), ("Date", localtime()), ("Message-ID", message_id)):
            if name not in message:
                message[name] = value

    async def _work(self) -> None:
        while True:
            message = await self._waiting.get()
            try:
                await self._attempts(message)
            except Exception as failure:
                self._count("dropped")
                reply = without_addresses(str(failure))
                log.error("mail %s was not delivered: %s", message["Message-ID"], reply)
            finally:
                self._waiting.task_done()

    async def _attempts(self, message: EmailMessage) -> None:
        for pause_seconds in self._pauses_seconds:
            try:
                return await self._deliver(message)
            except (OSError, aiosmtplib.SMTPException) as failure:
                if _is_permanent(failure):
                    raise
                reply = without_addresses(str(failure))
                log.warning(
                    "mail %s failed; retrying in %g s: %s", message["Message-ID"], pause_seconds, reply
                )
            await asyncio.sleep(pause_seconds)
        await self._deliver(message)


def _is_permanent(failure: Exception) -> bool:
    """Return whether the server would reject the same mail again (RFC 5321, section 4.2.1).

    A rejected sender, password or connection is not the mail's fault: an operator can put it right.
    """
    if isinstance(failure, aiosmtplib.SMTPRecipientsRefused):
        return all(_is_permanent(refusal) for refusal in failure.recipients)
    if isinstance(failure, aiosmtplib.SMTPNotSupported):
        return True
    refused = (aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPDataError)
    return isinstance(failure, refused) and failure.code >= _PERMANENT_FROM


def into_folder(folder: Path) -> Delivery:
    """Return a delivery that writes each mail to a file and logs its path."""

    def write(message: EmailMessage) -> Path:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = message["Message-ID"].strip("<>").partition("@")[0]
        path = folder / f"{name}.eml"
        path.touch(mode=0o600)
        path.write_bytes(message.as_bytes(policy=policy.default.clone(utf8=True)))
        return path

    async def deliver(message: EmailMessage) -> None:
        log.info("mail written to %s", await asyncio.to_thread(write, message))

    return deliver


def by_smtp(url: str, timeout_seconds: float) -> Delivery:
    """Return a delivery through an SMTP server.

    Args:
        url: `smtp://[user:password@]host[:port]`, which uses STARTTLS if the server offers it and requires it
            if there is a password; or `smtps://…`, which is TLS from the start.
        timeout_seconds: for each step of the SMTP dialogue.
    """
    server = urlsplit(url)
    implicit_tls = server.scheme == "smtps"
    password = None if server.password is None else unquote(server.password)

    async def deliver(message: EmailMessage) -> None:
        await aiosmtplib.send(
            message,
            hostname=server.hostname,
            port=server.port or (_IMPLICIT_TLS_PORT if implicit_tls else _SUBMISSION_PORT),
            username=unquote(server.username) if server.username else None,
            password=password,
            use_tls=implicit_tls,
            # None: use STARTTLS if the server offers it.
            start_tls=True if password and not implicit_tls else None,
            timeout=timeout_seconds,
        )

    return deliver


def mail_queue_of(settings: Settings, observer: MailObserver) -> MailQueue:
    """Return the postman that the settings ask for."""
    if settings.smtp_url:
        deliver = by_smtp(settings.smtp_url, settings.smtp_timeout_seconds)
    else:
        deliver = into_folder(settings.data_dir / MAIL_FOLDER)
    return MailQueue(deliver, settings.mail_from, observer=observer)

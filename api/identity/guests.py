"""Guests: customers without an account.

A guest is a user id drawn at random from a range of its own, and a token for it. So a guest can do what a
user can, on every socket and in every API, but has no account to log in to. Nothing is stored until the
guest gives an e-mail address to buy with. The token is the only proof of being this guest; a lost one is
replaced by a link to that address.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from api.errors import TooManyAttempts
from api.identity.errors import LoginElsewhere
from api.identity.login_attempts import AccountLimits
from api.identity.tokens import FIRST_GUEST_ID, LARGEST_USER_ID, Identity, NoSigningKey, Tokens

log = logging.getLogger("frontrow.accounts")

LINKS_LIMIT = 10
"""Most links in a mail; each belongs to one browser that tickets were bought with."""


class GuestRows(Protocol):
    """Guests with an e-mail address, as `persistence.catalogue.guests.GuestRows` documents them."""

    async def describe(
        self, guest_id: int, email: str | None, full_name: str, language: str
    ) -> dict[str, Any]:
        """Store or replace what a guest has given, and return the record."""

    async def forget(self, guest_id: int) -> None:
        """Delete a guest's name and e-mail address, if they are stored."""

    async def with_tickets(self, email: str, limit: int) -> Sequence[int]:
        """Return the ids of guests with this e-mail address who have tickets, latest first."""


class TicketMails(Protocol):
    """Sends mails, as `api.mails.links.LinkMails` documents it."""

    async def send_ticket_links(self, email: str, links: Sequence[str], minutes: int, language: str) -> None:
        """Send links to tickets. Raises MailQueueFull."""


class Guests:
    """The guests of this server.

    Args:
        rows: stores names and e-mail addresses.
        tokens: issues tokens.
        mails: sends links.
        limits: on mails to one address.
        life_seconds: lifetime of a guest's token.
        link_seconds: how long a mailed link works.
        site_url: returns the URL that links in mails start with.
    """

    def __init__(
        self,
        rows: GuestRows,
        tokens: Tokens,
        mails: TicketMails,
        limits: AccountLimits,
        *,
        life_seconds: int,
        link_seconds: float,
        site_url: Callable[[], str],
    ) -> None:
        self._rows = rows
        self._tokens = tokens
        self._mails = mails
        self._limits = limits
        self.life_seconds = life_seconds
        self._link_seconds = link_seconds
        self._site_url = site_url

    def admit(self, identity: Identity | None) -> str:
        """Return a token: a new one of the same guest, or that of a new guest.

        Raises:
            LoginElsewhere: another service issues the tokens.
        """
        known = identity is not None and identity.guest
        guest_id = identity.user_id if identity and known else _new_id()
        return self._token(guest_id, self.life_seconds)

    async def register(self, full_name: str, email: str | None) -> int:
        """Store a new guest who is at the counter, and return its id.

        Args:
            full_name: the name.
            email: where mails are sent, also links to the tickets; None for nowhere.
        """
        guest_id = _new_id()
        await self._rows.describe(guest_id, email, full_name, "")
        return guest_id

    async def describe(self, guest_id: int, email: str, full_name: str, language: str) -> dict[str, Any]:
        """Store the name and the e-mail address that a guest buys with, and the language of mails."""
        return await self._rows.describe(guest_id, email, full_name, language)

    async def forget(self, guest_id: int) -> None:
        """Erase the name and the e-mail address of a guest."""
        await self._rows.forget(guest_id)

    async def send_links(self, email: str, language: str) -> None:
        """Mail links to the tickets that guests have bought with an e-mail address, if there are any.

        Does nothing, silently, once an address has received too many mails within a window.

        Args:
            email: the address.
            language: tag of the mail's language; empty for the server's.
        """
        try:
            await _admitted(self._limits.mails.attempt(email))
        except TooManyAttempts:
            return
        guests = await self._rows.with_tickets(email, LINKS_LIMIT)
        if not guests:
            return
        seconds = max(60, round(self._link_seconds))
        links = [
            # Browsers do not send the part after # to any server, so it appears in no log.
            f"{self._site_url()}/my-tickets#guest={self._token(guest_id, seconds)}"
            for guest_id in guests
        ]
        await self._mails.send_ticket_links(email, links, seconds // 60, language)

    def _token(self, guest_id: int, seconds: int) -> str:
        try:
            return self._tokens.issue(guest_id, ttl_seconds=seconds)
        except NoSigningKey as error:
            raise LoginElsewhere from error


_GUEST_IDS = LARGEST_USER_ID - FIRST_GUEST_ID + 1


def _new_id() -> int:
    return FIRST_GUEST_ID + secrets.randbelow(_GUEST_IDS)


async def _admitted(counted: Awaitable[None] | None) -> None:
    if counted is not None:
        await counted

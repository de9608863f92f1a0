"""Accounts: registration, log-in and log-out, password changes and resets, deletion.

A log-in has an id. Its access tokens carry the id as `sid`, and its refresh tokens belong to it. A refresh
token can be used once and is exchanged for the next; a second use means that it was stolen, so the whole
log-in is ended (RFC 9700, section 4.14.2). A revocation is stored before this server starts to enforce it.

Only registration reveals whether an e-mail address has an account. At log-in, a wrong password and an
unknown address take the same time and get the same response.
"""

import hashlib
import logging
import secrets
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from api.errors import InvalidInput, TooManyAttempts
from api.identity.errors import LoginElsewhere, RefreshRefused, ResetRefused, WrongCredentials, WrongPassword
from api.identity.login_attempts import AccountLimits
from api.identity.passwords import Passwords, weakness
from api.identity.revocations import Revocations
from api.identity.tokens import Identity, NoSigningKey, Tokens
from api.limiter import network_of
from api.workers import WorkersBusy
from engine.accounts import Addressee, Credentials, Renewal, RevokedToken, RevokedUser, Secret
from engine.catalogue_errors import NoAccount

log = logging.getLogger("frontrow.accounts")

_SECRET_BYTES = 32


class AccountRows(Protocol):
    """Accounts, as `persistence.catalogue.users.Users` documents them."""

    async def insert(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Insert an account. Raises AlreadyExists."""

    async def credentials(self, user_id: int) -> Credentials | None:
        """Return an account's credentials, None if there is no such account."""

    async def credentials_by_email(self, email: str) -> Credentials | None:
        """Return the credentials of the account with this e-mail address, if there is one."""


class ResetMails(Protocol):
    """Sends mails, as `api.mails.links.LinkMails` documents it."""

    async def send_reset(self, email: str, full_name: str, link: str, minutes: int, language: str) -> None:
        """Send a link to choose a new password. Raises MailQueueFull."""


class LoginStore(Protocol):
    """Log-ins, as `persistence.catalogue.logins.Logins` documents them."""

    async def begin(self, credentials: Credentials, login_id: str, token: Secret) -> bool:
        """Store a log-in. Returns False if the account has changed since `credentials` were read."""

    async def rehash(self, credentials: Credentials, password_hash: str) -> None:
        """Store a new hash of the same password."""

    async def renew(self, user_id: int, old_digest: bytes, token: Secret) -> Renewal | None:
        """Replace a refresh token with a new one. Returns None if it is not valid."""

    async def login_of_used(self, digest: bytes) -> tuple[str, int] | None:
        """Return the log-in id and the user id of a refresh token that has already been used."""

    async def end(self, revoked: RevokedToken) -> None:
        """Store a revoked token and end the log-in whose id it carries."""

    async def change_password(
        self, credentials: Credentials, password_hash: str, now: Callable[[], float]
    ) -> RevokedUser | None:
        """Set a new password and end all log-ins. Returns None if the account has changed meanwhile."""

    async def end_all(self, credentials: Credentials, now: Callable[[], float]) -> RevokedUser | None:
        """End all log-ins. Returns None if the account has changed meanwhile."""

    async def anonymise(self, credentials: Credentials, now: Callable[[], float]) -> RevokedUser | None:
        """Erase an account's data, keeping its row. Returns None if the account has changed meanwhile."""

    async def add_reset(self, email: str, token: Secret) -> Addressee | None:
        """Store a password reset token. Returns the owner of the account, None without an account."""

    async def resettable(self, digest: bytes) -> Credentials | None:
        """Return the credentials of the account that a reset token belongs to."""

    async def use_reset(
        self, digest: bytes, credentials: Credentials, password_hash: str, now: Callable[[], float]
    ) -> RevokedUser | None:
        """Consume a reset token, set the password and end all log-ins. Returns None if it is not valid."""


class LoginObserver(Protocol):
    """Counts passwords that were tried."""

    def login_attempted(self, result: str) -> None:
        """A password "succeeded" or "failed", or was not looked at because it was "throttled"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRules:
    """The settings of accounts, described in docs/settings.md."""

    token_ttl_seconds: int
    refresh_token_ttl_seconds: int
    password_reset_seconds: float


class TokenPair(NamedTuple):
    """The tokens of a log-in; `expires_in` is the access token's lifetime in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int


class Accounts:
    """The accounts of this server.

    Args:
        users: stores accounts.
        logins: stores log-ins and reset tokens.
        passwords: creates and verifies password hashes.
        tokens: issues access tokens.
        revocations: receives every revocation made here.
        mails: sends reset mails.
        limits: on attempts.
        rules: settings.
        site_url: returns the URL that links in mails start with.
        now: returns the time in seconds since the epoch.
        observer: counts passwords that were tried.
    """

    def __init__(
        self,
        users: AccountRows,
        logins: LoginStore,
        passwords: Passwords,
        tokens: Tokens,
        revocations: Revocations,
        mails: ResetMails,
        limits: AccountLimits,
        rules: AccountRules,
        site_url: Callable[[], str],
        now: Callable[[], float],
        observer: LoginObserver,
    ) -> None:
        self._users = users
        self._logins = logins
        self._passwords = passwords
        self._tokens = tokens
        self._revocations = revocations
        self._mails = mails
        self._rules = rules
        self._site_url = site_url
        self._now = now
        self._limits = limits
        self._observer = observer

    async def count_attempt(self, address: str) -> None:
        """Count a request that is expensive or may reveal something.

        Args:
            address: IP address of the client.

        Raises:
            TooManyAttempts: too many requests came from this network.
        """
        await _counted(self._limits.requests.attempt(network_of(address)))

    async def register(self, address: str, email: str, password: str, full_name: str) -> dict[str, Any]:
        """Create an account and return its record.

        Raises:
            TooManyAttempts: too many requests came from this network.
            InvalidInput: the password is too weak.
            AlreadyExists: the e-mail address already has an account.
        """
        await self.count_attempt(address)
        try:
            password_hash = await self._hash("password", password, email)
        except WorkersBusy:
            await self._retract(address)
            raise
        return await self._users.insert(
            {"email": email, "password_hash": password_hash, "full_name": full_name}
        )

    async def log_in(self, address: str, email: str, password: str) -> TokenPair:
        """Start a log-in.

        Raises:
            WrongCredentials: the account does not exist or the password is wrong.
            TooManyAttempts: too many attempts for the account or from this network.
            LoginElsewhere: another service issues the tokens.
        """
        with self._counting():
            credentials = await self._verified(address, email, password)
        await self._retract(address)
        if self._passwords.is_outdated(credentials.password_hash):
            await self._logins.rehash(credentials, await self._passwords.hash(password))
        return await self._begin(credentials)

    async def _verified(self, address: str, email: str, password: str) -> Credentials:
        await self.count_attempt(address)
        await _counted(self._limits.logins.attempt(email, address))
        credentials = await self._users.credentials_by_email(email)
        known_hash = credentials.password_hash if credentials else None
        try:
            right = await self._is_right(address, email, password, known_hash)
        except WorkersBusy:
            await self._retract(address)
            raise
        if not right or credentials is None:
            raise WrongCredentials
        await _counted(self._limits.logins.succeeded(email, address))
        return credentials

    async def _is_right(self, address: str, email: str, password: str, password_hash: str | None) -> bool:
        """Look at a password whose attempt has been counted; uncount it if there are too many to look at."""
        try:
            return await self._passwords.matches(password, password_hash)
        except WorkersBusy:
            await _counted(self._limits.logins.retract(email, address))
            raise

    async def _retract(self, address: str) -> None:
        """Uncount the latest attempt from an address."""
        await _counted(self._limits.requests.retract(network_of(address)))

    @contextmanager
    def _counting(self) -> Iterator[None]:
        """Count a password that is verified in the block by its result."""
        try:
            yield
        except TooManyAttempts:
            self._observer.login_attempted("throttled")
            raise
        except (WrongCredentials, WrongPassword):
            self._observer.login_attempted("failed")
            raise
        self._observer.login_attempted("succeeded")

    async def renew(self, identity: Identity, refresh_token: str) -> TokenPair:
        """Exchange a refresh token for new tokens.

        Raises:
            RefreshRefused: the refresh token is invalid or not the caller's.
            LoginElsewhere: another service issues the tokens.
        """
        begun_at, digest = self._now(), _digest(refresh_token)
        text, secret = self._new_secret(self._rules.refresh_token_ttl_seconds)
        renewal = await self._logins.renew(identity.user_id, digest, secret)
        if renewal is None:
            await self._end_if_stolen(digest)
            raise RefreshRefused
        return self._pair(identity.user_id, renewal.is_admin, renewal.login_id, begun_at, text)

    async def log_out(self, identity: Identity) -> None:
        """End the log-in that the caller's token belongs to."""
        await self._end(identity.login_id or identity.token_id, identity.user_id, identity.expires_at)

    async def log_out_everywhere(self, user_id: int) -> None:
        """End all log-ins of an account.

        Raises:
            NoAccount: the user has no account.
        """
        # None if a change of the password has just ended them.
        if (revoked := await self._logins.end_all(await self._own(user_id), self._now)) is not None:
            self._revocations.revoke(revoked)

    async def change_password(self, address: str, user_id: int, current: str, new: str) -> TokenPair:
        """Set a new password, end all log-ins and start a new one.

        Raises:
            NoAccount: the user has no account.
            WrongPassword: `current` is not the current password.
            InvalidInput: the new password is too weak.
            TooManyAttempts: too many wrong passwords were tried.
            LoginElsewhere: another service issues the tokens.
        """
        credentials = await self.require_password(address, user_id, current)
        password_hash = await self._hash("new_password", new, credentials.email)
        revoked = await self._logins.change_password(credentials, password_hash, self._now)
        if revoked is None:
            raise WrongPassword
        self._revocations.revoke(revoked)
        return await self._begin(await self._own(user_id))

    async def require_password(self, address: str, user_id: int, password: str) -> Credentials:
        """Verify a user's password and return the account's credentials.

        Raises:
            NoAccount: the user has no account.
            WrongPassword: the password is wrong.
            TooManyAttempts: too many wrong passwords were tried.
        """
        credentials = await self._own(user_id)
        with self._counting():
            await _counted(self._limits.logins.attempt(credentials.email, address))
            if not await self._is_right(address, credentials.email, password, credentials.password_hash):
                raise WrongPassword
            await _counted(self._limits.logins.succeeded(credentials.email, address))
        return credentials

    async def send_reset(self, email: str, language: str) -> None:
        """Send a password reset link, if the e-mail address has an account.

        Does nothing, silently, once an address has received too many mails within a window.

        Args:
            email: the address.
            language: tag of the mail's language if the user prefers none; empty for the server's.
        """
        try:
            await _counted(self._limits.mails.attempt(email))
        except TooManyAttempts:
            return
        text, secret = self._new_secret(self._rules.password_reset_seconds)
        addressee = await self._logins.add_reset(email, secret)
        if addressee is not None:
            link = f"{self._site_url()}/reset-password?token={text}"
            minutes = max(1, round(self._rules.password_reset_seconds / 60))
            address, full_name, preferred = addressee
            await self._mails.send_reset(address, full_name, link, minutes, preferred or language)

    async def reset_password(self, address: str, token: str, new: str) -> None:
        """Set a new password with the token from a reset mail, and end all log-ins.

        Raises:
            ResetRefused: the token is unknown, used or expired.
            InvalidInput: the new password is too weak.
        """
        digest = _digest(token)
        credentials = await self._logins.resettable(digest)
        if credentials is None:
            raise ResetRefused
        password_hash = await self._hash("new_password", new, credentials.email)
        revoked = await self._logins.use_reset(digest, credentials, password_hash, self._now)
        if revoked is None:
            raise ResetRefused
        self._revocations.revoke(revoked)
        await _counted(self._limits.logins.trust(credentials.email, address))

    async def delete(self, user_id: int) -> None:
        """Delete an account. Its tickets and reviews remain, without a name.

        Raises:
            NoAccount: the user has no account.
        """
        revoked = await self._logins.anonymise(await self._own(user_id), self._now)
        if revoked is None:
            raise NoAccount
        self._revocations.revoke(revoked)

    async def _own(self, user_id: int) -> Credentials:
        credentials = await self._users.credentials(user_id)
        if credentials is None:
            raise NoAccount
        return credentials

    async def _hash(self, field: str, password: str, email: str) -> str:
        if reason := weakness(password, email):
            raise InvalidInput({field: [reason]})
        return await self._passwords.hash(password)

    async def _begin(self, credentials: Credentials) -> TokenPair:
        # The token's issue time is taken before the log-in is stored, so that a password change in between
        # revokes this token along with all others.
        login_id, begun_at = uuid.uuid4().hex, self._now()
        text, secret = self._new_secret(self._rules.refresh_token_ttl_seconds)
        pair = self._pair(credentials.user_id, credentials.is_admin, login_id, begun_at, text)
        if not await self._logins.begin(credentials, login_id, secret):
            raise WrongCredentials
        return pair

    def _pair(
        self, user_id: int, admin: bool, login_id: str, issued_at: float, refresh_token: str
    ) -> TokenPair:
        seconds = self._rules.token_ttl_seconds
        try:
            access_token = self._tokens.issue(
                user_id, admin=admin, ttl_seconds=seconds, login_id=login_id, issued_at=issued_at
            )
        except NoSigningKey as error:
            raise LoginElsewhere from error
        return TokenPair(access_token, refresh_token, seconds)

    async def _end_if_stolen(self, digest: bytes) -> None:
        if login := await self._logins.login_of_used(digest):
            login_id, user_id = login
            log.warning("refresh token of user %d was used twice; its log-in has been ended", user_id)
            await self._end(login_id, user_id)

    async def _end(self, token_id: str, user_id: int, expires_at: float = 0) -> None:
        self._revocations.require_room()
        last_expiry = max(expires_at, self._now() + self._rules.token_ttl_seconds)
        revoked = RevokedToken(token_id, user_id, last_expiry)
        await self._logins.end(revoked)
        self._revocations.revoke(revoked)

    @staticmethod
    def _new_secret(life_seconds: float) -> tuple[str, Secret]:
        text = secrets.token_urlsafe(_SECRET_BYTES)
        return text, Secret(_digest(text), life_seconds)


async def _counted(count: Awaitable[None] | None) -> None:
    if count is not None:
        await count


def _digest(text: str) -> bytes:
    """Digest under which a secret is stored. Secrets are random, so an unsalted hash is enough."""
    return hashlib.sha256(text.encode()).digest()

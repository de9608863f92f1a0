"""The identity of the caller: users, guests, and sessions of the public API."""

from typing import Any

from frontrow_client._async.base import AsyncBase
from frontrow_client.models import Profile, Tokens
from frontrow_client.public_models import Guest, GuestToken


class AsyncAccounts(AsyncBase):
    """Logging in, and accounts."""

    async def log_in(self, email: str, password: str) -> None:
        """Act as a user from now on.

        The token is renewed before it expires. If that fails, the client logs in again; so it keeps the
        password in memory until `log_out`.

        Raises:
            InvalidCredentials: wrong address or password.
            TooManyRequests: too many attempts.
        """
        self._tokens.forget()
        credentials = {"email": email, "password": password}
        tokens = await self._post_once("/api/v1/auth/login", Tokens, credentials)
        self._tokens.received(tokens.access_token, tokens.expires_in, refresh=tokens.refresh_token)
        self._tokens.password = (email, password)

    async def log_out(self) -> None:
        """End the log-in: its tokens stop working, and the client forgets them and the password."""
        await self._send("POST", "/api/v1/auth/logout")
        self._tokens.forget()

    async def become_guest(self) -> None:
        """Act as a new guest from now on: a customer without an account. `token` finds the guest again.

        The token is renewed before it expires. A guest can do what a user can, but buys only where the server
        allows it; see `describe_guest`. All guests of one address share a limit on the seats that they hold
        in one screening (`GuestLimitExceeded`).
        """
        self._tokens.forget()
        guest = await self._post_once("/api/public/guests", GuestToken)
        self._tokens.received(guest.access_token, guest.expires_in, is_guest=True)

    async def describe_guest(self, email: str, full_name: str) -> Guest:
        """Set the name of the guest, and the address to which tickets are sent."""
        details = {"email": email, "fullName": full_name}
        return await self.request("PUT", "/api/public/guests/me", Guest, json=details)

    async def new_session(self) -> str:
        """Return a new session of the public API: the secret by which a guest without a token is known."""
        answer = await self._post_once("/api/public/sessions", dict[str, Any])
        return str(answer["sessionId"])

    async def register(self, email: str, password: str, full_name: str = "") -> Profile:
        """Create an account, without logging in.

        Raises:
            Conflict: there is an account with this address (`email_exists`).
            InvalidRequest: the password is too weak.
        """
        details = {"email": email, "password": password, "full_name": full_name}
        return await self._post_once("/api/v1/auth/register", Profile, details)

    async def me(self) -> Profile:
        """Return the account of the caller."""
        return await self._get("/api/v1/auth/me", Profile)

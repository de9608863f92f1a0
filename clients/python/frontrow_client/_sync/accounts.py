"""The identity of the caller: users, guests, and sessions of the public API."""

from typing import Any

from frontrow_client._sync.base import Base
from frontrow_client.models import Profile, Tokens
from frontrow_client.public_models import Guest, GuestToken


class Accounts(Base):
    """Logging in, and accounts."""

    def log_in(self, email: str, password: str) -> None:
        """Act as a user from now on.

        The token is renewed before it expires. If that fails, the client logs in again; so it keeps the
        password in memory until `log_out`.

        Raises:
            InvalidCredentials: wrong address or password.
            TooManyRequests: too many attempts.
        """
        self._tokens.forget()
        credentials = {"email": email, "password": password}
        tokens = self._post_once("/api/v1/auth/login", Tokens, credentials)
        self._tokens.received(tokens.access_token, tokens.expires_in, refresh=tokens.refresh_token)
        self._tokens.password = (email, password)

    def log_out(self) -> None:
        """End the log-in: its tokens stop working, and the client forgets them and the password."""
        self._send("POST", "/api/v1/auth/logout")
        self._tokens.forget()

    def become_guest(self) -> None:
        """Act as a new guest from now on: a customer without an account. `token` finds the guest again.

        The token is renewed before it expires. A guest can do what a user can, but buys only where the server
        allows it; see `describe_guest`. All guests of one address share a limit on the seats that they hold
        in one screening (`GuestLimitExceeded`).
        """
        self._tokens.forget()
        guest = self._post_once("/api/public/guests", GuestToken)
        self._tokens.received(guest.access_token, guest.expires_in, is_guest=True)

    def describe_guest(self, email: str, full_name: str) -> Guest:
        """Set the name of the guest, and the address to which tickets are sent."""
        details = {"email": email, "fullName": full_name}
        return self.request("PUT", "/api/public/guests/me", Guest, json=details)

    def new_session(self) -> str:
        """Return a new session of the public API: the secret by which a guest without a token is known."""
        answer = self._post_once("/api/public/sessions", dict[str, Any])
        return str(answer["sessionId"])

    def register(self, email: str, password: str, full_name: str = "") -> Profile:
        """Create an account, without logging in.

        Raises:
            Conflict: there is an account with this address (`email_exists`).
            InvalidRequest: the password is too weak.
        """
        details = {"email": email, "password": password, "full_name": full_name}
        return self._post_once("/api/v1/auth/register", Profile, details)

    def me(self) -> Profile:
        """Return the account of the caller."""
        return self._get("/api/v1/auth/me", Profile)

"""Accounts, log-ins and revoked tokens, as the API exchanges them with its storage."""

from typing import NamedTuple


class Credentials(NamedTuple):
    """An account, as needed to log in.

    Attributes:
        version: changes whenever all log-ins of the account are ended, and only then.
    """

    user_id: int
    email: str
    password_hash: str
    is_admin: bool
    version: str


class Addressee(NamedTuple):
    """The recipient of a mail to an account.

    Attributes:
        language: the tag that the user prefers; empty if unknown.
    """

    email: str
    full_name: str
    language: str


class Secret(NamedTuple):
    """A refresh token or password reset token, as stored.

    Attributes:
        digest: of its text.
        life_seconds: how long it is valid.
    """

    digest: bytes
    life_seconds: float


class Renewal(NamedTuple):
    """A log-in that was renewed by its refresh token."""

    login_id: str
    is_admin: bool


class RevokedToken(NamedTuple):
    """A revoked token, or the revoked tokens of a log-in.

    Attributes:
        token_id: the token's `jti`, or the `sid` that the tokens of a log-in share.
        expires_at: when the last of them expires, in seconds since the epoch.
    """

    token_id: str
    user_id: int
    expires_at: float


class RevokedUser(NamedTuple):
    """A user whose tokens are revoked.

    Attributes:
        valid_from: tokens issued at this time or earlier are revoked; in seconds since the epoch.
    """

    user_id: int
    valid_from: float

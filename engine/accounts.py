"""What is known of accounts, log-ins and revoked tokens, as it passes between the API and its storage."""

from typing import NamedTuple


class Credentials(NamedTuple):
    """What decides a log-in.

    Attributes:
        version: changes whenever all log-ins of the account are ended, and with nothing else.
    """

    user_id: int
    email: str
    password_hash: str
    is_admin: bool
    version: str


class Secret(NamedTuple):
    """A refresh token, or one that sets a password, as it is stored.

    Attributes:
        digest: of its text.
        life_seconds: how long it may be used.
    """

    digest: bytes
    life_seconds: float


class Renewal(NamedTuple):
    """A log-in that goes on."""

    login_id: str
    is_admin: bool


class RevokedToken(NamedTuple):
    """A token, or all tokens of a log-in.

    Attributes:
        token_id: the token's `jti`, or the `sid` that tokens of a log-in share.
        expires_at: when the last of them has expired, in seconds since the epoch.
    """

    token_id: str
    user_id: int
    expires_at: float


class RevokedUser(NamedTuple):
    """All tokens of a user.

    Attributes:
        valid_from: tokens that were issued then or before are revoked; seconds since the epoch.
    """

    user_id: int
    valid_from: float

"""Log-ins and how they end: refresh tokens, revoked access tokens, password changes and resets.

Secrets are only stored as digests. Ending all log-ins of a user first locks the user's row and then reads the
log-ins, and starting a log-in takes a share lock on the same row; so no log-in with the old password slips
through. The time from which tokens are valid again is also chosen under that lock.
"""

from collections.abc import Callable, Sequence

from engine.accounts import Addressee, Credentials, Renewal, RevokedToken, RevokedUser, Secret
from persistence.connector import Connection, Connector

_BEGIN = """
WITH account AS (
    SELECT id FROM users
    WHERE id = %(user_id)s AND tokens_valid_from::text = %(version)s AND deleted_at IS NULL
    FOR SHARE
), login AS (
    INSERT INTO logins (id, user_id) SELECT %(login_id)s, id FROM account RETURNING id
)
INSERT INTO refresh_tokens (token_hash, login_id, expires_at)
SELECT %(digest)s, id, now() + %(life_seconds)s * interval '1 second' FROM login
RETURNING login_id
"""

_REHASH = "UPDATE users SET password_hash = %s WHERE id = %s AND password_hash = %s"

_RENEW = """
WITH used AS (
    UPDATE refresh_tokens SET used_at = now()
    FROM logins JOIN users ON users.id = logins.user_id
    WHERE token_hash = %(old_digest)s AND used_at IS NULL AND expires_at > now()
      AND logins.id = login_id AND ended_at IS NULL AND logins.user_id = %(user_id)s
    RETURNING login_id, is_admin
), renewed AS (
    INSERT INTO refresh_tokens (token_hash, login_id, expires_at)
    SELECT %(digest)s, login_id, now() + %(life_seconds)s * interval '1 second' FROM used
)
SELECT login_id, is_admin FROM used
"""

_LOGIN_OF_USED = """
SELECT logins.id, logins.user_id
FROM refresh_tokens JOIN logins ON logins.id = login_id
WHERE token_hash = %s AND used_at IS NOT NULL
"""

_END = """
WITH ended AS (
    UPDATE logins SET ended_at = now() WHERE id = %(token_id)s AND ended_at IS NULL
)
INSERT INTO revoked_tokens (token_id, user_id, expires_at)
VALUES (%(token_id)s, %(user_id)s, to_timestamp(%(expires_at)s))
ON CONFLICT (token_id) DO NOTHING
"""

_LOCK = "SELECT tokens_valid_from::text FROM users WHERE id = %s AND deleted_at IS NULL FOR UPDATE"

_END_ALL = """
UPDATE logins SET ended_at = now() WHERE user_id = %(user_id)s AND ended_at IS NULL;
DELETE FROM password_resets WHERE user_id = %(user_id)s;
"""

_STORE_HASH = """
UPDATE users
SET password_hash = %(password_hash)s, tokens_valid_from = to_timestamp(%(valid_from)s), updated_at = now()
WHERE id = %(user_id)s
"""

_REVOKE = """
UPDATE users SET tokens_valid_from = to_timestamp(%(valid_from)s) WHERE id = %(user_id)s
"""

# A buyer has to hear of a screening that is cancelled or moved, and of money that is owed.
_NEWS_MAY_FOLLOW = """
EXISTS (
    SELECT FROM tickets
    LEFT JOIN screenings ON screenings.id = tickets.screening_id
    LEFT JOIN events ON events.id = tickets.screening_id
    WHERE tickets.holder = 'user:' || users.id AND coalesce(screenings.ends_at, events.ends_at) > now()
)
OR EXISTS (SELECT FROM refunds WHERE refunds.holder = 'user:' || users.id AND refunds.status = 'owed')
"""

# Tickets and reviews keep referring to the row. Once no news may follow it identifies nobody.
# The message is due when no request of the account is left, on servers that learn of its end late either.
_ANONYMISE = f"""
SELECT enqueue(
    'account_deleted', 'user %(user_id)s', '{{"user_id": %(user_id)s}}', NULL, now() + interval '1 minute'
);
DELETE FROM search_history WHERE user_id = %(user_id)s;
DELETE FROM favorites WHERE user_id = %(user_id)s;
UPDATE users
SET email = 'deleted-' || id || '@invalid', full_name = '', phone = '', password_hash = '', is_admin = false,
    preferences = '{{}}', picture = NULL, picture_url = NULL,
    last_email = CASE WHEN {_NEWS_MAY_FOLLOW} THEN email END,
    tokens_valid_from = to_timestamp(%(valid_from)s), updated_at = now(), deleted_at = now()
WHERE id = %(user_id)s
"""  # noqa: S608 - a constant

_ADD_RESET = """
WITH account AS (
    SELECT id, email, full_name, coalesce(preferences ->> 'language', '') AS language
    FROM users WHERE lower(email) = lower(%(email)s) AND deleted_at IS NULL
), outdated AS (
    DELETE FROM password_resets USING account WHERE user_id = account.id
), added AS (
    INSERT INTO password_resets (token_hash, user_id, expires_at)
    SELECT %(digest)s, id, now() + %(life_seconds)s * interval '1 second' FROM account
)
SELECT email, full_name, language FROM account
"""

_RESETTABLE = """
SELECT users.id, email, password_hash, is_admin, tokens_valid_from::text
FROM password_resets JOIN users ON users.id = user_id
WHERE token_hash = %s AND expires_at > now() AND deleted_at IS NULL
"""

_USE_RESET = "DELETE FROM password_resets WHERE token_hash = %s AND expires_at > now() RETURNING user_id"

_REVOKED_TOKENS = """
SELECT token_id, user_id, extract(epoch FROM expires_at)::float8
FROM revoked_tokens
WHERE revoked_at >= coalesce(to_timestamp(%(since)s), '-infinity') AND expires_at > now()
"""

_REVOKED_USERS = """
SELECT id, extract(epoch FROM tokens_valid_from)::float8
FROM users
WHERE tokens_valid_from > '-infinity' AND tokens_valid_from >= greatest(
    coalesce(to_timestamp(%(since)s), '-infinity'), now() - %(life_seconds)s * interval '1 second'
)
"""

_NOW = "SELECT extract(epoch FROM now())::float8"

_FORGET = f"""
UPDATE users SET last_email = NULL WHERE last_email IS NOT NULL AND NOT ({_NEWS_MAY_FOLLOW});
DELETE FROM revoked_tokens WHERE expires_at < now();
DELETE FROM password_resets WHERE expires_at < now();
DELETE FROM refresh_tokens WHERE expires_at < now();
DELETE FROM logins WHERE NOT EXISTS (SELECT FROM refresh_tokens WHERE login_id = logins.id)
"""  # noqa: S608 - a constant


class Logins:
    """The repository of log-ins.

    Args:
        connector: the database.
        token_life_seconds: maximum lifetime of an access token; revocations older than that are not loaded.
    """

    def __init__(self, connector: Connector, token_life_seconds: float) -> None:
        self._connector = connector
        self._token_life_seconds = token_life_seconds

    async def begin(self, credentials: Credentials, login_id: str, token: Secret) -> bool:
        """Start a log-in, unless the account has changed since its credentials were read.

        Returns:
            True if it was started.
        """
        parameters = {**credentials._asdict(), **token._asdict(), "login_id": login_id}
        return bool(await self._connector.run(_BEGIN, parameters))

    async def rehash(self, credentials: Credentials, password_hash: str) -> None:
        """Replace the stored hash by another hash of the same password."""
        await self._connector.run(_REHASH, (password_hash, credentials.user_id, credentials.password_hash))

    async def renew(self, user_id: int, old_digest: bytes, token: Secret) -> Renewal | None:
        """Exchange a refresh token for a new one; None if it is not valid (any more)."""
        parameters = {**token._asdict(), "user_id": user_id, "old_digest": old_digest}
        rows = await self._connector.run(_RENEW, parameters)
        return Renewal(*rows[0]) if rows else None

    async def login_of_used(self, digest: bytes) -> tuple[str, int] | None:
        """Return the log-in and the user of a refresh token that was already used, or None."""
        rows = await self._connector.run(_LOGIN_OF_USED, (digest,))
        return (str(rows[0][0]), int(rows[0][1])) if rows else None

    async def end(self, revoked: RevokedToken) -> None:
        """Revoke a token, and end the log-in with its id if there is one."""
        await self._connector.run(_END, revoked._asdict())

    async def change_password(
        self, credentials: Credentials, password_hash: str, now: Callable[[], float]
    ) -> RevokedUser | None:
        """Set a new password and end all log-ins; None if the account has changed in the meantime."""
        return await self._end_all(credentials, _STORE_HASH, now, password_hash=password_hash)

    async def end_all(self, credentials: Credentials, now: Callable[[], float]) -> RevokedUser | None:
        """End all log-ins; None if the account has changed in the meantime."""
        return await self._end_all(credentials, _REVOKE, now)

    async def anonymise(self, credentials: Credentials, now: Callable[[], float]) -> RevokedUser | None:
        """Erase an account's personal data and end all log-ins; None if the account has changed meanwhile.

        The row itself stays, because tickets refer to it. So does the e-mail address while there may be news
        about tickets or refunds; `forget_expired` erases it afterwards.
        """
        return await self._end_all(credentials, _ANONYMISE, now)

    async def add_reset(self, email: str, token: Secret) -> Addressee | None:
        """Store a password reset token; earlier ones of the account become invalid.

        Returns:
            The owner of the account, None if there is no account with this address.
        """
        rows = await self._connector.run(_ADD_RESET, {**token._asdict(), "email": email})
        return Addressee(*rows[0]) if rows else None

    async def resettable(self, digest: bytes) -> Credentials | None:
        """Return the account whose password a reset token may set, or None."""
        rows = await self._connector.run(_RESETTABLE, (digest,))
        return Credentials(*rows[0]) if rows else None

    async def use_reset(
        self, digest: bytes, credentials: Credentials, password_hash: str, now: Callable[[], float]
    ) -> RevokedUser | None:
        """Consume a reset token and set the password like `change_password`; None if it was already used."""
        if not await self._connector.run(_USE_RESET, (digest,)):
            return None
        return await self.change_password(credentials, password_hash, now)

    async def revoked_since(
        self, since: float | None
    ) -> tuple[Sequence[RevokedToken], Sequence[RevokedUser], float]:
        """Return the revocations since a time, in seconds since the epoch, or all that still matter.

        Returns:
            Revoked tokens, users whose tokens were all revoked, and the time to pass to the next call.
        """
        parameters = {"since": since, "life_seconds": self._token_life_seconds}
        async with self._connector.connection() as connection:
            ((until,),) = await connection.run(_NOW)
            tokens = await connection.run(_REVOKED_TOKENS, parameters)
            users = await connection.run(_REVOKED_USERS, parameters)
        return [RevokedToken(*row) for row in tokens], [RevokedUser(*row) for row in users], float(until)

    async def forget_expired(self) -> None:
        """Delete expired tokens and resets, and log-ins without refresh tokens."""
        await self._connector.run(_FORGET)

    async def _end_all(
        self, credentials: Credentials, change: str, now: Callable[[], float], **values: str
    ) -> RevokedUser | None:
        user_id = credentials.user_id
        async with self._connector.transaction() as connection:
            if not await _unchanged(connection, credentials):
                return None
            revoked = RevokedUser(user_id, now())
            await connection.run(f"{_END_ALL}{change}", {**revoked._asdict(), **values})
        return revoked


async def _unchanged(connection: Connection, credentials: Credentials) -> bool:
    """Lock the account and return whether its credentials are unchanged."""
    return await connection.run(_LOCK, (credentials.user_id,)) == [(credentials.version,)]

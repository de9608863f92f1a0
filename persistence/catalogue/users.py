"""User accounts, their pictures, and their search history."""

from engine.accounts import Credentials
from engine.catalogue_errors import AlreadyExists, NoAccount
from engine.errors import NotFound
from persistence.catalogue.table import Record, Rows, Table, own_columns
from persistence.columns import IDS

USERS = Table(
    name="users",
    kind="user",
    columns={
        **own_columns(
            "users",
            "id",
            "email",
            "full_name",
            "phone",
            "is_admin",
            "preferences",
            "created_at",
            "updated_at",
        ),
        # The version in the URL lets browsers cache a picture until it changes.
        "picture_url": """coalesce(users.picture_url, CASE WHEN users.picture IS NOT NULL THEN
            '/api/v1/users/' || users.id || '/profile-picture?v='
            || floor(extract(epoch FROM users.updated_at) * 1000) END)""",
    },
    conditions=("users.deleted_at IS NULL",),
    conflicts={
        "users_email_key": lambda: AlreadyExists("email", "An account with this e-mail address exists")
    },
)

_CREDENTIALS = """
SELECT id, email, password_hash, is_admin, tokens_valid_from::text
FROM users
WHERE {condition} AND deleted_at IS NULL
"""

_PICTURE = "SELECT picture FROM users WHERE id = %s AND picture IS NOT NULL AND deleted_at IS NULL"

SEARCHES = Table(
    name="search_history",
    kind="search_entry",
    columns=own_columns("search_history", "id", "query", "created_at"),
    filters={"user_id": "search_history.user_id = %(user_id)s"},
    orders={"newest": "search_history.id DESC", "oldest": "search_history.id"},
    conflicts={"search_history_user_id_fkey": NoAccount},
)

_FORGET_OLD = """
DELETE FROM search_history
WHERE user_id = %(user_id)s AND (
    query = %(query)s AND id < %(id)s
    OR id <= (
        SELECT id FROM search_history
        WHERE user_id = %(user_id)s AND (query <> %(query)s OR id = %(id)s)
        ORDER BY id DESC OFFSET %(kept)s LIMIT 1
    )
)
"""

_FORGET_SEARCH = "DELETE FROM search_history WHERE user_id = %s AND id = %s RETURNING id"

_FORGET_SEARCHES = "DELETE FROM search_history WHERE user_id = %s"


class Users(Rows):
    """The repository of accounts that have not been deleted."""

    async def credentials_by_email(self, email: str) -> Credentials | None:
        """Return the credentials of the account with this e-mail address, compared without case, or None."""
        return await self._credentials("lower(email) = lower(%s)", email)

    async def credentials(self, user_id: int) -> Credentials | None:
        return await self._credentials("id = %s", user_id)

    async def picture(self, user_id: int) -> bytes:
        """Return the picture that a user has uploaded.

        Raises:
            NotFound: the user has no picture.
        """
        rows = await self.connector.run(_PICTURE, (user_id,)) if user_id in IDS else []
        if not rows:
            raise NotFound("picture", user_id)
        return bytes(rows[0][0])

    async def _credentials(self, condition: str, value: object) -> Credentials | None:
        rows = await self.connector.run(_CREDENTIALS.format(condition=condition), (value,))
        return Credentials(*rows[0]) if rows else None


class Searches(Rows):
    """The latest searches of each user."""

    async def remember(self, user_id: int, query: str, kept: int) -> Record:
        """Store a search as the user's latest, remove its duplicate, and drop all but the newest `kept`."""
        record = await self.insert({"user_id": user_id, "query": query})
        bound = {"user_id": user_id, "query": query, "id": record["id"], "kept": kept}
        await self.connector.run(_FORGET_OLD, bound)
        return record

    async def forget(self, user_id: int, search_id: int) -> None:
        """Delete one search.

        Raises:
            NotFound: the user has no such search.
        """
        if not await self.connector.run(_FORGET_SEARCH, (user_id, search_id)):
            raise NotFound(self.table.kind, search_id)

    async def forget_all(self, user_id: int) -> None:
        """Delete all searches of a user."""
        await self.connector.run(_FORGET_SEARCHES, (user_id,))

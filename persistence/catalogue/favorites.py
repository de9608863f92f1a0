"""Users' favourite cinemas."""

from dataclasses import replace

from engine.catalogue_errors import NoAccount
from persistence.catalogue.cinemas import CINEMAS
from persistence.catalogue.table import Record, Rows
from persistence.connector import Connector

FAVORITES = replace(
    CINEMAS,
    columns={**CINEMAS.columns, "favorited_at": "favorites.created_at"},
    joins="JOIN favorites ON favorites.cinema_id = cinemas.id",
    filters={"user_id": "favorites.user_id = %(user_id)s"},
    orders={"": "favorites.created_at DESC"},
    references={"favorites_cinema_id_fkey": "cinema_id"},
    conflicts={"favorites_user_id_fkey": NoAccount},
)

_ADD = """
INSERT INTO favorites (user_id, cinema_id) VALUES (%(user_id)s, %(cinema_id)s) ON CONFLICT DO NOTHING
"""

_REMOVE = "DELETE FROM favorites WHERE user_id = %(user_id)s AND cinema_id = %(cinema_id)s"


class Favorites(Rows):
    """The repository of favourite cinemas."""

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, FAVORITES)

    async def add(self, user_id: int, cinema_id: int) -> Record:
        """Add a cinema to a user's favourites; adding it again changes nothing.

        Raises:
            UnknownReference: the cinema does not exist.
            NoAccount: the user does not exist.
        """
        with self.translated_errors():
            await self.connector.run(_ADD, {"user_id": user_id, "cinema_id": cinema_id})
        return await self.find(cinema_id, user_id=user_id)

    async def remove(self, user_id: int, cinema_id: int) -> None:
        """Remove a cinema from a user's favourites, if it is among them."""
        await self.connector.run(_REMOVE, {"user_id": user_id, "cinema_id": cinema_id})

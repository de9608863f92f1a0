"""`/api/v1/cinemas/favorites`: the caller's favourite cinemas."""

from api.catalogue.cinemas import Cinema
from api.catalogue.collection import Collection
from api.rest.endpoint import Access, Call, Document, Resource, dump
from api.rest.fields import Timestamp
from engine.catalogue_errors import NoAccount
from engine.errors import NotFound

favorites = Resource("/api/v1/cinemas", tag="Favorites")


class FavoriteCinema(Cinema):
    favorited_at = Timestamp(required=True)


Collection(favorites, "favorite_cinema", FavoriteCinema, lambda catalogue: catalogue.favorites).list(
    "/favorites",
    access=Access.USER,
    own=True,
    doc="List the caller's favourite cinemas.\n\nMost recently added first.",
)


@favorites.post("/{cinema_id}/favorite", answers=FavoriteCinema, status=201, refusals=(NotFound, NoAccount))
async def add_favorite_cinema(call: Call, cinema_id: int) -> Document:
    """Add a cinema to the caller's favourites.

    Adding a favourite again keeps its original `favorited_at`.
    """
    catalogue = call.services.catalogue
    await catalogue.cinemas.find(cinema_id)

    async def write() -> Document:
        return dump(FavoriteCinema, await catalogue.favorites.add(call.account_id, cinema_id))

    return await call.kept(write)


@favorites.delete("/{cinema_id}/favorite", status=204, refusals=(NotFound,))
async def remove_favorite_cinema(call: Call, cinema_id: int) -> None:
    """Remove a cinema from the caller's favourites.

    Succeeds even if the cinema was not a favourite.
    """
    catalogue = call.services.catalogue
    await catalogue.cinemas.find(cinema_id)
    await call.kept(lambda: catalogue.favorites.remove(call.account_id, cinema_id))

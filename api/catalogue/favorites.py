"""`/api/v1/cinemas/favorites`: the cinemas that the caller likes best."""

from api.catalogue.cinemas import Cinema
from api.catalogue.collection import Collection
from api.rest.endpoint import Access, Answer, Call, Resource
from api.rest.fields import Moment
from engine.catalogue_errors import NoAccount
from engine.errors import NotFound

favorites = Resource("/api/v1/cinemas", tag="Favorites")


class FavoriteCinema(Cinema):
    """A cinema, and since when it is a favourite."""

    favorited_at = Moment(required=True)


_favorite = FavoriteCinema()


Collection(favorites, "favorite_cinema", FavoriteCinema, lambda catalogue: catalogue.favorites).list(
    "/favorites",
    access=Access.USER,
    own=True,
    doc="The caller's favourite cinemas.\n\nThe latest come first.",
)


@favorites.post("/{cinema_id}/favorite", answers=FavoriteCinema, status=201, refusals=(NotFound, NoAccount))
async def add_favorite_cinema(call: Call, cinema_id: int) -> Answer:
    """Make a cinema a favourite.

    One that is a favourite already stays one, since when it was.
    """
    catalogue = call.services.catalogue
    await catalogue.cinemas.find(cinema_id)
    return Answer.of(_favorite.dump(await catalogue.favorites.add(call.account_id, cinema_id)), 201)


@favorites.delete("/{cinema_id}/favorite", status=204, refusals=(NotFound,))
async def remove_favorite_cinema(call: Call, cinema_id: int) -> None:
    """Make a cinema no favourite any more.

    That is also so if it was none.
    """
    catalogue = call.services.catalogue
    await catalogue.cinemas.find(cinema_id)
    await catalogue.favorites.remove(call.account_id, cinema_id)

"""The programme: cinemas, films, rooms and screenings."""

from collections.abc import Iterator
from datetime import date, datetime
from string import ascii_uppercase
from typing import Any

from frontrow_client._sync.base import Base, given
from frontrow_client.models import Cinema, Movie, PlacedSeat, Room, Screening, SeatPrice, Showtime


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


class Catalogue(Base):
    """Reading the programme, which needs no token.

    Lists are fetched page by page while they are iterated over.
    """

    def cinemas(self, *, city: str | None = None, sort: str | None = None) -> Iterator[Cinema]:
        """Iterate over cinemas."""
        return self._pages("/api/v1/cinemas/", Cinema, **given(city=city, sort=sort))

    def cinema(self, cinema_id: int) -> Cinema:
        """Return a cinema."""
        return self._get(f"/api/v1/cinemas/{cinema_id}", Cinema)

    def movies(
        self,
        *,
        genre: str | None = None,
        language: str | None = None,
        cinema_id: int | None = None,
        day: date | None = None,
        sort: str | None = None,
    ) -> Iterator[Movie]:
        """Iterate over films.

        Args:
            genre, language: of the film.
            cinema_id: where it is shown.
            day: when it is shown.
            sort: an order, such as "title" or "-release_date".
        """
        filters = given(genre=genre, language=language, cinema_id=cinema_id, date=day, sort=sort)
        return self._pages("/api/v1/movies/", Movie, **filters)

    def search_movies(self, text: str) -> Iterator[Movie]:
        """Iterate over the films that a search finds."""
        return self._pages("/api/v1/movies/search", Movie, q=text)

    def movie(self, movie_id: int) -> Movie:
        """Return a film."""
        return self._get(f"/api/v1/movies/{movie_id}", Movie)

    def screenings(
        self,
        *,
        movie_id: int | None = None,
        cinema_id: int | None = None,
        room_id: int | None = None,
        day: date | None = None,
        starts_from: datetime | None = None,
        starts_before: datetime | None = None,
        cancelled: bool | None = None,
        sort: str | None = None,
    ) -> Iterator[Screening]:
        """Iterate over screenings.

        Args:
            movie_id, cinema_id, room_id: what is shown, and where.
            day: on which day, at the cinema.
            starts_from, starts_before: from when on, and before when; times with an offset.
            cancelled: whether to list those that were cancelled.
            sort: an order, such as "starts_at".
        """
        times = given(**{"from": _iso(starts_from), "to": _iso(starts_before)}, date=day)
        filters = given(
            movie_id=movie_id, cinema_id=cinema_id, room_id=room_id, cancelled=cancelled, sort=sort, **times
        )
        return self._pages("/api/v1/screenings/", Screening, **filters)

    def screening(self, screening_id: int) -> Screening:
        """Return a screening."""
        return self._get(f"/api/v1/screenings/{screening_id}", Screening)

    def showtimes(
        self,
        *,
        movie_id: int | None = None,
        cinema_id: int | None = None,
        city: str | None = None,
        day: date | None = None,
        starts_from: datetime | None = None,
        starts_before: datetime | None = None,
        sort: str | None = None,
    ) -> Iterator[Showtime]:
        """Iterate over screenings as visitors choose them, with free seats; by default from now on."""
        times = given(**{"from": _iso(starts_from), "to": _iso(starts_before)}, date=day)
        filters = given(movie_id=movie_id, cinema_id=cinema_id, city=city, sort=sort, **times)
        return self._pages("/api/v1/showtimes/", Showtime, **filters)

    def prices(self, screening_id: int) -> list[SeatPrice]:
        """Return what each type of seats costs in a screening."""
        return self._get(f"/api/v1/screenings/{screening_id}/prices", list[SeatPrice])

    def rooms(self, cinema_id: int) -> Iterator[Room]:
        """Iterate over the rooms of a cinema."""
        return self._pages(f"/api/v1/cinemas/{cinema_id}/rooms/", Room)

    def room(self, room_id: int) -> Room:
        """Return a room."""
        return self._get(f"/api/v1/rooms/{room_id}", Room)

    def room_seats(self, room_id: int) -> Iterator[PlacedSeat]:
        """Iterate over the seats of a room, with their places on the plan."""
        return self._pages(f"/api/v1/rooms/{room_id}/seats/", PlacedSeat)

    def layout(self, room_id: int) -> dict[str, Any]:
        """Return the whole plan of a room, as `publish_layout` takes it."""
        return self._get(f"/api/v1/rooms/{room_id}/layout", dict[str, Any])


class Administration(Base):
    """Making the programme; for administrators. Fields that are not arguments are given by name.

    Times may be `datetime`s or strings; without an offset they are the time on the clock of the cinema.
    """

    def create_cinema(self, name: str, **fields: Any) -> Cinema:
        """Create a cinema. Further fields: city, address, phone, amenities, time_zone and others."""
        return self._post("/api/v1/cinemas/", Cinema, {"name": name, **fields})

    def create_movie(self, title: str, **fields: Any) -> Movie:
        """Create a film. Further fields: genre, language, duration_minutes, release_date and others."""
        return self._post("/api/v1/movies/", Movie, {"title": title, **fields})

    def create_room(self, cinema_id: int, name: str) -> Room:
        """Create a room without seats."""
        return self._post(f"/api/v1/cinemas/{cinema_id}/rooms/", Room, {"name": name})

    def add_rows(
        self, room_id: int, rows: int, seats_per_row: int, *, seat_type: str = "standard"
    ) -> list[PlacedSeat]:
        """Add a block of seats to a room: rows A, B, … from the screen, each with seats from 1.

        Args:
            room_id: the room.
            rows: number of rows, at most 26.
            seats_per_row: number of seats in each.
            seat_type: their type.

        Raises:
            SeatConflict: the room has other seats with these names.
            ValueError: there are more than 26 rows.
        """
        if not 1 <= rows <= 26:
            raise ValueError("rows must be 1 to 26")
        seats = [
            {
                "row_label": label,
                "seat_number": number,
                "seat_type": seat_type,
                "x": number,
                "y": y,
            }
            for y, label in enumerate(ascii_uppercase[:rows], start=1)
            for number in range(1, seats_per_row + 1)
        ]
        return self._post(f"/api/v1/rooms/{room_id}/seats/bulk", list[PlacedSeat], {"seats": seats})

    def publish_layout(
        self, room_id: int, layout: dict[str, Any], *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Replace the plan of a room, and return what changes by it.

        Args:
            room_id: the room.
            layout: as `layout` returns it, with its `version`.
            dry_run: whether only to say what would change.

        Raises:
            SeatsTaken: it lacks seats that somebody has.
            Conflict: somebody else has changed it (`layout_changed`).
        """
        params = given(dry_run=dry_run or None)
        path = f"/api/v1/rooms/{room_id}/layout"
        return self.request("PUT", path, dict[str, Any], json=layout, params=params)

    def create_screening(
        self, room_id: int, starts_at: datetime | str, price: float, **fields: Any
    ) -> Screening:
        """Create a screening. Further fields: movie_id, or title and ends_at; max_per_user and others.

        Raises:
            Conflict: the room has another screening then (`screening_overlap`).
        """
        body = {"room_id": room_id, "starts_at": starts_at, "price": price, **fields}
        return self._post("/api/v1/screenings/", Screening, body)

    def update_screening(self, screening_id: int, **fields: Any) -> Screening:
        """Change fields of a screening."""
        return self.request("PUT", f"/api/v1/screenings/{screening_id}", Screening, json=fields)

    def delete_screening(self, screening_id: int, *, cancel_bookings: bool = False) -> None:
        """Delete a screening, or cancel one for which tickets were sold.

        Raises:
            Conflict: tickets were sold (`screening_has_bookings`), and `cancel_bookings` is not set.
        """
        params = given(cancel_bookings=cancel_bookings or None)
        self.request("DELETE", f"/api/v1/screenings/{screening_id}", type(None), params=params)

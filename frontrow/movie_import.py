"""Films for the catalogue, from a file like `data/movies.json` of the npm package vega-datasets.

Each row is read into what the API would be sent, and so has to keep the API's rules; a row that does not is
reported with its number and left out. A film is recognised by its title and the date it is listed with, so
a file may be imported again, as it is or corrected.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from marshmallow import ValidationError

from api.catalogue.movies import MovieDetails
from persistence.catalogue.movies import Film, Imported, Movies

BATCH_SIZE = 500

_details = MovieDetails()


class BadRow(NamedTuple):
    """A row that is left out.

    Attributes:
        number: of the row, counted from 1.
        reason: a sentence for people.
    """

    number: int
    reason: str


class Batch(NamedTuple):
    """What became of some rows, one after the other in the file."""

    row_count: int
    imported: Imported
    bad_rows: Sequence[BadRow]

    @property
    def unchanged(self) -> int:
        """Films that were known as they are."""
        return self.row_count - len(self.bad_rows) - self.imported.created - self.imported.changed


async def import_movies(movies: Movies, rows: Sequence[Any], today: date) -> AsyncIterator[Batch]:
    """Import films, batch by batch.

    Args:
        movies: where they go.
        rows: the file's rows as JSON gives them.
        today: tells what has been released.
    """
    known: dict[str, int] = {}
    for first in range(0, len(rows), BATCH_SIZE):
        batch = rows[first : first + BATCH_SIZE]
        films, bad_rows = [], []
        for number, row in enumerate(batch, first + 1):
            try:
                film = film_of(row, today)
            except ValueError as error:
                bad_rows.append(BadRow(number, str(error)))
                continue
            if (before := known.setdefault(film.import_key, number)) != number:
                bad_rows.append(BadRow(number, f"the same film as row {before}"))
                continue
            films.append(film)
        imported = await movies.import_films(films) if films else Imported(0, 0)
        yield Batch(len(batch), imported, bad_rows)


def film_of(row: Any, today: date) -> Film:
    """The film in a row.

    Args:
        row: an object with the columns of the file; those that are not mentioned here are ignored.
        today: tells what has been released.

    Raises:
        ValueError: the row breaks a rule of the API, which the message tells.
    """
    if not isinstance(row, Mapping):
        raise ValueError("not an object")
    document = {
        "title": _text(row.get("Title")),
        "genre": row.get("Major Genre") or "",
        "rating": row.get("MPAA Rating") or "",
        "duration_minutes": row.get("Running Time min"),
        "release_date": _iso_date(row.get("Release Date")),
        "director": _text(row.get("Director")) or "",
        "imdb_rating": row.get("IMDB Rating"),
    }
    try:
        film = _details.load(document)
    except ValidationError as error:
        faults = error.normalized_messages()  # type: ignore[no-untyped-call]
        raise ValueError("; ".join(f"{name}: {' '.join(said)}" for name, said in faults.items())) from error
    import_key = f"{film['title']} ({document['release_date'] or 'undated'})"
    return Film(import_key, **{**film, "release_date": _released(film["release_date"], row, today)})


def _text(value: Any) -> Any:
    """Titles such as 1776 stand in the file as numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _iso_date(value: Any) -> Any:
    """A date as the file writes it, "Jun 12 1998", as the API does; whatever else it is, the API judges."""
    try:
        return datetime.strptime(value, "%b %d %Y").date().isoformat()
    except (TypeError, ValueError):
        return value


def _released(listed: date | None, row: Mapping[str, Any], today: date) -> date | None:
    """The date of a film's release.

    Some years of the last century were two digits once and came out as this century's: "Dec 15 2039" for
    "Gone with the Wind". Nobody knows takings or ratings of a film that is still to come.
    """
    seen = any(row.get(name) is not None for name in ("IMDB Rating", "US Gross", "Worldwide Gross"))
    if listed is None or listed <= today or not seen:
        return listed
    return listed.replace(year=listed.year - 100)
